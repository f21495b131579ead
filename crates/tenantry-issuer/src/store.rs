//! Where tenants, clients, refresh tokens and keys are kept: SQLite, or PostgreSQL for replicas.
//!
//! One text of each query serves both; the macros in [`database`] expand a body for each.

mod assertions;
mod audit;
mod clients;
mod database;
mod error;
mod families;
mod keys;
mod migrations;
mod postgres;
mod prune;
mod revoked_tokens;
mod rows;
mod served;
mod sqlite;
mod tenants;

use std::fmt;

use self::database::{Database, on_reader};

pub use error::{StoreError, StoreErrorKind};
pub use families::{RefreshAttempt, RefreshUse};

/// The most entries that one call lists.
const MAX_LIMIT: u32 = 1000;

/// The database of an authorization server. Cheap to clone.
///
/// Several processes may use one at the same time: replicas over PostgreSQL behave as one, and the
/// command line may change a SQLite file that a server has open.
///
/// ```
/// use std::time::Duration;
///
/// use serde_json::Map;
/// use tenantry_issuer::{Store, StoreErrorKind, Tenant, TenantStatus};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("sqlite::memory:").await?;
/// let acme = Tenant {
///     id: "acme".parse()?,
///     name: Some("Acme Ltd".into()),
///     status: TenantStatus::Active,
///     claims: Map::new(),
///     created_at: Duration::from_secs(1_763_000_000),
/// };
/// store.add_tenant(&acme).await?;
/// assert_eq!(store.tenant(&acme.id).await?, Some(acme.clone()));
///
/// let shouted = Tenant { id: "ACME".parse()?, ..acme };
/// let error = store.add_tenant(&shouted).await.unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens the database at `url`, and makes or brings up to date its tables.
    ///
    /// | `url` | is |
    /// |---|---|
    /// | `sqlite://FILE` | a file, made with mode 0600 if it is not there, and taken from others than its owner if it is; `sqlite:///…` for an absolute path |
    /// | `sqlite::memory:` | a database that is gone with the last clone of the store |
    /// | `postgres://USER:PASSWORD@HOST/NAME` | a PostgreSQL database |
    ///
    /// The tables are made by one process at a time: several may start at once.
    ///
    /// # Errors
    ///
    /// - [`Location`](StoreErrorKind::Location): the URL is none of these, or the file cannot be
    ///   written, or is not a database of an authorization server of this version.
    /// - [`Unavailable`](StoreErrorKind::Unavailable): the database does not answer as it should.
    ///
    /// No message names the URL: it may hold a password.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let database = match url.split_once(':') {
            Some(("sqlite", name)) => sqlite::open(name).await?,
            // Without the slashes its password would be taken for another part, and shown.
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                postgres::open(url).await?
            }
            _ => {
                return Err(StoreError::location(
                    "a database is named `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`",
                ));
            }
        };
        Ok(Self { database })
    }

    /// Asks the database for nothing, to see whether it answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        on_reader!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Waits for the calls under way and closes the connections. Later calls fail.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("database", &self.database).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>(_: T) {}

    #[test]
    fn futures_can_be_spawned() {
        is_send(Store::open(""));
    }
}
