//! The ring of one process.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::json;
use tenantry_core::TenantId;
use tenantry_issuer::{KeyChange, KeyOwner, KeyRingErrorKind, KeyState, TenantStatus};
use tenantry_jwt::VerifyErrorKind;

use crate::resource_server::{verify, verify_elsewhere};
use crate::site::{
    DAY, HOUR, ISSUER, MINUTE, SECOND, Site, T, id, kids, parts, per_tenant, settings,
};

/// What a future has at once, without waiting for anything.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_accepted_by_resource_servers_of_ours_and_of_others() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let site = Site::new(settings().algorithm(algorithm)).await;
        let jwks = site.jwks("tenant1").await;

        let issued = site.issue("tenant1").await.unwrap();

        let verified = verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
        assert_eq!(&*verified.facts().tenant_claims[0].value, "tenant1");
        assert_eq!(verified.facts().jwt_id.as_deref(), Some(issued.jti.as_str()));
        assert_eq!(verify_elsewhere(&jwks, &issued.token), parts(&issued.token).1);
        assert_eq!(parts(&issued.token).0["alg"], algorithm);
    }
}

#[tokio::test]
async fn signing_does_not_wait_for_the_database_and_goes_on_without_it_for_5_minutes() {
    let site = Site::new(settings()).await;
    at_once(site.issue("tenant1")).unwrap();
    site.store.close().await;

    // At hand, and then read again in the background.
    for _ in 0..3 {
        at_once(site.issue("tenant1")).unwrap();
        site.clock.advance(SECOND * 10);
    }
    at_once(site.issue("tenant1")).unwrap();
    // Too old to be used without asking, and nobody answers.
    for _ in 0..27 {
        site.clock.advance(SECOND * 10);
        site.issue("tenant1").await.unwrap();
    }

    site.clock.advance(SECOND);

    let error = site.issue("tenant1").await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Unavailable);
    let error = site.ring.keys(&KeyOwner::Shared).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Unavailable);
}

#[tokio::test]
async fn those_who_wait_for_keys_get_what_the_first_of_them_read() {
    let site = Site::new(settings()).await;
    site.clock.advance(SECOND * 31);
    let (one, other) = tokio::join!(site.keys("tenant1"), site.keys("tenant1"));
    assert!(Arc::ptr_eq(&one, &other));
    // And who comes later reads nothing either, until they are old.
    assert!(Arc::ptr_eq(&one, &site.keys("tenant1").await));
    site.clock.advance(SECOND * 31);
    assert!(!Arc::ptr_eq(&one, &site.keys("tenant1").await));
}

#[tokio::test]
async fn a_database_that_failed_is_not_asked_again_for_a_second() {
    let site = Site::new(settings()).await;
    site.store.close().await;
    site.clock.advance(SECOND * 31);
    site.issue("tenant1").await.unwrap();

    at_once(site.issue("tenant1")).unwrap();
    site.clock.advance(SECOND * 300);
    let error = site.issue("tenant1").await.unwrap_err();
    let paused = at_once(site.issue("tenant1")).unwrap_err();

    assert_eq!(error.to_string(), "the signing keys cannot be read or changed now");
    assert_eq!(paused.to_string(), "the signing keys could not be read a moment ago");
}

#[tokio::test]
async fn for_half_a_year_every_token_finds_its_key_until_it_expires_and_no_key_signs_unseen() {
    let settings = settings().algorithm("EdDSA").key_rotation(DAY * 3).access_token_lifetime(DAY);
    let site = Site::new(settings).await;
    let ahead = site.schedule().publish_ahead();
    let (mut tokens, mut seen) = (Vec::new(), Vec::<(String, _)>::new());
    let mut signers = Vec::new();

    for step in 0..4 * 180 {
        let now = T + HOUR * 6 * step;
        let jwks = site.jwks("tenant1").await;
        for kid in kids(&jwks) {
            if !seen.iter().any(|(known, _)| *known == kid) {
                seen.push((kid, now));
            }
        }
        let issued = site.issue("tenant1").await.unwrap();
        let kid = parts(&issued.token).0["kid"].as_str().unwrap().to_owned();
        let (_, published) = seen.iter().find(|(known, _)| *known == kid).unwrap();
        if !signers.contains(&kid) {
            signers.push(kid);
            assert!(signers.len() == 1 || now - *published >= ahead);
        }
        tokens.push(issued);
        tokens.retain(|token| token.expires_at > now);
        for token in &tokens {
            verify(ISSUER, &jwks, &site.clock, &token.token).await.unwrap();
        }
        assert!(kids(&jwks).len() <= 3, "keys go when they are not needed any more");
        site.clock.advance(HOUR * 6);
    }

    assert_eq!(signers.len(), 180 / 3);
}

