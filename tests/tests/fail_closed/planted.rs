//! What an outer layer or a caller left in the extensions proves nothing.

use axum::Router;
use axum::routing::get as on_get;
use http::Extensions;
use tenantry::{Anonymous, IssuerSettings, KeyLocation, RequireScopeLayer, TenantAwareRequest};
use tenantry_testkit::{TestIssuer, request_of};
use tenantry_tests::{Calls, Refusal, Stack, get};

use crate::{PATH, plant};

/// Answers with what is in the extensions.
async fn left(extensions: Extensions) -> String {
    let tenant = extensions.get::<TenantAwareRequest>().map(|found| found.tenant().to_string());
    let anonymous = extensions.get::<Anonymous>().is_some();
    format!("{tenant:?} {anonymous}")
}

fn counted(calls: &Calls) -> axum::routing::MethodRouter {
    let calls = calls.clone();
    on_get(move |extensions: Extensions| {
        calls.hit();
        left(extensions)
    })
}

#[tokio::test]
async fn a_tenant_aware_request_planted_by_an_outer_layer_is_removed() {
    let planted = request_of("tenant1").with_scope("journal.read").build();
    let usual = Stack::usual().await;
    let stack = usual.behind(|server, calls| {
        let read = RequireScopeLayer::all(["journal.read"]);
        Router::new()
            .route(PATH, counted(calls).layer(read))
            .route("/tenant2/journal-entries", counted(calls))
            .layer(server.layer())
            .layer(plant(planted.clone()))
    });
    stack.send(get(PATH)).await.assert_refused(&Refusal::unauthenticated());
    let token = stack.token("tenant1").tampered().sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::bad_signature());
    let token = stack.token("tenant1").scope("tenant1.profile").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::scope_missing("tenant1.journal.read"));
    // What the handler sees is what was proven. Twice: fresh, and from memory.
    let token = stack.token("tenant2").sign();
    for _ in 0..2 {
        let answer = stack.get("/tenant2/journal-entries", &token).await;
        assert_eq!(answer.text(), r#"Some("tenant2") false"#);
    }

    // On an optional layer a request without credentials is nobody's.
    let stack = usual.behind(|server, calls| {
        Router::new()
            .route(PATH, counted(calls))
            .layer(server.layer().optional())
            .layer(plant(planted.clone()))
    });
    assert_eq!(stack.send(get(PATH)).await.text(), "None true");
}

#[tokio::test]
async fn an_anonymous_planted_by_an_outer_layer_is_removed() {
    let usual = Stack::usual().await;
    let planted = Anonymous::new(&usual.server.policy());
    let stack = usual.behind(|server, calls| {
        Router::new().route(PATH, counted(calls)).layer(server.layer()).layer(plant(planted))
    });
    stack.send(get(PATH)).await.assert_refused(&Refusal::unauthenticated());
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        let answer = stack.get(PATH, &token).await;
        assert_eq!(answer.text(), r#"Some("tenant1") false"#);
    }
}

#[tokio::test]
async fn an_inner_layer_does_not_rely_on_an_outer_one() {
    // The outer one admits tenant1 of issuer A; the inner one has never heard of A.
    let outer = Stack::usual().await;
    let other = TestIssuer::offline("https://other.erp.example");
    let named =
        IssuerSettings::new(other.url()).keys(KeyLocation::Jwks(other.jwks().to_string().into()));
    let inner = Stack::of(other, outer.clock.clone(), |server| server.issuer(named)).await;
    let stack = outer.behind(|server, calls| {
        Router::new().route(PATH, calls.route()).layer(inner.server.layer()).layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_issuer());
}
