//! `TenantPrincipal` and its optional form: three outcomes, not two.

use tenantry_axum::TenantPrincipal;
use tenantry_testkit::request_of;

use crate::harness::{Calls, Left, UNAUTHENTICATED, send};

#[tokio::test]
async fn a_proven_tenant_is_the_principal() {
    let calls = Calls::default();
    for left in [Left::Proven(""), Left::ProvenAndAnonymous] {
        let counted = calls.clone();
        let required = |caller: TenantPrincipal| async move {
            counted.hit();
            caller.tenant().to_string()
        };
        let answer = send(required, left).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, "tenant1"), "{left:?}");
        let counted = calls.clone();
        let optional = |caller: Option<TenantPrincipal>| async move {
            counted.hit();
            caller.map(|caller| caller.tenant().to_string()).unwrap_or_default()
        };
        let answer = send(optional, left).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, "tenant1"), "{left:?}");
    }
    assert_eq!(calls.count(), 4);
}

#[tokio::test]
async fn no_credentials_are_401_or_none() {
    let calls = Calls::default();
    let counted = calls.clone();
    let required = |_: TenantPrincipal| async move { counted.hit() };
    let answer = send(required, Left::Anonymous).await;
    answer.assert_refused(401, UNAUTHENTICATED, "credentials_missing");
    assert_eq!(calls.count(), 0);

    let optional = |caller: Option<TenantPrincipal>| async move {
        caller.map_or("nobody", |_| "somebody").to_owned()
    };
    let answer = send(optional, Left::Anonymous).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, "nobody"));
}

#[tokio::test]
async fn where_nobody_looked_it_is_500_also_for_an_option() {
    let calls = Calls::default();
    let counted = calls.clone();
    let required = |_: TenantPrincipal| async move { counted.hit() };
    send(required, Left::Nothing).await.assert_refused(500, None, "misconfigured");
    let counted = calls.clone();
    let optional = |_: Option<TenantPrincipal>| async move { counted.hit() };
    send(optional, Left::Nothing).await.assert_refused(500, None, "misconfigured");
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn two_arguments_get_the_same_principal() {
    let both = |one: TenantPrincipal, other: Option<TenantPrincipal>| async move {
        assert_eq!(one.tenant(), other.unwrap().tenant());
    };
    assert_eq!(send(both, Left::Proven("")).await.status, 200);
}

#[test]
fn it_is_the_request_that_was_proven() {
    let request = request_of("tenant1").with_subject("alice").with_client_id("sync").build();
    let principal = TenantPrincipal::from(request);
    assert_eq!(principal.subject().unwrap().as_str(), "alice");
    assert_eq!(principal.client_id().unwrap().as_str(), "sync");
    let shown = format!("{principal:?}");
    assert!(shown.contains("tenant1"), "{shown}");
    assert!(!shown.contains("alice") && !shown.contains("sync"), "{shown}");
    assert_eq!(principal.into_inner().tenant().as_str(), "tenant1");
}
