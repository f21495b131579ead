//! An issuer for each tenant: the same rows, where they read differently.

use serde_json::{Value, json};

use tenantry_issuer::Settings;

use crate::stack::{NOW, Stack, claims, header, signed};

async fn stack() -> Stack {
    let settings = Settings::builder()
        .issuer("https://auth.erp.example/{tenant}")
        .audience("https://api.erp.example/{tenant}")
        .build()
        .unwrap();
    Stack::with(settings, "sqlite::memory:").await
}

async fn tokens(stack: &Stack, tenant: &str) -> Value {
    let sent = stack.post_by(&format!("/{tenant}/oauth/token"), tenant, "renewing");
    sent.with("grant_type", "client_credentials").tokens().await
}

async fn is_active(stack: &Stack, tenant: &str, token: &Value) -> bool {
    let sent = stack.post_by(&format!("/{tenant}/oauth/introspect"), tenant, "renewing");
    sent.with("token", token.as_str().unwrap()).tokens().await["active"] == true
}

#[tokio::test]
async fn a36_each_tenant_has_its_issuer_and_its_keys() {
    let stack = stack().await;
    let (one, other) = (tokens(&stack, "tenant1").await, tokens(&stack, "tenant2").await);

    assert_eq!(claims(&one)["iss"], "https://auth.erp.example/tenant1");
    assert_eq!(claims(&other)["iss"], "https://auth.erp.example/tenant2");
    assert_ne!(header(&one)["kid"], header(&other)["kid"]);
}

#[tokio::test]
async fn a15_an_assertion_is_for_the_issuer_of_its_tenant() {
    let stack = stack().await;
    let sent = |audience: &str, jti: &str| {
        let assertion = signed(
            &stack.keys[0],
            &json!({ "alg": "ES256", "kid": "tenant1" }),
            &json!({
                "iss": "signing", "sub": "signing", "aud": audience, "jti": jti,
                "exp": NOW.as_secs() + 60,
            }),
        );
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let sent = stack.post("/tenant1/oauth/token").with("grant_type", "client_credentials");
        sent.with("client_assertion_type", kind).with("client_assertion", &assertion)
    };

    sent("https://auth.erp.example/tenant1", "1").tokens().await;
    for audience in ["https://auth.erp.example", "https://auth.erp.example/tenant2"] {
        sent(audience, "2").send().await.assert_invalid_client("assertion_audience");
    }
}

#[tokio::test]
async fn a48_the_token_of_one_issuer_is_not_active_at_another() {
    let stack = stack().await;
    let tokens = tokens(&stack, "tenant1").await;
    for kind in ["access_token", "refresh_token"] {
        assert!(is_active(&stack, "tenant1", &tokens[kind]).await);
        assert!(!is_active(&stack, "tenant2", &tokens[kind]).await);
    }
}

#[tokio::test]
async fn a40_the_access_token_of_another_issuer_is_unknown_and_a_refresh_token_foreign() {
    let stack = stack().await;
    let tokens = tokens(&stack, "tenant1").await;
    let revoke = |kind: &str| {
        let sent = stack.post_by("/tenant2/oauth/revoke", "tenant2", "renewing");
        sent.with("token", tokens[kind].as_str().unwrap())
    };

    assert_eq!(revoke("access_token").tokens().await, json!({}));
    let answer = revoke("refresh_token").send().await;
    answer.assert_refused(400, "invalid_grant", "token_foreign");
    for kind in ["access_token", "refresh_token"] {
        assert!(is_active(&stack, "tenant1", &tokens[kind]).await);
    }
}
