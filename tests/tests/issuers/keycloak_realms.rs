//! Keycloak with a realm per tenant: `docs/issuers/keycloak-realms.md`.

use serde_json::{Value, json};
use tenantry_testkit::SigningKey;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, token_type};
use crate::{bare_id_token, entries, jwk, key1, key2, stack, stack_with, strangers_key, whoami};

const NAME: &str = "keycloak-realms";

fn issuer(realm: &str) -> String {
    format!("https://keycloak.example/realms/{realm}")
}

/// What Keycloak serves for a realm: metadata of OpenID Connect, and `certs` with a key for encryption
/// beside the one that signs.
pub(crate) fn publish(network: &Network, realm: &str, key: &SigningKey, kid: &str) {
    let issuer = issuer(realm);
    let certs = format!("{issuer}/protocol/openid-connect/certs");
    network.publish_metadata(
        &format!("{issuer}/.well-known/openid-configuration"),
        &issuer,
        &certs,
    );
    let mut encryption = jwk(strangers_key(), "RjEZ0ysKPSr-VCwhaSpLDt8HnDFUVJ8Fdz6kz7sVtdw");
    encryption["alg"] = "RSA-OAEP".into();
    encryption["use"] = "enc".into();
    network.publish(certs, &json!({ "keys": [encryption, jwk(key, kid)] }));
}

fn network() -> Network {
    let (network, sample) = (Network::default(), access());
    for (realm, key) in [("tenant1", key1()), ("tenant2", key2()), ("master", strangers_key())] {
        publish(&network, realm, key, sample.kid());
    }
    network
}

/// The page's sample: of tenant1.
fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

fn of(realm: &str) -> Sample {
    access().with("iss", issuer(realm))
}

async fn served() -> Stack {
    stack(NAME, &network()).await
}

#[tokio::test]
async fn the_token_of_a_realm_is_for_its_tenant() {
    let stack = served().await;
    for (tenant, key) in [("tenant1", key1()), ("tenant2", key2())] {
        let token = of(tenant).signed_by(key);
        stack.get(&entries(tenant), &token).await.assert_admitted(tenant);
    }
    stack.get(&entries("tenant1"), &access().signed_by(key1())).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn the_token_of_a_realm_is_for_no_other_tenant() {
    let stack = served().await;
    let token = of("tenant2").signed_by(key2());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::foreign_path());
    let token = of("tenant1").signed_by(key1());
    stack.get(&entries("tenant2"), &token).await.assert_refused(&Refusal::foreign_path());
}

#[tokio::test]
async fn the_keys_of_one_realm_do_not_sign_for_another() {
    let stack = served().await;
    for (realm, key) in [("tenant1", key2()), ("tenant2", key1()), ("tenant2", strangers_key())] {
        // Under the name of the realm's own key.
        let token = of(realm).signed_by(key);
        let answer = stack.get(&entries(realm), &token).await;
        answer.about(realm).assert_refused(&Refusal::bad_signature());
    }
    // Nor does the realm's own key for encryption, which has another name.
    let encryption = "RjEZ0ysKPSr-VCwhaSpLDt8HnDFUVJ8Fdz6kz7sVtdw";
    let token = of("tenant1").with_header("kid", encryption).signed_by(strangers_key());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::unknown_key());
}

#[tokio::test]
async fn a_realm_that_is_not_listed_is_none() {
    let network = network();
    let stack = stack(NAME, &network).await;
    for realm in ["master", "tenant3", "Tenant1", "tenant1/"] {
        let token = of(realm).signed_by(strangers_key());
        let answer = stack.get(&entries("tenant1"), &token).await;
        answer.about(realm).assert_refused(&Refusal::unknown_issuer());
    }
    assert!(network.fetched().is_empty(), "{:?}", network.fetched());
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let token = page.sample("ID token").signed_by(key1());
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&token_type());
    let token = bare_id_token(&page, access().claim("aud")).signed_by(key1());
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&token_type());
}

#[tokio::test]
async fn what_was_not_set_at_the_issuer_is_refused() {
    let stack = served().await;
    for (what, token, refusal) in [
        ("the header type", access().with_header("typ", "JWT"), token_type()),
        ("the audience", access().with("aud", "account"), audience_mismatch()),
        ("the scope", access().with("scope", "openid"), Refusal::scope_missing("journal.read")),
    ] {
        let answer = stack.get(&entries("tenant1"), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

/// For clients without the setting: the page says what is told apart then.
#[tokio::test]
async fn under_the_jwt_profile_id_tokens_are_told_apart_by_their_claims() {
    let profile = "client_id_claim = \"azp\"\ntoken_profile = \"jwt\"\n";
    let stack = stack_with(NAME, "client_id_claim = \"azp\"\n", profile, &network()).await;
    let access = access().with_header("typ", "JWT");
    let answer = stack.get(&entries("tenant1"), &access.signed_by(key1())).await;
    answer.assert_admitted("tenant1");

    let page = Page::read(NAME);
    let id = page.sample("ID token");
    // For this API, each of the three is enough.
    let bare = bare_id_token(&page, access.claim("aud"));
    let untyped = bare.clone().without("typ");
    for (what, token) in [
        ("the sample", id.clone()),
        ("typ", bare),
        ("nonce", untyped.clone().with("nonce", id.claim("nonce").clone())),
        ("at_hash", untyped.with("at_hash", id.claim("at_hash").clone())),
        ("an access token with a nonce", access.with("nonce", Value::from("n"))),
    ] {
        let answer = stack.get(&whoami("tenant1"), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&token_type());
    }
}
