//! What a document says, asked of the router it was made with.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use axum::extract::State;
use axum::{Router, body::Body};
use http::{Request, StatusCode};
use serde_json::Value;
use tenantry::openapi::{Protection, RULE, SCHEME, required, scoped_routes, without_scope_rule};
use tenantry::{
    RequireScopeLayer, RequiredScope, ResourceServer, ScopeNeed, Scoped, TenantPrincipal,
};
use tenantry_tests::{Calls, Refusal, Stack, bearer};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::any(&["journal.read", "audit.read"]);
}

struct Book;

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
}

#[utoipa::path(get, path = "/{tenant}/journal-entries")]
async fn list(caller: Scoped<Read>, State(calls): State<Calls>) -> String {
    calls.hit();
    caller.tenant().to_string()
}

#[utoipa::path(post, path = "/{tenant}/journal-entries")]
async fn create(State(calls): State<Calls>, caller: Scoped<Book>, _: String) -> String {
    calls.hit();
    caller.tenant().to_string()
}

#[utoipa::path(get, path = "/{tenant}/export")]
async fn export(State(calls): State<Calls>, caller: TenantPrincipal) -> String {
    calls.hit();
    caller.tenant().to_string()
}

#[utoipa::path(get, path = "/{tenant}/whoami", security(("access_token" = ["journal.read"])))]
async fn whoami(State(calls): State<Calls>, caller: TenantPrincipal) -> String {
    calls.hit();
    caller.tenant().to_string()
}

fn parts(calls: &Calls) -> (Router, OpenApi) {
    let (router, api) = OpenApiRouter::new()
        .routes(scoped_routes!(list))
        .routes(scoped_routes!(create))
        .routes(required(routes!(export), RequireScopeLayer::all(["journal.read"])))
        .routes(routes!(whoami))
        .split_for_parts();
    (router.with_state(calls.clone()), api)
}

fn journal(server: &ResourceServer, calls: &Calls) -> Router {
    parts(calls).0.layer(server.layer())
}

fn request(method: &str, path: &str) -> Request<Body> {
    let path = path.replace("{tenant}", "tenant1");
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// What the document of `tenant1` says: method, path, and the lists of scopes that suffice.
fn needs(server: &ResourceServer) -> Vec<(String, String, Vec<Vec<String>>)> {
    let (_, mut api) = parts(&Calls::default());
    Protection::new(&server.policy(), "https://auth.erp.example/oauth/token")
        .for_tenant(&"tenant1".parse().unwrap())
        .document(&mut api);
    let api = serde_json::to_value(api).unwrap();
    let mut needs = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get(RULE).is_some() {
                let lists = operation["security"].as_array().unwrap().iter();
                let list = |of: &Value| serde_json::from_value(of[SCHEME].clone()).unwrap();
                needs.push((method.to_uppercase(), path.clone(), lists.map(list).collect()));
            }
        }
    }
    needs
}

#[tokio::test]
async fn a_token_with_the_scopes_of_the_tenants_document_is_let_through_and_with_less_is_not() {
    let stack = Stack::usual().await.behind(journal);
    let needs = needs(&stack.server);
    assert_eq!(needs.len(), 3);
    for (method, path, lists) in needs {
        let missing = Refusal::scope_missing(&lists[0].join(" "));
        for list in &lists {
            let token = stack.token("tenant1").scope(list.join(" ")).sign();
            let answer = stack.send(bearer(request(&method, &path), &token)).await;
            answer.assert_admitted("tenant1");
            for left_out in list {
                let less: Vec<_> =
                    list.iter().filter(|scope| *scope != left_out).cloned().collect();
                let token = stack.token("tenant1").scope(less.join(" ")).sign();
                let answer = stack.send(bearer(request(&method, &path), &token)).await;
                answer.assert_refused(&missing);
            }
        }
    }
}

#[test]
fn a_route_without_a_rule_is_listed_though_its_annotation_names_a_scope() {
    let (_, api) = parts(&Calls::default());
    assert_eq!(without_scope_rule(&api), ["GET /{tenant}/whoami"]);
}

#[tokio::test]
async fn a_probe_without_scopes_finds_the_same_route_in_any_router() {
    let stack = Stack::usual().await.behind(journal);
    let token = stack.token("tenant1").scope("").sign();
    for (method, path, covered) in [
        ("GET", "/{tenant}/journal-entries", true),
        ("POST", "/{tenant}/journal-entries", true),
        ("GET", "/{tenant}/export", true),
        ("GET", "/{tenant}/whoami", false),
    ] {
        let answer = stack.send(bearer(request(method, path), &token)).await;
        let asked =
            answer.status == StatusCode::FORBIDDEN && answer.challenge().contains("scope=\"");
        assert_eq!(asked, covered, "{method} {path}");
        assert_eq!(answer.handler_calls, usize::from(!covered), "{method} {path}");
    }
    let foreign = bearer(request("GET", "/tenant2/export"), &token);
    let answer = stack.send(foreign).await;
    answer.assert_refused(&Refusal::foreign_path());
    assert!(!answer.challenge().contains("scope=\""));
}
