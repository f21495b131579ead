//! Several processes over one database.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tenantry_issuer::{
    EncryptedKeys, KeyEncryptionKey, KeyOwner, KeyRing, KeyRingErrorKind, SettingsBuilder,
};

use crate::fixture::Fixture;
use crate::on_both::on_both;
use crate::resource_server::verify;
use crate::site::{DAY, ISSUER, MINUTE, SECOND, Site, T, per_tenant, settings};

on_both! {
    replicas_that_start_together_make_the_first_keys_once,
    replicas_of_an_issuer_per_tenant_make_the_first_keys_once,
    replicas_that_find_a_rotation_due_together_rotate_once,
    a_change_at_one_replica_is_seen_by_the_others_within_30_seconds,
    a_replica_in_use_reads_changes_in_the_background,
    all_replicas_change_keys_at_the_moment_that_was_arranged,
    what_a_replica_signs_that_has_not_heard_of_a_rotation_is_accepted_to_its_end,
    a_start_finds_a_key_of_a_tenant_that_is_stored_otherwise,
}

async fn replicas_that_start_together_make_the_first_keys_once(fixture: Fixture) {
    start_together(fixture, settings()).await;
}

async fn replicas_of_an_issuer_per_tenant_make_the_first_keys_once(fixture: Fixture) {
    start_together(fixture, per_tenant()).await;
}

async fn start_together(fixture: Fixture, settings: SettingsBuilder) {
    let sites = fixture.replicas(4, settings).await;

    let published = join_all(sites.iter().map(|site| site.published("tenant1"))).await;

    let owner = sites[0].owner("tenant1");
    let stored = sites[0].store.signing_keys(&owner).await.unwrap();
    assert_eq!(stored.len(), 2);
    for published in &published {
        assert_eq!(published, &stored.iter().map(|key| key.kid.clone()).collect::<Vec<_>>());
    }
}

async fn replicas_that_find_a_rotation_due_together_rotate_once(fixture: Fixture) {
    let sites = fixture.replicas(4, settings()).await;
    let before = sites[0].published("tenant1").await;
    sites.iter().for_each(|site| site.clock.advance(DAY * 30));

    let active = join_all(sites.iter().map(|site| site.active("tenant1"))).await;

    assert!(active.iter().all(|active| *active == before[1]), "all use the key that waited");
    let stored = sites[0].store.signing_keys(&KeyOwner::Shared).await.unwrap();
    assert_eq!(stored.len(), 3, "and one more waits");
    assert_eq!(
        stored[..2].iter().map(|key| &key.kid).collect::<Vec<_>>(),
        before.iter().collect::<Vec<_>>()
    );
}

async fn a_change_at_one_replica_is_seen_by_the_others_within_30_seconds(fixture: Fixture) {
    let sites = fixture.replicas(2, settings()).await;
    let [a, b] = &sites[..] else { panic!() };
    b.issue("tenant1").await.unwrap();
    let leaked = a.active("tenant1").await;

    a.ring.retire(&KeyOwner::Shared, &leaked).await.unwrap();

    // Not yet, perhaps; but then.
    assert_eq!(b.active("tenant1").await, leaked);
    b.clock.advance(SECOND * 31);
    assert_eq!(b.active("tenant1").await, a.active("tenant1").await);
    assert_eq!(b.published("tenant1").await, a.published("tenant1").await);
}

async fn a_replica_in_use_reads_changes_in_the_background(fixture: Fixture) {
    let sites = fixture.replicas(2, settings()).await;
    let [a, b] = &sites[..] else { panic!() };
    b.clock.advance(SECOND * 21);
    a.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();
    // Of a replica whose clock is this much behind: so that both see the key as active.
    let shown = b.published("tenant1").await;
    assert_eq!(shown.len(), 2);

    // The request above started it. Time stands still, so nothing else can.
    let read_again = async {
        while b.published("tenant1").await.len() != 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), read_again).await.unwrap();
}

async fn all_replicas_change_keys_at_the_moment_that_was_arranged(fixture: Fixture) {
    let sites = fixture.replicas(2, settings()).await;
    let [a, b] = &sites[..] else { panic!() };
    let [first, second] = a.published("tenant1").await.try_into().unwrap();
    a.ring.rotate(&KeyOwner::Shared).await.unwrap();
    let turn = a.schedule().publish_ahead();
    [a, b].iter().for_each(|site| site.clock.advance(turn - SECOND));
    b.issue("tenant1").await.unwrap();

    // A second is too short for anything to be read again.
    assert_eq!(b.active("tenant1").await, first);
    [a, b].iter().for_each(|site| site.clock.advance(SECOND));

    assert_eq!(a.active("tenant1").await, second);
    assert_eq!(b.active("tenant1").await, second);
    assert_eq!(a.ring.now(), T + turn);
}