#[tokio::test]
async fn a_key_that_leaked_is_not_published_any_more_and_the_next_one_signs() {
    let site = Site::new(settings()).await;
    site.clock.advance(DAY);
    let stolen = site.issue("tenant1").await.unwrap();
    let [active, next] = site.published("tenant1").await.try_into().unwrap();

    let left = site.ring.retire(&KeyOwner::Shared, &active).await.unwrap();

    let states: Vec<_> = left.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Active, KeyState::Next], "and another waits already");
    let jwks = site.jwks("tenant1").await;
    assert!(!kids(&jwks).contains(&active));
    assert_eq!(site.active("tenant1").await, next);
    let refused = verify(ISSUER, &jwks, &site.clock, &stolen.token).await;
    assert_eq!(refused.err(), Some(VerifyErrorKind::KeyUnknown));
    let issued = site.issue("tenant1").await.unwrap();
    verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
    let stored = site.store.signing_keys(&KeyOwner::Shared).await.unwrap();
    assert!(stored.iter().all(|stored| stored.kid != active), "the private key is gone, too");
}

#[tokio::test]
async fn a_key_that_nobody_has_cannot_be_retired() {
    let site = Site::new(settings()).await;
    let error = site.ring.retire(&KeyOwner::Shared, "k1").await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::UnknownKey);
    assert_eq!(error.to_string(), "there is no signing key `k1`");
}

#[tokio::test]
async fn a_rotation_by_command_takes_effect_when_the_next_key_was_published_for_long_enough() {
    let site = Site::new(settings()).await;
    let [first, second] = site.published("tenant1").await.try_into().unwrap();

    let keys = site.ring.rotate(&KeyOwner::Shared).await.unwrap();

    let list = keys.list(site.ring.now());
    assert_eq!(list[1].active_at, T + HOUR * 2);
    assert_eq!(list[0].retired_at, Some(T + HOUR * 2));
    assert_eq!(list[0].removed_at, Some(T + HOUR * 2 + DAY + MINUTE * 10));
    assert_eq!(site.active("tenant1").await, first);
    site.clock.advance(HOUR * 2);
    assert_eq!(site.active("tenant1").await, second);
    let states: Vec<_> =
        site.keys("tenant1").await.list(site.ring.now()).iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Active, KeyState::Next]);
}

#[tokio::test]
async fn a_rotation_at_once_does_not_wait_and_the_old_tokens_are_accepted() {
    let site = Site::new(settings()).await;
    let before = site.issue("tenant1").await.unwrap();
    let [_, second] = site.published("tenant1").await.try_into().unwrap();

    site.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();

    assert_eq!(site.active("tenant1").await, second);
    let jwks = site.jwks("tenant1").await;
    verify(ISSUER, &jwks, &site.clock, &before.token).await.unwrap();
}

#[tokio::test]
async fn there_are_not_more_keys_than_resource_servers_take() {
    let site = Site::new(settings().algorithm("EdDSA")).await;
    for _ in 0..62 {
        site.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();
    }

    let error = site.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap_err();

    assert_eq!(error.kind(), KeyRingErrorKind::TooManyKeys);
    let jwks = site.jwks("tenant1").await;
    assert_eq!(kids(&jwks).len(), 64);
    let issued = site.issue("tenant1").await.unwrap();
    verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
}

#[tokio::test]
async fn another_algorithm_takes_over_when_its_key_was_published_for_long_enough() {
    let before = Site::new(settings()).await;
    let old = before.issue("tenant1").await.unwrap();

    let after = Site::over(before.store.clone(), settings().algorithm("EdDSA")).await.unwrap();

    let alg = async || parts(&after.issue("tenant1").await.unwrap().token).0["alg"].clone();
    after.clock.advance(HOUR * 2 - SECOND);
    assert_eq!(alg().await, "ES256");
    after.clock.advance(SECOND);
    assert_eq!(alg().await, "EdDSA");
    let jwks = after.jwks("tenant1").await;
    verify(ISSUER, &jwks, &before.clock, &old.token).await.unwrap();
}

#[tokio::test]
async fn tenants_have_keys_of_their_own_and_none_is_good_for_another() {
    let site = Site::new(per_tenant()).await;
    let (one, two) = (site.jwks("tenant1").await, site.jwks("tenant2").await);
    assert!(kids(&one).iter().all(|kid| !kids(&two).contains(kid)));
    assert_eq!((kids(&one).len(), kids(&two).len()), (2, 2));

    let token = site.issue("tenant1").await.unwrap().token;

    let iss = format!("{ISSUER}/tenant1");
    verify(&iss, &one, &site.clock, &token).await.unwrap();
    let refused = verify(&iss, &two, &site.clock, &token).await;
    assert_eq!(refused.err(), Some(VerifyErrorKind::KeyUnknown));
}

