//! Client authentication: rows 10 to 16.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, json};

use tenantry_core::Algorithm;
use tenantry_issuer::ClientAuth;
use tenantry_testkit::SigningKey;

use crate::stack::{INTROSPECT, ISSUER, NOW, REVOKE, Sent, Stack, TOKEN, signed};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn by_assertion<'s>(stack: &'s Stack, assertion: &str) -> Sent<'s> {
    stack
        .post(TOKEN)
        .with("grant_type", "client_credentials")
        .with("tenant_id", "tenant1")
        .with("client_assertion_type", TYPE)
        .with("client_assertion", assertion)
}

#[tokio::test]
async fn a10_every_endpoint_wants_a_client() {
    let stack = Stack::new().await;
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let sent = || stack.post(path).with("tenant_id", "tenant1").with("token", "x");
        sent().send().await.assert_no_credentials("credentials_missing");
        let answer = sent().with("client_id", "erp-sync").send().await;
        answer.assert_no_credentials("credentials_missing");
        let answer = sent().basic("erp-sync", "wrong").send().await;
        answer.assert_invalid_client("secret_wrong");
    }
}

#[tokio::test]
async fn a11_two_ways_to_authenticate_are_refused_though_each_is_right() {
    let stack = Stack::new().await;
    let secret = stack.secret("tenant1");
    let assertion = stack.assertion(|_| {});
    let answers = [
        stack.token_for("erp-sync").with("client_id", "erp-sync").with("client_secret", secret),
        by_assertion(&stack, &assertion).basic("erp-sync", secret),
        by_assertion(&stack, &assertion).with("client_id", "signing").with("client_secret", "s"),
    ];
    for sent in answers {
        let answer = sent.send().await;
        answer.assert_refused(400, "invalid_request", "credentials_multiple");
    }
    let twice = stack.token_for("erp-sync").basic("erp-sync", secret).send().await;
    twice.assert_refused(400, "invalid_request", "authorization_malformed");
}

#[tokio::test]
async fn a12_basic_ids_are_form_decoded() {
    let stack = Stack::new().await;
    let secret = stack.secret("tenant1");
    let sent = |client: &str| {
        let sent = stack.post(TOKEN).basic(client, secret).with("tenant_id", "tenant1");
        sent.with("grant_type", "client_credentials")
    };

    sent("erp%2Dsync").tokens().await;
    sent("%65rp-sync").with("client_id", "erp-sync").tokens().await;
    sent("erp+sync").send().await.assert_no_credentials("client_id_malformed");
    let answer = sent("erp%2Dsync").with("client_id", "erp%2Dsync").send().await;
    answer.assert_refused(400, "invalid_request", "client_id_mismatch");
    let answer = sent("erp%").send().await;
    answer.assert_refused(400, "invalid_request", "authorization_malformed");
}

#[tokio::test]
async fn a13_only_the_registered_method_is_accepted() {
    let stack = Stack::new().await;
    let secret = stack.secret("tenant1");
    let posted = |client: &str| {
        let sent = stack.post(TOKEN).with("tenant_id", "tenant1").with("client_id", client);
        sent.with("client_secret", secret).with("grant_type", "client_credentials")
    };

    posted("posting").tokens().await;
    posted("erp-sync").send().await.assert_invalid_client("authentication_method");
    stack.token_for("posting").send().await.assert_invalid_client("authentication_method");
    stack.token_for("signing").send().await.assert_invalid_client("authentication_method");
    posted("signing").send().await.assert_invalid_client("authentication_method");
}

