//! Real issuers: the policy in `examples/policies` accepts the tokens that `docs/issuers` shows, for the
//! right tenant, and refuses those that it says it refuses.
//!
//! The samples in the pages are the tokens of the tests. They are signed as they stand, header and
//! claims, with keys that the network serves where the issuer has them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod amazon_cognito;
mod auth0;
mod keycloak_organizations;
mod keycloak_realms;
mod microsoft_entra;
mod microsoft_entra_apps;
mod okta;
mod page;
mod pages;
mod refusals;
mod zitadel;

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tenantry::{Algorithm, PolicyFile};
use tenantry_testkit::{SigningKey, TestIssuer};
use tenantry_tests::{Network, Stack};

use page::{Page, Sample};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// RSA keys, as all of these issuers have them. They are slow to make, so the tests share them.
static KEYS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| [1, 2, 3].map(|_| SigningKey::generate(Algorithm::Rs256, "shared")));

/// A key of the issuer, or of the issuer of the first tenant.
fn key1() -> &'static SigningKey {
    &KEYS[0]
}

/// A key of the second tenant's issuer.
fn key2() -> &'static SigningKey {
    &KEYS[1]
}

/// A key that nobody publishes.
fn strangers_key() -> &'static SigningKey {
    &KEYS[2]
}

/// The key as the issuers publish it, under the name that the samples have.
fn jwk(key: &SigningKey, kid: &str) -> Value {
    key.clone().with_kid(kid).public_jwk()
}

fn jwks(key: &SigningKey, kid: &str) -> Value {
    json!({ "keys": [jwk(key, kid)] })
}

/// The journal behind the policy file of this name.
async fn stack(name: &str, network: &Network) -> Stack {
    let path = format!("{ROOT}/examples/policies/{name}.toml");
    serve(PolicyFile::read(path).unwrap(), network).await
}

/// The same with another text in one place of the policy.
async fn stack_with(name: &str, from: &str, to: &str, network: &Network) -> Stack {
    let policy = Page::read(name).policy();
    assert_eq!(policy.matches(from).count(), 1, "{from}");
    let policy = policy.replace(from, to);
    serve(PolicyFile::parse(&policy, "policy.toml").unwrap(), network).await
}

async fn serve(policy: PolicyFile, network: &Network) -> Stack {
    let clock = Stack::clock();
    let (time, transport) = (Arc::new(clock.clone()), Arc::new(network.clone()));
    let policy =
        policy.configure(move |server| server.clock(time.clone()).transport(transport.clone()));
    let server = policy.build().await.unwrap();
    let issuer = TestIssuer::builder().key(key1().clone()).algorithms([]).offline();
    Stack::serving(server, issuer, clock, network.clone())
}

/// Needs the scope `journal.read`.
fn entries(tenant: &str) -> String {
    format!("/{tenant}/journal-entries")
}

/// Needs no scope.
fn whoami(tenant: &str) -> String {
    format!("/{tenant}/whoami")
}

/// The sample of an ID token that is for the API: what its audience would tell apart is out of the way,
/// as are the marks of some flows.
fn bare_id_token(page: &Page, audience: &Value) -> Sample {
    let marks = ["at_hash", "c_hash", "nonce", "s_hash"];
    let sample = page.sample("ID token").with("aud", audience.clone());
    marks.into_iter().fold(sample, Sample::without)
}
