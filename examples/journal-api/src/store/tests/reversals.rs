//! Reversals, in the database.

use tenantry_testkit::request_of;

use super::*;
use crate::reversal::Reversal;

async fn reverse(
    journal: &Journal,
    tenant: &ProvenTenant,
    id: EntryId,
) -> Result<EntryId, BookError> {
    let done = journal.reverse(tenant, id, &Reversal::default(), None).await?;
    Ok(done.booked.id)
}

#[tokio::test]
async fn an_entry_and_its_reversal_name_each_other() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    let by = reverse(&journal, &tenant, id).await.unwrap();

    let (original, reversal) = (journal.find(&tenant, id).await, journal.find(&tenant, by).await);
    let (original, reversal) = (original.unwrap().unwrap(), reversal.unwrap().unwrap());
    assert_eq!((original.reverses, original.reversed_by), (None, Some(by)));
    assert_eq!((reversal.reverses, reversal.reversed_by), (Some(id), None));
    assert_eq!(journal.page(&tenant, 100, None).await.unwrap().entries, [reversal, original]);
}

#[tokio::test]
async fn an_entry_is_reversed_once_and_a_reversal_is_not() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    let by = reverse(&journal, &tenant, id).await.unwrap();

    let again = reverse(&journal, &tenant, id).await.unwrap_err();
    assert!(matches!(again, BookError::AlreadyReversed(named) if named == by), "{again}");
    let back = reverse(&journal, &tenant, by).await.unwrap_err();
    assert!(matches!(back, BookError::IsReversal), "{back}");
    assert_eq!(newest(&journal, &tenant, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn reversals_at_the_same_time_are_one() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    let reversals = (0..16).map(|_| {
        let (journal, tenant) = (journal.clone(), tenant.clone());
        tokio::spawn(async move { reverse(&journal, &tenant, id).await })
    });
    let mut reversed = 0;
    for reversal in reversals.collect::<Vec<_>>() {
        reversed += usize::from(reversal.await.unwrap().is_ok());
    }
    assert_eq!(reversed, 1);
    assert_eq!(newest(&journal, &tenant, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn isolation_no_tenant_reverses_an_entry_of_another() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    let id = book(&journal, &theirs, &entry("rent")).await.unwrap();
    let refused = reverse(&journal, &ours, id).await.unwrap_err();
    assert!(matches!(refused, BookError::NotFound), "{refused}");
    assert_eq!(newest(&journal, &ours, 100).await.unwrap(), []);
    assert_eq!(journal.find(&theirs, id).await.unwrap().unwrap().reversed_by, None);
}

#[tokio::test]
async fn isolation_a_reversal_of_one_tenant_is_none_of_another_with_the_same_id() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    let id = book(&journal, &ours, &entry("rent")).await.unwrap();
    copy_to_tenant2(&journal).await;
    reverse(&journal, &ours, id).await.unwrap();

    let copied = journal.find(&theirs, id).await.unwrap().unwrap();
    assert_eq!((copied.reverses, copied.reversed_by), (None, None));
    assert_eq!(journal.page(&theirs, 100, None).await.unwrap().entries, [copied]);
    reverse(&journal, &theirs, id).await.unwrap();
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_reversal() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let id = book(&journal, &tenant, &entry("rent")).await.unwrap();
    reverse(&journal, &tenant, id).await.unwrap();
    book(&journal, &tenant, &entry("rent")).await.unwrap();
    for (sql, why) in [
        (
            "INSERT INTO journal_reversal SELECT r.tenant, r.original, e.id \
             FROM journal_reversal AS r, journal_entry AS e ORDER BY e.id DESC LIMIT 1",
            "reversed once",
        ),
        (
            "INSERT OR REPLACE INTO journal_reversal SELECT r.tenant, r.original, e.id \
             FROM journal_reversal AS r, journal_entry AS e ORDER BY e.id DESC LIMIT 1",
            "reversed once",
        ),
        (
            "INSERT INTO journal_reversal SELECT r.tenant, r.reversal, e.id \
             FROM journal_reversal AS r, journal_entry AS e ORDER BY e.id DESC LIMIT 1",
            "not reversed",
        ),
        (
            "INSERT INTO journal_reversal SELECT r.tenant, e.id, r.original \
             FROM journal_reversal AS r, journal_entry AS e ORDER BY e.id DESC LIMIT 1",
            "not reversed",
        ),
        ("INSERT INTO journal_reversal VALUES ('tenant1', 'x', 'y')", "FOREIGN KEY"),
        ("INSERT INTO journal_reversal VALUES ('tenant1', 'x', 'x')", "CHECK"),
        ("UPDATE journal_reversal SET original = ''", "immutable"),
        ("DELETE FROM journal_reversal", "immutable"),
    ] {
        let refused = run(&journal, sql).await.unwrap_err();
        assert!(refused.contains(why), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn a_retry_shows_the_entry_as_it_was_before_it_was_reversed() {
    let (_dir, journal) = journal().await;
    let by = request_of("tenant1").build();
    let attempt = retries::attempt(&by, "k", "body");
    let book = async || journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap();
    let first = book().await;
    reverse(&journal, by.tenant(), first.booked.id).await.unwrap();
    assert_eq!(book().await.booked, first.booked);
}
