//! What can go wrong with a store.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// Something could not be stored or read. Nothing of it was stored.
///
/// The reason, if the database gave one, is its [`source`](Error::source).
pub struct StoreError {
    kind: StoreErrorKind,
    what: Cow<'static, str>,
    cause: Option<Cause>,
}

/// The category of a [`StoreError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StoreErrorKind {
    /// There is one of that id, or one that differs only in case.
    AlreadyExists,
    /// The database is in use by too many: it may work a moment later.
    Busy,
    /// The database holds something that this program does not write.
    Corrupt,
    /// The database cannot be opened: its name, its file or its tables are not such.
    Location,
    /// What it was to belong to is not registered.
    NotFound,
    /// The database did not answer as it should.
    Unavailable,
}

impl StoreError {
    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(super) fn new(kind: StoreErrorKind, what: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, what: what.into(), cause: None }
    }

    pub(super) fn location(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Location, what)
    }

    /// `what` names the column, and never what is in it.
    pub(super) fn corrupt(what: &'static str) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("the database holds {what} that is none"))
    }

    pub(super) fn because(self, cause: &dyn fmt::Display) -> Self {
        Self { cause: Some(Cause(cause.to_string())), ..self }
    }

    /// Says `what` of an error that happened while the database was opened.
    pub(super) fn while_opening(self, what: impl Into<Cow<'static, str>>) -> Self {
        match self.kind {
            StoreErrorKind::Busy => self,
            StoreErrorKind::Location => {
                let cause = match self.cause {
                    Some(Cause(cause)) => format!("{}: {cause}", self.what),
                    None => self.what.into_owned(),
                };
                Self::location(what).because(&cause)
            }
            _ => Self { kind: StoreErrorKind::Location, what: what.into(), ..self },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause.as_ref().map(|cause| cause.0.as_str());
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("what", &self.what)
            .field("cause", &cause)
            .finish()
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// The text of the database's own error.
// INVARIANT (secrets stay in): only its message. The details of an error of PostgreSQL show rows.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Cause {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let busy = match &error {
            sqlx::Error::PoolTimedOut => true,
            // SQLITE_BUSY with its extended codes; PostgreSQL's class 53 is "insufficient resources".
            sqlx::Error::Database(error) => error
                .code()
                .is_some_and(|code| ["5", "261", "517", "773", "53300"].contains(&&*code)),
            _ => false,
        };
        if busy {
            return Self::new(StoreErrorKind::Busy, "the database is busy").because(&error);
        }
        Self::new(StoreErrorKind::Unavailable, "the database did not answer as it should")
            .because(&error)
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                Self::location("it was written by a newer version of tenantry: start that one")
            }
            error => Self::location("the tables are not those of this version").because(&error),
        }
    }
}

/// Whether `error` says that there is such a row.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.kind() == ErrorKind::UniqueViolation)
}

/// Whether `error` says that the row's parent is missing.
pub(super) fn is_orphan(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.kind() == ErrorKind::ForeignKeyViolation)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, Connection};

    use super::*;

    #[tokio::test]
    async fn a_database_that_another_writes_to_is_busy() {
        let dir = tempfile::TempDir::new().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("a.db"))
            .create_if_missing(true)
            .busy_timeout(std::time::Duration::ZERO);
        let mut one = options.connect().await.unwrap();
        let mut other = options.connect().await.unwrap();
        let _writes = one.begin_with("BEGIN IMMEDIATE").await.unwrap();

        let error = StoreError::from(other.begin_with("BEGIN IMMEDIATE").await.err().unwrap());

        assert_eq!(error.kind(), StoreErrorKind::Busy);
        assert_eq!(error.to_string(), "the database is busy");
        assert_eq!(StoreError::from(sqlx::Error::PoolTimedOut).kind(), StoreErrorKind::Busy);
        assert_eq!(StoreError::from(sqlx::Error::RowNotFound).kind(), StoreErrorKind::Unavailable);
    }
}
