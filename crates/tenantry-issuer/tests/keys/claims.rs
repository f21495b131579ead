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

/// The IANA registry "JSON Web Token Claims" of 2026-07-20, by the alphabet.
const REGISTERED: &str = "
    ... _claim_names _claim_sources _sd _sd_alg ace_profile acr act address also_known_as amr
    analyticsIdList at_hash at_use_nbr atc ath attest aud auth_time authority_hints
    authorization_details azp birth_family_name birth_given_name birth_middle_name birthdate
    bootcount bootseed c_hash cdnicrit cdniets cdniip cdnistd cdnistt cdniuc cdniv client_id
    cmw cnf cnonce constraints consumerPlmnId consumerSnpnId crit crn dbgstat delegation dest
    div dloas eat_nonce eat_profile email email_verified entitlements events exi exp
    family_name gender geohash given_name groups htm htu hwmodel hwversion iat intuse iss
    jcard jti jwks keys locale location logo_uri manifests may_act measres measurements
    metadata metadata_policy metadata_policy_crit middle_name mky msgi msisdn name
    nationalities nbf nickname nonce oemboot oemid opt orig origid phone_number
    phone_number_verified picture place_of_birth preferred_username producerNfServiceSetId
    producerNfSetId producerNsiList producerPlmnId producerSnpnId producerSnssaiList profile
    rcd rcdi rdap_allowed_purposes rdap_dnt_allowed ref resOwnerId roles rph salutation scope
    sd_hash sid sig_val_claims sip_callid sip_cseq_num sip_date sip_from_tag sip_via_branch
    source_endpoint sourceNfInstanceId sph status status_list stpl sub sub_id sub_jwk submods
    sueids swname swversion title toe token_introspection trust_anchor trust_anchor_hints
    trust_chain trust_mark_issuers trust_mark_owners trust_mark_type trust_marks ttl txn ueid
    updated_at uptime vc verified_claims vot vp vtm website zoneinfo
";

/// Of OAuth, of Entra ID, Keycloak, Spring, Okta, Cognito, Auth0 and others.
const READ_BY_OTHERS: &str = "
    access_token acrs active allowed-origins appid appidacr audience authorities azpacr cid
    client_assertion client_secret cti dpop_jkt expires_in grant_type gty id_token idtyp
    issued_token_type oid password permissions puid realm_access refresh_token req_cnf
    resource resource_access role rs_cnf s_hash scopes scp session_state token_type token_use
    typ uid unique_name upn user_id user_name username vct ver wids x5t
    cognito:groups cognito:username urn:zitadel:iam:org:id urn:zitadel:iam:org:project:roles
    http://schemas.microsoft.com/identity/claims/tenantid
    http://schemas.microsoft.com/ws/2008/06/identity/claims/role
    http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier
";

const TENANTS: &str = "
    acct hd org org_code org_id org_name org_permissions org_role org_slug organisation
    organisation_id organisations organization organization_id organization_name organizations
    orgs realm tenant tenant_code tenant_ctry tenant_ctx tenant_domain tenant_id tenant_key
    tenant_name tenant_region_scope tenant_slug tenant_uuid tenants tid tnt zid
";

#[test]
fn names_of_the_registry_of_other_servers_and_of_tenants_are_reserved() {
    assert_eq!(REGISTERED.split_whitespace().count(), 163);
    let names = [REGISTERED, READ_BY_OTHERS, TENANTS];
    for name in names.into_iter().flat_map(str::split_whitespace) {
        assert!(is_reserved_claim(name, &["customer"]), "{name} is free");
        assert_eq!(
            refused(json!({ name: 1 })),
            format!("claim `{name}`: the name is reserved; choose another")
        );
    }
}

#[test]
fn a_spelling_that_some_take_for_a_reserved_name_is_reserved_too() {
    for name in [
        "tenantId",
        "TENANT_ID",
        "tenant-id",
        "clientId",
        "Scope",
        "orgId",
        "-e_x-p",
        "HTTP://Schemas.Microsoft.com/identity/claims/tenantid",
    ] {
        assert!(is_reserved_claim(name, &TENANT_CLAIMS), "{name} is free");
    }
    assert!(is_reserved_claim("Customer-No", &["customer_no"]));
    assert!(!is_reserved_claim("customer_no", &TENANT_CLAIMS));
}

#[test]
fn names_of_ones_own_are_free() {
    let free = json!({
        "cost_center": "4711", "https://erp.example/plan": "gold", "region": "eu", "plan": ["a", null],
        "state": "Hesse", "code": "A1", "tenant_plan": "gold", "https://erp.example/tenant_id": "x",
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