#[tokio::test]
async fn rotating_one_tenants_keys_leaves_the_others_alone() {
    let site = Site::new(per_tenant()).await;
    let before = site.published("tenant2").await;

    site.ring.rotate_at_once(&site.owner("tenant1")).await.unwrap();

    site.clock.advance(MINUTE);
    assert_eq!(site.published("tenant1").await.len(), 3);
    assert_eq!(site.published("tenant2").await, before);
}

#[tokio::test]
async fn no_keys_are_made_for_a_tenant_that_does_not_exist() {
    let site = Site::new(per_tenant()).await;
    let nobody = KeyOwner::Tenant(id("nobody"));

    let error = site.ring.keys(&nobody).await.unwrap_err();

    assert_eq!(error.kind(), KeyRingErrorKind::UnknownTenant);
    // It is found out before a key is made, which takes a while for RS256; not by storing it.
    assert!(std::error::Error::source(&error).is_none(), "{error:?}");
    assert_eq!(site.store.signing_keys(&nobody).await.unwrap(), []);
    let error = site.ring.rotate(&nobody).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::UnknownTenant);
}

#[tokio::test]
async fn a_tenant_that_is_added_later_has_keys_at_once_and_one_that_is_removed_soon_has_none() {
    let site = Site::new(per_tenant()).await;
    let late = id("late");
    let owner = KeyOwner::Tenant(late.clone());
    site.ring.keys(&owner).await.unwrap_err();

    site.store.add_tenant(&crate::site::tenant("late")).await.unwrap();
    site.ring.keys(&owner).await.unwrap();

    site.store.remove_tenant(&late).await.unwrap();
    site.clock.advance(SECOND * 31);
    let error = site.ring.keys(&owner).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::UnknownTenant);
}

#[tokio::test]
async fn a_suspended_tenant_keeps_its_key_set_for_the_tokens_that_are_alive() {
    let site = Site::new(per_tenant()).await;
    let token = site.issue("tenant1").await.unwrap().token;

    site.store.set_tenant_status(&id("tenant1"), TenantStatus::Suspended).await.unwrap();
    site.clock.advance(MINUTE);

    let jwks = site.jwks("tenant1").await;
    verify(&format!("{ISSUER}/tenant1"), &jwks, &site.clock, &token).await.unwrap();
}

#[tokio::test]
async fn keys_are_those_of_all_tenants_or_of_each_and_never_both() {
    let (shared, own) = (Site::new(settings()).await, Site::new(per_tenant()).await);
    let tenant1: TenantId = id("tenant1");

    assert_eq!(shared.ring.owner_of(&tenant1), KeyOwner::Shared);
    assert_eq!(own.ring.owner_of(&tenant1), KeyOwner::Tenant(tenant1.clone()));
    for (site, owner) in [(shared, KeyOwner::Tenant(tenant1)), (own, KeyOwner::Shared)] {
        for refused in [
            site.ring.keys(&owner).await.err(),
            site.ring.list(&owner).await.err(),
            site.ring.retire(&owner, "k1").await.err(),
            site.ring.rotate(&owner).await.err(),
        ] {
            assert_eq!(refused.unwrap().kind(), KeyRingErrorKind::UnknownTenant);
        }
    }
}

#[tokio::test]
async fn a_private_key_under_anothers_name_is_found_out() {
    let site = Site::new(settings()).await;
    let stored = site.store.signing_keys(&KeyOwner::Shared).await.unwrap();
    let mut mixed = stored[0].clone();
    mixed.private_key = stored[1].private_key.clone();
    let change = |_: &[_]| vec![KeyChange::Replace(mixed)];
    site.store.change_keys(&KeyOwner::Shared, change).await.unwrap();

    let error = Site::over(site.store.clone(), settings()).await.err().unwrap();

    assert_eq!(error.kind(), KeyRingErrorKind::Corrupt);
    let kid = &stored[0].kid;
    assert_eq!(
        error.to_string(),
        format!("signing key `{kid}` is stored with another private key")
    );
}

#[tokio::test]
async fn debug_shows_neither_keys_nor_tokens() {
    let site = Site::new(settings()).await;
    let issued = site.issue("tenant1").await.unwrap();
    let keys = site.keys("tenant1").await;

    let shown = format!("{:?} {keys:?} {issued:?}", site.ring);

    assert!(!shown.contains(&issued.token));
    assert!(!shown.contains("bytes"), "{shown}");
    let stored = &site.store.signing_keys(&KeyOwner::Shared).await.unwrap()[0];
    let numbers = format!("{:?}", stored.private_key.bytes);
    assert!(!shown.contains(&numbers[1..20]), "{shown}");
    assert_eq!(json!(issued.jti), parts(&issued.token).1["jti"]);
}
