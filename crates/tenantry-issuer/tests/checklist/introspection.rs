//! Introspection: rows 43 to 48.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use tenantry_core::Clock;
use tenantry_issuer::{Client, ClientAuth, Grants, SecretHash, Settings, Tenant, TenantStatus};

use crate::stack::{INTROSPECT, ISSUER, NOW, REVOKE, Stack, TOKEN, claims, signed};

async fn ask(stack: &Stack, tenant: &str, client: &str, token: &str) -> Value {
    let sent = stack.post_by(INTROSPECT, tenant, client).with("tenant_id", tenant);
    sent.with("token", token).tokens().await
}

async fn access_token(stack: &Stack, client: &str) -> (String, Value) {
    let tokens = stack.token_for(client).tokens().await;
    (tokens["access_token"].as_str().unwrap().into(), claims(&tokens))
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn a43_whoever_asks_authenticates() {
    let stack = Stack::new().await;
    let (token, _) = access_token(&stack, "erp-sync").await;
    let sent = || stack.post(INTROSPECT).with("tenant_id", "tenant1").with("token", &token);

    sent().send().await.assert_no_credentials("credentials_missing");
    sent().basic("erp-sync", "wrong").send().await.assert_invalid_client("secret_wrong");
    let answer = sent().header("authorization", &format!("Bearer {token}")).send().await;
    answer.assert_no_credentials("authorization_scheme");
    let answer = stack.post_by(INTROSPECT, "tenant1", "erp-sync").with("tenant_id", "tenant1");
    answer.send().await.assert_refused(400, "invalid_request", "token_missing");
}

#[tokio::test]
async fn a44_whatever_is_not_active_or_not_the_callers_gets_one_answer() {
    let stack = Stack::new().await;
    let (token, said) = access_token(&stack, "erp-sync").await;
    let refresh = stack.token_for("renewing").tokens().await["refresh_token"].clone();
    let refresh = refresh.as_str().unwrap();
    let key = tenantry_testkit::SigningKey::generate(tenantry_core::Algorithm::Es256, "k");
    let kid: Value = crate::stack::header(&json!({ "access_token": token }))["kid"].clone();
    let forged = signed(&key, &json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }), &said);

    let cut = &token[..token.len() - 4];
    for text in ["x", "a.b.c", &"A".repeat(64), &forged, cut, &format!("{token}.")] {
        assert_eq!(ask(&stack, "tenant1", "erp-sync", text).await, inactive(), "{text}");
    }
    assert_eq!(ask(&stack, "tenant2", "erp-sync", &token).await, inactive());
    assert_eq!(ask(&stack, "tenant1", "other", refresh).await, inactive());
    assert_eq!(ask(&stack, "tenant2", "renewing", refresh).await, inactive());
    stack.clock.advance(Duration::from_secs(600));
    assert_eq!(ask(&stack, "tenant1", "erp-sync", &token).await, inactive());
}

#[tokio::test]
async fn a45_active_is_what_could_be_used_at_the_caller_now() {
    let stack = Stack::new().await;
    let (token, _) = access_token(&stack, "erp-sync").await;
    register_reader(&stack, "api", &["https://api.erp.example/tenant1"]).await;
    register_reader(&stack, "reports", &["https://reports.erp.example"]).await;

    assert_eq!(ask(&stack, "tenant1", "api", &token).await["active"], true);
    assert_eq!(ask(&stack, "tenant1", "reports", &token).await, inactive());
    stack.clock.advance(Duration::from_millis(599_999));
    assert_eq!(ask(&stack, "tenant1", "api", &token).await["active"], true);
    stack.clock.advance(Duration::from_millis(1));
    assert_eq!(ask(&stack, "tenant1", "api", &token).await, inactive());
}

