//! The table of statuses: one test for each row, and for each cause that a row lists.
//!
//! Rows about the gate are not here: it is not built yet. The texts of challenges are
//! written out here, not taken from the code.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::Arc;

use http::{HeaderValue, Request};
use serde_json::json;
use tenantry::{
    Algorithm, BoxFuture, Directory, IssuerSettings, Rejection, RequireScopeLayer, Standing,
    StaticDirectory, TenantId,
};
use tenantry_testkit::{SigningKey, TestIssuer, TokenBuilder};
use tenantry_tests::{Answer, Log, Refusal, Stack, bearer, get};

const PATH: &str = "/tenant1/journal-entries";

/// `GET PATH` with the token.
async fn refused(stack: &Stack, token: TokenBuilder, refusal: &Refusal) {
    stack.get(PATH, &token.sign()).await.assert_refused(refusal);
}

async fn with_header(stack: &Stack, values: &[&str]) -> Answer {
    let mut request = bearer(get(PATH), &stack.token("tenant1").sign());
    for value in values {
        request.headers_mut().append("x-tenant-id", HeaderValue::from_str(value).unwrap());
    }
    stack.send(request).await.about(format!("{values:?}"))
}

fn directory(tenants: &[(&str, Standing)]) -> Arc<StaticDirectory> {
    let tenants = tenants.iter().map(|(id, standing)| (id.parse().unwrap(), *standing));
    Arc::new(StaticDirectory::new(tenants).unwrap())
}

mod row_no_credentials_or_another_scheme {
    use super::*;

    #[tokio::test]
    async fn no_credentials() {
        let stack = Stack::usual().await;
        let answer = stack.send(get(PATH)).await;
        answer.assert_refused(&Refusal::unauthenticated());
        assert_eq!(answer.challenge(), r#"Bearer realm="journal""#);
    }

    #[tokio::test]
    async fn another_scheme() {
        let stack = Stack::usual().await;
        let request = Request::get(PATH).header("authorization", "Basic YTpi");
        let answer = stack.send(request.body(Default::default()).unwrap()).await;
        answer.assert_refused(&Refusal::unauthenticated());
    }
}

mod row_two_credentials_malformed_query_header_path_or_source_absent {
    use super::*;

    #[tokio::test]
    async fn two_credentials() {
        let stack = Stack::usual().await;
        let mut request = bearer(get(PATH), &stack.token("tenant1").sign());
        request.headers_mut().append("authorization", HeaderValue::from_static("Bearer x"));
        stack.send(request).await.assert_refused(&Refusal::invalid_request(
            "credentials_multiple",
            "the request has more than one set of credentials",
        ));
    }

    #[tokio::test]
    async fn malformed_header() {
        let stack = Stack::usual().await;
        let request = bearer(get(PATH), "not one token");
        stack.send(request).await.assert_refused(&Refusal::invalid_request(
            "credentials_malformed",
            "the Authorization field is not the word Bearer, a space and one token",
        ));
    }

    #[tokio::test]
    async fn token_in_the_query() {
        let stack = Stack::usual().await;
        let request = get(&format!("{PATH}?access_token=x"));
        stack.send(request).await.assert_refused(&Refusal::invalid_request(
            "credentials_in_query",
            "the request has an access token in its query",
        ));
    }

    #[tokio::test]
    async fn tenant_header_twice() {
        let stack = Stack::usual().await;
        with_header(&stack, &["tenant1", "tenant1"]).await.assert_refused(
            &Refusal::invalid_request(
                "tenant_repeated.header",
                "the tenant header is there more than once",
            ),
        );
    }

    #[tokio::test]
    async fn tenant_header_not_a_tenant_id() {
        let stack = Stack::usual().await;
        let malformed = Refusal::invalid_request(
            "tenant_malformed.header",
            "the tenant header does not hold one tenant id",
        );
        for value in ["", "tenant 1", "tenant1,tenant1", "-tenant1", "tenant1."] {
            with_header(&stack, &[value]).await.assert_refused(&malformed);
        }
    }

