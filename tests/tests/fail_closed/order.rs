//! Layers in the wrong order, and extractors of handlers without a layer.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use tenantry::{
    RequireScopeLayer, RequiredScope, ScopeNeed, Scoped, TenantExtractorLayer, TenantPrincipal,
};
use tenantry_tests::{Calls, Refusal, Stack, get};

use crate::PATH;

struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::all(&["journal.read"]);
}

#[tokio::test]
async fn a_scope_layer_around_the_extractor_refuses() {
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new()
            .route(PATH, calls.route())
            .layer(server.layer())
            .layer(RequireScopeLayer::all(["journal.read"]))
    });
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::misconfigured());
    stack.send(get(PATH)).await.assert_refused(&Refusal::misconfigured());
}

/// A handler per kind of argument.
fn handlers(calls: &Calls) -> Router {
    let of = |calls: &Calls| {
        let calls = calls.clone();
        move || calls.hit()
    };
    let (principal, optional, scoped) = (of(calls), of(calls), of(calls));
    Router::new()
        .route(
            "/tenant1/principal",
            on_get(move |caller: TenantPrincipal| async move {
                principal();
                caller.tenant().to_string()
            }),
        )
        .route(
            "/tenant1/optional",
            on_get(move |caller: Option<TenantPrincipal>| async move {
                optional();
                caller.map_or_else(|| "nobody".into(), |caller| caller.tenant().to_string())
            }),
        )
        .route(
            "/tenant1/scoped",
            on_get(move |caller: Scoped<Read>| async move {
                scoped();
                caller.tenant().to_string()
            }),
        )
        .route("/tenant1/layered", calls.route().layer(RequireScopeLayer::all(["journal.read"])))
}

#[tokio::test]
async fn a_handler_that_asks_for_a_tenant_does_not_run_without_an_extractor() {
    let stack = Stack::usual().await.behind(|_, calls| handlers(calls));
    let token = stack.token("tenant1").sign();
    for path in ["/tenant1/principal", "/tenant1/optional", "/tenant1/scoped", "/tenant1/layered"] {
        stack.get(path, &token).await.assert_refused(&Refusal::misconfigured());
        stack.send(get(path)).await.assert_refused(&Refusal::misconfigured());
    }
}

#[tokio::test]
async fn with_the_extractor_each_kind_of_argument_gets_the_tenant() {
    let stack = Stack::usual().await.behind(|server, calls| handlers(calls).layer(server.layer()));
    let token = stack.token("tenant1").sign();
    let weak = stack.token("tenant1").scope("tenant1.profile").sign();
    let missing = Refusal::scope_missing("tenant1.journal.read");
    for (path, needs_scope) in [
        ("/tenant1/principal", false),
        ("/tenant1/optional", false),
        ("/tenant1/scoped", true),
        ("/tenant1/layered", true),
    ] {
        stack.get(path, &token).await.assert_admitted("tenant1");
        stack.send(get(path)).await.assert_refused(&Refusal::unauthenticated());
        let answer = stack.get(path, &weak).await;
        match needs_scope {
            true => answer.assert_refused(&missing),
            false => answer.assert_admitted("tenant1"),
        }
    }
}

#[tokio::test]
async fn an_optional_layer_lets_through_who_names_nobody_and_no_bad_token() {
    let stack = Stack::usual()
        .await
        .behind(|server, calls| handlers(calls).layer(server.layer().optional()));
    let answer = stack.send(get("/tenant1/optional")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "nobody"));
    assert_eq!(answer.handler_calls, 1);
    for path in ["/tenant1/principal", "/tenant1/scoped", "/tenant1/layered"] {
        stack.send(get(path)).await.assert_refused(&Refusal::unauthenticated());
    }

    let path = "/tenant1/optional";
    let good = stack.token("tenant1");
    stack.get(path, &good.sign()).await.assert_admitted("tenant1");
    for (token, refusal) in [
        (good.clone().expires_in(-60).sign(), Refusal::expired()),
        (good.clone().tampered().sign(), Refusal::bad_signature()),
        (stack.token("tenant2").sign(), Refusal::foreign_path()),
        (
            "x".into(),
            Refusal::invalid_token(
                "token_malformed",
                "the access token is not a JWT of three parts",
            ),
        ),
        (
            "x y".into(),
            Refusal::invalid_request(
                "credentials_malformed",
                "the Authorization field is not the word Bearer, a space and one token",
            ),
        ),
    ] {
        stack.get(path, &token).await.assert_refused(&refusal);
    }
    stack.send(get("/tenant1/optional?access_token=x")).await.assert_refused(
        &Refusal::invalid_request(
            "credentials_in_query",
            "the request has an access token in its query",
        ),
    );
    // Nobody may read a path in two ways, either.
    let answer = stack.send(get("/tenant1//optional")).await;
    answer.assert_refused(&Refusal::ambiguous_path());
}

#[tokio::test]
async fn a_verifier_of_another_policy_is_a_mistake_and_not_a_permission() {
    let (one, other) = (Stack::usual().await, Stack::usual().await);
    let keys = tenantry_jwks::KeyStore::new(
        tenantry::KeySettings::default(),
        Arc::new(one.network.clone()),
        Arc::new(one.clock.clone()),
    );
    let verifier = tenantry_jwt::JwtVerifier::builder(
        one.server.policy(),
        keys,
        Arc::new(tenantry::TrustIssuers),
        Arc::new(one.clock.clone()),
    );
    let layer = TenantExtractorLayer::new(
        other.server.policy(),
        Arc::new(verifier.build().unwrap()),
        Arc::new(tenantry::TrustIssuers),
    );
    let stack =
        one.behind(|_, calls| Router::new().route(PATH, calls.route()).layer(layer.uri_is_whole()));
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_refused(&Refusal::misconfigured());
    }
}

#[tokio::test]
async fn an_answer_of_the_handler_is_handed_on_as_it_is() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let calls = calls.clone();
        let handler = move |_: TenantPrincipal| async move {
            calls.hit();
            (http::StatusCode::IM_A_TEAPOT, [("x-own", "1")], "short and stout").into_response()
        };
        Router::new().route(PATH, on_get(handler)).layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (418, "short and stout"));
    assert_eq!(answer.headers["x-own"], "1");
    assert_eq!(answer.headers["content-length"], "15");
}
