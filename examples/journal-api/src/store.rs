//! The journal: SQLite tables shared by all tenants, with a tenant column.
//!
//! Every method takes the tenant as a [`ProvenTenant`], which cannot be made of a string, and every
//! query compares the tenant column with it. So there is no call that reads or writes for a tenant
//! other than the one the request was proven to be of.

mod book_error;
mod booking;
mod kept;
mod under_way;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqliteExecutor, SqlitePool};
use tempfile::TempDir;

use tenantry::{Clock, ProvenTenant, SystemClock};

use crate::booked::Booked;
use crate::id::EntryId;
use crate::rows::{LineRow, Rows};
use crate::store_error::StoreError;

pub use book_error::BookError;
pub use booking::Done;
use under_way::UnderWay;

/// The most entries that [`Journal::newest`] returns.
pub const MAX_LIMIT: u32 = 100;

/// The repository of journal entries. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
    under_way: UnderWay,
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
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self {
            pool,
            clock: Arc::new(SystemClock::new()),
            under_way: UnderWay::default(),
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

    /// Returns the entry `id` of `tenant`; `None` if the tenant has no such entry, whether or not
    /// another one has.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn find(
        &self,
        tenant: &ProvenTenant,
        id: EntryId,
    ) -> Result<Option<Booked>, StoreError> {
        find(&self.pool, tenant, id).await
    }

    /// Returns the entries of `tenant` that were booked last, newest first: at most `limit`, and
    /// never more than [`MAX_LIMIT`].
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn newest(
        &self,
        tenant: &ProvenTenant,
        limit: u32,
    ) -> Result<Vec<Booked>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT entry.id, entry.date, entry.memo, \
                    line.account, line.side, line.amount, line.currency \
             FROM (SELECT tenant, id, date, memo FROM journal_entry \
                   WHERE tenant = ? ORDER BY id DESC LIMIT ?) AS entry \
             JOIN journal_line AS line ON line.tenant = entry.tenant AND line.entry = entry.id \
             ORDER BY entry.id DESC, line.position",
        )
        .bind(tenant.as_str())
        .bind(limit.min(MAX_LIMIT))
        .fetch(&self.pool);
        entries(rows).await
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

/// Reads one entry of `tenant`, also within a transaction.
async fn find(
    database: impl SqliteExecutor<'_>,
    tenant: &ProvenTenant,
    id: EntryId,
) -> Result<Option<Booked>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT entry.id, entry.date, entry.memo, \
                    line.account, line.side, line.amount, line.currency \
             FROM journal_entry AS entry \
             JOIN journal_line AS line ON line.tenant = entry.tenant AND line.entry = entry.id \
             WHERE entry.tenant = ? AND entry.id = ? \
             ORDER BY line.position",
    )
    .bind(tenant.as_str())
    .bind(id.to_string())
    .fetch(database);
    Ok(entries(rows).await?.pop())
}

/// Puts the lines back together that belong to one entry.
async fn entries(
    mut lines: BoxStream<'_, Result<LineRow, sqlx::Error>>,
) -> Result<Vec<Booked>, StoreError> {
    let mut rows = Rows::default();
    while let Some(line) = lines.try_next().await? {
        rows.push(line)?;
    }
    rows.finish()
}

#[cfg(test)]
mod tests;
