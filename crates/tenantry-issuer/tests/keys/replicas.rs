//! Several processes over one database.

use futures_util::future::join_all;
use tenantry_issuer::{KeyOwner, Store};

use crate::resource_server::verify;
use crate::site::{DAY, ISSUER, MINUTE, SECOND, Site, T, per_tenant, settings, tenant};

/// Replicas that share nothing but a file.
async fn replicas(count: usize, issuer_per_tenant: bool) -> (tempfile::TempDir, Vec<Site>) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("issuer.db").display());
    let store = Store::open(&url).await.unwrap();
    store.add_tenant(&tenant("tenant1")).await.unwrap();
    let open = (0..count).map(|_| async {
        let store = Store::open(&url).await.unwrap();
        let settings = if issuer_per_tenant { per_tenant() } else { settings() };
        Site::over(store, settings).await.unwrap()
    });
    let sites = join_all(open).await;
    (directory, sites)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_together_make_the_first_keys_once() {
    for issuer_per_tenant in [false, true] {
        let (_directory, sites) = replicas(4, issuer_per_tenant).await;

        let published = join_all(sites.iter().map(|site| site.published("tenant1"))).await;

        let owner = sites[0].owner("tenant1");
        let stored = sites[0].store.signing_keys(&owner).await.unwrap();
        assert_eq!(stored.len(), 2);
        for published in &published {
            assert_eq!(*published, published[..]);
            assert_eq!(published, &stored.iter().map(|key| key.kid.clone()).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_find_a_rotation_due_together_rotate_once() {
    let (_directory, sites) = replicas(4, false).await;
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

#[tokio::test]
async fn a_change_at_one_replica_is_seen_by_the_others_within_30_seconds() {
    let (_directory, sites) = replicas(2, false).await;
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

#[tokio::test]
async fn a_replica_in_use_reads_changes_in_the_background() {
    let (_directory, sites) = replicas(2, false).await;
    let [a, b] = &sites[..] else { panic!() };
    b.clock.advance(SECOND * 21);
    a.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();
    // Of a replica whose clock is this much behind: so that both see the key as active.
    let shown = b.published("tenant1").await;
    assert_eq!(shown.len(), 2);

    // The request above started it. Time stands still, so nothing else can.
    for _ in 0..10_000 {
        if b.published("tenant1").await.len() == 3 {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    panic!("the keys were not read again");
}

#[tokio::test]
async fn all_replicas_change_keys_at_the_moment_that_was_arranged() {
    let (_directory, sites) = replicas(2, false).await;
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

#[tokio::test]
async fn what_a_replica_signs_that_has_not_heard_of_a_rotation_is_accepted_to_its_end() {
    let (_directory, sites) = replicas(2, false).await;
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