async fn what_a_replica_signs_that_has_not_heard_of_a_rotation_is_accepted_to_its_end(
    fixture: Fixture,
) {
    let sites = fixture.replicas(2, settings()).await;
    let [a, b] = &sites[..] else { panic!() };
    a.clock.advance(DAY);
    b.clock.advance(DAY);
    b.issue("tenant1").await.unwrap();
    a.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();
    // It loses the database at the worst moment, and signs on for as long as it may.
    b.store.close().await;
    b.clock.advance(MINUTE * 5);
    let late = b.issue("tenant1").await.unwrap();

    a.clock.advance(MINUTE * 5 + a.settings.access_token_lifetime() - SECOND);

    let jwks = a.jwks("tenant1").await;
    verify(ISSUER, &jwks, &a.clock, &late.token).await.unwrap();
}

async fn a_start_finds_a_key_of_a_tenant_that_is_stored_otherwise(fixture: Fixture) {
    let sites = fixture.replicas(1, per_tenant()).await;
    let store = sites[0].store.clone();
    let start = async |key: Option<u8>| {
        let key = key.map(|key| KeyEncryptionKey::new([key; 32]));
        let settings = key.into_iter().fold(per_tenant(), SettingsBuilder::key_encryption_key);
        Site::over(store.clone(), settings).await.map(drop).map_err(|error| error.kind())
    };
    let other = Err(KeyRingErrorKind::Encryption);

    // There is no key yet.
    assert_eq!((start(None).await, start(Some(1)).await), (Ok(()), Ok(())));
    sites[0].published("tenant1").await;
    assert_eq!((start(None).await, start(Some(1)).await), (Ok(()), other));
    let key = KeyEncryptionKey::new([1; 32]);
    let found = KeyRing::encrypt(&store, &key, None).await.unwrap();
    assert_eq!(found, EncryptedKeys { now: 2, before: 0 });
    assert_eq!((start(None).await, start(Some(1)).await), (other, Ok(())));
    assert_eq!(start(Some(2)).await, other);
}

#[tokio::test]
async fn where_nothing_is_due_keys_are_read_and_nothing_is_written() {
    let fixture = Fixture::sqlite().await;
    let sites = fixture.replicas(1, settings()).await;
    let writes = async || {
        let mut connection = SqliteConnection::connect(fixture.url()).await.unwrap();
        let changes = sqlx::query_scalar("SELECT changes FROM key_owner");
        let changes: i64 = changes.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        changes
    };
    let before = writes().await;
    for _ in 0..3 {
        sites[0].clock.advance(MINUTE);
        sites[0].issue("tenant1").await.unwrap();
    }
    assert_eq!(writes().await, before);
    sites[0].clock.advance(DAY * 30);
    sites[0].issue("tenant1").await.unwrap();
    assert_eq!(writes().await, before + 1);
    // Nor is what is encrypted written again.
    for _ in 0..2 {
        let key = KeyEncryptionKey::new([1; 32]);
        KeyRing::encrypt(&sites[0].store, &key, None).await.unwrap();
        assert_eq!(writes().await, before + 2);
    }
}

/// The time is real here: what is waited for is the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_answer_is_waited_for_no_longer_than_5_seconds() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let sites = fixture.replicas(1, settings()).await;
    let site = &sites[0];
    let mut lock = PgConnection::connect(fixture.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE signing_key").execute(&mut lock).await.unwrap();
    site.clock.advance(MINUTE * 6);

    let keys = site.ring.keys(&KeyOwner::Shared);
    let error = tokio::time::timeout(Duration::from_secs(60), keys).await.unwrap().unwrap_err();

    assert_eq!(error.kind(), KeyRingErrorKind::Unavailable);
    assert_eq!(error.to_string(), "the database took too long to tell the signing keys");
    lock.close().await.unwrap();
    site.clock.advance(SECOND);
    site.issue("tenant1").await.unwrap();
    fixture.database().clone().remove().await;
}
