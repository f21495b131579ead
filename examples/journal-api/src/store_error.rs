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
    const BUSY: &str = "all connections to the database are in use, or another process writes";
    const CROWDED: &str = "the tenant has too many calls under way";

    /// Whether it may work a moment later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.what == Self::BUSY
    }

    /// Whether the tenant itself has too many calls under way.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.what == Self::CROWDED
    }

    /// The tenant has too many calls under way.
    pub(crate) fn crowded() -> Self {
        Self { what: Self::CROWDED, source: "each tenant has its share of the database".into() }
    }

    /// Something in the database is not what this program writes.
    pub(crate) fn corrupt(source: impl Error + Send + Sync + 'static) -> Self {
        Self { what: "the database holds an entry that is none", source: source.into() }
    }
}

impl From<tokio::task::JoinError> for StoreError {
    fn from(source: tokio::task::JoinError) -> Self {
        Self { what: "a read of the database was interrupted", source: source.into() }
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
        if matches!(source, sqlx::Error::PoolTimedOut) || is_locked(&source) {
            return Self { what: Self::BUSY, source: source.into() };
        }
        Self { what: "the database did not answer as it should", source: source.into() }
    }
}

/// Whether another process wrote for longer than we wait: `SQLITE_BUSY`, in one of its forms.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
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
