//! Ready requests are what the decision makes of a right token.

use serde_json::{Value, json};
use tenantry_core::{ClientId, ScopeNeed, Subject, TenantAwareRequest};
use tenantry_testkit::request_of;

fn claims(request: &TenantAwareRequest) -> Value {
    (*request.claims::<Value>().unwrap()).clone()
}

#[test]
fn a_request_is_of_the_tenant_it_was_asked_for() {
    for tenant in ["tenant1", "org_9aK", "T-1"] {
        let request = request_of(tenant).build();
        assert_eq!(request.tenant().as_str(), tenant);
        assert_eq!(request.issuer().as_str(), "https://auth.erp.example");
        assert_eq!(request.client_id(), Some(&ClientId::new("journal-sync")));
        assert_eq!(request.subject(), Some(&Subject::new("journal-sync")));
        assert_eq!(request.scopes().count(), 0);
    }
}

#[test]
fn its_scopes_are_those_it_was_given_and_no_others() {
    let request = request_of("tenant1").with_scope("journal.read finance.write").build();
    assert_eq!(request.scopes().collect::<Vec<_>>(), ["journal.read", "finance.write"]);
    assert!(request.require(&ScopeNeed::all(&["finance.write", "journal.read"])).is_ok());
    assert!(request.require(&ScopeNeed::all(&["journal.create"])).is_err());
    assert!(request_of("tenant1").build().require(&ScopeNeed::all(&["journal.read"])).is_err());
}

#[test]
fn subject_and_client_can_be_named() {
    let request = request_of("tenant1").with_client_id("app").build();
    assert_eq!(request.client_id(), Some(&ClientId::new("app")));
    assert_eq!(request.subject(), Some(&Subject::new("app")));
    let request = request_of("tenant1").with_subject("somebody").with_client_id("app").build();
    assert_eq!(request.client_id(), Some(&ClientId::new("app")));
    assert_eq!(request.subject(), Some(&Subject::new("somebody")));
}

#[test]
fn its_claims_say_what_the_request_says() {
    let request = request_of("tenant1")
        .with_scope("journal.read")
        .with_client_id("app")
        .with_claims(json!({ "region": "eu", "tenant_id": "tenant2", "sub": "other" }))
        .build();
    let claims = claims(&request);

    assert_eq!(claims["region"], "eu");
    assert_eq!(claims["iss"], request.issuer().as_str());
    assert_eq!(claims["aud"], "https://api.erp.example/tenant1");
    assert_eq!(claims["tenant_id"], "tenant1");
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("app"), &json!("app")));
    assert_eq!(claims["scope"], "tenant1.journal.read");
    assert_eq!(claims["exp"].as_u64(), Some(request.expires_at().as_secs()));
    assert_eq!(claims["jti"].as_str(), request.jwt_id());
    assert_eq!(claims.as_object().unwrap().len(), 10);
}

#[test]
fn a_scope_does_not_come_in_by_way_of_the_claims() {
    let request = request_of("tenant1").with_claims(json!({ "scope": "tenant1.admin" })).build();
    assert_eq!(request.scopes().count(), 0);
    assert!(claims(&request).get("scope").is_none());
}

#[test]
fn a_ready_request_becomes_a_request_wherever_one_is_taken() {
    let request: TenantAwareRequest = request_of("tenant1").into();
    assert_eq!(request.tenant().as_str(), "tenant1");
}

#[test]
fn its_claims_are_not_in_a_debug_output() {
    let request = request_of("tenant1").with_claims(json!({ "region": "eu" }));
    assert_eq!(format!("{request:?}"), r#"ReadyRequest { tenant: "tenant1", .. }"#);
}

#[test]
#[should_panic(expected = "tenant id")]
fn a_request_is_of_a_tenant_id() {
    let _ = request_of("../tenant1");
}

#[test]
#[should_panic(expected = "a scope is made of scope tokens")]
fn a_scope_is_made_of_scope_tokens() {
    let _ = request_of("tenant1").with_scope("a \"b\"").build();
}

#[test]
#[should_panic(expected = "claims are a JSON object")]
fn claims_are_an_object() {
    let _ = request_of("tenant1").with_claims(json!([]));
}
