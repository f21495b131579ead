//! Browsers on other origins: `docs/cors.md`, sentence by sentence.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use axum::Router;
use axum::body::Body;
use axum::routing::{get as on_get, post as on_post};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CONTENT_TYPE,
    ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use tenantry::{RequireScopeLayer, ResourceServer};
use tenantry_tests::{Answer, Calls, Refusal, Stack, bearer, get};
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;

const PATH: &str = "/tenant1/journal-entries";
const APP: &str = "https://app.erp.example";
const ELSEWHERE: &str = "https://elsewhere.example";

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin([HeaderValue::from_static(APP)])
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-tenant-id")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER])
}

fn routes(calls: &Calls) -> Router {
    let read = RequireScopeLayer::all(["journal.read"]);
    let create = RequireScopeLayer::all(["finance.write", "journal.create"]);
    Router::new()
        .route("/{tenant}/journal-entries", on_get(calls.handler()).layer(read))
        .route("/{tenant}/journal-entries", on_post(calls.handler()).layer(create))
}

fn right(server: &ResourceServer, calls: &Calls) -> Router {
    routes(calls).layer(server.layer()).layer(cors())
}

fn in_one_stack(server: &ResourceServer, calls: &Calls) -> Router {
    routes(calls).layer(ServiceBuilder::new().layer(cors()).layer(server.layer()))
}

/// What `docs/cors.md` warns of.
fn wrong(server: &ResourceServer, calls: &Calls) -> Router {
    routes(calls).layer(cors()).layer(server.layer())
}

/// As a browser asks before a `GET` with an access token.
fn preflight(origin: &'static str) -> Request<Body> {
    Request::options(PATH)
        .header(ORIGIN, origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
        .body(Body::empty())
        .unwrap()
}

fn from(origin: &'static str, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(ORIGIN, HeaderValue::from_static(origin));
    request
}

/// Asserts that a script of the application may read the answer, and the fields that it needs.
#[track_caller]
fn assert_readable(answer: &Answer) {
    assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN), [APP], "{}", answer.what);
    assert_eq!(
        answer.all(ACCESS_CONTROL_EXPOSE_HEADERS),
        ["www-authenticate,retry-after"],
        "{}",
        answer.what
    );
    assert!(answer.all(VARY).join(",").contains("origin"), "{}", answer.what);
    assert!(answer.all(ACCESS_CONTROL_ALLOW_CREDENTIALS).is_empty(), "{}", answer.what);
}

#[tokio::test]
async fn a_preflight_is_answered_without_credentials() {
    let stack = Stack::usual().await;
    for router in [right, in_one_stack] {
        let stack = stack.behind(router);
        let answer = stack.send(preflight(APP)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN), [APP]);
        assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_METHODS), ["GET,POST"]);
        assert_eq!(
            answer.all(ACCESS_CONTROL_ALLOW_HEADERS),
            ["authorization,content-type,x-tenant-id"]
        );
        assert!(answer.all(WWW_AUTHENTICATE).is_empty());
        assert_eq!(answer.text(), "");
        assert_eq!(answer.handler_calls, 0);
    }
}

#[tokio::test]
async fn a_preflight_from_a_foreign_origin_gets_no_permission() {
    let stack = Stack::usual().await.behind(right);
    let answer = stack.send(preflight(ELSEWHERE)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty());
    assert_eq!(answer.handler_calls, 0);
}

#[tokio::test]
async fn in_the_wrong_order_a_preflight_is_refused() {
    let stack = Stack::usual().await.behind(wrong);
    let answer = stack.send(preflight(APP)).await;
    answer.assert_refused(&Refusal::unauthenticated());
    assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty());
}

#[tokio::test]
async fn in_the_wrong_order_a_script_cannot_read_a_refusal() {
    let stack = Stack::usual().await.behind(wrong);
    let answer = stack.send(from(APP, get(PATH))).await;
    answer.assert_refused(&Refusal::unauthenticated());
    assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty());
    assert!(answer.all(ACCESS_CONTROL_EXPOSE_HEADERS).is_empty());
}

#[tokio::test]
async fn with_route_layer_a_script_cannot_read_that_an_address_is_wrong() {
    let stack = Stack::usual().await;
    let for_routes = |server: &ResourceServer, calls: &Calls| {
        routes(calls).layer(server.layer()).route_layer(cors())
    };
    let token = stack.token("tenant1").sign();
    for (router, origins) in
        [(right as fn(&_, &_) -> _, vec![APP]), (for_routes as fn(&_, &_) -> _, vec![])]
    {
        let stack = stack.behind(router);
        let answer = stack.send(from(APP, bearer(get("/tenant1/nowhere"), &token))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN), origins);
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused_and_a_script_can_read_why() {
    let stack = Stack::usual().await;
    for router in [right, in_one_stack] {
        let answer = stack.behind(router).send(from(APP, get(PATH))).await;
        answer.assert_refused(&Refusal::unauthenticated());
        assert_readable(&answer);
    }
    let answer = stack.behind(right).send(from(ELSEWHERE, get(PATH))).await;
    answer.assert_refused(&Refusal::unauthenticated());
    assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty());
}

#[tokio::test]
async fn a_script_can_read_the_refusals_of_bad_tokens_tenants_and_scopes() {
    let stack = Stack::usual().await.behind(right);
    let good = stack.token("tenant1").sign();
    let expired = stack.token("tenant1").expires_in(-3600).sign();
    let without_scope = stack.token("tenant1").scope("").sign();
    for (path, token, refusal) in [
        (PATH, &expired, Refusal::expired()),
        ("/tenant2/journal-entries", &good, Refusal::foreign_path()),
        (PATH, &without_scope, Refusal::scope_missing("tenant1.journal.read")),
        ("//tenant1/journal-entries", &good, Refusal::ambiguous_path()),
    ] {
        let answer = stack.send(from(APP, bearer(get(path), token))).await;
        answer.assert_refused(&refusal);
        assert_readable(&answer);
    }
}

#[tokio::test]
async fn a_script_can_read_when_to_come_back() {
    let stack = Stack::fetching().await.behind(right);
    stack.network.fail();
    let token = stack.token("tenant1").sign();
    let answer = stack.send(from(APP, bearer(get(PATH), &token))).await;
    answer.assert_refused(&Refusal::unavailable("keys_unavailable", "1"));
    assert_readable(&answer);
}

#[tokio::test]
async fn what_is_let_through_is_readable_for_the_application_only() {
    let stack = Stack::usual().await.behind(right);
    let token = stack.token("tenant1").sign();
    let answer = stack.send(from(APP, bearer(get(PATH), &token))).await;
    answer.assert_admitted("tenant1");
    assert_readable(&answer);

    let answer = stack.send(from(ELSEWHERE, bearer(get(PATH), &token))).await;
    answer.assert_admitted("tenant1");
    assert!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN).is_empty());
}
