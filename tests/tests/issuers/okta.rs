//! Okta with a custom authorization server per tenant: `docs/issuers/okta.md`.

use serde_json::json;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, claim_missing, tenant_not_of_issuer, token_type};
use crate::{bare_id_token, entries, jwks, key1, key2, stack, strangers_key, whoami};

const NAME: &str = "okta";
const ISSUER1: &str = "https://erp.okta.com/oauth2/aus1kq3xw9tYb2Lm0357";
const ISSUER2: &str = "https://erp.okta.com/oauth2/aus7hd5zr2nPc8Qv0357";
const ORG: &str = "https://erp.okta.com";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

fn of(issuer: &str, tenant: &str) -> Sample {
    access().with("iss", issuer).with("aud", format!("https://api.erp.example/{tenant}"))
}

async fn served() -> Stack {
    let network = Network::default();
    for (issuer, base, key) in [
        (ISSUER1, format!("{ISSUER1}/v1"), key1()),
        (ISSUER2, format!("{ISSUER2}/v1"), key2()),
        (ORG, format!("{ORG}/oauth2/v1"), strangers_key()),
    ] {
        let keys = format!("{base}/keys");
        let metadata = format!("{issuer}/.well-known/openid-configuration");
        network.publish_metadata(&metadata, issuer, &keys);
        network.publish(keys, &jwks(key, access().kid()));
    }
    stack(NAME, &network).await
}

#[tokio::test]
async fn the_token_of_an_authorization_server_is_for_its_tenant() {
    let stack = served().await;
    stack.get(&entries("tenant1"), &access().signed_by(key1())).await.assert_admitted("tenant1");
    let token = of(ISSUER2, "tenant2").signed_by(key2());
    stack.get(&entries("tenant2"), &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn the_token_of_another_tenant_is_not() {
    let stack = served().await;
    let token = of(ISSUER2, "tenant2").signed_by(key2());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::foreign_path());
    // An authorization server that was given the audience of another.
    for (issuer, key, other) in [(ISSUER1, key1(), "tenant2"), (ISSUER2, key2(), "tenant1")] {
        let token = of(issuer, other).signed_by(key);
        for tenant in ["tenant1", "tenant2"] {
            let answer = stack.get(&entries(tenant), &token).await;
            answer.assert_refused(&tenant_not_of_issuer());
        }
    }
}

#[tokio::test]
async fn the_keys_of_one_authorization_server_do_not_sign_for_another() {
    let stack = served().await;
    for (issuer, tenant, key) in [
        (ISSUER1, "tenant1", key2()),
        (ISSUER2, "tenant2", key1()),
        (ISSUER1, "tenant1", strangers_key()),
    ] {
        let token = of(issuer, tenant).signed_by(key);
        stack.get(&entries(tenant), &token).await.assert_refused(&Refusal::bad_signature());
    }
}

#[tokio::test]
async fn tokens_of_another_kind_are_refused() {
    let stack = served().await;
    let internal = "application/okta-internal-at+jwt";
    for (what, token, refusal) in [
        ("of the org", access().with("iss", ORG), Refusal::unknown_issuer()),
        ("with its type", access().with_header("typ", internal), token_type()),
        ("for the org", access().with("aud", ORG), audience_mismatch()),
        ("scope", access().with("scp", json!(["openid"])), Refusal::scope_missing("journal.read")),
        ("no scope", access().without("scp"), claim_missing()),
    ] {
        let answer = stack.get(&entries("tenant1"), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let id = page.sample("ID token");
    let audience = access().claim("aud").clone();
    for token in [
        id.clone(),
        id.clone().without("nonce").with("aud", audience.clone()),
        id.without("at_hash").with("aud", audience.clone()),
    ] {
        let answer = stack.get(&whoami("tenant1"), &token.signed_by(key1())).await;
        answer.assert_refused(&token_type());
    }
    // For this API, without the hash and the nonce: neither `cid` nor `scp` alone is enough.
    let bare = bare_id_token(&page, &audience);
    let cid = access().claim("cid").clone();
    for token in [bare.clone(), bare.clone().with("cid", cid), bare.with("scp", json!(["openid"]))]
    {
        let answer = stack.get(&whoami("tenant1"), &token.signed_by(key1())).await;
        answer.assert_refused(&claim_missing());
    }
}
