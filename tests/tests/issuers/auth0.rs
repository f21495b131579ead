//! Auth0 with an organization per tenant: `docs/issuers/auth0.md`.

use serde_json::json;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, claim_missing, tenant_unknown, token_type};
use crate::{bare_id_token, entries, jwks, key1, stack, stack_with, strangers_key, whoami};

const NAME: &str = "auth0";
const ISSUER: &str = "https://exampleco.eu.auth0.com/";
const TENANT1: &str = "org_Wk5pN8xTqVz2RcLd";
const TENANT2: &str = "org_Qm3xT7vLw5hRzEaP";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

/// Auth0's own token profile, as its documentation shows it.
fn own_profile() -> Sample {
    let azp = access().claim("client_id").clone();
    access().with_header("typ", "JWT").with("azp", azp).without("client_id").without("jti")
}

fn network() -> Network {
    let network = Network::default();
    let keys = format!("{ISSUER}.well-known/jwks.json");
    network.publish_metadata(&format!("{ISSUER}.well-known/openid-configuration"), ISSUER, &keys);
    network.publish(keys, &jwks(key1(), access().kid()));
    network
}

async fn served() -> Stack {
    stack(NAME, &network()).await
}

#[tokio::test]
async fn the_token_of_an_organization_is_for_its_tenant() {
    let stack = served().await;
    stack.get(&entries(TENANT1), &access().signed_by(key1())).await.assert_admitted(TENANT1);
    let token = access().with("org_id", TENANT2).signed_by(key1());
    stack.get(&entries(TENANT2), &token).await.assert_admitted(TENANT2);
}

#[tokio::test]
async fn the_token_of_another_organization_is_not() {
    let stack = served().await;
    let token = access().with("org_id", TENANT2).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::foreign_path());
    // Ids that differ in case are two.
    let path = entries(&TENANT1.to_ascii_lowercase());
    let token = access().signed_by(key1());
    stack.get(&path, &token).await.assert_refused(&Refusal::foreign_path());
    let unlisted = "org_Zz5pN8xTqVz2RcLd";
    let token = access().with("org_id", unlisted).signed_by(key1());
    stack.get(&entries(unlisted), &token).await.assert_refused(&tenant_unknown());
}

#[tokio::test]
async fn other_issuers_and_other_keys_do_not_count() {
    let stack = served().await;
    for iss in ["https://exampleco.eu.auth0.com", "https://other.eu.auth0.com/"] {
        let token = access().with("iss", iss).signed_by(key1());
        stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::unknown_issuer());
    }
    let token = access().signed_by(strangers_key());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn what_was_not_set_at_the_issuer_is_refused() {
    let stack = served().await;
    let userinfo = "https://exampleco.eu.auth0.com/userinfo";
    let name = access().without("org_id").with("org_name", TENANT1);
    for (what, token, refusal) in [
        ("the organization", access().without("org_id"), claim_missing()),
        ("its name only", name, claim_missing()),
        ("the audience", access().with("aud", userinfo), audience_mismatch()),
        ("the profile", own_profile(), token_type()),
        ("the scope", access().with("scope", "openid"), Refusal::scope_missing("journal.read")),
    ] {
        let answer = stack.get(&entries(TENANT1), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let token = page.sample("ID token").signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_refused(&token_type());
    let token = bare_id_token(&page, access().claim("aud")).signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_refused(&token_type());
}

/// For APIs with Auth0's own profile: the page says what is told apart then, and what is not.
#[tokio::test]
async fn under_auth0s_own_profile_id_tokens_are_told_apart_by_their_claims() {
    let claim = "tenant_claim = \"org_id\"\n";
    let own = format!(
        "{claim}token_profile = \"jwt\"\nclient_id_claim = \"azp\"\nrequired_claims = [\"sub\", \"client_id\", \"iat\"]\n"
    );
    let stack = stack_with(NAME, claim, &own, &network()).await;
    let answer = stack.get(&entries(TENANT1), &own_profile().signed_by(key1())).await;
    answer.assert_admitted(TENANT1);

    let page = Page::read(NAME);
    let id = page.sample("ID token");
    let bare = bare_id_token(&page, access().claim("aud"));
    for (what, token, refusal) in [
        ("the sample", id.clone(), token_type()),
        ("without a nonce", id.without("nonce"), audience_mismatch()),
        ("for this API", bare.clone(), claim_missing()),
    ] {
        let answer = stack.get(&whoami(TENANT1), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
    // What cannot be told apart: no nonce, this audience, and an action that adds `azp`.
    let token = bare.with("azp", json!("wT6vNq3LzXk8RbYc2HdJf0PgMs5EuAoi")).signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_admitted(TENANT1);
}
