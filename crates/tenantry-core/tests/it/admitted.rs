//! What a handler gets: the request whose tenant is proven.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tenantry_core::{
    Anonymous, Issuer, IssuerSettings, Policy, Reason, ScopeNeed, Subject, TokenFacts,
};

use crate::{ISSUER, decided, erp, sent, token_of};

#[derive(Debug, Deserialize)]
struct Region {
    region: String,
}

#[derive(Debug, Deserialize)]
struct Other {
    #[serde(rename = "region")]
    _region: u32,
}

#[test]
fn it_says_what_the_token_says() {
    let policy = erp().build().unwrap();
    let request = decided(&policy, &sent("/"), token_of("tenant1")).unwrap();

    assert_eq!(request.issuer().as_str(), ISSUER);
    assert_eq!(request.subject().map(|subject| subject.as_str()), Some("journal-sync"));
    assert_eq!(request.client_id().map(|client| client.as_str()), Some("journal-sync"));
    assert_eq!(request.jwt_id(), Some("j1"));
    assert_eq!(request.expires_at(), Duration::from_secs(1_800_000_000));
    assert_eq!(request.tenant().to_string(), "tenant1");
    assert_eq!(format!("{:?}", request.tenant()), r#""tenant1""#);
}

#[test]
fn an_identity_is_apart_by_issuer_tenant_and_subject() {
    let shared = |issuer: &str| {
        IssuerSettings::new(issuer)
            .tenants(["tenant1", "tenant2"])
            .shared_tenants(["tenant1", "tenant2"])
    };
    let policy = Policy::builder()
        .issuer(shared(ISSUER))
        .issuer(shared("https://other.example"))
        .audience("https://api.erp.example/{tenant}")
        .build()
        .unwrap();
    let mut requests = Vec::new();
    for issuer in [ISSUER, "https://other.example"] {
        for tenant in ["tenant1", "tenant2"] {
            for subject in ["a", "b"] {
                let facts = TokenFacts {
                    issuer: Issuer::new(issuer),
                    subject: Some(Subject::new(subject)),
                    ..token_of(tenant)
                };
                requests.push(decided(&policy, &sent("/"), facts).unwrap());
            }
        }
    }
    let identities: HashSet<_> =
        requests.iter().map(|request| request.identity().unwrap()).collect();
    assert_eq!(identities.len(), 8);
    // Without a subject there is nobody to tell from others.
    let facts = TokenFacts { subject: None, ..token_of("tenant1") };
    assert_eq!(decided(&policy, &sent("/"), facts).unwrap().identity(), None);
}

#[test]
fn claims_are_deserialized_once_per_token_and_shared() {
    let policy = erp().build().unwrap();
    let request = decided(&policy, &sent("/"), token_of("tenant1")).unwrap();

    let claims = request.claims::<Region>().unwrap();

    assert_eq!(claims.region, "eu");
    assert!(Arc::ptr_eq(&claims, &request.clone().claims::<Region>().unwrap()));
    // Another type is still read, and does not displace the first.
    assert!(request.claims::<serde_json::Value>().is_ok());
    assert!(Arc::ptr_eq(&claims, &request.claims::<Region>().unwrap()));
}

#[test]
fn claims_of_another_form_are_an_error_that_quotes_nothing() {
    let policy = erp().build().unwrap();
    let request = decided(&policy, &sent("/"), token_of("tenant1")).unwrap();
    let error = request.claims::<Other>().unwrap_err().to_string();
    assert!(error.starts_with("the claims do not have the expected form"), "{error}");
    assert!(!error.contains("eu"));
}

#[test]
fn nor_does_its_debug() {
    let policy = erp().build().unwrap();
    let request = decided(&policy, &sent("/"), token_of("tenant1")).unwrap();
    let error = request.claims::<Other>().unwrap_err();
    assert!(!format!("{error:?}").contains("eu"), "a claim's value is in the debug output");
}

// INVARIANT (secrets stay in)
#[test]
fn debug_shows_tenant_and_issuer_and_nothing_else_of_a_token() {
    let policy = erp().build().unwrap();
    let facts = TokenFacts {
        subject: Some(Subject::new("s3cret-subject")),
        client_id: Some(tenantry_core::ClientId::new("s3cret-client")),
        audience: vec!["https://api.erp.example/tenant1".into(), "s3cret-audience".into()],
        jwt_id: Some("s3cret-jti".into()),
        claims: br#"{"x":"s3cret-claim"}"#.to_vec().into(),
        scope: tenantry_core::Scope::parse("s3cret-scope").unwrap(),
        ..token_of("tenant1")
    };
    let token = tenantry_core::VerifiedToken::assert_verified(&policy, facts.clone());
    let agreed = crate::agreed(&policy, &sent("/"), facts.clone()).unwrap();
    let claim = format!("{:?}", crate::claim("tenant_id", "s3cret-tenant"));
    let access_token = format!("{:?}", tenantry_core::AccessToken::new("s3cret.s3cret.s3cret"));
    let scope = format!("{:?}", facts.scope);
    let subject = format!("{:?}{:?}", facts.subject, facts.client_id);
    let request = decided(&policy, &sent("/"), facts.clone()).unwrap();
    for text in [
        format!("{facts:?}"),
        format!("{token:?}"),
        format!("{agreed:?}"),
        format!("{request:?}"),
        claim,
        access_token,
        scope,
        subject,
    ] {
        assert!(!text.is_empty() && !text.contains("s3cret"), "{text}");
    }
    assert!(format!("{request:?}").contains("tenant1"));
    assert!(format!("{token:?}").contains(ISSUER));
    assert!(format!("{policy:?}").contains(ISSUER));
}

#[test]
fn nobody_is_asked_for_credentials_under_the_policys_realm() {
    let policy = erp().build().unwrap();
    let rejection = Anonymous::new(&policy).unauthenticated();

    assert_eq!(rejection.reason(), Reason::CredentialsMissing);
    assert_eq!(rejection.status(), 401);
    // RFC 6750, section 3.1: no error code when there was no authentication information.
    assert_eq!(rejection.challenge().unwrap().to_string(), r#"Bearer realm="journal""#);
}

#[test]
fn a_need_made_of_strings_is_the_need_made_of_literals() {
    let policy = erp().build().unwrap();
    let request =
        decided(&policy, &sent("/"), crate::scoped("tenant1", "tenant1.a tenant1.b")).unwrap();
    let owned = |lists: &[&[&str]]| ScopeNeed::from_lists(lists.iter().copied()).unwrap();
    assert!(request.require(&owned(&[&["a", "b"]])).is_ok());
    assert!(request.require(&owned(&[&["a", "c"], &["b"]])).is_ok());
    assert!(request.require(&owned(&[&["a", "c"], &["c", "b"]])).is_err());
}
