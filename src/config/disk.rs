//! What only the disk can tell: whether a secret can be read, whether the journal has a folder.
//!
//! ## Why this is apart from the text
//! `status`, `kick` and `journal list` need the settings and no secret. They are run by people who may not read one, and
//! while the service is stopped, when the credentials that systemd hands it are not there at all.
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    reader::At,
    report::Notes,
    secret::{SecretError, of_systemd, read_secret},
};

/// How much is asked of the disk while settings are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Nothing: the text alone counts.
    NotAsked,
    /// What `run` needs is there, or it is a mistake.
    ForRun,
    /// As for `run`, but a credential that only the running service can see is no more than a remark.
    ForCheck,
}

impl Disk {
    /// A secret's file: there, readable, and nobody else's. What is in it is not kept.
    pub(crate) fn secret(self, notes: &Notes<'_>, path: &At<PathBuf>) {
        if self == Self::NotAsked {
            return;
        }
        match read_secret(&path.value) {
            Ok(_) => {}
            Err(error) if self == Self::ForCheck && of_the_service_alone(&error) => {
                let remedy = "it is looked at when the service starts; the unit needs LoadCredential= for it";
                notes.remark(&path.at, error.to_string(), remedy);
            }
            Err(error) => notes.add(&path.at, error.to_string(), error.remedy()),
        }
    }

    /// The API's token is used if it is there; a file that is not there is made at the first start.
    pub(crate) fn api_token(self, notes: &Notes<'_>, path: &At<PathBuf>) {
        if self == Self::NotAsked {
            return;
        }
        match read_secret(&path.value) {
            Ok(_) | Err(SecretError::Missing { .. }) => {}
            Err(error @ SecretError::Empty { .. }) => {
                notes.add(&path.at, error.to_string(), "remove it; a token is made at the next start");
            }
            Err(
                error @ (SecretError::NotAFile { .. }
                | SecretError::OpenToOthers { .. }
                | SecretError::NotASecret { .. }
                | SecretError::Io { .. }),
            ) => notes.add(&path.at, error.to_string(), error.remedy()),
        }
    }

    /// The journal's file is made at the first start, its folder is not.
    pub(crate) fn journal(self, notes: &Notes<'_>, path: &At<PathBuf>) {
        if self == Self::NotAsked {
            return;
        }
        if path.value.is_dir() {
            let remedy = format!("name the file in it: path = \"{}/journal.db\"", path.value.display());
            notes.add(&path.at, format!("{} is a folder", path.value.display()), remedy);
        }
        // Without a folder in its name, the file is in the one where the program was started.
        let Some(folder) = path.value.parent().filter(|folder| *folder != Path::new("")) else { return };
        match std::fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let what = format!("{} is not a folder, and the journal cannot be in it", folder.display());
                notes.add(&path.at, what, "name a file in a folder that only the daemon writes to");
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let remedy = format!(
                    "make it with `mkdir -p {}` and give it to the user that drawerbridge runs as (`chown`)",
                    folder.display()
                );
                notes.add(&path.at, format!("the journal's folder {} does not exist", folder.display()), remedy);
            }
            // Who checks may not look there; who runs says more when it opens the file.
            Err(_) => {}
        }
    }
}

/// A credential that systemd makes for the service: gone while it is stopped, closed to everyone else.
fn of_the_service_alone(error: &SecretError) -> bool {
    match error {
        SecretError::Missing { path } => of_systemd(path),
        SecretError::Io { path, cause } => of_systemd(path) && cause.kind() == ErrorKind::PermissionDenied,
        SecretError::NotAFile { .. }
        | SecretError::OpenToOthers { .. }
        | SecretError::Empty { .. }
        | SecretError::NotASecret { .. } => false,
    }
}