#[tokio::test]
async fn a14_an_assertion_is_signed_by_a_registered_key_short_lived_and_used_once() {
    let stack = Stack::new().await;
    let assertion = stack.assertion(|_| {});

    by_assertion(&stack, &assertion).tokens().await;
    let answer = by_assertion(&stack, &assertion).send().await;
    answer.assert_invalid_client("assertion_replayed");
    by_assertion(&stack, &stack.assertion(|claims| claims["jti"] = json!("2"))).tokens().await;

    let foreign = signed(
        &stack.keys[1],
        &json!({ "alg": "ES256", "kid": "tenant1" }),
        &json!({ "iss": "signing", "sub": "signing", "aud": ISSUER, "exp": 1_800_000_060, "jti": "3" }),
    );
    let answer = by_assertion(&stack, &foreign).send().await;
    answer.assert_invalid_client("assertion_signature");
    for (member, value, reason) in [
        ("exp", json!(1_799_999_970), "assertion_expired"),
        ("exp", json!(1_800_000_700), "assertion_lifetime"),
        ("iss", json!("other"), "assertion_subject"),
        ("nbf", json!(1_800_000_060), "assertion_early"),
    ] {
        let assertion = stack.assertion(|claims| claims[member] = value);
        by_assertion(&stack, &assertion).send().await.assert_invalid_client(reason);
    }
    let answer = by_assertion(&stack, "e30.e30.e30").send().await;
    answer.assert_no_credentials("assertion_malformed");
    let sent = stack.post(TOKEN).with("tenant_id", "tenant1").with("client_assertion", &assertion);
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let answer = sent.clone().with("client_assertion_type", saml).send().await;
    answer.assert_no_credentials("client_assertion_type");
    sent.send().await.assert_refused(400, "invalid_request", "assertion_incomplete");
}

#[tokio::test]
async fn a14_a_jti_is_that_of_one_client_of_one_tenant() {
    let stack = Stack::new().await;
    by_assertion(&stack, &stack.assertion(|_| {})).tokens().await;
    let claims = json!({
        "iss": "signing", "sub": "signing", "aud": ISSUER, "exp": 1_800_000_060, "jti": "1",
    });
    let assertion = signed(&stack.keys[1], &json!({ "alg": "ES256", "kid": "tenant2" }), &claims);

    let sent = stack.post("/tenant2/oauth/token").with("grant_type", "client_credentials");
    let sent = sent.with("client_assertion_type", TYPE).with("client_assertion", &assertion);
    sent.tokens().await;
}

#[tokio::test]
async fn a15_an_assertion_is_for_the_issuer_and_nobody_else() {
    let stack = Stack::new().await;
    for (audience, reason) in [
        (json!("https://auth.erp.example/oauth/token"), "assertion_audience"),
        (json!("https://auth.erp.example/"), "assertion_audience"),
        (json!("https://auth.erp.example/tenant1"), "assertion_audience"),
        (json!([ISSUER, "https://auth.erp.example/oauth/token"]), "assertion_claims"),
    ] {
        let assertion = stack.assertion(|claims| claims["aud"] = audience);
        by_assertion(&stack, &assertion).send().await.assert_invalid_client(reason);
    }
    let claims = json!({
        "iss": "signing", "sub": "signing", "aud": ISSUER, "exp": 1_800_000_060, "jti": "9",
    });
    let header = json!({ "alg": "ES256", "kid": "tenant1", "typ": "client-authentication+jwt" });
    by_assertion(&stack, &signed(&stack.keys[0], &header, &claims)).tokens().await;
    let header = json!({ "alg": "ES256", "kid": "tenant1", "typ": "at+jwt" });
    let assertion = signed(&stack.keys[0], &header, &claims);
    by_assertion(&stack, &assertion).send().await.assert_invalid_client("assertion_type");
}

#[tokio::test]
async fn a16_the_same_id_in_two_tenants_is_two_clients() {
    let stack = Stack::new().await;
    for (of, at) in [("tenant1", "tenant2"), ("tenant2", "tenant1")] {
        let by = |at: &str| {
            stack
                .post_by(TOKEN, of, "erp-sync")
                .with("grant_type", "client_credentials")
                .with("tenant_id", at)
        };
        assert_eq!(by(of).send().await.status, StatusCode::OK);
        by(at).send().await.assert_invalid_client("secret_wrong");
        let path = format!("/{at}/oauth/token");
        let sent = stack.post_by(&path, of, "erp-sync").with("grant_type", "client_credentials");
        sent.send().await.assert_invalid_client("secret_wrong");
    }
}

#[tokio::test]
async fn a16_what_changes_elsewhere_is_known_within_thirty_seconds() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "erp-sync".parse().unwrap());
    stack.token_for("erp-sync").tokens().await;

    stack.store.set_client_enabled(&tenant, &client, false).await.unwrap();
    stack.clock.advance(Duration::from_millis(29_999));
    stack.token_for("erp-sync").tokens().await;
    stack.clock.advance(Duration::from_millis(1));
    let answer = stack.token_for("erp-sync").send().await;
    answer.assert_refused(400, "unauthorized_client", "client_disabled");
    // The other way at once: nobody waits for an operator who repaired something.
    stack.store.set_client_enabled(&tenant, &client, true).await.unwrap();
    stack.token_for("erp-sync").tokens().await;

    stack.store.set_tenant_status(&tenant, tenantry_issuer::TenantStatus::Suspended).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));
    for client in ["erp-sync", "renewing"] {
        let answer = stack.token_for(client).send().await;
        answer.assert_refused(400, "unauthorized_client", "tenant_suspended");
    }
    let sent = stack.post_by(TOKEN, "tenant2", "erp-sync").with("tenant_id", "tenant2");
    sent.with("grant_type", "client_credentials").tokens().await;
}

