//! The token endpoint, whatever the grant: rows 1 to 9.

use futures_util::FutureExt as _;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, RETRY_AFTER,
};
use http::{Method, StatusCode};

use tenantry_issuer::{AuditOutcome, Settings};

use crate::stack::{Answer, INTROSPECT, INVALID_CLIENT, ISSUER, REVOKE, Stack, TOKEN};

const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &str = "grant_type=client_credentials&audience=https://api.erp.example/tenant1";

#[tokio::test]
async fn the_storys_request_gets_a_token_and_nothing_else_has_to_name_the_tenant() {
    let stack = Stack::new().await;

    let tokens = stack
        .post_by(TOKEN, "tenant1", "erp-sync")
        .with("grant_type", "client_credentials")
        .with("scope", "tenant1.finance.write tenant1.journal.create")
        .with("audience", "https://api.erp.example/tenant1")
        .tokens()
        .await;

    let claims = crate::stack::claims(&tokens);
    assert_eq!(claims["tenant_id"], "tenant1");
    assert_eq!(claims["aud"], "https://api.erp.example/tenant1");
    assert_eq!(claims["scope"], "tenant1.finance.write tenant1.journal.create");
    let event = stack.last_event();
    assert_eq!(event.outcome, AuditOutcome::Done);
    assert_eq!(event.actor, "client erp-sync");
    assert_eq!(event.tenant.unwrap(), "tenant1");
    assert_eq!(event.grant.unwrap(), "client_credentials");
    assert_eq!(event.scopes, ["finance.write", "journal.create"]);
}

#[tokio::test]
async fn the_storys_failing_request_is_told_how_to_name_the_tenant() {
    let stack = Stack::new().await;

    let answer = stack
        .post_by(TOKEN, "tenant1", "erp-sync")
        .with("grant_type", "client_credentials")
        .with("scope", "finance.write journal.create")
        .send()
        .await;

    answer.assert_refused_with(
        400,
        "invalid_request",
        "tenant_missing",
        "no tenant is named: send the parameter audience=https://api.erp.example/{tenant}, the \
         parameter tenant_id, the header x-tenant-id, or use the path /{tenant}/oauth/token; a \
         scope does not name one",
    );
}

#[tokio::test]
async fn a1_the_endpoints_take_a_form_by_post_and_nothing_else() {
    let stack = Stack::new().await;
    for path in [TOKEN, INTROSPECT, REVOKE, "/tenant1/oauth/token"] {
        let allow = if path.ends_with("/token") { "POST, OPTIONS" } else { "POST" };
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = stack.post(path).method(method).send().await;
            answer.assert_refused(405, "invalid_request", "method");
            assert_eq!(answer.all(ALLOW), [allow]);
        }
        for (kind, body) in [
            ("application/json", r#"{"grant_type":"client_credentials"}"#),
            ("multipart/form-data; boundary=x", "--x--"),
            ("", BODY),
        ] {
            let sent = stack.post_by(path, "tenant1", "erp-sync").raw(kind, body);
            sent.send().await.assert_refused(400, "invalid_request", "content_type");
        }
    }
    let sent = stack.post_by(TOKEN, "tenant1", "erp-sync").raw(FORM, b"a=\xff".to_vec());
    sent.send().await.assert_refused(400, "invalid_request", "form_malformed");
    let long = vec![b'a'; 64 * 1024 + 1];
    let sent = stack.post_by(TOKEN, "tenant1", "erp-sync").raw(FORM, long);
    sent.send().await.assert_refused(413, "invalid_request", "body_too_large");
}

