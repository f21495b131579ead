//! Two stores over one database behave as one.

use tenantry_issuer::{RefreshUse, TenantStatus};

use crate::fixture::{Fixture, NOW, attempt, client_id, family_of, successor, tenant_id};
use crate::on_both;

on_both! {
    a_token_of_one_is_renewed_at_the_other,
    what_is_switched_off_at_one_is_off_at_the_other,
}

async fn a_token_of_one_is_renewed_at_the_other(fixture: Fixture) {
    let stores = [fixture.store.clone(), fixture.another_store().await];
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    let mut token = successor(&first);
    let used = stores[1].use_refresh_token(&attempt(&client, &first, &token)).await.unwrap();
    assert!(matches!(used, RefreshUse::Rotated(_)));
    for turn in 0..6 {
        let next = successor(&token);
        let used = stores[turn % 2].use_refresh_token(&attempt(&client, &token, &next)).await;
        assert!(matches!(used.unwrap(), RefreshUse::Rotated(_)));
        token = next;
    }
    // A reuse that one sees ends the family at both.
    let next = successor(&token);
    let used = stores[0].use_refresh_token(&attempt(&client, &first, &next)).await.unwrap();
    assert!(matches!(used, RefreshUse::Reused(_)));
    let used = stores[1].use_refresh_token(&attempt(&client, &token, &next)).await.unwrap();
    assert_eq!(used, RefreshUse::Gone);
}

async fn what_is_switched_off_at_one_is_off_at_the_other(fixture: Fixture) {
    let (here, there) = (&fixture.store, fixture.another_store().await);
    let client = fixture.register("acme").await;
    let renew = async || {
        let token = fixture.begin(&client).await;
        let renewed = async |store: &tenantry_issuer::Store| {
            let next = successor(&token);
            let used = store.use_refresh_token(&attempt(&client, &token, &next)).await.unwrap();
            matches!(used, RefreshUse::Rotated(_))
        };
        (family_of(&token), renewed(&there).await)
    };

    let (family, renewed) = renew().await;
    assert!(renewed);
    here.revoke_family(family, NOW).await.unwrap();
    assert!(there.family(family).await.unwrap().unwrap().revoked);

    let (family, _) = renew().await;
    here.set_client_enabled(&client.tenant, &client.id, false).await.unwrap();
    let (_, seen, _) = there.registration(&client.tenant, &client.id).await.unwrap().unwrap();
    assert!(!seen.enabled);
    assert!(there.family(family).await.unwrap().unwrap().revoked);
    here.set_client_enabled(&client.tenant, &client.id, true).await.unwrap();

    here.set_tenant_status(&client.tenant, TenantStatus::Suspended).await.unwrap();
    let (seen, ..) = there.registration(&client.tenant, &client.id).await.unwrap().unwrap();
    assert_eq!(seen.status, TenantStatus::Suspended);

    here.revoke_access_token(&client.tenant, "jti", NOW).await.unwrap();
    assert!(there.is_access_token_revoked(&client.tenant, "jti").await.unwrap());

    here.remove_tenant(&client.tenant).await.unwrap();
    assert_eq!(there.registration(&tenant_id("acme"), &client_id("sync")).await.unwrap(), None);
}
