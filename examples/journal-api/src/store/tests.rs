mod balance;
mod pages;
mod retries;
mod reversals;

use serde_json::json;

use super::*;
use crate::id::EntryId;
use crate::ledger::JournalEntry;
use crate::wire::NewEntry;

/// Books as a request without a key does.
async fn book(
    journal: &Journal,
    tenant: &ProvenTenant,
    entry: &JournalEntry,
) -> Result<EntryId, BookError> {
    journal.book(tenant, entry, None).await.map(|done| done.booked.id)
}

/// The newest entries with their ids.
async fn newest(
    journal: &Journal,
    tenant: &ProvenTenant,
    limit: u32,
) -> Result<Vec<(EntryId, JournalEntry)>, StoreError> {
    let page = journal.page(tenant, limit, None).await?;
    Ok(page.entries.into_iter().map(|booked| (booked.id, booked.entry)).collect())
}

/// The entry with an id.
async fn find(
    journal: &Journal,
    tenant: &ProvenTenant,
    id: EntryId,
) -> Result<Option<JournalEntry>, StoreError> {
    Ok(journal.find(tenant, id).await?.map(|booked| booked.entry))
}

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

/// Gives tenant2 entries with the ids of tenant1's. Ids are random, so this does not happen by
/// itself: it shows that joins name the tenant.
async fn copy_to_tenant2(journal: &Journal) {
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
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    assert_eq!(find(&journal, &tenant, id).await.unwrap(), Some(entry("rent")));
    assert_eq!(find(&journal, &tenant, EntryId::new()).await.unwrap(), None);
}

#[tokio::test]
async fn isolation_no_tenant_finds_an_entry_of_another() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    let our_id = book(&journal, &ours, &entry("ours")).await.unwrap();
    let their_id = book(&journal, &theirs, &entry("theirs")).await.unwrap();

    assert_eq!(find(&journal, &ours, their_id).await.unwrap(), None);
    assert_eq!(find(&journal, &theirs, our_id).await.unwrap(), None);
    assert_eq!(newest(&journal, &ours, 100).await.unwrap(), [(our_id, entry("ours"))]);
    assert_eq!(newest(&journal, &theirs, 100).await.unwrap(), [(their_id, entry("theirs"))]);
    assert_eq!(newest(&journal, &proven("tenant10"), 100).await.unwrap(), []);
    assert_eq!(newest(&journal, &proven("TENANT1"), 100).await.unwrap(), []);
}

#[tokio::test]
async fn isolation_two_tenants_may_have_an_entry_of_one_id() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    let id = book(&journal, &ours, &entry("ours")).await.unwrap();
    copy_to_tenant2(&journal).await;

    assert_eq!(find(&journal, &ours, id).await.unwrap(), Some(entry("ours")));
    assert_eq!(newest(&journal, &ours, 100).await.unwrap(), [(id, entry("ours"))]);
    let copied = find(&journal, &theirs, id).await.unwrap().unwrap();
    assert_eq!((copied.memo(), copied.lines().len()), ("theirs", 2));
    assert_eq!(newest(&journal, &theirs, 100).await.unwrap(), [(id, copied)]);
}

#[tokio::test]
async fn the_newest_come_first_and_no_more_than_asked_for() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    for memo in ["a", "b", "c"] {
        book(&journal, &tenant, &entry(memo)).await.unwrap();
    }
    let memos = async |limit| {
        let newest = newest(&journal, &tenant, limit).await.unwrap();
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
        book(&journal, &tenant, &entry("rent")).await.unwrap();
    }
    assert_eq!(newest(&journal, &tenant, u32::MAX).await.unwrap().len(), MAX_LIMIT as usize);
}

#[tokio::test]
async fn what_is_booked_cannot_be_changed_even_in_sql() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
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
    assert_eq!(find(&journal, &tenant, id).await.unwrap(), Some(entry("rent")));
}

#[tokio::test]
async fn lines_without_an_entry_are_not_kept() {
    let (_dir, journal) = journal().await;
    let orphan = "INSERT INTO journal_line VALUES ('tenant1', 'x', 0, '1', 'debit', '1', 'EUR')";
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
    assert!(find(&journal, &tenant, id).await.is_err());
    assert!(newest(&journal, &tenant, 1).await.is_err());
}

#[tokio::test]
async fn entries_outlive_the_process() {
    let (dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    journal.close().await;
    assert!(journal.ping().await.is_err());

    let journal = Journal::open(&dir.path().join("journal.db")).await.unwrap();
    journal.ping().await.unwrap();
    assert_eq!(find(&journal, &tenant, id).await.unwrap(), Some(entry("rent")));
}

#[tokio::test]
async fn bookings_at_the_same_time_wait_for_each_other() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let bookings = (0..16).map(|_| {
        let (journal, tenant) = (journal.clone(), tenant.clone());
        tokio::spawn(async move { book(&journal, &tenant, &entry("rent")).await })
    });
    for booking in bookings.collect::<Vec<_>>() {
        booking.await.unwrap().unwrap();
    }
    assert_eq!(newest(&journal, &tenant, 100).await.unwrap().len(), 16);
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
async fn a_database_in_which_another_process_writes_is_busy() {
    let (_dir, journal) = journal().await;
    let mut waiting = journal.pool.acquire().await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *waiting).await.unwrap();
    let _writing = journal.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let refused = sqlx::query("BEGIN IMMEDIATE").execute(&mut *waiting).await.unwrap_err();
    assert!(StoreError::from(refused).is_busy());
    let wrong = sqlx::query("SELECT nothing").execute(&mut *waiting).await.unwrap_err();
    assert!(!StoreError::from(wrong).is_busy());
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
    std::fs::write(&file, "not a database, but long enough to look like something: ".repeat(99))
        .unwrap();
    let error = Journal::open(&file).await.unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    assert!(Journal::open(&dir.path().join("no/such/folder/j.db")).await.is_err());
}