#[tokio::test]
async fn a45_the_tokens_of_a_client_that_was_stopped_are_not_active() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "erp-sync".parse().unwrap());
    let (token, _) = access_token(&stack, "erp-sync").await;

    stack.store.set_client_enabled(&tenant, &client, false).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));
    assert_eq!(ask(&stack, "tenant1", "other", &token).await, inactive());
    stack.store.set_client_enabled(&tenant, &client, true).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));
    assert_eq!(ask(&stack, "tenant1", "other", &token).await["active"], true);
    stack.store.remove_client(&tenant, &client).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));
    assert_eq!(ask(&stack, "tenant1", "other", &token).await, inactive());

    stack.store.set_tenant_status(&tenant, TenantStatus::Suspended).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));
    let sent = stack.post_by(INTROSPECT, "tenant1", "other").with("tenant_id", "tenant1");
    let answer = sent.with("token", &token).send().await;
    answer.assert_refused(400, "unauthorized_client", "tenant_suspended");
}

#[tokio::test]
async fn a46_an_active_token_says_what_it_says_elsewhere() {
    let stack = Stack::new().await;
    let (token, mut said) = access_token(&stack, "erp-sync").await;

    let answer = ask(&stack, "tenant1", "erp-sync", &token).await;

    said["active"] = json!(true);
    said["token_type"] = json!("Bearer");
    assert_eq!(answer, said);
    for name in ["scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "tenant_id"] {
        assert!(answer.get(name).is_some(), "{name}");
    }

    let refresh = stack.token_for("renewing").with("scope", "journal.read").tokens().await;
    let refresh = refresh["refresh_token"].as_str().unwrap();
    assert_eq!(
        ask(&stack, "tenant1", "renewing", refresh).await,
        json!({
            "active": true, "client_id": "renewing", "scope": "tenant1.journal.read",
            "aud": ["https://api.erp.example/tenant1"], "tenant_id": "tenant1",
            "iat": NOW.as_secs(), "exp": NOW.as_secs() + 30 * 24 * 60 * 60,
        })
    );
}

#[tokio::test]
async fn a47_no_token_in_a_url_and_no_answer_in_a_cache() {
    let stack = Stack::new().await;
    let get = stack.post(&format!("{INTROSPECT}?token=x")).method(Method::GET).send().await;
    get.assert_refused(405, "invalid_request", "method");
    let sent = stack.post_by(&format!("{INTROSPECT}?token=x"), "tenant1", "erp-sync");
    let answer = sent.with("tenant_id", "tenant1").send().await;
    answer.assert_refused(400, "invalid_request", "secret_in_query");
    let sent = stack.post_by(INTROSPECT, "tenant1", "erp-sync").with("tenant_id", "tenant1");
    let answer = sent.with("token", "x").send().await;
    // `json` asserts that no cache keeps it.
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, inactive()));
}

#[tokio::test]
async fn a48_nobody_of_one_tenant_learns_of_the_tokens_of_another() {
    let stack = Stack::new().await;
    let (token, _) = access_token(&stack, "erp-sync").await;
    for client in ["erp-sync", "renewing", "other"] {
        assert_eq!(ask(&stack, "tenant2", client, &token).await, inactive());
        let path = "/tenant2/oauth/introspect";
        let sent = stack.post_by(path, "tenant2", client).with("token", &token);
        assert_eq!(sent.tokens().await, inactive());
    }
    let sent = stack.post_by(INTROSPECT, "tenant2", "erp-sync").with("tenant_id", "tenant1");
    sent.with("token", &token).send().await.assert_invalid_client("secret_wrong");
}

/// A resource server: a client that obtains nothing.
async fn register_reader(stack: &Stack, id: &str, audiences: &[&str]) {
    let tenant = "tenant1".parse().unwrap();
    let like = stack.store.client(&tenant, &"erp-sync".parse().unwrap()).await.unwrap().unwrap();
    let client = Client {
        id: id.parse().unwrap(),
        grants: Grants { client_credentials: false, refresh_token: false },
        audiences: audiences.iter().copied().map(String::from).collect(),
        ..like
    };
    stack.store.add_client(&client).await.unwrap();
}

