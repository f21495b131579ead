//! What is used once, what is revoked, and how both are forgotten.

use std::time::Duration;

use tenantry_issuer::TokenHash;

use crate::fixture::{Fixture, NOW, SECOND, a_family, family_of, tenant_id};
use crate::on_both;

on_both! {
    a14_an_assertion_is_new_once,
    isolation_an_access_token_is_revoked_for_its_tenant_alone,
    a_revocation_outlives_its_tenant,
    what_is_past_is_pruned_and_nothing_else,
    more_is_pruned_than_fits_into_one_statement,
}

async fn a14_an_assertion_is_new_once(fixture: Fixture) {
    let (one, other) = (TokenHash::of("one"), TokenHash::of("other"));
    assert!(fixture.store.first_use(&one, NOW).await.unwrap());
    assert!(!fixture.store.first_use(&one, NOW).await.unwrap());
    assert!(!fixture.store.first_use(&one, NOW + SECOND).await.unwrap());
    assert!(fixture.store.first_use(&other, NOW).await.unwrap());
}

async fn isolation_an_access_token_is_revoked_for_its_tenant_alone(fixture: Fixture) {
    let (ours, theirs) = (tenant_id("ours"), tenant_id("theirs"));
    let is_revoked =
        async |tenant, jti| fixture.store.is_access_token_revoked(tenant, jti).await.unwrap();
    assert!(!is_revoked(&ours, "jti").await);
    for _ in 0..2 {
        fixture.store.revoke_access_token(&ours, "jti", NOW).await.unwrap();
        assert!(is_revoked(&ours, "jti").await);
        assert!(!is_revoked(&ours, "JTI").await);
        assert!(!is_revoked(&theirs, "jti").await);
    }
}

async fn a_revocation_outlives_its_tenant(fixture: Fixture) {
    let tenant = fixture.register("acme").await.tenant;
    fixture.store.revoke_access_token(&tenant, "jti", NOW).await.unwrap();
    fixture.store.remove_tenant(&tenant).await.unwrap();
    fixture.register("acme").await;
    assert!(fixture.store.is_access_token_revoked(&tenant, "jti").await.unwrap());
}

async fn what_is_past_is_pruned_and_nothing_else(fixture: Fixture) {
    let store = &fixture.store;
    let client = fixture.register("acme").await;
    let family = family_of(&fixture.begin(&client).await);
    let expires_at = store.family(family).await.unwrap().unwrap().expires_at;
    let hash = TokenHash::of("assertion");
    assert!(store.first_use(&hash, expires_at).await.unwrap());
    store.revoke_access_token(&client.tenant, "jti", expires_at).await.unwrap();

    // What is past here may be good by another replica's clock.
    let skew = SECOND * 300;
    assert_eq!(store.prune(expires_at + skew - Duration::from_millis(1)).await.unwrap(), 0);
    assert!(store.family(family).await.unwrap().is_some());
    assert!(!store.first_use(&hash, expires_at).await.unwrap());
    assert!(store.is_access_token_revoked(&client.tenant, "jti").await.unwrap());

    assert_eq!(store.prune(expires_at + skew).await.unwrap(), 3);
    assert_eq!(store.family(family).await.unwrap(), None);
    assert!(store.first_use(&hash, expires_at).await.unwrap());
    assert!(!store.is_access_token_revoked(&client.tenant, "jti").await.unwrap());
    assert_eq!(store.client(&client.tenant, &client.id).await.unwrap(), Some(client));
}

async fn more_is_pruned_than_fits_into_one_statement(fixture: Fixture) {
    let client = fixture.register("acme").await;
    for number in 0..600 {
        let hash = TokenHash::of(&number.to_string());
        assert!(fixture.store.first_use(&hash, NOW).await.unwrap());
    }
    let (family, _) = a_family(&fixture.store, &client).await;
    assert!(fixture.store.open_family(&family).await.unwrap());
    assert_eq!(fixture.store.prune(NOW + SECOND * 300).await.unwrap(), 600);
    assert_eq!(fixture.store.prune(NOW + SECOND * 300).await.unwrap(), 0);
    assert!(fixture.store.family(family.id).await.unwrap().is_some());
}