    #[tokio::test]
    async fn ambiguous_path() {
        let stack = Stack::usual().await;
        let token = stack.token("tenant1").sign();
        let answer = stack.get("/tenant1//journal-entries", &token).await;
        answer.assert_refused(&Refusal::ambiguous_path());
    }

    #[tokio::test]
    async fn path_absent() {
        let stack = Stack::usual().await;
        let token = stack.token("tenant1").sign();
        stack.get("/tenant1", &token).await.assert_refused(&Refusal::invalid_request(
            "tenant_missing.path",
            "the path names no tenant",
        ));
    }

    #[tokio::test]
    async fn required_header_absent() {
        let stack =
            Stack::with(|server| server.policy(|policy| policy.required_sources(["header"]))).await;
        with_header(&stack, &[]).await.assert_refused(&Refusal::invalid_request(
            "tenant_missing.header",
            "the tenant header is required and absent",
        ));
        with_header(&stack, &["tenant1"]).await.assert_admitted("tenant1");
    }

    #[tokio::test]
    async fn host_absent() {
        let stack = Stack::with(|server| server.tenant_host("{tenant}.api.erp.example")).await;
        let token = stack.token("tenant1").sign();
        let with_host = |host: &str| {
            let mut request = bearer(get(PATH), &token);
            request.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
            request
        };
        let missing = Refusal::invalid_request("tenant_missing.host", "the host names no tenant");
        for host in ["api.erp.example", "tenant1.api.erp.example.evil.example"] {
            stack.send(with_host(host)).await.assert_refused(&missing);
        }
        stack.get(PATH, &token).await.assert_refused(&Refusal::invalid_request(
            "host_ambiguous",
            "the request does not name one host",
        ));
        stack.send(with_host("tenant1.api.erp.example")).await.assert_admitted("tenant1");
    }
}

mod row_invalid_token {
    use super::*;

    #[tokio::test]
    async fn bad_signature() {
        let stack = Stack::usual().await;
        let token = stack.token("tenant1").tampered();
        refused(&stack, token, &Refusal::bad_signature()).await;
    }

    #[tokio::test]
    async fn issuer() {
        let stack = Stack::usual().await;
        for iss in ["https://evil.example", "https://auth.erp.example/", "https://AUTH.erp.example"]
        {
            let token = stack.token("tenant1").claim("iss", iss);
            refused(&stack, token, &Refusal::unknown_issuer()).await;
        }
    }

    #[tokio::test]
    async fn audience() {
        let stack = Stack::usual().await;
        let other =
            Refusal::invalid_token("audience_mismatch", "the access token is for another audience");
        for aud in ["https://other.example", "https://api.erp.example/tenant1/"] {
            let token = stack.token("tenant1").audience(aud);
            refused(&stack, token, &other).await;
        }
    }

    #[tokio::test]
    async fn expired() {
        let stack = Stack::usual().await;
        // With a skew of 30 s: equal is expired.
        refused(&stack, stack.token("tenant1").expires_in(-30), &Refusal::expired()).await;
        let token = stack.token("tenant1").expires_in(-29).sign();
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }

    #[tokio::test]
    async fn not_yet_valid() {
        let stack = Stack::usual().await;
        let early =
            Refusal::invalid_token("token_not_yet_valid", "the access token is not valid yet");
        let now = 1_800_000_000;
        for name in ["nbf", "iat"] {
            let token = stack.token("tenant1").claim(name, now + 31);
            refused(&stack, token, &early).await;
            let token = stack.token("tenant1").claim(name, now + 30).sign();
            stack.get(PATH, &token).await.assert_admitted("tenant1");
        }
    }

    #[tokio::test]
    async fn time_absent_or_of_another_type() {
        let stack = Stack::usual().await;
        let missing = Refusal::invalid_token(
            "claim_missing",
            "the access token lacks a claim that is required of its issuer",
        );
        refused(&stack, stack.token("tenant1").without("exp"), &missing).await;
        let malformed = Refusal::invalid_token(
            "claim_malformed",
            "a claim of the access token has the wrong type or form",
        );
        for exp in [json!("1900000000"), json!(null), json!(true), json!([])] {
            refused(&stack, stack.token("tenant1").claim("exp", exp), &malformed).await;
        }
    }

