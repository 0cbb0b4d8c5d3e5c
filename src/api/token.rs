//! The local API's own token: read from its file, or made there at first start.
use std::{
    fmt::Write as _,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::config::{SecretError, read_secret};

/// The token; never printed.
pub struct ApiToken(String);

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiToken(hidden)")
    }
}

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It could not be made.
    #[error("the API's token could not be written to {path}: create its folder and let the service's user write there")]
    Write {
        /// `[api] token_file`.
        path: PathBuf,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] SecretError),
    /// No randomness.
    #[error("the system has no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

impl ApiToken {
    /// Reads the file, or makes it with 256 random bits, 0600.
    pub fn load_or_make(path: &Path) -> Result<Self, TokenError> {
        if path.exists() {
            return Ok(Self(read_secret(path)?.reveal().to_owned()));
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(TokenError::NoRandomness)?;
        let mut token = String::with_capacity(64);
        for byte in bytes {
            write!(token, "{byte:02x}").expect("a String takes everything");
        }
        let write = || {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file =
                tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
            writeln!(file, "{token}")?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|e| e.error)?;
            std::fs::OpenOptions::new().read(true).custom_flags(0).open(folder)?.sync_all()
        };
        write().map_err(|cause| TokenError::Write { path: path.to_owned(), cause })?;
        Ok(Self(token))
    }

    /// The header `Authorization: Bearer TOKEN` carries this token. Compared in constant time.
    #[must_use]
    pub fn fits(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return false };
        let Some((scheme, token)) = value.to_str().ok().and_then(|v| v.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(token.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }

    /// For this program's own subcommands.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_for_its_owner_only_and_must_fit_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api-token");
        let first = ApiToken::load_or_make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = ApiToken::load_or_make(&path).unwrap();
        assert_eq!(first.0, second.0);
        let with = |v: String| HeaderMap::from_iter([(header::AUTHORIZATION, v.parse().unwrap())]);
        assert!(first.fits(&with(second.bearer())));
        assert!(!first.fits(&with(format!("{}0", second.bearer()))));
        assert!(!first.fits(&with(second.bearer()[..60].to_owned())));
        assert!(!first.fits(&with("Bearer ".to_owned())));
        assert!(!first.fits(&HeaderMap::new()));
        assert_eq!(format!("{first:?}"), "ApiToken(hidden)");
    }
}
