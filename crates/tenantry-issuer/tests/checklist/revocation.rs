//! Revocation: rows 38 to 42.

use http::StatusCode;
use serde_json::{Map, Value, json};

use tenantry_issuer::{ClientAuth, SecretHash};

use crate::stack::{Answer, INTROSPECT, REVOKE, Stack, TOKEN, claims};

const FOREIGN: &str = "the token was not issued to this client";

async fn revoke(stack: &Stack, tenant: &str, client: &str, token: &str, hint: &str) -> Answer {
    let sent = stack.post_by(REVOKE, tenant, client).with("tenant_id", tenant);
    sent.with("token", token).with("token_type_hint", hint).send().await
}

async fn is_active(stack: &Stack, token: &str) -> bool {
    let sent = stack.post_by(INTROSPECT, "tenant1", "renewing").with("tenant_id", "tenant1");
    sent.with("token", token).tokens().await["active"] == true
}

async fn tokens(stack: &Stack) -> (String, String) {
    let tokens = stack.token_for("renewing").tokens().await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

#[tokio::test]
async fn a38_refresh_tokens_and_access_tokens_can_be_revoked_by_their_client() {
    let stack = Stack::new().await;
    let (access, refresh) = tokens(&stack).await;
    for (token, hint) in [(&access, "access_token"), (&refresh, "refresh_token")] {
        assert!(is_active(&stack, token).await);
        let answer = revoke(&stack, "tenant1", "renewing", token, hint).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({})));
        assert!(!is_active(&stack, token).await);
    }
    assert_eq!(stack.last_event().action, "token.introspect");
    let answer = stack.post_by(REVOKE, "tenant1", "renewing").with("tenant_id", "tenant1");
    answer.send().await.assert_refused(400, "invalid_request", "token_missing");
}

#[tokio::test]
async fn a39_what_is_not_live_anyway_is_200_and_a_wrong_hint_misleads_nobody() {
    let stack = Stack::new().await;
    let (access, refresh) = tokens(&stack).await;
    for (token, hint) in [(&access, "refresh_token"), (&refresh, "access_token")] {
        for _ in 0..2 {
            let answer = revoke(&stack, "tenant1", "renewing", token, hint).await;
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({})));
            assert!(!is_active(&stack, token).await);
        }
    }
    let (expired, _) = tokens(&stack).await;
    stack.clock.advance(std::time::Duration::from_secs(600));
    let changed = format!("{}A", &expired[..expired.len() - 1]);
    let unknown = "A".repeat(64);
    for token in [&expired, &changed, &unknown, "x", "a.b.c", "é"] {
        let answer = revoke(&stack, "tenant1", "renewing", token, "").await;
        assert_eq!(answer.json(), json!({}), "{token}");
    }
}

#[tokio::test]
async fn a40_a_token_of_another_client_or_tenant_is_refused_and_lives_on() {
    let stack = Stack::new().await;
    let (access, refresh) = tokens(&stack).await;
    for (tenant, client) in [("tenant1", "other"), ("tenant2", "renewing"), ("tenant2", "other")] {
        for token in [&access, &refresh] {
            let answer = revoke(&stack, tenant, client, token, "").await;
            answer.assert_refused_with(400, "invalid_grant", "token_foreign", FOREIGN);
            assert!(is_active(&stack, token).await);
        }
    }
}

/// Access tokens are good until they expire, for whoever verifies them: the module says so.
#[tokio::test]
async fn a41_revoking_one_token_leaves_the_other_kind_alone_and_access_tokens_are_short_lived() {
    let stack = Stack::new().await;
    let (access, refresh) = tokens(&stack).await;
    revoke(&stack, "tenant1", "renewing", &refresh, "").await;
    assert!(is_active(&stack, &access).await);
    stack.clock.advance(std::time::Duration::from_secs(600));
    assert!(!is_active(&stack, &access).await);

    let (access, refresh) = tokens(&stack).await;
    revoke(&stack, "tenant1", "renewing", &access, "").await;
    assert!(is_active(&stack, &refresh).await);
}

#[tokio::test]
async fn a42_a_store_that_is_down_is_503_and_failures_are_limited_as_at_the_token_endpoint() {
    let stack = Stack::new().await;
    let (access, refresh) = tokens(&stack).await;
    for path in [REVOKE, INTROSPECT, TOKEN] {
        let fail = || {
            let sent = stack.post(path).basic("other", "wrong").with("tenant_id", "tenant1");
            sent.with("token", "x").from("192.0.2.1")
        };
        if path == REVOKE {
            for _ in 0..10 {
                fail().send().await.assert_invalid_client("secret_wrong");
            }
        }
        // Counted over all endpoints.
        let answer = fail().send().await;
        answer.assert_refused(429, "temporarily_unavailable", "too_many_failures");
    }
    stack.store.close().await;
    for token in [&access, &refresh] {
        let answer = revoke(&stack, "tenant1", "renewing", token, "").await;
        answer.assert_refused(503, "temporarily_unavailable", "store");
    }
}

#[tokio::test]
async fn a_token_that_was_used_before_ends_its_family() {
    let stack = Stack::new().await;
    let (_, first) = tokens(&stack).await;
    let sent = stack.post_by(TOKEN, "tenant1", "renewing").with("tenant_id", "tenant1");
    let sent = sent.with("grant_type", "refresh_token").with("refresh_token", &first);
    let second: Value = sent.tokens().await["refresh_token"].clone();

    revoke(&stack, "tenant1", "renewing", &first, "").await;

    assert!(!is_active(&stack, second.as_str().unwrap()).await);
}

/// It is inactive in any case, so it is as one that nobody knows.
#[tokio::test]
async fn a40_a_token_of_a_client_that_had_the_id_before_is_not_noted() {
    let stack = Stack::new().await;
    let (token, _) = tokens(&stack).await;
    let jti = claims(&json!({ "access_token": token }))["jti"].as_str().unwrap().to_owned();
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    assert!(stack.store.remove_client(&tenant, &client).await.unwrap());
    stack.clock.advance(std::time::Duration::from_millis(1));
    let secret = ClientAuth::Basic(SecretHash::of("new"));
    stack.register("tenant1", "renewing", secret, Map::new()).await;

    let sent = stack.post(REVOKE).basic("renewing", "new").with("tenant_id", "tenant1");
    let answer = sent.with("token", &token).send().await;

    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({})));
    assert!(!stack.store.is_access_token_revoked(&tenant, &jti).await.unwrap());
}
