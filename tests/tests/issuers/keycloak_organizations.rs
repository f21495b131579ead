//! Keycloak with an organization per tenant: `docs/issuers/keycloak-organizations.md`.

use serde_json::{Value, json};
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{claim_malformed, claim_missing, tenant_unknown, token_type};
use crate::{bare_id_token, entries, key1, keycloak_realms, stack, strangers_key, whoami};

const NAME: &str = "keycloak-organizations";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

fn of(organization: impl Into<Value>) -> Sample {
    access().with("organization", organization)
}

async fn served() -> Stack {
    let network = Network::default();
    for realm in ["erp", "other"] {
        keycloak_realms::publish(&network, realm, key1(), access().kid());
    }
    stack(NAME, &network).await
}

#[tokio::test]
async fn the_token_of_an_organization_is_for_its_tenant() {
    let stack = served().await;
    stack.get(&entries("tenant1"), &access().signed_by(key1())).await.assert_admitted("tenant1");
    for tenant in ["tenant1", "tenant2"] {
        // The membership mapper's, and that of a hardcoded claim.
        for organization in [json!([tenant]), json!(tenant)] {
            let token = of(organization).signed_by(key1());
            stack.get(&entries(tenant), &token).await.assert_admitted(tenant);
        }
    }
}

#[tokio::test]
async fn the_token_of_another_organization_is_not() {
    let stack = served().await;
    for organization in [json!(["tenant2"]), json!("tenant2")] {
        let token = of(organization).signed_by(key1());
        stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::foreign_path());
    }
    let token = of(json!(["tenant3"])).signed_by(key1());
    stack.get(&entries("tenant3"), &token).await.assert_refused(&tenant_unknown());
}

#[tokio::test]
async fn no_organization_is_picked_from_several() {
    let stack = served().await;
    for organization in [
        json!(["tenant1", "tenant2"]),
        json!(["tenant2", "tenant1"]),
        json!(["tenant1", "tenant1"]),
        json!([]),
        json!({ "tenant1": {} }),
        json!({ "tenant1": { "id": "42c3e46f-2477-44d7-a85b-d3b43f6b31fa" } }),
        json!({ "tenant1": {}, "tenant2": {} }),
    ] {
        let token = of(organization.clone()).signed_by(key1());
        for tenant in ["tenant1", "tenant2"] {
            let answer = stack.get(&entries(tenant), &token).await;
            answer.about(organization.to_string()).assert_refused(&claim_malformed());
        }
    }
}

#[tokio::test]
async fn what_was_not_set_at_the_issuer_is_refused() {
    let stack = served().await;
    for (what, token, refusal) in [
        ("the organization", access().without("organization"), claim_missing()),
        ("the header type", access().with_header("typ", "JWT"), token_type()),
        ("the scope", access().with("scope", "openid"), Refusal::scope_missing("journal.read")),
    ] {
        let answer = stack.get(&entries("tenant1"), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

#[tokio::test]
async fn other_realms_and_other_keys_do_not_count() {
    let stack = served().await;
    let token = access().with("iss", "https://keycloak.example/realms/other").signed_by(key1());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::unknown_issuer());
    let token = access().signed_by(strangers_key());
    stack.get(&entries("tenant1"), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let token = page.sample("ID token").signed_by(key1());
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&token_type());
    let token = bare_id_token(&page, access().claim("aud")).signed_by(key1());
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&token_type());
}
