//! The journal: SQLite tables shared by all tenants, with a tenant column.
//!
//! Every method takes the tenant as a [`ProvenTenant`], which cannot be made
//! of a string, and every query compares the tenant column with it. So there is no call that reads
//! or writes for a tenant other than the one the request was proven to be of.

mod balance;
mod book_error;
mod booking;
mod kept;
mod reading;
mod reversing;
mod share;
mod under_way;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;
use tokio::sync::Mutex;

use tenantry::{Clock, ProvenTenant, SystemClock};

use crate::store_error::StoreError;

pub use book_error::BookError;
pub use booking::Done;
pub use reading::{MAX_LIMIT, Page};
use share::Shares;
use under_way::UnderWay;

/// How many connections there are to the database: more than one tenant's share.
const CONNECTIONS: u32 = 8;
const _: () = assert!(share::SHARE < CONNECTIONS as usize);

/// The repository of journal entries. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
    under_way: UnderWay,
    shares: Shares,
    /// Held by whoever writes: SQLite has one writer, and does not let them queue.
    writer: Arc<Mutex<()>>,
    /// Removed with the last clone.
    _temporary: Option<Arc<TempDir>>,
}

impl Journal {
    /// Opens the database `file`, creating it and its tables if they are not there.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or is not a database of this program.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A booking that was answered with 201 survives a loss of power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self {
            pool,
            clock: Arc::new(SystemClock::new()),
            under_way: UnderWay::default(),
            shares: Shares::default(),
            writer: Arc::default(),
            _temporary: None,
        })
    }

    /// Opens a database that is removed with the last clone of the journal.
    ///
    /// # Errors
    ///
    /// If there is no place for it.
    pub async fn open_temporary() -> Result<Self, StoreError> {
        let dir = TempDir::with_prefix("journal-api-")?;
        let journal = Self::open(&dir.path().join("journal.db")).await?;
        Ok(Self { _temporary: Some(Arc::new(dir)), ..journal })
    }

    /// Tells the time by `clock`: how long keys of retries are kept.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Reads for `tenant` when it is its turn, in a task of its own. A statement goes on in the
    /// database after its caller has gone away, so the turn does, too: otherwise a tenant would get
    /// every connection by asking and leaving.
    async fn in_turn<T: Send + 'static>(
        &self,
        tenant: &ProvenTenant,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shares.turn(tenant).await?;
        let reading = tokio::spawn(async move {
            let found = read.await;
            drop(turn);
            found
        });
        reading.await?
    }

    /// Asks the database for nothing, to see whether it answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits for the calls under way and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
