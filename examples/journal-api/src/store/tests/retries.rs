//! Keys of retries, in the database.

use axum::http::{HeaderMap, HeaderValue, Method};

use tenantry::TenantAwareRequest;
use tenantry_testkit::{ManualClock, request_of};

use super::*;
use crate::idempotency::{Attempt, IDEMPOTENCY_KEY, KEPT, RequestDigest};

const NOW: Duration = Duration::from_secs(1_800_000_000);

pub(super) fn attempt(by: &TenantAwareRequest, key: &str, body: &str) -> Attempt {
    let mut headers = HeaderMap::new();
    headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(&format!("\"{key}\"")).unwrap());
    let request = RequestDigest::of(&Method::POST, "/journal-entries", body.as_bytes());
    Attempt::of(by, &headers, request).unwrap().unwrap()
}

async fn kept(journal: &Journal) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM idempotency_key");
    count.fetch_one(&journal.pool).await.unwrap()
}

#[tokio::test]
async fn a_retry_finds_what_was_booked_and_books_nothing() {
    let (_dir, journal) = journal().await;
    let by = request_of("tenant1").build();
    let book = async || {
        let attempt = attempt(&by, "k", "body");
        journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap()
    };
    let (first, second) = (book().await, book().await);
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.booked, second.booked);
    assert_eq!(newest(&journal, by.tenant(), 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_of_one_request() {
    let (_dir, journal) = journal().await;
    let by = request_of("tenant1").build();
    let book = async |key: &str, body: &str| {
        journal.book(by.tenant(), &entry("rent"), Some(&attempt(&by, key, body))).await
    };
    book("k", "body").await.unwrap();
    assert!(matches!(book("k", "other").await, Err(BookError::KeyReused)));
    assert!(!book("K", "other").await.unwrap().replayed);
    assert_eq!(newest(&journal, by.tenant(), 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_kept_for_a_day_and_then_removed_by_the_next_booking_with_one() {
    let (_dir, journal) = journal().await;
    let clock = ManualClock::new(NOW);
    let journal = journal.with_clock(clock.clone());
    let by = request_of("tenant1").build();
    let book = async |key: &str, body: &str| {
        journal.book(by.tenant(), &entry("rent"), Some(&attempt(&by, key, body))).await
    };
    book("k", "body").await.unwrap();
    book("l", "body").await.unwrap();
    clock.advance(KEPT - Duration::from_secs(1));
    assert!(book("k", "body").await.unwrap().replayed);

    clock.advance(Duration::from_secs(1));
    assert!(!book("k", "other").await.unwrap().replayed);
    assert!(book("k", "other").await.unwrap().replayed);
    assert_eq!(kept(&journal).await, 1);
}

#[tokio::test]
async fn a_booking_removes_old_keys_of_its_tenant_and_not_all_at_once() {
    let (_dir, journal) = journal().await;
    let clock = ManualClock::new(NOW);
    let journal = journal.with_clock(clock.clone());
    let (ours, theirs) = (request_of("tenant1").build(), request_of("tenant2").build());
    let book = async |by: &TenantAwareRequest, key: &str| {
        journal.book(by.tenant(), &entry("rent"), Some(&attempt(by, key, ""))).await.unwrap()
    };
    book(&theirs, "k").await;
    for key in 0..=100 {
        book(&ours, &key.to_string()).await;
    }
    clock.advance(KEPT);
    book(&ours, "new").await;
    assert_eq!(kept(&journal).await, 3); // theirs, one old one, the new one
    book(&ours, "newer").await;
    assert_eq!(kept(&journal).await, 3);
}

#[tokio::test]
async fn a_key_is_lost_with_the_booking_and_only_with_it() {
    let (dir, journal) = journal().await;
    let by = request_of("tenant1").build();
    let attempt = attempt(&by, "k", "body");
    // The last statement of the transaction fails.
    run(
        &journal,
        "CREATE TRIGGER full BEFORE INSERT ON idempotency_key \
                   BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .await
    .unwrap();
    assert!(journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.is_err());
    assert_eq!(newest(&journal, by.tenant(), 100).await.unwrap(), []);

    run(&journal, "DROP TRIGGER full").await.unwrap();
    let first = journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap();
    journal.close().await;
    let journal = Journal::open(&dir.path().join("journal.db")).await.unwrap();
    let second = journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.booked, second.booked);
}

#[tokio::test]
async fn two_processes_book_an_attempt_once() {
    let (dir, journal) = journal().await;
    let by = request_of("tenant1").build();
    // Each has its own list of attempts under way.
    let mut bookings = Vec::new();
    for _ in 0..8 {
        let journal = Journal::open(&dir.path().join("journal.db")).await.unwrap();
        let (by, attempt) = (by.clone(), attempt(&by, "k", "body"));
        bookings.push(tokio::spawn(async move {
            journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap()
        }));
    }
    let mut first = 0;
    for booking in bookings {
        first += usize::from(!booking.await.unwrap().replayed);
    }
    assert_eq!(first, 1);
    assert_eq!(newest(&journal, by.tenant(), 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn isolation_keys_of_different_tenants_and_callers_do_not_meet() {
    let (_dir, journal) = journal().await;
    let callers = [
        request_of("tenant1").with_client_id("sync"),
        request_of("tenant1").with_client_id("import"),
        request_of("tenant2").with_client_id("sync"),
    ]
    .map(|request| request.build());
    for by in &callers {
        let attempt = attempt(by, "k", by.client_id().unwrap().as_str());
        let done = journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap();
        assert!(!done.replayed);
    }
    assert_eq!(kept(&journal).await, 3);

    // Another issuer may have a client of the same name, and a subject may be called like one.
    let [by, ..] = &callers;
    let ours = attempt(by, "k", "sync");
    let mut elsewhere = ours.clone();
    elsewhere.caller.issuer = "https://login.other.example".into();
    let mut subject = ours.clone();
    subject.caller.is = "subject";
    for (attempt, replayed) in [(ours, true), (elsewhere, false), (subject, false)] {
        let done = journal.book(by.tenant(), &entry("rent"), Some(&attempt)).await.unwrap();
        assert_eq!(done.replayed, replayed);
    }
}