    #[tokio::test]
    async fn typ() {
        let stack = Stack::usual().await;
        let refusal = Refusal::invalid_token("token_type", "the token is not an access token");
        for typ in ["JWT", "dpop+jwt", "logout+jwt", "at+jwt2"] {
            refused(&stack, stack.token("tenant1").typ(typ), &refusal).await;
        }
        let token = stack.token("tenant1").without_header("typ");
        refused(&stack, token, &refusal).await;
    }

    #[tokio::test]
    async fn alg() {
        let stack = Stack::usual().await;
        let key = SigningKey::generate(Algorithm::Es384, "es256-1");
        for token in [stack.token("tenant1").unsigned(), stack.token("tenant1").signed_by(&key)] {
            refused(&stack, token, &Refusal::algorithm_not_allowed()).await;
        }
    }

    #[tokio::test]
    async fn size() {
        let stack = Stack::usual().await;
        let token = stack.token("tenant1").claim("x", "x".repeat(16 * 1024));
        let refusal = Refusal::invalid_token(
            "token_too_large",
            "the access token is larger than is accepted",
        );
        refused(&stack, token, &refusal).await;
    }

    #[tokio::test]
    async fn unproven_cnf() {
        let stack = Stack::usual().await;
        let refusal = Refusal::invalid_token(
            "token_bound",
            "the access token is bound to a key, and the binding was not proven",
        );
        for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({}), json!(null)] {
            refused(&stack, stack.token("tenant1").claim("cnf", cnf), &refusal).await;
        }
    }

    #[tokio::test]
    async fn revoked() {
        let stack = Stack::usual().await;
        let token = || stack.token("tenant1").claim("jti", "j1");
        stack.get(PATH, &token().sign()).await.assert_admitted("tenant1");
        let issuer = tenantry::Issuer::new(stack.issuer.url());
        let expires_at = std::time::Duration::from_secs(1_800_000_600);
        stack.server.revocations().revoke_token(&issuer, "j1", expires_at).unwrap();
        let refusal = Refusal::invalid_token("token_revoked", "the access token has been revoked");
        refused(&stack, token(), &refusal).await;
    }

    #[tokio::test]
    async fn signed_sources_disagree() {
        let stack = Stack::usual().await;
        let refusal = Refusal::invalid_token(
            "token_conflict.audience",
            "the audience names another tenant than the rest of the access token",
        );
        let token = stack.token("tenant1").claim("tenant_id", "tenant2");
        refused(&stack, token, &refusal).await;
    }

    #[tokio::test]
    async fn tenant_outside_the_issuers_list() {
        let stack =
            Stack::with_issuer(|issuer| issuer.tenants(["tenant2", "tenant10"]), |server| server)
                .await;
        let refusal = Refusal::invalid_token(
            "tenant_not_of_issuer",
            "the issuer of the access token does not speak for the tenant it names",
        );
        refused(&stack, stack.token("tenant1"), &refusal).await;
        let token = stack.token("tenant10").sign();
        let answer = stack.get("/tenant10/journal-entries", &token).await;
        answer.assert_admitted("tenant10");
    }

    #[tokio::test]
    async fn tenant_of_a_pattern_issuer_unknown_to_the_directory() {
        let clock = Stack::clock();
        let issuer = TestIssuer::builder()
            .clock(Arc::new(clock.clone()))
            .keys_per_tenant(["tenant1", "tenant2"])
            .offline();
        let named = IssuerSettings::new(issuer.issuer_of("tenant1").replace("tenant1", "{tenant}"))
            .jwks_uri(issuer.jwks_uri_of("{tenant}"));
        let known = directory(&[("tenant2", Standing::Active)]);
        let stack = Stack::of(issuer, clock, |server| server.issuer(named).directory(known)).await;
        for tenant in ["tenant1", "tenant2"] {
            let uri = stack.issuer.jwks_uri_of(tenant);
            stack.network.publish(uri, &stack.issuer.jwks_of(tenant));
        }
        refused(&stack, stack.token("tenant1"), &Refusal::unknown_issuer()).await;
        assert!(stack.network.fetched().is_empty());
        let token = stack.token("tenant2").sign();
        let answer = stack.get("/tenant2/journal-entries", &token).await;
        answer.assert_admitted("tenant2");
    }

