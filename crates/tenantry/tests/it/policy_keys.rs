//! Key files of a policy: they belong to the configuration.

use std::sync::Arc;

use crate::stack::{Api, Files, issuer};
use tenantry::{Algorithm, PolicyFile, ResourceServer};
use tenantry_testkit::{SigningKey, TestIssuer};

const POLICY: &str = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"

[[issuer]]
issuer = "https://auth.erp.example"
jwks_file = "keys.json"
"#;

async fn served(files: &Files, issuer: &TestIssuer, clock: &tenantry_testkit::ManualClock) {
    let clock = Arc::new(clock.clone());
    let file = files.policy().configure(move |server| server.clock(clock.clone()));
    let api = Api::behind(&file.build().await.unwrap());
    let token = issuer.token().tenant("tenant1").sign();
    let answer = api.get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "200 tenant1 journal-sync");
}

/// The working directory of a test is another than that of the file.
#[tokio::test]
async fn a_key_file_is_found_beside_the_policy_file() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    served(&files, &issuer, &clock).await;
}

#[tokio::test]
async fn without_a_file_paths_are_relative_to_the_working_directory() {
    let file = PolicyFile::parse(POLICY, "policy.toml").unwrap();
    let error = file.build().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "policy.toml:7: issuer[0].jwks_file: `keys.json` cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_key_file_may_be_pem() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    files.write("keys.json", &issuer.key(Algorithm::Es256).public_pem());
    served(&files, &issuer, &clock).await;
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_stops_the_start() {
    let (issuer, _) = issuer();
    let files = Files::new(POLICY, &issuer);
    let key = SigningKey::generate(Algorithm::Es256, "secret-kid");
    let mut private = key.public_jwk();
    private["d"] = "c2VjcmV0".into();
    let private = serde_json::json!({ "keys": [private] }).to_string();
    for (content, problem) in [
        ("", "`keys.json` is not a JWK set: an object with one array of keys; nor PEM"),
        ("{}", "`keys.json` is not a JWK set: an object with one array of keys; nor PEM"),
        (
            r#"{"keys": []}"#,
            "`keys.json` has no key that signatures can be checked with: it is empty",
        ),
        (
            r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#,
            "`keys.json` has no key that signatures can be checked with: of its key 0, it is a private or symmetric key, published",
        ),
        (
            &private,
            "`keys.json` has no key that signatures can be checked with: of its key 0, it is a private or symmetric key, published",
        ),
        (&" ".repeat(256 * 1024 + 1), "`keys.json` is longer than 256 KiB"),
    ] {
        files.write("keys.json", content);
        let error = files.error().await;
        assert_eq!(error, format!("policy.toml:7: issuer[0].jwks_file: {problem}"));
        assert!(!error.contains("c2VjcmV0") && !error.contains("secret-kid"));
    }
}

#[tokio::test]
async fn one_usable_key_is_enough() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    let mut keys = issuer.jwks();
    let odd = serde_json::json!({"kty": "unheard of"});
    keys["keys"].as_array_mut().unwrap().insert(0, odd);
    files.write("keys.json", &keys.to_string());
    served(&files, &issuer, &clock).await;
}

#[tokio::test]
async fn a_server_comes_from_a_file_in_one_call() {
    let (issuer, _) = issuer();
    let files = Files::new(POLICY, &issuer);
    let server = ResourceServer::from_policy_file(files.path("policy.toml")).await.unwrap();
    assert_eq!(server.policy().issuers().len(), 1);

    let error = ResourceServer::from_policy_file(files.path("none.toml")).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.ends_with(
            "none.toml: the policy file cannot be read: No such file or directory (os error 2)"
        ),
        "{error}"
    );
}
