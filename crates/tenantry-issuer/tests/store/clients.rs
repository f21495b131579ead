//! Clients: each belongs to one tenant.

use serde_json::json;
use tenantry_issuer::{
    Client, ClientAuth, Grants, RefreshUse, Secret, StoreErrorKind, Tenant, TenantStatus,
};

use crate::fixture::{
    Fixture, a_client, a_tenant, attempt, client_id, object, successor, tenant_id,
};
use crate::on_both;

on_both! {
    a_client_is_found_as_it_was_registered,
    isolation_one_id_under_two_tenants_names_two_clients,
    a_client_needs_a_tenant_and_an_id_of_its_own,
    clients_are_listed_in_pages_in_the_order_of_bytes,
    a_registration_is_the_tenant_and_the_client_together,
    how_a_client_authenticates_is_that_of_this_client_of_this_tenant,
    a_secret_is_exchanged_only_where_there_is_one,
    a_client_is_changed_as_long_as_it_is_what_it_was,
    other_keys_end_refresh_tokens_and_nothing_else_does,
    a_client_is_disabled_and_enabled,
    a_removed_client_is_gone,
    a_client_that_is_none_is_an_error,
}

async fn a_client_is_found_as_it_was_registered(fixture: Fixture) {
    fixture.store.add_tenant(&a_tenant("acme")).await.unwrap();
    let secret = Secret::generate().unwrap().hash();
    let jwks = r#"{"keys":[]}"#.to_owned();
    let clients = [
        a_client("acme", "A.b_c~d-9"),
        Client { auth: ClientAuth::Post(secret), ..a_client("acme", "post") },
        Client { auth: ClientAuth::PrivateKeyJwt { jwks }, ..a_client("acme", "keys") },
        Client {
            name: Some("Bücher".into()),
            grants: Grants { client_credentials: false, refresh_token: false },
            scopes: [].into(),
            audiences: vec!["b".into(), "a".into(), "b".into()],
            claims: object(json!({})),
            enabled: false,
            ..a_client("acme", "bare")
        },
        Client {
            grants: Grants { client_credentials: true, refresh_token: false },
            ..a_client("acme", "one-grant")
        },
    ];
    for client in clients {
        fixture.store.add_client(&client).await.unwrap();
        let found = fixture.store.client(&client.tenant, &client.id).await.unwrap();
        assert_eq!(found, Some(client));
    }
}

async fn how_a_client_authenticates_is_that_of_this_client_of_this_tenant(fixture: Fixture) {
    let store = &fixture.store;
    let (ours, theirs) = (fixture.register("ours").await, fixture.register("theirs").await);
    let jwks = r#"{"keys":[]}"#.to_owned();
    let keys = Client { auth: ClientAuth::PrivateKeyJwt { jwks }, ..a_client("ours", "keys") };
    store.add_client(&keys).await.unwrap();

    for client in [&ours, &theirs, &keys] {
        let auth = store.client_auth(&client.tenant, &client.id).await.unwrap();
        assert_eq!(auth.as_ref(), Some(&client.auth));
    }
    for (tenant, client) in [("theirs", "keys"), ("nobodys", "keys"), ("ours", "nobody")] {
        let auth = store.client_auth(&tenant_id(tenant), &client_id(client)).await.unwrap();
        assert_eq!(auth, None);
    }
}

async fn isolation_one_id_under_two_tenants_names_two_clients(fixture: Fixture) {
    let store = &fixture.store;
    let (ours, theirs) = (fixture.register("ours").await, fixture.register("theirs").await);
    assert_eq!(ours.id, theirs.id);
    assert_ne!(ours.auth, theirs.auth);

    assert_eq!(store.client(&ours.tenant, &ours.id).await.unwrap(), Some(ours.clone()));
    let listed = store.clients(&ours.tenant, None, 10).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&ours));
    let (tenant, client, _) = store.registration(&ours.tenant, &ours.id).await.unwrap().unwrap();
    assert_eq!((tenant, client), (a_tenant("ours"), ours.clone()));

    let secret = Secret::generate().unwrap().hash();
    assert!(store.set_client_secret(&ours.tenant, &ours.id, &secret).await.unwrap());
    assert!(store.set_client_enabled(&ours.tenant, &ours.id, false).await.unwrap());
    assert_eq!(store.client(&theirs.tenant, &theirs.id).await.unwrap(), Some(theirs.clone()));
    assert!(store.remove_client(&ours.tenant, &ours.id).await.unwrap());
    assert_eq!(store.client(&theirs.tenant, &theirs.id).await.unwrap(), Some(theirs));
}

