//! What was verified before is judged again.
//!
//! INVARIANT (cache the identity, not the decision).

use std::time::Duration;

use tenantry::Algorithm;
use tenantry_testkit::SigningKey;
use tenantry_tests::{Refusal, Stack, bearer, get};

use crate::{KEYS_DOWN, PATH, settle};

#[tokio::test]
async fn a_token_that_was_accepted_is_refused_once_it_expires() {
    for stack in [Stack::usual().await, Stack::fetching().await] {
        let token = stack.token("tenant1").expires_in(600).sign();
        for (seconds, valid) in [(0, true), (0, true), (600, true), (29, true), (1, false)] {
            stack.clock.advance_unix(Duration::from_secs(seconds));
            let answer = stack.get(PATH, &token).await;
            match valid {
                true => answer.assert_admitted("tenant1"),
                false => answer.assert_refused(&Refusal::expired()),
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_is_not_valid_before_its_time() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // Somebody sets the clock back, beyond the skew.
    stack.clock.set_unix(Duration::from_secs(1_800_000_000 - 31));
    stack.get(PATH, &token).await.assert_refused(&Refusal::invalid_token(
        "token_not_yet_valid",
        "the access token is not valid yet",
    ));
}

#[tokio::test]
async fn a_token_that_was_accepted_goes_with_its_key() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(7200).sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
    // The issuer withdraws it. Within the soft lifetime nobody knows; then it is asked.
    stack.issuer.rotate();
    stack.network.publish(stack.issuer.jwks_uri(), &stack.issuer.jwks());
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    stack.clock.advance(Duration::from_secs(600));
    let _ = stack.get(PATH, &token).await;
    settle().await;
    stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_key());
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn a_key_exchanged_under_the_same_name_takes_its_tokens_along() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(7200).sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    let other = SigningKey::generate(Algorithm::Es256, "es256-1");
    let document = serde_json::json!({ "keys": [other.public_jwk()] });
    stack.network.publish(stack.issuer.jwks_uri(), &document);
    stack.clock.advance(Duration::from_secs(600));
    let _ = stack.get(PATH, &token).await;
    settle().await;
    stack.get(PATH, &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn in_an_outage_known_keys_serve_on_and_not_for_ever() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(4 * 3600).sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    stack.network.fail();
    // 10 min, and 1 h beyond.
    for minutes in [10, 30, 29] {
        stack.clock.advance(Duration::from_secs(60 * minutes));
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        settle().await;
        // Also for a token that nobody has seen.
        let other = stack.token("tenant1").sign();
        stack.get(PATH, &other).await.assert_admitted("tenant1");
        settle().await;
    }
    stack.clock.advance(Duration::from_secs(60));
    let answer = stack.get(PATH, &token).await;
    assert_eq!((answer.status.as_u16(), answer.handler_calls), (503, 0));
    assert_eq!(answer.code(), KEYS_DOWN);
    assert!(answer.all(http::header::WWW_AUTHENTICATE).is_empty());
    assert!(!stack.server.readiness().is_ready());

    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn what_is_remembered_is_who_and_not_what_it_permits() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").scope("tenant1.journal.read").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    let mut post = bearer(get(PATH), &token);
    *post.method_mut() = http::Method::POST;
    stack
        .send(post)
        .await
        .assert_refused(&Refusal::scope_missing("tenant1.finance.write tenant1.journal.create"));
    stack.get("/tenant2/journal-entries", &token).await.assert_refused(&Refusal::foreign_path());
    let tampered = format!("{}A{}", &token[..token.len() - 2], &token[token.len() - 1..]);
    let answer = stack.get(PATH, &tampered).await;
    assert_eq!((answer.status.as_u16(), answer.handler_calls), (401, 0));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn without_a_cache_the_answers_are_the_same() {
    let stack = Stack::with(|server| server.token_cache_bytes(0)).await;
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        stack
            .get("/tenant2/journal-entries", &token)
            .await
            .assert_refused(&Refusal::foreign_path());
    }
}
