//! A key set in a file.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tenantry_core::Issuer;

use crate::keys::{KeySet, KeySetError};

impl KeySet {
    /// Reads a file with a JWK Set, as [`parse`](Self::parse) does, or with public keys in PEM, as
    /// [`from_pem`](Self::from_pem) does. It blocks the thread.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is neither.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        Self::read_file(path.as_ref(), Self::parse)
    }

    /// Reads a file of `issuer`. Keys that say they are for another are skipped, too.
    pub(crate) fn read_for(issuer: &Issuer, path: &Path) -> Result<Self, KeyFileError> {
        Self::read_file(path, |json| Self::parse_for(issuer, json))
    }

    fn read_file(
        path: &Path,
        parse: impl FnOnce(&[u8]) -> Result<Self, KeySetError>,
    ) -> Result<Self, KeyFileError> {
        let bytes = read_bounded(path).map_err(KeyFileError::unreadable)?;
        let set = if bytes.trim_ascii_start().first() == Some(&b'{') {
            parse(&bytes)
        } else {
            str::from_utf8(&bytes).map_err(|_| KeySetError::MALFORMED).and_then(Self::from_pem)
        };
        set.map_err(KeyFileError::not_a_key_set)
    }
}

/// Reads a file no longer than a key set. One byte more than allowed is enough to know that it is.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(KeySet::MAX_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file is not a key set that can be read.
#[derive(Debug)]
pub struct KeyFileError {
    kind: KeyFileErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

/// The category of a [`KeyFileError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyFileErrorKind {
    /// What is in it is neither a JWK Set nor PEM.
    KeySet,
    /// It cannot be opened or read.
    Unreadable,
}

impl KeyFileError {
    fn unreadable(source: io::Error) -> Self {
        Self { kind: KeyFileErrorKind::Unreadable, source: source.into() }
    }

    fn not_a_key_set(source: KeySetError) -> Self {
        Self { kind: KeyFileErrorKind::KeySet, source: source.into() }
    }

    /// Returns the category.
    #[must_use]
    pub const fn kind(&self) -> KeyFileErrorKind {
        self.kind
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            KeyFileErrorKind::KeySet => "the file is not a key set",
            KeyFileErrorKind::Unreadable => "the file cannot be read",
        })
    }
}

impl Error for KeyFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::keys_of;

    #[test]
    fn a_file_is_read_or_said_to_be_unreadable_or_no_key_set() {
        let path = std::env::temp_dir().join(format!("tenantry-key-file-{}", std::process::id()));
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            KeySet::read(&path)
        };
        assert_eq!(read(keys_of(["a"]).to_string().as_bytes()).unwrap().keys().len(), 1);
        let error = read(b"\xff").unwrap_err();
        assert_eq!(error.kind(), KeyFileErrorKind::KeySet);
        assert!(error.source().unwrap().to_string().starts_with("not a JWK set"));
        std::fs::remove_file(&path).unwrap();
        let error = KeySet::read(&path).unwrap_err();
        assert_eq!(error.kind(), KeyFileErrorKind::Unreadable);
        assert_eq!(error.to_string(), "the file cannot be read");
        assert!(error.source().unwrap().downcast_ref::<io::Error>().is_some());
    }
}