async fn a_client_needs_a_tenant_and_an_id_of_its_own(fixture: Fixture) {
    let error = fixture.store.add_client(&a_client("acme", "sync")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    assert_eq!(error.to_string(), "there is no tenant `acme`");

    let client = fixture.register("acme").await;
    let error = fixture.store.add_client(&a_client("acme", "sync")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(error.to_string(), "tenant `acme` has a client `sync`");
    assert_eq!(fixture.store.client(&client.tenant, &client.id).await.unwrap(), Some(client));
}

async fn clients_are_listed_in_pages_in_the_order_of_bytes(fixture: Fixture) {
    fixture.store.add_tenant(&a_tenant("acme")).await.unwrap();
    let sorted = ["-", ".", "0", "B", "B-1", "a", "a.b", "ab", "~"];
    for id in ["a", "~", "B-1", ".", "ab", "0", "-", "a.b", "B"] {
        fixture.store.add_client(&a_client("acme", id)).await.unwrap();
    }
    let page = async |after: Option<&str>, limit| {
        let after = after.map(client_id);
        let clients = fixture.store.clients(&tenant_id("acme"), after.as_ref(), limit).await;
        clients.unwrap().into_iter().map(|client| client.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, u32::MAX).await, sorted);
    assert_eq!(page(Some("B"), 3).await, sorted[4..7]);
    assert_eq!(page(Some("~"), 3).await, [""; 0]);
}

async fn a_registration_is_the_tenant_and_the_client_together(fixture: Fixture) {
    let client = fixture.register("acme").await;
    fixture.register("other").await;
    let read = async || {
        let found = fixture.store.registration(&client.tenant, &client.id).await.unwrap();
        found.map(|(tenant, client, _)| (tenant, client))
    };
    assert_eq!(read().await, Some((a_tenant("acme"), client.clone())));

    fixture.store.set_tenant_status(&client.tenant, TenantStatus::Suspended).await.unwrap();
    fixture.store.set_client_enabled(&client.tenant, &client.id, false).await.unwrap();
    let tenant = Tenant { status: TenantStatus::Suspended, ..a_tenant("acme") };
    assert_eq!(read().await, Some((tenant, Client { enabled: false, ..client.clone() })));

    for (tenant, client) in [("acme", "Sync"), ("Acme", "sync"), ("nobody", "sync")] {
        let found = fixture.store.registration(&tenant_id(tenant), &client_id(client)).await;
        assert_eq!(found.unwrap(), None);
    }
}

async fn a_secret_is_exchanged_only_where_there_is_one(fixture: Fixture) {
    let store = &fixture.store;
    let basic = fixture.register("acme").await;
    let secret = Secret::generate().unwrap().hash();
    assert!(store.set_client_secret(&basic.tenant, &basic.id, &secret).await.unwrap());
    let found = store.client(&basic.tenant, &basic.id).await.unwrap();
    assert_eq!(found, Some(Client { auth: ClientAuth::Basic(secret), ..basic }));

    let jwks = ClientAuth::PrivateKeyJwt { jwks: "{}".into() };
    let keys = Client { auth: jwks, ..a_client("acme", "keys") };
    store.add_client(&keys).await.unwrap();
    assert!(!store.set_client_secret(&keys.tenant, &keys.id, &secret).await.unwrap());
    assert_eq!(store.client(&keys.tenant, &keys.id).await.unwrap(), Some(keys));

    let nobody = client_id("nobody");
    assert!(!store.set_client_secret(&tenant_id("acme"), &nobody, &secret).await.unwrap());
}

async fn a_client_is_changed_as_long_as_it_is_what_it_was(fixture: Fixture) {
    fixture.register("globex").await;
    let before = fixture.register("acme").await;
    let after = Client {
        name: Some("Sync".into()),
        grants: Grants { client_credentials: true, refresh_token: false },
        scopes: ["a".into()].into(),
        audiences: vec!["b".into()],
        ..before.clone()
    };
    let found = async |tenant: &str| {
        fixture.store.client(&tenant_id(tenant), &before.id).await.unwrap().unwrap()
    };
    assert!(fixture.store.update_client(&before, &after).await.unwrap());
    assert_eq!(found("acme").await, after);
    assert_eq!(found("globex").await.scopes, before.scopes);

    // Each of these is another's change since it was read.
    for stale in [
        before.clone(),
        Client { name: None, ..after.clone() },
        Client { grants: before.grants, ..after.clone() },
        Client { scopes: before.scopes.clone(), ..after.clone() },
        Client { audiences: before.audiences.clone(), ..after.clone() },
        Client { auth: ClientAuth::PrivateKeyJwt { jwks: "{}".into() }, ..after.clone() },
        Client { id: client_id("other"), ..after.clone() },
        Client { tenant: tenant_id("nobody"), ..after.clone() },
    ] {
        assert!(!fixture.store.update_client(&stale, &before).await.unwrap(), "{stale:?}");
    }
    assert_eq!(found("acme").await, after);
}

async fn other_keys_end_refresh_tokens_and_nothing_else_does(fixture: Fixture) {
    fixture.store.add_tenant(&a_tenant("acme")).await.unwrap();
    let keys = |jwks: &str| ClientAuth::PrivateKeyJwt { jwks: jwks.into() };
    let client = Client { auth: keys("{}"), ..a_client("acme", "sync") };
    fixture.store.add_client(&client).await.unwrap();
    let token = fixture.begin(&client).await;
    let renamed = Client { name: Some("Sync".into()), ..client.clone() };
    assert!(fixture.store.update_client(&client, &renamed).await.unwrap());
    let next = successor(&token);
    let used = fixture.store.use_refresh_token(&attempt(&client, &token, &next)).await.unwrap();
    assert!(matches!(used, RefreshUse::Rotated(_)), "{used:?}");
    let other = Client { auth: keys("[]"), ..renamed.clone() };
    assert!(fixture.store.update_client(&renamed, &other).await.unwrap());
    let used =
        fixture.store.use_refresh_token(&attempt(&client, &next, &successor(&next))).await.unwrap();
    assert!(!matches!(used, RefreshUse::Rotated(_)), "{used:?}");
}

async fn a_client_is_disabled_and_enabled(fixture: Fixture) {
    let client = fixture.register("acme").await;
    for enabled in [false, false, true, true] {
        assert!(
            fixture.store.set_client_enabled(&client.tenant, &client.id, enabled).await.unwrap()
        );
        let found = fixture.store.client(&client.tenant, &client.id).await.unwrap();
        assert_eq!(found, Some(Client { enabled, ..client.clone() }));
    }
    let nobody = client_id("nobody");
    assert!(!fixture.store.set_client_enabled(&client.tenant, &nobody, true).await.unwrap());
}

async fn a_removed_client_is_gone(fixture: Fixture) {
    let client = fixture.register("acme").await;
    assert!(fixture.store.remove_client(&client.tenant, &client.id).await.unwrap());
    assert!(!fixture.store.remove_client(&client.tenant, &client.id).await.unwrap());
    assert_eq!(fixture.store.client(&client.tenant, &client.id).await.unwrap(), None);
    assert_eq!(fixture.store.registration(&client.tenant, &client.id).await.unwrap(), None);
}

async fn a_client_that_is_none_is_an_error(fixture: Fixture) {
    let client = fixture.register("acme").await;
    // The tables themselves refuse a client without a way to authenticate, and one with two.
    for assignment in [
        "auth = 'none'",
        "secret_hash = NULL",
        "jwks = '{}'",
        "auth = 'private_key_jwt'",
        "auth = 'private_key_jwt', jwks = '{}'",
    ] {
        let sql = format!("UPDATE client SET {assignment}");
        assert!(fixture.run(&sql, &sql).await.is_err(), "{assignment}");
    }
    let sql = "UPDATE client SET scopes = '{}'";
    fixture.run(sql, sql).await.unwrap();
    let error = fixture.store.client(&client.tenant, &client.id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(fixture.store.registration(&client.tenant, &client.id).await.is_err());
}
