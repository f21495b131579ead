//! Claims that may be registered, and those that may not.

use serde_json::{Map, Value, json};
use tenantry_issuer::{LONGEST_CLAIMS, check_claims, is_reserved_claim};

const TENANT_CLAIMS: [&str; 1] = ["tenant_id"];

fn map(json: Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

fn refused(json: Value) -> String {
    check_claims(&map(json), &TENANT_CLAIMS).unwrap_err().to_string()
}

#[test]
fn names_of_the_profile_of_other_servers_and_of_tenants_are_reserved() {
    for name in [
        // RFC 7519, RFC 9068, RFC 8693, RFC 7800, RFC 9449, OpenID Connect.
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "auth_time",
        "acr",
        "amr",
        "roles",
        "groups",
        "entitlements",
        "act",
        "may_act",
        "cnf",
        "htm",
        "htu",
        "ath",
        "nonce",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "events",
        "azp",
        "email",
        "name",
        "token_introspection",
        "authorization_details",
        // Microsoft's, Keycloak's, Spring's, Okta's, Cognito's.
        "scp",
        "appid",
        "oid",
        "realm_access",
        "resource_access",
        "authorities",
        "cid",
        "token_use",
        "permissions",
        "typ",
        "tenant_id",
        "tenant",
        "tid",
        "org_id",
        "organization",
    ] {
        assert!(is_reserved_claim(name, &["customer"]), "{name} is free");
        assert_eq!(
            refused(json!({ name: 1 })),
            format!("claim `{name}`: the name is reserved; choose another")
        );
    }
}

#[test]
fn a_spelling_that_some_take_for_a_reserved_name_is_reserved_too() {
    for name in ["tenantId", "TENANT_ID", "tenant-id", "clientId", "Scope", "orgId", "-e_x-p"] {
        assert!(is_reserved_claim(name, &TENANT_CLAIMS), "{name} is free");
    }
    assert!(is_reserved_claim("Customer-No", &["customer_no"]));
    assert!(!is_reserved_claim("customer_no", &TENANT_CLAIMS));
}

#[test]
fn names_of_ones_own_are_free() {
    let free = json!({
        "cost_center": "4711", "https://erp.example/plan": "gold", "region": "eu", "plan": ["a", null],
        "limits": { "rows": 9_007_199_254_740_992_u64, "share": 0.5, "debt": -7 },
    });
    assert_eq!(check_claims(&map(free), &TENANT_CLAIMS), Ok(()));
    assert_eq!(check_claims(&Map::new(), &TENANT_CLAIMS), Ok(()));
}

#[test]
fn a_name_is_printable_and_of_a_sensible_length() {
    let problem = "the name of a claim has 1 to 128 printable ASCII characters, no blank";
    for name in ["", " ", "a b", "a\n", "ä", "a\u{0}", &"x".repeat(129)] {
        assert_eq!(refused(json!({ name: 1 })), problem);
    }
    assert_eq!(check_claims(&map(json!({ "x".repeat(128): 1 })), &TENANT_CLAIMS), Ok(()));
}

#[test]
fn a_number_that_programs_read_differently_is_refused_wherever_it_is() {
    let problem = "claim `n`: not every program can read this number; write it as a string";
    for value in [json!(9_007_199_254_740_993_u64), json!(u64::MAX), json!(i64::MIN)] {
        assert_eq!(refused(json!({ "n": value })), problem);
        assert_eq!(refused(json!({ "n": [value] })), problem);
        assert_eq!(refused(json!({ "n": { "m": value } })), problem);
    }
}

#[test]
fn claims_have_4_kib_together() {
    let filled = |length: usize| json!({ "a": "x".repeat(length - r#"{"a":""}"#.len()) });
    assert_eq!(check_claims(&map(filled(LONGEST_CLAIMS)), &TENANT_CLAIMS), Ok(()));
    assert_eq!(
        refused(filled(LONGEST_CLAIMS + 1)),
        "the claims have 4097 bytes as JSON, and 4096 are permitted"
    );
}
