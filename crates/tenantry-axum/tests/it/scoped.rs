//! `Scoped<S>`: the signature of a handler states what it needs.

use axum::extract::FromRequestParts;
use axum::http::Request;
use axum::response::IntoResponse;
use tenantry_axum::{Refused, RequiredScope, Scoped, TenantPrincipal};
use tenantry_core::{Reason, ScopeNeed};
use tenantry_testkit::request_of;

use crate::harness::{Calls, Left, UNAUTHENTICATED, send};

struct Book;

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
}

struct ReadSomehow;

impl RequiredScope for ReadSomehow {
    const NEED: ScopeNeed = ScopeNeed::any(&["journal.read", "audit.read"]);
}

struct Close;

impl RequiredScope for Close {
    const NEED: ScopeNeed =
        ScopeNeed::any_of_all(&[&["finance.close", "journal.create"], &["admin"]]);
}

/// The status with these scopes; a handler ran exactly where it is 200.
async fn status<S: RequiredScope + 'static>(scope: &'static str) -> u16 {
    let calls = Calls::default();
    let counted = calls.clone();
    let handler = |caller: Scoped<S>| async move {
        counted.hit();
        caller.tenant().to_string()
    };
    let answer = send(handler, Left::Proven(scope)).await;
    let status = answer.status.as_u16();
    assert_eq!(calls.count(), usize::from(status == 200), "{scope}");
    if status == 200 {
        assert_eq!(answer.text, "tenant1");
    }
    status
}

#[tokio::test]
async fn the_handler_runs_only_with_what_it_needs() {
    for (scope, all, any, lists) in [
        ("", 403, 403, 403),
        ("finance.write", 403, 403, 403),
        ("journal.create", 403, 403, 403),
        ("finance.write journal.create", 200, 403, 403),
        ("journal.create other finance.write", 200, 403, 403),
        ("journal.read", 403, 200, 403),
        ("audit.read", 403, 200, 403),
        ("finance.close", 403, 403, 403),
        ("finance.close journal.create", 403, 403, 200),
        ("admin", 403, 403, 200),
        ("Journal.read journal.read.all tenant1.journal.read", 403, 403, 403),
    ] {
        assert_eq!(status::<Book>(scope).await, all, "{scope}");
        assert_eq!(status::<ReadSomehow>(scope).await, any, "{scope}");
        assert_eq!(status::<Close>(scope).await, lists, "{scope}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_scopes_as_the_tenants_tokens_write_them() {
    let handler = |_: Scoped<Book>| async {};
    send(handler, Left::Proven("finance.write")).await.assert_refused(
        403,
        Some(
            r#"Bearer realm="tenantry", error="insufficient_scope", error_description="the access token lacks a scope of its tenant", scope="tenant1.finance.write tenant1.journal.create""#,
        ),
        "scope_missing",
    );
}

#[tokio::test]
async fn nobody_has_no_scope_and_where_nobody_looked_it_is_500() {
    let calls = Calls::default();
    for (left, status, challenge, code) in [
        (Left::Anonymous, 401, UNAUTHENTICATED, "credentials_missing"),
        (Left::Nothing, 500, None, "misconfigured"),
    ] {
        let counted = calls.clone();
        let handler = |_: Scoped<Book>| async move { counted.hit() };
        send(handler, left).await.assert_refused(status, challenge, code);
    }
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn a_refusal_says_why_to_whoever_handles_it() {
    let (mut parts, ()) = Request::new(()).into_parts();
    let refused: Refused = Scoped::<Book>::from_request_parts(&mut parts, &()).await.unwrap_err();
    assert_eq!(refused.rejection().reason(), Reason::Misconfigured);
    assert_eq!(refused.into_response().status(), 500);

    parts.extensions.insert(request_of("tenant1").build());
    let refused = Scoped::<Book>::from_request_parts(&mut parts, &()).await.unwrap_err();
    assert_eq!(refused.rejection().reason(), Reason::ScopeMissing);
    assert_eq!(refused.rejection().tenant().unwrap().as_str(), "tenant1");
}

#[tokio::test]
async fn it_is_the_principal_with_more_said() {
    let (mut parts, ()) = Request::new(()).into_parts();
    let proven = request_of("tenant1").with_scope("admin").with_subject("alice").build();
    parts.extensions.insert(proven);
    let scoped = Scoped::<Close>::from_request_parts(&mut parts, &()).await.unwrap();
    let shown = format!("{:?}", scoped.clone());
    assert!(shown.contains("tenant1") && !shown.contains("alice"), "{shown}");
    let principal: TenantPrincipal = scoped.into_principal();
    assert!(principal.has_scope("admin"));
}
