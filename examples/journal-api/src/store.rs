//! The journal: SQLite tables shared by all tenants, with a tenant column.
//!
//! Every method takes the tenant as a [`ProvenTenant`], which cannot be made of a string, and every
//! query compares the tenant column with it. So there is no call that reads or writes for a tenant
//! other than the one the request was proven to be of.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;

use tenantry::ProvenTenant;

use crate::id::EntryId;
use crate::ledger::JournalEntry;
use crate::rows::{LineRow, Rows};
use crate::store_error::StoreError;

/// The most entries that [`Journal::newest`] returns.
pub const MAX_LIMIT: u32 = 100;

/// The repository of journal entries. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    pool: SqlitePool,
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
        Ok(Self { pool, _temporary: None })
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

    /// Books `entry` for `tenant` and returns the id it can be found under.
    ///
    /// # Errors
    ///
    /// If the database does not take it. Then none of it is booked.
    pub async fn book(
        &self,
        tenant: &ProvenTenant,
        entry: &JournalEntry,
    ) -> Result<EntryId, StoreError> {
        let id = EntryId::new();
        let id_text = id.to_string();
        // Other writers are waited for here, and at no later statement.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (position, line) in (0_i64..).zip(entry.lines()) {
            sqlx::query(
                "INSERT INTO journal_line \
                 (tenant, entry, position, account, side, amount, currency) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(tenant.as_str())
            .bind(&id_text)
            .bind(position)
            .bind(line.account())
            .bind(line.side().as_str())
            .bind(line.amount().to_string())
            .bind(line.currency().code())
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("INSERT INTO journal_entry (tenant, id, date, memo) VALUES (?, ?, ?, ?)")
            .bind(tenant.as_str())
            .bind(&id_text)
            .bind(entry.date().to_string())
            .bind(entry.memo())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
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
    ) -> Result<Option<JournalEntry>, StoreError> {
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
        .fetch(&self.pool);
        Ok(entries(rows).await?.pop().map(|(_, entry)| entry))
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
    ) -> Result<Vec<(EntryId, JournalEntry)>, StoreError> {
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

/// Puts the lines back together that belong to one entry.
async fn entries(
    mut lines: BoxStream<'_, Result<LineRow, sqlx::Error>>,
) -> Result<Vec<(EntryId, JournalEntry)>, StoreError> {
    let mut rows = Rows::default();
    while let Some(line) = lines.try_next().await? {
        rows.push(line)?;
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::NewEntry;

    async fn journal() -> (TempDir, Journal) {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).await.unwrap();
        (dir, journal)
    }

    fn proven(tenant: &str) -> ProvenTenant {
        tenantry_testkit::request_of(tenant).build().tenant().clone()
    }

    fn entry(memo: &str) -> JournalEntry {
        let new: NewEntry =
            serde_json::from_value(json!({"date": "2026-11-21", "memo": memo, "lines": [
            {"account": "6310", "debit": "1200.1", "currency": "EUR"},
            {"account": "6311", "debit": "7", "currency": "JPY"},
            {"account": "1200", "credit": "7", "currency": "JPY"},
            {"account": "1200", "credit": "1200.10", "currency": "EUR"}]}))
            .unwrap();
        new.try_into().unwrap()
    }

    /// Runs a statement past the repository.
    async fn run(journal: &Journal, sql: &'static str) -> Result<u64, String> {
        let done = sqlx::query(sql).execute(&journal.pool).await;
        done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_entry_is_found_as_it_was_booked() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        let id = journal.book(&tenant, &entry("rent")).await.unwrap();
        assert_eq!(journal.find(&tenant, id).await.unwrap(), Some(entry("rent")));
        assert_eq!(journal.find(&tenant, EntryId::new()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn isolation_no_tenant_finds_an_entry_of_another() {
        let (_dir, journal) = journal().await;
        let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
        let our_id = journal.book(&ours, &entry("ours")).await.unwrap();
        let their_id = journal.book(&theirs, &entry("theirs")).await.unwrap();

        assert_eq!(journal.find(&ours, their_id).await.unwrap(), None);
        assert_eq!(journal.find(&theirs, our_id).await.unwrap(), None);
        assert_eq!(journal.newest(&ours, 100).await.unwrap(), [(our_id, entry("ours"))]);
        assert_eq!(journal.newest(&theirs, 100).await.unwrap(), [(their_id, entry("theirs"))]);
        assert_eq!(journal.newest(&proven("tenant10"), 100).await.unwrap(), []);
        assert_eq!(journal.newest(&proven("TENANT1"), 100).await.unwrap(), []);
    }

    #[tokio::test]
    async fn isolation_two_tenants_may_have_an_entry_of_one_id() {
        let (_dir, journal) = journal().await;
        let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
        let id = journal.book(&ours, &entry("ours")).await.unwrap();
        // Ids are random, so this does not happen by itself: it shows that joins name the tenant.
        let mut transaction = journal.pool.begin().await.unwrap();
        for copy in [
            "INSERT INTO journal_line SELECT 'tenant2', entry, position, account, side, \
             amount || '5', currency FROM journal_line \
             WHERE tenant = 'tenant1' AND currency = 'JPY'",
            "INSERT INTO journal_entry SELECT 'tenant2', id, date, 'theirs' FROM journal_entry \
             WHERE tenant = 'tenant1'",
        ] {
            sqlx::query(copy).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();

        assert_eq!(journal.find(&ours, id).await.unwrap(), Some(entry("ours")));
        assert_eq!(journal.newest(&ours, 100).await.unwrap(), [(id, entry("ours"))]);
        let copied = journal.find(&theirs, id).await.unwrap().unwrap();
        assert_eq!((copied.memo(), copied.lines().len()), ("theirs", 2));
        assert_eq!(journal.newest(&theirs, 100).await.unwrap(), [(id, copied)]);
    }

    #[tokio::test]
    async fn the_newest_come_first_and_no_more_than_asked_for() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        for memo in ["a", "b", "c"] {
            journal.book(&tenant, &entry(memo)).await.unwrap();
        }
        let memos = async |limit| {
            let newest = journal.newest(&tenant, limit).await.unwrap();
            newest.iter().map(|(_, entry)| entry.memo().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(memos(100).await, ["c", "b", "a"]);
        assert_eq!(memos(2).await, ["c", "b"]);
        assert_eq!(memos(0).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_list_is_bounded_whatever_is_asked_for() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        for _ in 0..=MAX_LIMIT {
            journal.book(&tenant, &entry("rent")).await.unwrap();
        }
        assert_eq!(journal.newest(&tenant, u32::MAX).await.unwrap().len(), MAX_LIMIT as usize);
    }

    #[tokio::test]
    async fn what_is_booked_cannot_be_changed_even_in_sql() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        let id = journal.book(&tenant, &entry("rent")).await.unwrap();
        for sql in [
            "UPDATE journal_entry SET memo = ''",
            "UPDATE journal_entry SET tenant = 'tenant2'",
            "DELETE FROM journal_entry",
            "INSERT OR REPLACE INTO journal_entry SELECT tenant, id, date, '' FROM journal_entry",
            "UPDATE journal_line SET amount = '1'",
            "DELETE FROM journal_line",
            "INSERT OR REPLACE INTO journal_line \
             SELECT tenant, entry, position, account, side, '1', currency FROM journal_line",
            "INSERT INTO journal_line \
             SELECT tenant, id, 9, '1', 'debit', '1', 'EUR' FROM journal_entry",
        ] {
            let refused = run(&journal, sql).await.unwrap_err();
            assert!(refused.contains("journal entries are immutable"), "{sql}: {refused}");
        }
        assert_eq!(journal.find(&tenant, id).await.unwrap(), Some(entry("rent")));
    }

    #[tokio::test]
    async fn lines_without_an_entry_are_not_kept() {
        let (_dir, journal) = journal().await;
        let orphan =
            "INSERT INTO journal_line VALUES ('tenant1', 'x', 0, '1', 'debit', '1', 'EUR')";
        assert!(run(&journal, orphan).await.unwrap_err().contains("FOREIGN KEY"));
    }

    #[tokio::test]
    async fn an_entry_that_does_not_balance_is_not_returned() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        let id = EntryId::new();
        let mut transaction = journal.pool.begin().await.unwrap();
        for side in ["debit", "debit"].iter().enumerate() {
            sqlx::query("INSERT INTO journal_line VALUES ('tenant1', ?, ?, '1', ?, '1', 'EUR')")
                .bind(id.to_string())
                .bind(i64::try_from(side.0).unwrap())
                .bind(*side.1)
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        sqlx::query("INSERT INTO journal_entry VALUES ('tenant1', ?, '2026-11-21', '')")
            .bind(id.to_string())
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert!(journal.find(&tenant, id).await.is_err());
        assert!(journal.newest(&tenant, 1).await.is_err());
    }

    #[tokio::test]
    async fn entries_outlive_the_process() {
        let (dir, journal) = journal().await;
        let tenant = proven("tenant1");
        let id = journal.book(&tenant, &entry("rent")).await.unwrap();
        journal.close().await;
        assert!(journal.ping().await.is_err());

        let journal = Journal::open(&dir.path().join("journal.db")).await.unwrap();
        journal.ping().await.unwrap();
        assert_eq!(journal.find(&tenant, id).await.unwrap(), Some(entry("rent")));
    }

    #[tokio::test]
    async fn bookings_at_the_same_time_wait_for_each_other() {
        let (_dir, journal) = journal().await;
        let tenant = proven("tenant1");
        let bookings = (0..16).map(|_| {
            let (journal, tenant) = (journal.clone(), tenant.clone());
            tokio::spawn(async move { journal.book(&tenant, &entry("rent")).await })
        });
        for booking in bookings.collect::<Vec<_>>() {
            booking.await.unwrap().unwrap();
        }
        assert_eq!(journal.newest(&tenant, 100).await.unwrap().len(), 16);
    }

    #[tokio::test]
    async fn a_booking_is_durable_and_its_keys_are_checked() {
        let (_dir, journal) = journal().await;
        let pragma = async |sql: &'static str| {
            sqlx::query_scalar::<_, String>(sql).fetch_one(&journal.pool).await.unwrap()
        };
        assert_eq!(pragma("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
        assert_eq!(pragma("SELECT '' || synchronous FROM pragma_synchronous").await, "2"); // FULL
        assert_eq!(pragma("SELECT '' || foreign_keys FROM pragma_foreign_keys").await, "1");
    }

    #[tokio::test]
    async fn a_temporary_journal_is_gone_with_its_last_clone() {
        let journal = Journal::open_temporary().await.unwrap();
        let folder = journal._temporary.as_ref().unwrap().path().to_owned();
        let clone = journal.clone();
        drop(journal);
        clone.ping().await.unwrap();
        clone.close().await;
        assert!(folder.exists());
        drop(clone);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error_that_says_why() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("notes.txt");
        std::fs::write(
            &file,
            "not a database, but long enough to look like something: ".repeat(99),
        )
        .unwrap();
        let error = Journal::open(&file).await.unwrap_err();
        assert!(std::error::Error::source(&error).is_some());
        assert!(Journal::open(&dir.path().join("no/such/folder/j.db")).await.is_err());
    }
}
