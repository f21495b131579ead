//! ZITADEL with an organization per tenant: `docs/issuers/zitadel.md`.

use serde_json::json;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, claim_missing, tenant_unknown, token_type};
use crate::{bare_id_token, entries, jwks, key1, stack, strangers_key, whoami};

const NAME: &str = "zitadel";
const ISSUER: &str = "https://erp-x7k2qd.zitadel.cloud";
const ORGANIZATION: &str = "urn:zitadel:iam:user:resourceowner:id";
const TENANT1: &str = "310716281130622979";
const TENANT2: &str = "310716344217993219";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

async fn served() -> Stack {
    let network = Network::default();
    let keys = format!("{ISSUER}/oauth/v2/keys");
    network.publish_metadata(&format!("{ISSUER}/.well-known/openid-configuration"), ISSUER, &keys);
    network.publish(keys, &jwks(key1(), access().kid()));
    stack(NAME, &network).await
}

#[tokio::test]
async fn the_token_of_an_organization_is_for_its_tenant() {
    let stack = served().await;
    stack.get(&entries(TENANT1), &access().signed_by(key1())).await.assert_admitted(TENANT1);
    let token = access().with(ORGANIZATION, TENANT2).signed_by(key1());
    stack.get(&entries(TENANT2), &token).await.assert_admitted(TENANT2);
    // Older versions do not name the client.
    let token = access().without("client_id").signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_admitted(TENANT1);
}

#[tokio::test]
async fn the_token_of_another_organization_is_not() {
    let stack = served().await;
    let token = access().with(ORGANIZATION, TENANT2).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::foreign_path());
    let unlisted = "310716399999999999";
    let token = access().with(ORGANIZATION, unlisted).signed_by(key1());
    stack.get(&entries(unlisted), &token).await.assert_refused(&tenant_unknown());
}

#[tokio::test]
async fn other_issuers_and_other_keys_do_not_count() {
    let stack = served().await;
    let token = access().with("iss", "https://other-x7k2qd.zitadel.cloud").signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::unknown_issuer());
    let token = access().signed_by(strangers_key());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn what_was_not_set_at_the_issuer_is_refused() {
    let stack = served().await;
    let scope = || Refusal::scope_missing("journal.read");
    let client = access().claim("client_id").clone();
    for (what, token, refusal) in [
        ("the organization", access().without(ORGANIZATION), claim_missing()),
        ("the project", access().with("aud", json!([client])), audience_mismatch()),
        ("the action", access().without("permissions"), scope()),
        ("the role", access().with("permissions", json!(["journal.write"])), scope()),
    ] {
        let answer = stack.get(&entries(TENANT1), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

/// Which is what applications get unless they are set to JWT.
#[tokio::test]
async fn an_opaque_token_is_refused() {
    let stack = served().await;
    let refusal =
        Refusal::invalid_token("token_malformed", "the access token is not a JWT of three parts");
    stack.get(&entries(TENANT1), "VjJfMzI4OTE0NTMz-aT0x_bYqPz").await.assert_refused(&refusal);
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let id = page.sample("ID token");
    // The audience is the same: it does not tell them apart.
    assert_eq!(id.claim("aud"), access().claim("aud"));
    for token in [id.clone(), id.clone().without("nonce"), id.clone().without("at_hash")] {
        let answer = stack.get(&whoami(TENANT1), &token.signed_by(key1())).await;
        answer.assert_refused(&token_type());
    }
    let token = bare_id_token(&page, id.claim("aud")).signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_refused(&claim_missing());
}