#[tokio::test]
async fn other_settings_are_in_force_from_the_next_request_on() {
    let stack = Stack::new().await;
    let settings = tenantry_issuer::Settings::builder().issuer(ISSUER).tenant_header("x-org");
    let settings = settings.audience("https://api.erp.example/{tenant}").build().unwrap();
    let by = |header: &str| {
        let sent = stack.post_by(TOKEN, "tenant1", "erp-sync").header(header, "tenant1");
        sent.with("grant_type", "client_credentials")
    };

    by("x-tenant-id").tokens().await;
    stack.endpoints.replace_settings(settings);
    by("x-org").tokens().await;
    by("x-tenant-id").send().await.assert_refused(400, "invalid_request", "tenant_missing");
}

/// Nobody has to wait for an operator's decision, only for one's own mistakes.
#[tokio::test]
async fn a_client_without_standing_has_not_failed_to_authenticate() {
    let stack = Stack::new().await;
    let tenant = "tenant1".parse().unwrap();
    stack.store.set_tenant_status(&tenant, tenantry_issuer::TenantStatus::Suspended).await.unwrap();
    for _ in 0..30 {
        let answer = stack.token_for("erp-sync").from("192.0.2.1").send().await;
        answer.assert_refused(400, "unauthorized_client", "tenant_suspended");
    }
}

#[tokio::test]
async fn a16_a_rotated_secret_works_at_once() {
    let stack = Stack::new().await;
    stack.token_for("erp-sync").tokens().await;
    let new = tenantry_issuer::Secret::generate().unwrap();
    let (tenant, client) = ("tenant1".parse().unwrap(), "erp-sync".parse().unwrap());
    stack.store.set_client_secret(&tenant, &client, &new.hash()).await.unwrap();

    let sent = stack.post(TOKEN).basic("erp-sync", new.expose()).with("tenant_id", "tenant1");
    sent.with("grant_type", "client_credentials").tokens().await;
    // What was read then is what counts from then on.
    stack.token_for("erp-sync").send().await.assert_invalid_client("secret_wrong");
}

/// A vendor that serves several tenants with one key: who gets an assertion cannot pass it on.
#[tokio::test]
async fn a14_an_assertion_is_used_once_over_all_tenants_that_share_the_issuer() {
    let stack = Stack::new().await;
    let key = SigningKey::generate(Algorithm::Es256, "vendor");
    let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
    for tenant in ["tenant1", "tenant2"] {
        let auth = ClientAuth::PrivateKeyJwt { jwks: jwks.clone() };
        stack.register(tenant, "vendor", auth, Map::new()).await;
    }
    let claims = json!({
        "iss": "vendor", "sub": "vendor", "aud": ISSUER, "exp": 1_800_000_060, "jti": "once",
    });
    let assertion = signed(&key, &json!({ "alg": "ES256", "kid": "vendor" }), &claims);
    let at = |tenant: &str| {
        let sent = stack.post(&format!("/{tenant}/oauth/token"));
        let sent = sent.with("grant_type", "client_credentials");
        sent.with("client_assertion_type", TYPE).with("client_assertion", &assertion)
    };

    at("tenant1").tokens().await;
    at("tenant2").send().await.assert_invalid_client("assertion_replayed");
}

#[tokio::test]
async fn a14_an_assertion_stays_used_though_the_clock_that_prunes_is_ahead() {
    let stack = Stack::new().await;
    let assertion = stack.assertion(|_| {});
    by_assertion(&stack, &assertion).tokens().await;

    // It is good for two seconds more here, and past by the clock of another replica.
    stack.clock.advance(Duration::from_secs(88));
    stack.store.prune(NOW + Duration::from_secs(93)).await.unwrap();

    let answer = by_assertion(&stack, &assertion).send().await;
    answer.assert_invalid_client("assertion_replayed");
}
