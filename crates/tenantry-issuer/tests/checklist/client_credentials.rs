//! The client credentials grant: rows 19 to 23, and what its tokens say: rows 32 to 36.

use http::StatusCode;
use serde_json::json;

use tenantry_issuer::Settings;

use crate::stack::{ISSUER, NOW, Stack, TOKEN, claims, header};

#[tokio::test]
async fn a19_there_is_no_token_without_authentication() {
    let stack = Stack::new().await;
    for client in ["erp-sync", "nobody"] {
        let sent = stack.post("/tenant1/oauth/token").with("grant_type", "client_credentials");
        let answer = sent.with("client_id", client).send().await;
        answer.assert_no_credentials("credentials_missing");
    }
    let answer = stack.post(TOKEN).basic("erp-sync", "").with("tenant_id", "tenant1").send().await;
    answer.assert_invalid_client("secret_wrong");
}

#[tokio::test]
async fn a20_only_a_client_registered_for_both_gets_a_refresh_token() {
    let stack = Stack::new().await;

    assert!(stack.token_for("erp-sync").tokens().await.get("refresh_token").is_none());
    let both = stack.token_for("renewing").tokens().await;
    assert_eq!(both["refresh_token"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a20_a_client_that_was_disabled_meanwhile_gets_no_refresh_token() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    stack.token_for("renewing").tokens().await;
    stack.store.set_client_enabled(&tenant, &client, false).await.unwrap();

    // It is still remembered as it was; a grant that outlives that is not begun.
    let answer = stack.token_for("renewing").send().await;
    answer.assert_refused(400, "unauthorized_client", "client_disabled");
}

#[tokio::test]
async fn a20_a_client_that_is_found_to_be_gone_is_believed_no_longer() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    stack.token_for("renewing").tokens().await;
    assert!(stack.store.remove_client(&tenant, &client).await.unwrap());

    let answer = stack.token_for("renewing").send().await;
    answer.assert_refused(400, "unauthorized_client", "client_gone");
    stack.token_for("renewing").send().await.assert_invalid_client("client_unknown");
}

#[tokio::test]
async fn a21_a_scope_that_is_foreign_or_not_registered_refuses_the_whole_request() {
    let stack = Stack::new().await;
    let asked = |scope: &str| stack.token_for("erp-sync").with("scope", scope);

    let answer = asked("tenant1.journal.read tenant2.journal.read").send().await;
    answer.assert_refused_with(
        400,
        "invalid_scope",
        "scope_foreign",
        "the scope tenant2.journal.read is of tenant tenant2, but this request is for tenant \
         tenant1; the client is not registered for a scope of that name either",
    );
    let answer = asked("tenant1.journal.read tenant1.admin").send().await;
    answer.assert_refused_with(
        400,
        "invalid_scope",
        "scope_unregistered",
        "the client may not have the scope tenant1.admin in tenant tenant1: it is not registered for \
         it, or, on renewal, was not granted it",
    );
    let tokens = stack.token_for("erp-sync").tokens().await;
    let all = "tenant1.finance.write tenant1.journal.create tenant1.journal.read";
    assert_eq!((&tokens["scope"], &claims(&tokens)["scope"]), (&json!(all), &json!(all)));
}

#[tokio::test]
async fn a22_a_scope_is_words_with_one_blank_between_whose_case_counts_and_order_does_not() {
    let stack = Stack::new().await;
    let asked = |scope: &str| stack.token_for("erp-sync").with("scope", scope);

    let one = asked("journal.read finance.write").tokens().await;
    let other = asked("finance.write journal.read finance.write").tokens().await;
    assert_eq!(one["scope"], other["scope"]);
    for scope in ["journal.read  finance.write", " journal.read", "journal.read\tx", "é"] {
        asked(scope).send().await.assert_refused(400, "invalid_scope", "scope_malformed");
    }
    asked("Journal.read").send().await.assert_refused(400, "invalid_scope", "scope_foreign");
}

#[tokio::test]
async fn a23_the_subject_is_the_client() {
    let stack = Stack::new().await;
    let claims = claims(&stack.token_for("erp-sync").tokens().await);

    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("erp-sync"), &json!("erp-sync")));
}