#[tokio::test]
async fn a45_a_token_stays_revoked_though_the_clock_that_prunes_is_ahead() {
    let stack = Stack::new().await;
    let (token, _) = access_token(&stack, "erp-sync").await;
    let sent = stack.post_by(REVOKE, "tenant1", "erp-sync").with("tenant_id", "tenant1");
    sent.with("token", &token).tokens().await;

    stack.clock.advance(Duration::from_secs(598));
    stack.store.prune(NOW + Duration::from_secs(603)).await.unwrap();

    assert_eq!(ask(&stack, "tenant1", "erp-sync", &token).await, inactive());
}

#[tokio::test]
async fn a45_a_client_that_got_the_id_of_another_did_not_get_its_tokens() {
    let stack = Stack::new().await;
    stack.clock.advance(Duration::from_millis(300));
    let (old, _) = access_token(&stack, "erp-sync").await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "erp-sync".parse().unwrap());
    assert_eq!(ask(&stack, "tenant1", "other", &old).await["active"], true);
    assert!(stack.store.remove_client(&tenant, &client).await.unwrap());
    // Within the second in which the old one's token was issued: `iat` does not tell them apart.
    stack.clock.advance(Duration::from_millis(300));
    let secret = ClientAuth::Basic(SecretHash::of("new"));
    stack.register("tenant1", "erp-sync", secret, Map::new()).await;
    let sent = stack.post(TOKEN).basic("erp-sync", "new").with("tenant_id", "tenant1");
    let tokens = sent.with("grant_type", "client_credentials").tokens().await;
    let new = tokens["access_token"].as_str().unwrap();

    assert_eq!(claims(&tokens)["iat"], NOW.as_secs());
    assert_eq!(ask(&stack, "tenant1", "other", &old).await, inactive());
    assert_eq!(ask(&stack, "tenant1", "other", new).await["active"], true);
}

#[tokio::test]
async fn a45_a_tenant_that_got_the_id_of_another_did_not_get_its_tokens() {
    let stack = Stack::new().await;
    let (old, _) = access_token(&stack, "erp-sync").await;
    let tenant = "tenant1".parse().unwrap();
    let before = stack.store.tenant(&tenant).await.unwrap().unwrap();
    assert!(stack.store.remove_tenant(&tenant).await.unwrap());
    stack.clock.advance(Duration::from_millis(500));
    stack.store.add_tenant(&Tenant { created_at: stack.clock.unix(), ..before }).await.unwrap();
    // The record of the client is taken over from elsewhere, with its date.
    let secret = || ClientAuth::Basic(SecretHash::of("new"));
    stack.clock.set_unix(NOW);
    stack.register("tenant1", "erp-sync", secret(), Map::new()).await;
    stack.clock.set_unix(NOW + Duration::from_secs(1));

    let sent = stack.post(INTROSPECT).basic("erp-sync", "new").with("tenant_id", "tenant1");
    assert_eq!(sent.with("token", &old).tokens().await, inactive());
}

/// A claim that was free when the token was signed names the tenant since the server has other
/// settings. The audience was never free.
#[tokio::test]
async fn a48_a_token_keeps_its_tenant_when_the_settings_change() {
    let stack = Stack::new().await;
    let secret = || ClientAuth::Basic(SecretHash::of("known"));
    let customer = Map::from_iter([("customer".to_owned(), Value::from("tenant2"))]);
    stack.register("tenant1", "vendor", secret(), customer).await;
    stack.register("tenant2", "vendor", secret(), Map::new()).await;
    let by = |path| stack.post(path).basic("vendor", "known");
    let tokens = by(TOKEN).with("tenant_id", "tenant1").with("grant_type", "client_credentials");
    let tokens = tokens.tokens().await;
    let token = tokens["access_token"].as_str().unwrap();
    for audience in ["https://api.erp.example/{tenant}", "https://new.erp.example/{tenant}"] {
        let changed = Settings::builder().issuer(ISSUER).tenant_claims(["customer"]);
        stack.endpoints.replace_settings(changed.audience(audience).build().unwrap());
        let asked = by(INTROSPECT).with("tenant_id", "tenant2").with("token", token);
        assert_eq!(asked.tokens().await, inactive(), "{audience}");
    }
}
