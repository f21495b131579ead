//! Amazon Cognito with one user pool: `docs/issuers/amazon-cognito.md`.

use serde_json::Value;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, claim_missing, tenant_unknown, token_type};
use crate::{bare_id_token, entries, jwks, key1, stack, stack_with, strangers_key, whoami};

const NAME: &str = "amazon-cognito";
const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab3dEfGh1";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

fn network() -> Network {
    let network = Network::default();
    let keys = format!("{ISSUER}/.well-known/jwks.json");
    network.publish_metadata(&format!("{ISSUER}/.well-known/openid-configuration"), ISSUER, &keys);
    network.publish(keys, &jwks(key1(), access().kid()));
    network
}

async fn served() -> Stack {
    stack(NAME, &network()).await
}

#[tokio::test]
async fn the_token_of_a_tenant_is_for_that_tenant() {
    let stack = served().await;
    stack.get(&entries("tenant1"), &access().signed_by(key1())).await.assert_admitted("tenant1");
    let token = access().with("tenant_id", "tenant2").signed_by(key1());
    stack.get(&entries("tenant2"), &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn the_token_of_another_tenant_is_not() {
    let stack = served().await;
    let token = access().with("tenant_id", "tenant2").signed_by(key1());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::foreign_path());
    let token = access().with("tenant_id", "tenant3").signed_by(key1());
    stack.get(&entries("tenant3"), &token).await.assert_refused(&tenant_unknown());
}

#[tokio::test]
async fn other_pools_and_other_keys_do_not_count() {
    let stack = served().await;
    let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Zz9yXwVu8";
    let token = access().with("iss", pool).signed_by(key1());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::unknown_issuer());
    let token = access().signed_by(strangers_key());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn what_was_not_set_at_the_issuer_is_refused() {
    let stack = served().await;
    let scope = || Refusal::scope_missing("https://api.erp.example/journal.read");
    let plain = access().with("scope", "openid journal.read aws.cognito.signin.user.admin");
    let other = "https://other.erp.example";
    let foreign = access().with("scope", format!("{other}/journal.read"));
    for (what, token, refusal) in [
        ("the trigger", access().without("tenant_id"), claim_missing()),
        ("resource binding", access().without("aud"), claim_missing()),
        ("another resource", access().with("aud", other), audience_mismatch()),
        ("token_use", access().without("token_use"), claim_missing()),
        ("the scope", access().with("scope", "openid"), scope()),
        ("the scope without the resource", plain, scope()),
        ("the scope of another resource", foreign, scope()),
    ] {
        let answer = stack.get(&entries("tenant1"), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

/// Whether for this API, or with an audience that both kinds have, as tokens of machines do.
#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let id = page.sample("ID token");
    let bare = bare_id_token(&page, access().claim("aud"));
    let client = id.claim("aud").clone();
    for token in [id, bare.clone(), bare.with("token_use", Value::Null)] {
        let answer = stack.get(&whoami("tenant1"), &token.signed_by(key1())).await;
        answer.assert_refused(&token_type());
    }

    let audience = "audience = \"https://api.erp.example\"";
    let clients = "audience = [\"1example23456789\"]";
    let stack = stack_with(NAME, audience, clients, &network()).await;
    let token = access().with("aud", client.clone()).signed_by(key1());
    stack.get(&entries("tenant1"), &token).await.assert_admitted("tenant1");
    let token = bare_id_token(&page, &client).signed_by(key1());
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&token_type());
}
