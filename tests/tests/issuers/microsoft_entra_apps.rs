//! Microsoft Entra ID, tokens of applications: `docs/issuers/microsoft-entra-apps.md`.

use serde_json::json;
use tenantry_tests::{Refusal, Stack};

use crate::microsoft_entra::{TENANT1, TENANT2, issuer, network, of};
use crate::page::{Page, Sample};
use crate::refusals::{claim_missing, issuer_conflict, token_type};
use crate::{bare_id_token, entries, key1, stack, strangers_key, whoami};

const NAME: &str = "microsoft-entra-apps";

fn access() -> Sample {
    Page::read(NAME).sample("Access token")
}

async fn served() -> Stack {
    stack(NAME, &network(access().kid())).await
}

#[tokio::test]
async fn the_token_of_a_tenant_is_for_that_tenant() {
    let stack = served().await;
    stack.get(&entries(TENANT1), &access().signed_by(key1())).await.assert_admitted(TENANT1);
    for tenant in [TENANT1, TENANT2] {
        let token = of(access(), tenant).with("roles", json!(["profile.read", "journal.read"]));
        let answer = stack.get(&entries(tenant), &token.signed_by(key1())).await;
        answer.assert_admitted(tenant);
    }
}

#[tokio::test]
async fn the_token_of_another_tenant_is_not() {
    let stack = served().await;
    let token = of(access(), TENANT2).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::foreign_path());
    let token = access().with("iss", issuer(TENANT2)).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&issuer_conflict());
    let unlisted = "5a7e9b1d-2c4f-4e60-8a13-6d0f2b8c4e97";
    let token = of(access(), unlisted).signed_by(key1());
    stack.get(&entries(unlisted), &token).await.assert_refused(&Refusal::unknown_issuer());
    let token = access().signed_by(strangers_key());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn tokens_of_users_are_refused_whatever_their_roles() {
    let stack = served().await;
    let user = Page::read("microsoft-entra").sample("Access token");
    for (what, token) in [
        ("a user", user.clone()),
        ("a user with the role", user.with("roles", json!(["journal.read"]))),
        ("an application without a role", access().without("roles")),
    ] {
        let answer = stack.get(&whoami(TENANT1), &token.signed_by(key1())).await;
        answer.about(what).assert_refused(&claim_missing());
    }
    let token = access().with("roles", json!(["profile.read"])).signed_by(key1());
    let refusal = Refusal::scope_missing("journal.read");
    stack.get(&entries(TENANT1), &token).await.assert_refused(&refusal);
}

#[tokio::test]
async fn an_id_token_is_none() {
    let (stack, page) = (served().await, Page::read(NAME));
    let token = page.sample("ID token").signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_refused(&token_type());
    let token = bare_id_token(&page, access().claim("aud")).signed_by(key1());
    stack.get(&whoami(TENANT1), &token).await.assert_refused(&claim_missing());
}