    #[tokio::test]
    async fn foreign_scope_in_strict_mode() {
        let stack =
            Stack::with(|server| server.policy(|policy| policy.refuse_foreign_scopes())).await;
        let refusal = Refusal::invalid_token(
            "scope_foreign",
            "the access token holds a scope of another tenant",
        );
        let token = stack.token("tenant1").scope("tenant1.journal.read tenant2.journal.read");
        refused(&stack, token, &refusal).await;
    }

    #[tokio::test]
    async fn unknown_kid_while_the_keys_are_fresh() {
        let stack = Stack::fetching().await;
        let key = SigningKey::generate(Algorithm::Es256, "es256-9");
        let token = stack.token("tenant1").signed_by(&key);
        refused(&stack, token, &Refusal::unknown_key()).await;
    }
}

mod row_another_tenant_than_the_token {
    use super::*;

    #[tokio::test]
    async fn header() {
        let stack = Stack::usual().await;
        let refusal = Refusal::insufficient_scope(
            "tenant_mismatch.header",
            "the tenant header names another tenant than the access token",
        );
        for value in ["tenant2", "tenant10", "Tenant1", "tenant"] {
            with_header(&stack, &[value]).await.assert_refused(&refusal);
        }
    }

    #[tokio::test]
    async fn path() {
        let stack = Stack::usual().await;
        let token = stack.token("tenant1").sign();
        for tenant in ["tenant2", "tenant10", "Tenant1", "tenant"] {
            let path = format!("/{tenant}/journal-entries");
            let answer = stack.get(&path, &token).await;
            answer.assert_refused(&Refusal::foreign_path());
        }
    }

    #[tokio::test]
    async fn host() {
        let stack = Stack::with(|server| server.tenant_host("{tenant}.api.erp.example")).await;
        let mut request = bearer(get(PATH), &stack.token("tenant1").sign());
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("tenant2.api.erp.example:443"));
        stack.send(request).await.assert_refused(&Refusal::insufficient_scope(
            "tenant_mismatch.host",
            "the host names another tenant than the access token",
        ));
    }

    #[tokio::test]
    async fn tenant_unknown() {
        let known = directory(&[("tenant2", Standing::Active)]);
        let stack = Stack::with(|server| server.directory(known)).await;
        let refusal = Refusal::insufficient_scope(
            "tenant_unknown",
            "the tenant of the access token is not known here",
        );
        refused(&stack, stack.token("tenant1"), &refusal).await;
    }

    #[tokio::test]
    async fn tenant_suspended() {
        let known = directory(&[("tenant1", Standing::Suspended), ("tenant2", Standing::Active)]);
        let stack = Stack::with(|server| server.directory(known)).await;
        let refusal = Refusal::insufficient_scope(
            "tenant_suspended",
            "the tenant of the access token is suspended",
        );
        refused(&stack, stack.token("tenant1"), &refusal).await;
        let token = stack.token("tenant2").sign();
        let answer = stack.get("/tenant2/journal-entries", &token).await;
        answer.assert_admitted("tenant2");
    }
}

mod row_scope_missing {
    use super::*;

    #[tokio::test]
    async fn scope_missing() {
        let stack = Stack::usual().await;
        let post = |token: &TokenBuilder| {
            let mut request = bearer(get(PATH), &token.sign());
            *request.method_mut() = http::Method::POST;
            request
        };
        for scope in ["", "tenant1.finance.write", "journal.create", "tenant1.journal.read"] {
            let token = stack.token("tenant1").scope(scope);
            stack.send(post(&token)).await.assert_refused(&Refusal::scope_missing(
                "tenant1.finance.write tenant1.journal.create",
            ));
        }
        let token = stack.token("tenant1").without("scope");
        refused(&stack, token, &Refusal::scope_missing("tenant1.journal.read")).await;
        let token = stack.token("tenant1").scope("tenant1.finance.write tenant1.journal.create");
        stack.send(post(&token)).await.assert_admitted("tenant1");
    }
}

