//! What can go wrong with the journal's database.

use std::error::Error;
use std::fmt;

/// The database could not be opened, read or written. The reason is its
/// [`source`](Error::source).
#[derive(Debug)]
pub struct StoreError {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    const BUSY: &str = "all connections to the database are in use";

    /// Whether it may work a moment later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.what == Self::BUSY
    }

    /// Something in the database is not what this program writes.
    pub(crate) fn corrupt(source: impl Error + Send + Sync + 'static) -> Self {
        Self { what: "the database holds an entry that is none", source: source.into() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        if matches!(source, sqlx::Error::PoolTimedOut) {
            return Self { what: Self::BUSY, source: source.into() };
        }
        Self { what: "the database did not answer as it should", source: source.into() }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(source: sqlx::migrate::MigrateError) -> Self {
        Self { what: "the database's tables could not be made", source: source.into() }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(source: std::io::Error) -> Self {
        Self { what: "there is no place for a database", source: source.into() }
    }
}
