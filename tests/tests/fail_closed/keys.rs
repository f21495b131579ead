//! Keys that cannot be had, or that more than one could be meant by.
//!
//! INVARIANT (cannot judge is not invalid): an outage is 503, not 401.

use std::sync::Arc;
use std::time::Duration;

use tenantry::{Algorithm, IssuerSettings, KeyLocation};
use tenantry_testkit::{SigningKey, TestIssuer};
use tenantry_tests::{Network, Refusal, Stack};

use crate::{KEYS_DOWN, PATH, settle};

#[tokio::test]
async fn a_token_without_kid_when_two_keys_fit_is_refused() {
    let clock = Stack::clock();
    let second = SigningKey::generate(Algorithm::Es256, "second");
    let of = |builder: tenantry_testkit::TestIssuerBuilder| {
        builder.clock(Arc::new(clock.clone())).offline()
    };
    let two = of(TestIssuer::builder().key(second.clone()));
    let ambiguous = Refusal::invalid_token(
        "key_ambiguous",
        "more than one key of the issuer fits the access token",
    );
    let stack = |issuer: &TestIssuer| {
        let named = IssuerSettings::new(issuer.url())
            .keys(KeyLocation::Jwks(issuer.jwks().to_string().into()));
        Stack::of(issuer.clone(), clock.clone(), |server| server.issuer(named))
    };
    let with_two = stack(&two).await;
    let good = || with_two.token("tenant1");
    for token in [
        good().without_header("kid"),
        good().signed_by(&second).without_header("kid"),
        // Whoever signed it: no key is tried.
        good().signed_by(&SigningKey::generate(Algorithm::Es256, "x")).without_header("kid"),
        good().raw_signature(vec![0; 64]).without_header("kid"),
    ] {
        with_two.get(PATH, &token.sign()).await.assert_refused(&ambiguous);
    }
    for token in [good(), good().signed_by(&second)] {
        with_two.get(PATH, &token.sign()).await.assert_admitted("tenant1");
    }
    // One that fits is enough, beside others of other algorithms.
    let one = of(TestIssuer::builder().algorithms([Algorithm::Es256, Algorithm::EdDsa]));
    let with_one = stack(&one).await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let token = with_one.token("tenant1").algorithm(algorithm).without_header("kid");
        with_one.get(PATH, &token.sign()).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_gets_503_and_heals_by_itself() {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let network = Network::default();
    network.fail();
    let server = Stack::builder(&clock, &network)
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri()));
    // The start does not fail, and does not wait.
    let stack = Stack::around(server, issuer, clock, network).await;
    assert!(!stack.server.readiness().is_ready());
    let token = stack.token("tenant1").expires_in(7200).sign();
    let down = Refusal::unavailable(KEYS_DOWN, "1");
    stack.get(PATH, &token).await.assert_refused(&down);
    assert!(!stack.server.readiness().is_ready());

    stack.network.publish(stack.issuer.jwks_uri(), &stack.issuer.jwks());
    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    assert!(stack.server.readiness().is_ready());
}

#[tokio::test]
async fn an_issuer_without_traffic_heals_because_readiness_is_asked() {
    let stack = Stack::fetching().await;
    stack.network.fail();
    settle().await;
    assert!(!stack.server.readiness().is_ready());
    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    let _ = stack.server.readiness();
    settle().await;
    assert!(stack.server.readiness().is_ready());
}

#[tokio::test]
async fn whatever_the_issuer_answers_instead_of_keys_is_503() {
    use serde_json::json;
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "es256-1"});
    for (what, document) in [
        ("no keys", json!({"keys": []})),
        ("not a set", json!({"error": "login required"})),
        ("a list", json!([])),
        ("an odd key only", json!({"keys": [{"kty": "X"}]})),
        ("a symmetric key only", json!({"keys": [symmetric]})),
        ("a page", json!("<html>")),
    ] {
        let stack = Stack::fetching().await;
        stack.network.publish(stack.issuer.jwks_uri(), &document);
        let token = stack.token("tenant1").sign();
        let answer = stack.get(PATH, &token).await.about(what);
        answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
    }
}

#[tokio::test]
async fn a_transport_that_panics_is_503() {
    let stack = Stack::fetching().await;
    stack.network.panic();
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_hangs_is_503_after_the_time_of_a_fetch() {
    let stack = Stack::fetching().await;
    stack.network.hang();
    let token = stack.token("tenant1").sign();
    let before = tokio::time::Instant::now();
    let answer = stack.get(PATH, &token).await;
    answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
    assert!(before.elapsed() <= Duration::from_secs(6), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_the_fetch_for_others() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").sign();
    {
        let mut gone = std::pin::pin!(stack.get(PATH, &token));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
    }
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    assert_eq!(stack.network.fetched().len(), 1);
}
