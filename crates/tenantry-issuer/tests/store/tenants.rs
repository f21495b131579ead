//! Tenants.

use serde_json::json;
use tenantry_issuer::{KeyChange, KeyOwner, StoreErrorKind, Tenant, TenantStatus};

use crate::fixture::{Fixture, a_client, a_key, a_tenant, family_of, object, tenant_id};
use crate::on_both;

on_both! {
    a_tenant_is_found_as_it_was_registered,
    ids_that_differ_in_case_only_are_refused,
    a_tenant_that_is_not_there_is_not_found,
    tenants_are_listed_in_pages_in_the_order_of_bytes,
    a_list_is_bounded_whatever_is_asked_for,
    a_tenant_is_suspended_and_goes_on,
    a_removed_tenant_takes_its_clients_tokens_and_keys_with_it,
    a_row_that_is_none_is_an_error_and_not_a_tenant,
}

async fn a_tenant_is_found_as_it_was_registered(fixture: Fixture) {
    let full = a_tenant("Org_9-aK");
    let bare = Tenant {
        name: None,
        status: TenantStatus::Suspended,
        claims: object(json!({})),
        ..a_tenant("t")
    };
    for tenant in [full, bare] {
        fixture.store.add_tenant(&tenant).await.unwrap();
        assert_eq!(fixture.store.tenant(&tenant.id).await.unwrap(), Some(tenant));
    }
}

async fn ids_that_differ_in_case_only_are_refused(fixture: Fixture) {
    let acme = a_tenant("acmeI");
    fixture.store.add_tenant(&acme).await.unwrap();

    let error = fixture.store.add_tenant(&a_tenant("AcmeI")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(
        error.to_string(),
        "tenant `AcmeI` differs only in case from tenant `acmeI`, which exists"
    );
    let error = fixture.store.add_tenant(&Tenant { name: None, ..acme.clone() }).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(error.to_string(), "tenant `acmeI` exists");

    assert_eq!(fixture.store.tenants(None, 10).await.unwrap(), [acme]);
}

async fn a_tenant_that_is_not_there_is_not_found(fixture: Fixture) {
    fixture.register("acme").await;
    for id in ["Acme", "ACME", "acm", "acme-", "acme1"] {
        let id = tenant_id(id);
        assert_eq!(fixture.store.tenant(&id).await.unwrap(), None);
        assert!(!fixture.store.set_tenant_status(&id, TenantStatus::Suspended).await.unwrap());
        assert!(!fixture.store.remove_tenant(&id).await.unwrap());
        assert!(!fixture.store.revoke_families_of(&id, None).await.unwrap());
    }
    assert_eq!(fixture.store.tenant(&tenant_id("acme")).await.unwrap(), Some(a_tenant("acme")));
}

async fn tenants_are_listed_in_pages_in_the_order_of_bytes(fixture: Fixture) {
    // No language puts them in this order.
    let sorted = ["0", "B-", "B1", "Bb", "a-2", "a1", "a_1", "aa", "b"];
    for id in ["aa", "b", "Bb", "a_1", "0", "a1", "B-", "a-2", "B1"] {
        fixture.store.add_tenant(&a_tenant(id)).await.unwrap();
    }
    let page = async |after: Option<&str>, limit| {
        let after = after.map(tenant_id);
        let tenants = fixture.store.tenants(after.as_ref(), limit).await.unwrap();
        tenants.into_iter().map(|tenant| tenant.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, u32::MAX).await, sorted);
    assert_eq!(page(None, 4).await, sorted[..4]);
    assert_eq!(page(Some("Bb"), 4).await, sorted[4..8]);
    assert_eq!(page(Some("a0"), 2).await, sorted[5..7]);
    assert_eq!(page(Some("b"), 4).await, [""; 0]);
    assert_eq!(page(None, 0).await, [""; 0]);
}

async fn a_list_is_bounded_whatever_is_asked_for(fixture: Fixture) {
    let store = &fixture.store;
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)";
    for insert in [
        "INSERT INTO tenant (id, folded, status, claims, created_at, generation) \
         SELECT 't' || i, 't' || i, 'active', '{}', 0, 0 FROM n",
        "INSERT INTO client (tenant, id, auth, jwks, grant_client_credentials, \
         grant_refresh_token, scopes, audiences, claims, enabled, created_at, generation) \
         SELECT 't1', 'c' || i, 'private_key_jwt', '', TRUE, TRUE, '[]', '[]', '{}', TRUE, 0, 0 FROM n",
        "INSERT INTO audit_event (number, at, actor, action, scopes, outcome) \
         SELECT i, 0, '', '', '[]', 'done' FROM n",
    ] {
        let sql = format!("{numbers} {insert}");
        fixture.run(&sql, &sql).await.unwrap();
    }
    assert_eq!(store.tenants(None, u32::MAX).await.unwrap().len(), 1000);
    assert_eq!(store.clients(&tenant_id("t1"), None, u32::MAX).await.unwrap().len(), 1000);
    assert_eq!(store.audit(0, u32::MAX).await.unwrap().len(), 1000);
}