#[tokio::test]
async fn a32_a_token_says_what_the_profile_requires() {
    let stack = Stack::new().await;
    let tokens = stack.token_for("erp-sync").tokens().await;
    let said = claims(&tokens);

    assert_eq!(header(&tokens)["typ"], "at+jwt");
    assert_eq!(said["iss"], ISSUER);
    assert_eq!(said["iat"], NOW.as_secs());
    assert_eq!(said["exp"], NOW.as_secs() + 600);
    assert_eq!(said["of"], "tenant1");
    let again = claims(&stack.token_for("erp-sync").tokens().await);
    assert_ne!(said["jti"], again["jti"]);
}

#[tokio::test]
async fn a33_without_a_choice_the_audience_is_the_default_and_with_one_it_is_asked_for() {
    let stack = Stack::new().await;
    let tokens = stack.post_by("/tenant1/oauth/token", "tenant1", "erp-sync");
    let tokens = tokens.with("grant_type", "client_credentials").tokens().await;
    assert_eq!(claims(&tokens)["aud"], "https://api.erp.example/tenant1");

    let settings = Settings::builder()
        .issuer(ISSUER)
        .audience("https://api.erp.example/{tenant}")
        .audience("https://hr.erp.example/{tenant}")
        .build()
        .unwrap();
    let stack = Stack::with(settings, "sqlite::memory:").await;
    let sent = || {
        let sent = stack.post_by("/tenant1/oauth/token", "tenant1", "erp-sync");
        sent.with("grant_type", "client_credentials")
    };
    sent().send().await.assert_refused(400, "invalid_target", "audience_ambiguous");
    let hr = "https://hr.erp.example/tenant1";
    assert_eq!(claims(&sent().with("audience", hr).tokens().await)["aud"], hr);
}

#[tokio::test]
async fn a34_a_resource_is_an_absolute_uri_may_repeat_and_is_registered() {
    let stack = Stack::new().await;
    let sent = |resource: &str| {
        let sent = stack.post_by("/tenant1/oauth/token", "tenant1", "erp-sync");
        sent.with("grant_type", "client_credentials").with("resource", resource)
    };
    let own = "https://api.erp.example/tenant1";

    assert_eq!(claims(&sent(own).with("resource", own).tokens().await)["aud"], own);
    for resource in ["urn:x", "tenant1", "https://api.erp.example/tenant1#a"] {
        let answer = sent(resource).send().await;
        answer.assert_refused(400, "invalid_target", "audience_unknown");
    }
    let answer = sent("https://api.erp.example/tenant2").send().await;
    answer.assert_refused(400, "invalid_target", "tenant_mismatch");
}

#[tokio::test]
async fn a36_the_tenant_of_a_token_is_that_of_its_client_however_it_was_named() {
    let stack = Stack::new().await;
    for tenant in ["tenant1", "tenant2"] {
        let by = |path: &str| {
            stack.post_by(path, tenant, "erp-sync").with("grant_type", "client_credentials")
        };
        let audience = format!("https://api.erp.example/{tenant}");
        for sent in [
            by(&format!("/{tenant}/oauth/token")),
            by(TOKEN).header("x-tenant-id", tenant),
            by(TOKEN).with("tenant_id", tenant),
            by(TOKEN).with("audience", &audience),
            by(TOKEN).with("resource", &audience),
        ] {
            assert_eq!(claims(&sent.tokens().await)["tenant_id"], tenant);
        }
        let encoded = format!("/{}%31/oauth/token", &tenant[..6]);
        let answer = by(&encoded).send().await;
        answer.assert_refused(400, "invalid_request", "tenant_malformed");
        assert_eq!(
            by(&format!("/{tenant}/oauth/token/")).send().await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn a36_places_that_disagree_are_refused_before_anybody_is_looked_up() {
    let stack = Stack::new().await;
    stack.store.close().await;
    let sent = stack.post_by("/tenant1/oauth/token", "tenant1", "erp-sync");
    let answer = sent.header("x-tenant-id", "tenant2").send().await;

    answer.assert_refused_with(
        400,
        "invalid_request",
        "tenant_mismatch",
        "the path names tenant tenant1, but the tenant header names tenant tenant2",
    );
}