#[tokio::test]
async fn a2_an_empty_parameter_is_absent_an_unknown_one_ignored_a_repeated_one_refused() {
    let stack = Stack::new().await;
    let by = || stack.post_by(TOKEN, "tenant1", "erp-sync");

    let body = format!("{BODY}&scope=&tenant_id=&client_secret=&unknown=1");
    assert_eq!(by().raw(FORM, body).send().await.status, StatusCode::OK);
    for repeated in ["grant_type=client_credentials", "unknown=1&unknown=1", "scope=a&scope="] {
        let answer = by().raw(FORM, format!("{BODY}&{repeated}")).send().await;
        answer.assert_refused(400, "invalid_request", "parameter_repeated");
    }
    let audience = "audience=https://api.erp.example/tenant1";
    let answer = by().raw(FORM, format!("{BODY}&{audience}")).send().await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a3_the_query_is_not_read_and_a_secret_in_it_is_an_error() {
    let stack = Stack::new().await;

    let answer = stack.post_by("/oauth/token?tenant_id=tenant1", "tenant1", "erp-sync");
    let answer = answer.with("grant_type", "client_credentials").send().await;
    answer.assert_refused(400, "invalid_request", "tenant_missing");
    for query in ["client_secret=s", "client_id=a&client_secret=s", "client%5fsecret=s"] {
        let sent = stack.post_by(&format!("{TOKEN}?{query}"), "tenant1", "erp-sync");
        let answer = sent.raw(FORM, BODY).send().await;
        answer.assert_refused(400, "invalid_request", "secret_in_query");
    }
}

#[tokio::test]
async fn a4_success_is_200_with_token_type_lifetime_and_always_the_scope() {
    let stack = Stack::new().await;
    for scope in ["tenant1.journal.read", "journal.read"] {
        let tokens = stack.token_for("erp-sync").with("scope", scope).tokens().await;

        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 600);
        assert_eq!(tokens["scope"], "tenant1.journal.read");
        assert_eq!(tokens.as_object().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a5_no_answer_is_kept_by_a_cache() {
    let stack = Stack::new().await;
    // `json` asserts both fields.
    for path in [TOKEN, INTROSPECT, REVOKE] {
        stack.post(path).send().await.json();
        stack.post(path).method(Method::GET).send().await.json();
        stack.post_by(path, "tenant1", "erp-sync").with("tenant_id", "tenant1").send().await.json();
    }
    stack.token_for("erp-sync").send().await.json();
    let sent = stack.post_by(REVOKE, "tenant1", "erp-sync").with("tenant_id", "tenant1");
    sent.with("token", "x").send().await.json();
}

#[tokio::test]
async fn a6_an_error_is_json_with_a_code_of_the_list_and_a_text_of_its_characters() {
    let stack = Stack::new().await;
    let by = || stack.post_by(TOKEN, "tenant1", "erp-sync").with("tenant_id", "tenant1");

    by().send().await.assert_refused(400, "invalid_request", "grant_type_missing");
    let answer = by().with("grant_type", "client_credentials").with("scope", "a\"b\\").send().await;
    answer.assert_refused(400, "invalid_scope", "scope_malformed");
    let odd = "https://api.erp.example/tenant1\"\\\r\n\u{e9}";
    let answer = by().with("grant_type", "client_credentials").with("audience", odd).send().await;
    answer.assert_refused(400, "invalid_target", "audience_unknown");
}

#[tokio::test]
async fn a7_an_unknown_client_is_401_with_a_basic_challenge_however_it_authenticated() {
    let stack = Stack::new().await;
    let sent =
        |client: &str| stack.post(TOKEN).with("tenant_id", "tenant1").with("client_id", client);
    // `assert_invalid_client` asserts the challenge.
    stack.post(TOKEN).send().await.assert_no_credentials("credentials_missing");
    let answer = sent("posting").with("client_secret", "wrong").send().await;
    answer.assert_invalid_client("secret_wrong");
    let answer = sent("erp-sync").basic("erp-sync", "wrong").send().await;
    answer.assert_invalid_client("secret_wrong");
    let answer = sent("erp-sync").header("authorization", "Bearer abc").send().await;
    answer.assert_no_credentials("authorization_scheme");
}

#[tokio::test]
async fn a8_each_cause_has_the_code_that_the_rfcs_give_it() {
    let stack = Stack::new().await;
    let by = |client: &str| stack.post_by(TOKEN, "tenant1", client).with("tenant_id", "tenant1");

    for grant in ["password", "authorization_code", "implicit", "Client_Credentials", "x"] {
        let answer = by("erp-sync").with("grant_type", grant).send().await;
        answer.assert_refused(400, "unsupported_grant_type", "grant_type_unsupported");
    }
    for (client, grant) in [("erp-sync", "refresh_token"), ("useless", "client_credentials")] {
        let answer = by(client).with("grant_type", grant).send().await;
        answer.assert_refused(400, "unauthorized_client", "grant_unregistered");
    }
    let answer = by("renewing").with("grant_type", "refresh_token").with("refresh_token", "x");
    answer.send().await.assert_invalid_grant("refresh_token_malformed");
    let answer = by("renewing").with("grant_type", "refresh_token").send().await;
    answer.assert_refused(400, "invalid_request", "refresh_token_missing");
    let answer = by("erp-sync").with("grant_type", "client_credentials").with("scope", "x");
    answer.send().await.assert_refused(400, "invalid_scope", "scope_unregistered");
    for name in ["audience", "resource"] {
        let answer = by("erp-sync").with("grant_type", "client_credentials").with(name, "urn:x");
        answer.send().await.assert_refused(400, "invalid_target", "audience_unknown");
    }
}

#[tokio::test]
async fn a9_unknown_tenant_unknown_client_and_wrong_secret_get_one_answer() {
    let stack = Stack::new().await;
    let mut answers = Vec::new();
    for (tenant, client, secret, reason) in [
        ("tenant3", "erp-sync", stack.secret("tenant1"), "client_unknown"),
        ("tenant1", "nobody", stack.secret("tenant1"), "client_unknown"),
        ("tenant1", "erp-sync", "wrong", "secret_wrong"),
        ("tenant1", "erp-sync", stack.secret("tenant2"), "secret_wrong"),
        ("tenant1", "signing", stack.secret("tenant1"), "authentication_method"),
    ] {
        let sent = stack.post(TOKEN).basic(client, secret).with("tenant_id", tenant);
        let answer = sent.with("grant_type", "client_credentials").send().await;
        answer.assert_invalid_client(reason);
        answers.push((answer.status, answer.headers, answer.body));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

/// A store that cannot be asked shows who asks it.
#[tokio::test]
async fn a9_each_refusal_costs_a_read_and_a_client_that_is_remembered_none() {
    let stack = Stack::new().await;
    stack.token_for("erp-sync").tokens().await;

    stack.store.close().await;

    stack.token_for("erp-sync").tokens().await;
    for (tenant, client, secret) in
        [("tenant3", "erp-sync", "s"), ("tenant1", "nobody", "s"), ("tenant1", "erp-sync", "wrong")]
    {
        let sent = stack.post(TOKEN).basic(client, secret).with("tenant_id", tenant);
        sent.send().await.assert_refused(503, "temporarily_unavailable", "store");
    }
}

/// Whoever sits at the same address may fail in the name of another, and must not lock it out.
#[tokio::test]
async fn a9_a_client_that_fails_too_often_is_told_to_wait_and_right_credentials_pass() {
    let stack = Stack::new().await;
    let fail = |tenant: &str, address: &str| {
        stack.post(TOKEN).basic("erp-sync", "wrong").with("tenant_id", tenant).from(address)
    };
    let good = |tenant: &str, address: &str| {
        let sent = stack.post_by(TOKEN, tenant, "erp-sync").with("tenant_id", tenant);
        sent.with("grant_type", "client_credentials").from(address)
    };

    for _ in 0..10 {
        fail("tenant1", "192.0.2.1").send().await.assert_invalid_client("secret_wrong");
    }
    let answer = fail("tenant1", "192.0.2.1").send().await;
    answer.assert_refused(429, "temporarily_unavailable", "too_many_failures");
    assert_eq!(answer.all(RETRY_AFTER), ["6"]);
    good("tenant1", "192.0.2.1").tokens().await;
    fail("tenant1", "192.0.2.2").send().await.assert_invalid_client("secret_wrong");
    fail("tenant2", "192.0.2.1").send().await.assert_invalid_client("secret_wrong");
    stack.clock.advance(std::time::Duration::from_secs(6));
    fail("tenant1", "192.0.2.1").send().await.assert_invalid_client("secret_wrong");
}

#[tokio::test]
async fn a9_an_address_that_fails_all_over_waits_and_its_right_credentials_pass() {
    let stack = Stack::new().await;
    let fail = |at: usize| {
        let sent = stack.post(TOKEN).basic("erp-sync", "wrong").from("192.0.2.1");
        sent.with("tenant_id", &format!("made-up-{at}"))
    };

    for at in 0..100 {
        fail(at).send().await.assert_invalid_client("client_unknown");
    }
    let answer = fail(100).send().await;
    answer.assert_refused(429, "temporarily_unavailable", "too_many_failures");
    assert_eq!(answer.all(RETRY_AFTER), ["1"]);
    stack.token_for("erp-sync").from("192.0.2.1").tokens().await;
    let elsewhere = stack.post(TOKEN).basic("erp-sync", "wrong").with("tenant_id", "tenant3");
    elsewhere.from("192.0.2.2").send().await.assert_invalid_client("client_unknown");
}

/// Otherwise whoever hangs up each time guesses as often as it likes.
#[tokio::test]
async fn a9_a_failure_counts_though_its_sender_hangs_up() {
    let stack = Stack::new().await;
    let fail = || stack.post("/tenant1/oauth/token").basic("erp-sync", "wrong").from("192.0.2.1");
    fail().send().await.assert_invalid_client("secret_wrong");
    // Whoever needs the one connection waits until this is done, which it is not before it is polled.
    let events = vec![stack.last_event(); 1000];
    let mut busy = Box::pin(stack.store.append_audit(&events));
    assert!((&mut busy).now_or_never().is_none());
    for _ in 0..9 {
        assert!(fail().send().now_or_never().is_none());
        let event = stack.last_event();
        assert_eq!(event.reason.as_deref(), Some("abandoned"));
        assert_eq!(event.outcome, AuditOutcome::Failed);
    }
    busy.await.unwrap();

    let answer = fail().send().await;
    answer.assert_refused(429, "temporarily_unavailable", "too_many_failures");
}

/// Behind a proxy all peers are one. Whose failures it are is then what the proxy says, and nobody else.
#[tokio::test]
async fn a9_behind_a_proxy_nobody_waits_for_the_failures_of_another() {
    let settings = Settings::builder().issuer(ISSUER).trusted_proxy("10.0.0.0/8");
    let settings = settings.audience("https://api.erp.example/{tenant}").build().unwrap();
    let stack = Stack::with(settings, "sqlite::memory:").await;
    let sent = |peer: &str, forwarded: &str, client: &str, secret: &str| {
        let sent = stack.post("/tenant1/oauth/token").basic(client, secret).from(peer);
        sent.header("x-forwarded-for", forwarded).with("grant_type", "client_credentials")
    };
    let proxy = "10.0.0.1";

    for at in 0..10 {
        // What the sender itself puts there makes nobody else of it.
        let forwarded = format!("203.0.113.{at}, 192.0.2.1");
        let answer = sent(proxy, &forwarded, "erp-sync", "wrong").send().await;
        answer.assert_invalid_client("secret_wrong");
        assert_eq!(stack.last_event().actor, "address 192.0.2.1");
    }
    let too_many = |answer: Answer| {
        answer.assert_refused(429, "temporarily_unavailable", "too_many_failures");
    };
    too_many(sent(proxy, "192.0.2.1", "erp-sync", "wrong").send().await);
    too_many(sent("10.0.0.9", "192.0.2.1, 10.0.0.7", "erp-sync", "wrong").send().await);
    let wrong = |answer: Answer| answer.assert_invalid_client("secret_wrong");
    wrong(sent(proxy, "192.0.2.2", "erp-sync", "wrong").send().await);

    // Who is no proxy says what it wants, and is who it is.
    for at in 0..10 {
        let forwarded = format!("203.0.113.{at}");
        let answer = sent("192.0.2.3", &forwarded, "erp-sync", "wrong").send().await;
        answer.assert_invalid_client("secret_wrong");
        assert_eq!(stack.last_event().actor, "address 192.0.2.3");
    }
    too_many(sent("192.0.2.3", "203.0.113.99", "erp-sync", "wrong").send().await);
    wrong(sent(proxy, "203.0.113.1", "erp-sync", "wrong").send().await);

    // An IPv6 sender counts by its network here, too.
    for at in 0..10 {
        let forwarded = format!("2001:db8::{at:x}");
        let answer = sent(proxy, &forwarded, "erp-sync", "wrong").send().await;
        answer.assert_invalid_client("secret_wrong");
    }
    too_many(sent(proxy, "[2001:db8::ffff]:4711", "erp-sync", "wrong").send().await);
    wrong(sent(proxy, "2001:db8:0:1::1", "erp-sync", "wrong").send().await);
}

#[tokio::test]
async fn what_is_not_registered_does_not_get_into_the_log() {
    let stack = Stack::new().await;
    let sent = stack.post(TOKEN).basic("nobody", "hush").with("tenant_id", "made-up");
    let answer = sent.from("192.0.2.1").send().await;

    assert_eq!(answer.json()["error_description"], INVALID_CLIENT);
    let event = stack.last_event();
    assert_eq!((&event.tenant, &event.client), (&None, &None));
    assert_eq!(event.actor, "address 192.0.2.1");
    for word in ["nobody", "made-up", "hush"] {
        assert!(!format!("{event:?}").contains(word), "{event:?}");
    }
}

/// CHECKLIST A 54.
#[tokio::test]
async fn a54_a_page_of_another_origin_may_use_the_token_endpoint_and_no_other() {
    let stack = Stack::new().await;
    for path in [TOKEN, "/tenant1/oauth/token"] {
        let preflight = stack.post(path).method(Method::OPTIONS).send().await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
        assert_eq!(preflight.all(ACCESS_CONTROL_ALLOW_ORIGIN), ["*"]);
        assert_eq!(preflight.all(ACCESS_CONTROL_ALLOW_METHODS), ["POST"]);
        assert_eq!(
            preflight.all(ACCESS_CONTROL_ALLOW_HEADERS),
            ["authorization, content-type, x-requested-with, x-tenant-id"]
        );
    }
    let granted = stack.token_for("erp-sync").send().await;
    assert_eq!(granted.status, StatusCode::OK);
    let refused = stack.post(TOKEN).with("grant_type", "client_credentials").send().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    for answer in [granted, refused] {
        assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN), ["*"]);
        assert_eq!(answer.all(ACCESS_CONTROL_EXPOSE_HEADERS), ["retry-after, www-authenticate"]);
        // What the browser itself has of the issuer stays out of it.
        assert!(answer.all(ACCESS_CONTROL_ALLOW_CREDENTIALS).is_empty());
    }

    for path in [INTROSPECT, REVOKE, "/tenant1/oauth/introspect", "/tenant1/oauth/revoke"] {
        let preflight = stack.post(path).method(Method::OPTIONS).send().await;
        preflight.assert_refused(405, "invalid_request", "method");
        assert_eq!(preflight.all(ALLOW), ["POST"]);
        let posted = stack.post_by(path, "tenant1", "erp-sync").send().await;
        for answer in [preflight, posted] {
            assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty(), "{path}");
            assert!(answer.all(ACCESS_CONTROL_ALLOW_HEADERS).is_empty(), "{path}");
        }
    }
}