mod row_keys_or_directory_unavailable {
    use super::*;

    #[tokio::test]
    async fn keys_unavailable() {
        let stack = Stack::fetching().await;
        stack.network.fail();
        let refusal = Refusal::unavailable("keys_unavailable", "1");
        refused(&stack, stack.token("tenant1"), &refusal).await;
    }

    #[derive(Debug)]
    struct Unreachable;

    impl Directory for Unreachable {
        fn cached(&self, _: &TenantId) -> Option<Standing> {
            None
        }

        fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
            let rejection = Rejection::new(tenantry::Reason::DirectoryUnavailable);
            let rejection = rejection.with_retry_after(std::time::Duration::from_millis(6500));
            Box::pin(std::future::ready(Err(rejection)))
        }

        fn trusts_issuers(&self) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn directory_unavailable() {
        let stack = Stack::with(|server| server.directory(Arc::new(Unreachable))).await;
        let refusal = Refusal::unavailable("directory_unavailable", "7");
        // The second time the token is known: the answer is the same.
        for _ in 0..2 {
            refused(&stack, stack.token("tenant1"), &refusal).await;
        }
        let token = stack.token("tenant1").sign();
        for _ in 0..2 {
            stack.get(PATH, &token).await.assert_refused(&refusal);
        }
    }

    #[tokio::test]
    async fn unknown_kid_while_the_last_fetch_failed() {
        let stack = Stack::fetching().await;
        let token = stack.token("tenant1").sign();
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        stack.network.fail();
        let key = SigningKey::generate(Algorithm::Es256, "es256-9");
        let refusal = Refusal::unavailable("keys_unavailable", "1");
        // The first asks and fails; the second comes too soon to ask again.
        for _ in 0..2 {
            refused(&stack, stack.token("tenant1").signed_by(&key), &refusal).await;
        }
        assert_eq!(stack.network.fetched().len(), 2);
        // Known keys serve on.
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
}

mod row_layers_in_the_wrong_order {
    use super::*;

    #[tokio::test]
    async fn an_error_event_and_no_challenge() {
        let stack = Stack::usual().await;
        let wrong = stack.behind(|server, calls| {
            axum::Router::new()
                .route("/{tenant}/journal-entries", calls.route())
                .layer(server.layer())
                .layer(RequireScopeLayer::all(["journal.read"]))
        });
        let token = stack.token("tenant1").sign();
        let log = Log::start();
        let answer = wrong.get(PATH, &token).await;
        answer.assert_refused(&Refusal::misconfigured());
        let errors = log.events();
        let [event] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!(event.level, tracing::Level::ERROR);
        assert_eq!(event.field("reason"), Some("misconfigured"));
    }
}

#[tokio::test]
async fn the_answer_for_a_foreign_tenant_is_the_same_whether_it_exists_or_not() {
    let known = directory(&[
        ("tenant1", Standing::Active),
        ("tenant2", Standing::Active),
        ("tenant3", Standing::Suspended),
    ]);
    let stack = Stack::with(|server| server.directory(known)).await;
    let token = stack.token("tenant1").sign();
    let existing = stack.get("/tenant2/journal-entries", &token).await;
    existing.assert_refused(&Refusal::foreign_path());
    for path in ["/tenant3/journal-entries", "/tenant99/journal-entries"] {
        let other = stack.get(path, &token).await;
        other.assert_refused(&Refusal::foreign_path());
        assert_eq!(existing.headers, other.headers);
        assert_eq!(existing.body, other.body);
    }
}

#[tokio::test]
async fn expired_and_another_tenant_is_401() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant2").expires_in(-60);
    refused(&stack, token, &Refusal::expired()).await;
}
