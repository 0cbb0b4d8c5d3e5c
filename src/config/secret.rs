//! Files that hold secrets: they must be there, and be nobody else's business.
//!
//! ## Why group-readable is fine below systemd's folder
//! `LoadCredential=` hands its files to the service's user by an access list; the mode then shows 0440, although nobody
//! but the service can enter the folder. Source: systemd issue 29435. Others must not read it even there.
use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Longer than any token of Shopify's (38 letters) by far; a file beyond it is not a secret but a mistake.
const SECRET_MAX: u64 = 4096;

/// A secret. It is shown nowhere by accident: `Debug` tells nothing, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that came from elsewhere than a file, such as a fetched token.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }
    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret cannot be had from a file. The text says what happened; `remedy` says what to do.
#[derive(Debug, Error)]
pub enum SecretError {
    /// It is not there.
    #[error("the secret file {} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A folder, or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error("the secret file {} is open to other users (mode {mode:04o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it.
    #[error("the secret file {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Several lines, spaces, control characters, not UTF-8, or too long.
    #[error("the secret file {} holds more than one word of plain text", path.display())]
    NotASecret {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the secret file {} cannot be read: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { path } if of_systemd(path) => {
                "add LoadCredential= to the service; the file is there only while the service runs".to_owned()
            }
            Self::Missing { path } => {
                format!("put the secret into it, alone on one line, then `chmod 600 {}`", path.display())
            }
            Self::NotAFile { .. } => "name a file that holds the secret, alone on one line".to_owned(),
            Self::OpenToOthers { path, .. } => {
                format!("run `chmod 600 {}`, and replace the secret if others may have read it", path.display())
            }
            Self::Empty { .. } => "put the secret into it, alone on one line".to_owned(),
            Self::NotASecret { .. } => "leave only the secret in it, alone on one line, without quotes".to_owned(),
            Self::Io { .. } => "give the file and its folders to the user that drawerbridge runs as (`chown`)".to_owned(),
        }
    }
}

/// Reads a secret from a file that nobody else can read. The line's end is not part of it.
pub fn read_secret(path: &Path) -> Result<Secret, SecretError> {
    let path_buf = || path.to_owned();
    let io_error = |cause: io::Error| {
        let missing = cause.kind() == ErrorKind::NotFound;
        if missing { SecretError::Missing { path: path_buf() } } else { SecretError::Io { path: path_buf(), cause } }
    };
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(io_error)?.is_file() {
        return Err(SecretError::NotAFile { path: path_buf() });
    }
    let file = File::open(path).map_err(io_error)?;
    // The open file is asked, not the path: it cannot be exchanged in between.
    let meta = file.metadata().map_err(io_error)?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & if of_systemd(path) { 0o007 } else { 0o077 } != 0 {
        return Err(SecretError::OpenToOthers { path: path_buf(), mode });
    }
    let mut bytes = Vec::new();
    let read = file.take(SECRET_MAX + 1).read_to_end(&mut bytes).map_err(io_error)?;
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotASecret { path: path_buf() })?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(SecretError::Empty { path: path_buf() });
    }
    // It becomes an HTTP header: visible ASCII, no spaces, no line ends.
    if read as u64 > SECRET_MAX || !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SecretError::NotASecret { path: path_buf() });
    }
    Ok(Secret(secret.to_owned()))
}

/// Below the folder that systemd makes for a service's credentials. Source: systemd.exec(5), `LoadCredential=`.
pub(crate) fn of_systemd(path: &Path) -> bool {
    let named = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| Path::new(folder).is_absolute());
    path.starts_with("/run/credentials") || named.is_some_and(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_shown() {
        let (_folder, path) = file(b"shpat_0123\n", 0o600);
        let secret = read_secret(&path).unwrap();
        assert_eq!(secret.reveal(), "shpat_0123");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        for mode in [0o640, 0o604, 0o660, 0o644, 0o601] {
            let (_folder, path) = file(b"shpat_0123", mode);
            let refused = read_secret(&path).unwrap_err();
            assert!(matches!(refused, SecretError::OpenToOthers { .. }), "{mode:o}: {refused}");
            assert!(refused.remedy().contains(&format!("`chmod 600 {}`", path.display())));
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let long = vec![b'x'; 5000];
        let cases: [&[u8]; 6] = [b"", b" \n", b"two words", b"two\nlines", b"caf\xE9", &long];
        for (n, content) in cases.iter().enumerate() {
            let (_folder, path) = file(content, 0o600);
            let refused = read_secret(&path).unwrap_err();
            assert_eq!(matches!(refused, SecretError::Empty { .. }), n < 2, "{refused}");
            assert_eq!(matches!(refused, SecretError::NotASecret { .. }), n >= 2, "{refused}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read_secret(folder.path()), Err(SecretError::NotAFile { .. })));
        assert!(matches!(read_secret(&folder.path().join("none")), Err(SecretError::Missing { .. })));
    }
}
