//! Microsoft Entra ID, tokens of users: `docs/issuers/microsoft-entra.md`.

use serde_json::json;
use tenantry::PolicyFile;
use tenantry_tests::{Network, Refusal, Stack};

use crate::page::{Page, Sample};
use crate::refusals::{audience_mismatch, claim_missing, issuer_conflict, token_type};
use crate::{bare_id_token, entries, jwk, key1, key2, stack, stack_with, strangers_key, whoami};

const NAME: &str = "microsoft-entra";

/// The tenants of the policy.
pub(crate) const TENANT1: &str = "0b2e7d4c-91a6-4f3b-8d27-5c6e1f0a9b31";
pub(crate) const TENANT2: &str = "d8a4c6f2-3e57-4c19-b0ad-7f92e6135c48";
/// Of personal accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const CONSUMERS_KEY: &str = "yT5qLz0nYhD7bGfJs4EvR8mW2xKc";
const UNLISTED: &str = "5a7e9b1d-2c4f-4e60-8a13-6d0f2b8c4e97";
const COMMON_KEYS: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";

pub(crate) fn issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// What Entra serves: metadata for each tenant, and the same keys for all of them, without `alg` and with
/// the issuers that each is for.
///
/// [Source](https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer)
pub(crate) fn network(kid: &str) -> Network {
    let network = Network::default();
    let entry = |key, kid: &str, tenant: &str| {
        let mut key = jwk(key, kid);
        key.as_object_mut().unwrap().remove("alg");
        key["x5t"] = kid.into();
        key["issuer"] = issuer(tenant).into();
        key
    };
    let keys = json!({ "keys": [
        entry(key1(), kid, "{tenantid}"),
        entry(key2(), CONSUMERS_KEY, CONSUMERS),
    ]});
    for tenant in [TENANT1, TENANT2, CONSUMERS, UNLISTED] {
        let issuer = issuer(tenant);
        let uri = format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys");
        network.publish_metadata(
            &format!("{issuer}/.well-known/openid-configuration"),
            &issuer,
            &uri,
        );
        network.publish(uri, &keys);
    }
    network.publish(COMMON_KEYS, &keys);
    network
}

pub(crate) fn of(sample: Sample, tenant: &str) -> Sample {
    sample.with("iss", issuer(tenant)).with("tid", tenant)
}

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
        let token = of(access(), tenant).with("scp", "profile.read journal.read");
        let answer = stack.get(&entries(tenant), &token.signed_by(key1())).await;
        answer.assert_admitted(tenant);
    }
}

#[tokio::test]
async fn the_token_of_another_tenant_is_not() {
    let network = network(access().kid());
    let stack = stack(NAME, &network).await;
    let token = of(access(), UNLISTED).signed_by(key1());
    stack.get(&entries(UNLISTED), &token).await.assert_refused(&Refusal::unknown_issuer());
    assert!(network.fetched().is_empty(), "{:?}", network.fetched());

    let token = of(access(), TENANT2).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::foreign_path());
    // The same tenant in upper case is another.
    let token = of(access(), TENANT1).signed_by(key1());
    let path = entries(&TENANT1.to_ascii_uppercase());
    stack.get(&path, &token).await.assert_refused(&Refusal::foreign_path());
}

/// One set of keys signs for all tenants, so both have to say the same.
#[tokio::test]
async fn the_issuer_and_tid_have_to_agree() {
    let stack = served().await;
    for (iss, tid) in [(TENANT1, TENANT2), (TENANT2, TENANT1)] {
        let token = access().with("iss", issuer(iss)).with("tid", tid).signed_by(key1());
        for tenant in [TENANT1, TENANT2] {
            let answer = stack.get(&entries(tenant), &token).await;
            answer.assert_refused(&issuer_conflict());
        }
    }
    let token = access().with("tid", TENANT1.to_ascii_uppercase()).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&issuer_conflict());
}

#[tokio::test]
async fn a_key_that_is_published_for_another_issuer_does_not_sign() {
    let algorithms = "algorithms = [\"RS256\"]\n";
    let common = format!("{algorithms}jwks_uri = \"{COMMON_KEYS}\"\nshared_keys = true\n");
    let network = || network(access().kid());
    let shared = stack_with(NAME, algorithms, &common, &network()).await;
    for stack in [served().await, shared] {
        let token = access().with_header("kid", CONSUMERS_KEY).signed_by(key2());
        stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::unknown_key());
    }
    // It does for its own.
    let listed = format!("id = \"{CONSUMERS}\"");
    let stack = stack_with(NAME, &format!("id = \"{TENANT2}\""), &listed, &network()).await;
    let token = of(access(), CONSUMERS).with_header("kid", CONSUMERS_KEY).signed_by(key2());
    stack.get(&entries(CONSUMERS), &token).await.assert_admitted(CONSUMERS);
}

#[tokio::test]
async fn a_key_that_is_not_published_does_not_sign() {
    let stack = served().await;
    let token = access().signed_by(strangers_key());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn tokens_of_another_kind_are_refused() {
    let stack = served().await;
    let version1 = access()
        .with("iss", format!("https://sts.windows.net/{TENANT1}/"))
        .with("ver", "1.0")
        .with("aud", "api://3f0c1a52-7d1e-4b8e-9c55-0a4f2b6d9e11")
        .with("appid", access().claim("azp").clone())
        .without("azp");
    let application = Page::read("microsoft-entra-apps").sample("Access token");
    for (what, token, refusal) in [
        ("version 1.0", version1, Refusal::unknown_issuer()),
        ("application", application, claim_missing()),
        (
            "another API",
            access().with("aud", "00000003-0000-0000-c000-000000000000"),
            audience_mismatch(),
        ),
        ("scope", access().with("scp", "profile.read"), Refusal::scope_missing("journal.read")),
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

    // For this API, without a nonce: neither `azp` nor `scp` alone makes an access token of it.
    let bare = bare_id_token(&page, access().claim("aud"));
    let azp = access().claim("azp").clone();
    for token in [bare.clone(), bare.clone().with("azp", azp), bare.with("scp", "journal.read")] {
        let answer = stack.get(&whoami(TENANT1), &token.signed_by(key1())).await;
        answer.assert_refused(&claim_missing());
    }
}

/// The other way that the page shows: one set for all tenants.
#[tokio::test]
async fn one_key_set_for_all_tenants_has_to_be_meant() {
    let algorithms = "algorithms = [\"RS256\"]\n";
    let uri = format!("{algorithms}jwks_uri = \"{COMMON_KEYS}\"\n");
    let policy = Page::read(NAME).policy().replace(algorithms, &uri);
    let error = PolicyFile::parse(&policy, "policy.toml").unwrap_err().to_string();
    assert!(error.contains("shared_keys"), "{error}");

    let shared = format!("{uri}shared_keys = true\n");
    let network = network(access().kid());
    let stack = stack_with(NAME, algorithms, &shared, &network).await;
    for tenant in [TENANT1, TENANT2] {
        let token = of(access(), tenant).signed_by(key1());
        stack.get(&entries(tenant), &token).await.assert_admitted(tenant);
    }
    assert_eq!(network.fetched(), [COMMON_KEYS, COMMON_KEYS], "once for each tenant");
    let token = access().with("tid", TENANT2).signed_by(key1());
    stack.get(&entries(TENANT1), &token).await.assert_refused(&issuer_conflict());
}
