//! A test issuer with one key for all tenants would prove nothing.

use std::collections::HashSet;

use serde_json::Value;
use tenantry_core::Algorithm;
use tenantry_testkit::TestIssuer;

use crate::{named_key, parts, verifies};

const TENANTS: [&str; 3] = ["tenant1", "tenant2", "tenant10"];

/// The public numbers of every key in `jwks`.
fn numbers(jwks: &Value) -> HashSet<String> {
    let number = |key: &Value| key.get("n").or(key.get("x")).unwrap().to_string();
    jwks["keys"].as_array().unwrap().iter().map(number).collect()
}

fn kids(jwks: &Value) -> HashSet<String> {
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].to_string()).collect()
}

#[test]
fn no_two_tenants_and_no_two_issuers_share_a_key() {
    let algorithms =
        [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Rs256];
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let issuer =
            TestIssuer::builder().algorithms(algorithms).keys_per_tenant(TENANTS).offline();
        issuer.rotate();
        let sets = TENANTS.map(|tenant| issuer.jwks_of(tenant)).into_iter().chain([issuer.jwks()]);
        for set in sets {
            let numbers = numbers(&set);
            assert_eq!(numbers.len(), algorithms.len());
            assert!(numbers.is_disjoint(&seen), "a key is in two sets");
            seen.extend(numbers);
        }
    }
}

#[test]
fn a_rotation_leaves_no_key_behind() {
    let issuer = TestIssuer::builder().keys_per_tenant(TENANTS).offline();
    let before = [issuer.jwks(), issuer.jwks_of("tenant1")];
    issuer.rotate();
    let after = [issuer.jwks(), issuer.jwks_of("tenant1")];
    for (before, after) in before.iter().zip(&after) {
        assert!(numbers(before).is_disjoint(&numbers(after)));
        assert!(kids(before).is_disjoint(&kids(after)));
    }
    let token = issuer.token().tenant("tenant1").sign();
    assert!(verifies(&token, named_key(&token, &after[1]).unwrap()));
}

#[test]
fn rsa_algorithms_of_one_set_share_a_key_and_no_name() {
    let issuer = TestIssuer::builder().algorithms(Algorithm::ALL).offline();
    assert_eq!(kids(&issuer.jwks()).len(), 10);
    assert_eq!(numbers(&issuer.jwks()).len(), 5);
}

#[test]
fn tenants_with_keys_have_an_issuer_of_their_own() {
    let issuer = TestIssuer::builder().keys_per_tenant(TENANTS).offline();
    for tenant in TENANTS {
        let token = issuer.token().tenant(tenant).sign();

        assert_eq!(issuer.issuer_of(tenant), format!("https://auth.erp.example/{tenant}"));
        assert_eq!(parts(&token).claims["iss"], issuer.issuer_of(tenant));
        assert_eq!(parts(&token).header["kid"], format!("{tenant}-es256-1"));
        assert!(verifies(&token, named_key(&token, &issuer.jwks_of(tenant)).unwrap()));
        for other in TENANTS.into_iter().filter(|other| *other != tenant) {
            assert!(named_key(&token, &issuer.jwks_of(other)).is_none());
            assert!(!verifies(&token, &issuer.jwks_of(other)["keys"][0]));
        }
        assert!(!verifies(&token, &issuer.jwks()["keys"][0]));
    }
    assert_eq!(issuer.jwks_uri_of("{tenant}"), "https://auth.erp.example/{tenant}/jwks.json");
}

#[test]
fn a_token_of_one_tenant_under_the_key_of_another_can_be_had() {
    let issuer = TestIssuer::builder().keys_per_tenant(TENANTS).offline();
    let key = issuer.key_of("tenant1", Algorithm::Es256);
    let token = issuer.token().tenant("tenant2").signed_by(&key).sign();

    assert_eq!(parts(&token).claims["iss"], issuer.issuer_of("tenant2"));
    assert_eq!(parts(&token).claims["tenant_id"], "tenant2");
    assert!(verifies(&token, named_key(&token, &issuer.jwks_of("tenant1")).unwrap()));
}

#[test]
fn tenants_without_keys_share_the_issuer() {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let token = issuer.token().tenant("tenant1").sign();

    assert_eq!(issuer.issuer_of("tenant1"), "https://auth.erp.example");
    assert_eq!(parts(&token).claims["iss"], "https://auth.erp.example");
    assert!(verifies(&token, &issuer.jwks()["keys"][0]));
}

#[test]
#[should_panic(expected = "has no keys of its own")]
fn a_tenant_without_keys_does_not_get_those_of_the_issuer() {
    let issuer = TestIssuer::builder().keys_per_tenant(["tenant1"]).offline();
    let _ = issuer.token().tenant("tenant3").sign();
}

#[test]
#[should_panic(expected = "a tenant with keys has a tenant id")]
fn keys_are_for_tenant_ids_only() {
    let _ = TestIssuer::builder().keys_per_tenant(["../tenant1"]);
}