async fn a_tenant_is_suspended_and_goes_on(fixture: Fixture) {
    let id = fixture.register("acme").await.tenant;
    fixture.register("other").await;
    for status in [TenantStatus::Suspended, TenantStatus::Suspended, TenantStatus::Active] {
        assert!(fixture.store.set_tenant_status(&id, status).await.unwrap());
        let tenant = Tenant { status, ..a_tenant("acme") };
        assert_eq!(fixture.store.tenant(&id).await.unwrap(), Some(tenant));
        let other = fixture.store.tenant(&tenant_id("other")).await.unwrap().unwrap();
        assert_eq!(other.status, TenantStatus::Active);
    }
}

async fn a_removed_tenant_takes_its_clients_tokens_and_keys_with_it(fixture: Fixture) {
    let store = &fixture.store;
    let (gone, kept) = (fixture.register("gone").await, fixture.register("kept").await);
    let mut families = Vec::new();
    for client in [&gone, &kept] {
        families.push(family_of(&fixture.begin(client).await));
        let owner = KeyOwner::Tenant(client.tenant.clone());
        let kid = format!("{}-key", client.tenant);
        store.change_keys(&owner, |_| vec![KeyChange::Add(a_key(&kid))]).await.unwrap();
    }

    assert!(store.remove_tenant(&gone.tenant).await.unwrap());
    assert!(!store.remove_tenant(&gone.tenant).await.unwrap());

    assert_eq!(store.client(&gone.tenant, &gone.id).await.unwrap(), None);
    assert_eq!(store.family(families[0]).await.unwrap(), None);
    assert_eq!(store.signing_keys(&KeyOwner::Tenant(gone.tenant)).await.unwrap(), []);
    assert_eq!(store.client(&kept.tenant, &kept.id).await.unwrap(), Some(kept.clone()));
    assert!(!store.family(families[1]).await.unwrap().unwrap().revoked);
    let keys = store.signing_keys(&KeyOwner::Tenant(kept.tenant)).await.unwrap();
    assert_eq!(keys, [a_key("kept-key")]);

    // The same id again is another tenant.
    store.add_tenant(&a_tenant("gone")).await.unwrap();
    store.add_client(&a_client("gone", "sync")).await.unwrap();
    assert_eq!(store.family(families[0]).await.unwrap(), None);
}

async fn a_row_that_is_none_is_an_error_and_not_a_tenant(fixture: Fixture) {
    let id = fixture.register("acme").await.tenant;
    for (column, value, what) in [
        ("created_at", "-1", "a time"),
        ("claims", "'[1]'", "claims"),
        ("claims", "'{\"secret\": '", "claims"),
    ] {
        let sql = format!("UPDATE tenant SET {column} = {value}");
        fixture.run(&sql, &sql).await.unwrap();
        let error = fixture.store.tenant(&id).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert_eq!(error.to_string(), format!("the database holds {what} that is none"));
        assert!(fixture.store.tenants(None, 1).await.is_err());
        assert!(!format!("{error:?}").contains("secret"));
    }
    let sql = "UPDATE tenant SET status = 'paused'";
    assert!(fixture.run(sql, sql).await.is_err());
}
