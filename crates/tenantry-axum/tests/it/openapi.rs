//! What a document says is what its routes enforce.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tenantry_axum::openapi::{
    Protection, RULE, SCHEME, ScopedHandler, required, scoped_routes, without_scope_rule,
};
use tenantry_axum::{RequiredScope, Scoped, TenantPrincipal};
use tenantry_core::{Policy, ScopeNeed};
use tenantry_testkit::request_of;
use tenantry_tower::RequireScopeLayer;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::any(&["journal.read", "audit.read"]);
}

struct Book;

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
}

struct Close;

impl RequiredScope for Close {
    const NEED: ScopeNeed =
        ScopeNeed::any_of_all(&[&["finance.close", "journal.create"], &["admin"]]);
}

#[derive(Clone)]
struct Journal;

#[utoipa::path(get, path = "/{tenant}/journal-entries")]
async fn list(_: Scoped<Read>) {}

/// Its annotation lies: what it says is replaced.
#[utoipa::path(
    post,
    path = "/{tenant}/journal-entries",
    security(("access_token" = ["journal.read"])),
    responses((status = 400, description = "the entry is not balanced"))
)]
async fn create(_: State<Journal>, _: Path<String>, _: Scoped<Book>, _: String) {}

#[utoipa::path(method(put, delete), path = "/{tenant}/period")]
async fn close(_: State<Journal>, _: Scoped<Close>) {}

#[utoipa::path(get, path = "/{tenant}/export")]
async fn export(_: TenantPrincipal) {}

#[utoipa::path(get, path = "/{tenant}/audit")]
async fn audit(_: Scoped<Read>) {}

#[utoipa::path(get, path = "/{tenant}/whoami", security(("access_token" = [])))]
async fn whoami(_: TenantPrincipal) {}

/// Its annotation names a scope that nothing requires.
#[utoipa::path(get, path = "/{tenant}/claimed", security(("access_token" = ["journal.read"])))]
async fn claimed(_: TenantPrincipal) {}

#[utoipa::path(get, path = "/healthz")]
async fn healthz() {}

fn parts() -> (Router, OpenApi) {
    let inside = OpenApiRouter::new().routes(scoped_routes!(list)).routes(scoped_routes!(create));
    let (router, api) = OpenApiRouter::new()
        .merge(inside)
        .routes(scoped_routes!(close))
        .routes(required(routes!(export), RequireScopeLayer::all(["journal.read"])))
        .routes(required(scoped_routes!(audit), RequireScopeLayer::any(["audit.read", "admin"])))
        .routes(routes!(whoami))
        .routes(routes!(claimed))
        .routes(routes!(healthz))
        .split_for_parts();
    (router.with_state(Journal), api)
}

fn policy(scope: &str) -> Policy {
    Policy::builder()
        .issuer("https://auth.erp.example")
        .audience("https://api.erp.example/{tenant}")
        .scope(scope)
        .build()
        .unwrap()
}

const TOKEN_URL: &str = "https://auth.erp.example/{tenant}/oauth/token";

fn document(change: impl FnOnce(Protection) -> Protection) -> Value {
    let (_, mut api) = parts();
    change(Protection::new(&policy("{tenant}.{scope}"), TOKEN_URL)).document(&mut api);
    serde_json::to_value(api).unwrap()
}

fn operation<'a>(api: &'a Value, method: &str, path: &str) -> &'a Value {
    &api["paths"][path][method]
}

fn flow(api: &Value) -> &Value {
    &api["components"]["securitySchemes"][SCHEME]["flows"]["clientCredentials"]
}

#[test]
fn each_operation_says_what_its_handler_or_its_layer_needs() {
    let api = document(|protection| protection);
    let security = |method, path| &operation(&api, method, path)["security"];
    assert_eq!(
        *security("get", "/{tenant}/journal-entries"),
        json!([{ SCHEME: ["journal.read"] }, { SCHEME: ["audit.read"] }])
    );
    assert_eq!(
        *security("post", "/{tenant}/journal-entries"),
        json!([{ SCHEME: ["finance.write", "journal.create"] }])
    );
    for method in ["put", "delete"] {
        assert_eq!(
            *security(method, "/{tenant}/period"),
            json!([{ SCHEME: ["finance.close", "journal.create"] }, { SCHEME: ["admin"] }])
        );
    }
    assert_eq!(*security("get", "/{tenant}/export"), json!([{ SCHEME: ["journal.read"] }]));
    assert_eq!(*security("get", "/{tenant}/whoami"), json!([{ SCHEME: [] }]));
    assert_eq!(*security("get", "/healthz"), Value::Null);
}

#[test]
fn where_handler_and_layer_need_scopes_both_are_documented() {
    let api = document(|protection| protection);
    assert_eq!(
        operation(&api, "get", "/{tenant}/audit")["security"],
        json!([
            { SCHEME: ["journal.read", "audit.read"] },
            { SCHEME: ["journal.read", "admin"] },
            { SCHEME: ["audit.read"] },
            { SCHEME: ["audit.read", "admin"] },
        ])
    );
}

/// The status of `method path` for a token with these scopes.
async fn status(method: &str, path: &str, scope: &str) -> StatusCode {
    let (router, _) = parts();
    let method: Method = method.to_uppercase().parse().unwrap();
    let path = path.replace("{tenant}", "tenant1");
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(request_of("tenant1").with_scope(scope).build());
    router.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn what_is_documented_is_what_is_enforced() {
    const SCOPES: [&str; 6] =
        ["journal.read", "audit.read", "finance.write", "journal.create", "finance.close", "admin"];
    let api = document(|protection| protection);
    let mut judged = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get(RULE).is_none() {
                continue;
            }
            let needs: Vec<Vec<&str>> = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .map(|need| {
                    let scopes = need[SCHEME].as_array().unwrap();
                    scopes.iter().map(|scope| scope.as_str().unwrap()).collect()
                })
                .collect();
            for set in 0..1_u32 << SCOPES.len() {
                let held = |at: usize| set & (1 << at) != 0;
                let held: Vec<_> =
                    SCOPES.into_iter().enumerate().filter(|(at, _)| held(*at)).collect();
                let held: Vec<_> = held.into_iter().map(|(_, scope)| scope).collect();
                let enough = needs.iter().any(|need| need.iter().all(|scope| held.contains(scope)));
                let expected = if enough { StatusCode::OK } else { StatusCode::FORBIDDEN };
                let answered = status(method, path, &held.join(" ")).await;
                assert_eq!(answered, expected, "{method} {path} with {held:?}");
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 6 * 64);
}

#[test]
fn operations_without_a_rule_are_listed_whatever_their_annotations_say() {
    let (_, mut api) = parts();
    let open = ["GET /healthz", "GET /{tenant}/claimed", "GET /{tenant}/whoami"];
    assert_eq!(without_scope_rule(&api), open);
    Protection::new(&policy("{scope}"), TOKEN_URL).document(&mut api);
    assert_eq!(without_scope_rule(&api), open);
}

#[test]
fn every_method_of_a_path_is_looked_at() {
    #[utoipa::path(
        method(get, head, post, put, patch, delete, options, trace),
        path = "/{tenant}/all"
    )]
    async fn all(_: Scoped<Read>) {}

    let (_, api) = OpenApiRouter::<()>::new().routes(routes!(all)).split_for_parts();
    let found = without_scope_rule(&api);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        assert!(found.contains(&format!("{method} /{{tenant}}/all")), "{method}");
    }
    let (_, mut api) = OpenApiRouter::<()>::new().routes(scoped_routes!(all)).split_for_parts();
    assert!(without_scope_rule(&api).is_empty());
    let item = api.paths.paths.get_mut("/{tenant}/all").unwrap();
    item.query = Some(Operation::new());
    item.additional_operations.insert("PURGE".into(), Operation::new());
    assert_eq!(without_scope_rule(&api), ["QUERY /{tenant}/all", "PURGE /{tenant}/all"]);
}

#[test]
fn a_rule_is_kept_in_a_nested_router() {
    let inside = OpenApiRouter::<Journal>::new().routes(scoped_routes!(list));
    let (_, api) = OpenApiRouter::new().nest("/v1", inside).split_for_parts();
    assert!(without_scope_rule(&api).is_empty());
    let api = serde_json::to_value(api).unwrap();
    assert_eq!(
        operation(&api, "get", "/v1/{tenant}/journal-entries")[RULE],
        json!([["journal.read"], ["audit.read"]])
    );
}

#[test]
fn the_scheme_has_every_scope_with_what_it_is_good_for() {
    let api = document(|protection| protection.describe("journal.read", "see the entries"));
    assert_eq!(api["components"]["securitySchemes"][SCHEME]["type"], "oauth2");
    assert_eq!(flow(&api)["tokenUrl"], TOKEN_URL);
    assert_eq!(
        flow(&api)["scopes"],
        json!({
            "admin": "needed for DELETE /{tenant}/period, GET /{tenant}/audit, PUT /{tenant}/period",
            "audit.read": "needed for GET /{tenant}/audit, GET /{tenant}/journal-entries",
            "finance.close": "needed for DELETE /{tenant}/period, PUT /{tenant}/period",
            "finance.write": "needed for POST /{tenant}/journal-entries",
            "journal.create":
                "needed for DELETE /{tenant}/period, POST /{tenant}/journal-entries, PUT /{tenant}/period",
            "journal.read": "see the entries",
        })
    );
}

#[test]
fn a_tenants_document_has_scopes_as_its_tokens_have_them() {
    let tenant = "tenant1".parse().unwrap();
    let api = document(|protection| protection.describe("journal.read", "see").for_tenant(&tenant));
    assert_eq!(
        operation(&api, "post", "/{tenant}/journal-entries")["security"],
        json!([{ SCHEME: ["tenant1.finance.write", "tenant1.journal.create"] }])
    );
    assert_eq!(
        operation(&api, "post", "/{tenant}/journal-entries")[RULE],
        json!([["finance.write", "journal.create"]])
    );
    assert_eq!(flow(&api)["tokenUrl"], "https://auth.erp.example/tenant1/oauth/token");
    let scopes = flow(&api)["scopes"].as_object().unwrap();
    assert_eq!(scopes["tenant1.journal.read"], "see");
    assert!(scopes.keys().all(|scope| scope.starts_with("tenant1.")), "{scopes:?}");
}

#[test]
fn what_qualifies_scopes_without_a_tenant_is_written_for_everyone() {
    let (_, mut api) = parts();
    Protection::new(&policy("erp/{scope}"), TOKEN_URL).document(&mut api);
    let api = serde_json::to_value(api).unwrap();
    assert_eq!(
        operation(&api, "get", "/{tenant}/export")["security"],
        json!([{ SCHEME: ["erp/journal.read"] }])
    );
    assert!(flow(&api)["scopes"]["erp/journal.read"].is_string());
}

#[test]
fn protected_operations_have_the_answers_to_refused_requests() {
    let api = document(|protection| protection);
    for (method, path) in [
        ("get", "/{tenant}/journal-entries"),
        ("get", "/{tenant}/export"),
        ("get", "/{tenant}/whoami"),
    ] {
        for status in ["400", "401", "403", "503"] {
            let named = format!("Refused{status}");
            assert_eq!(
                operation(&api, method, path)["responses"][status],
                json!({ "$ref": format!("#/components/responses/{named}") }),
            );
            let answer = &api["components"]["responses"][&named];
            assert_eq!(
                answer["content"]["application/problem+json"]["schema"],
                json!({ "$ref": "#/components/schemas/Refusal" })
            );
        }
    }
    let entry = &operation(&api, "post", "/{tenant}/journal-entries")["responses"];
    assert_eq!(entry["400"], json!({ "description": "the entry is not balanced" }));
    assert!(entry["401"].is_object());
    assert_eq!(operation(&api, "get", "/healthz")["responses"], json!({}));

    let answers = &api["components"]["responses"];
    assert!(answers["Refused401"]["headers"]["WWW-Authenticate"].is_object());
    assert!(answers["Refused503"]["headers"]["Retry-After"].is_object());
    assert!(answers["Refused503"]["headers"].get("WWW-Authenticate").is_none());
    let codes = |name: &str| answers[name]["description"].as_str().unwrap().to_owned();
    assert!(codes("Refused403").contains("`tenant_mismatch.path`"));
    assert!(!codes("Refused401").contains("`tenant_mismatch.path`"));
}

#[test]
fn the_schema_of_a_refusal_has_the_members_of_one() {
    let api = document(|protection| protection);
    let schema = &api["components"]["schemas"]["Refusal"];
    let refusal = tenantry_core::Rejection::new(tenantry_core::Reason::TokenExpired).to_response();
    let refusal: Value = serde_json::from_slice(refusal.body()).unwrap();
    let mut required = schema["required"].as_array().unwrap().clone();
    required.sort_by_key(ToString::to_string);
    let members: Vec<_> = refusal.as_object().unwrap().keys().map(|name| json!(name)).collect();
    assert_eq!(required, members);
    for name in refusal.as_object().unwrap().keys() {
        assert!(schema["properties"].get(name).is_some(), "{name}");
    }
    assert!(schema["properties"]["scope"].is_object());
}

#[test]
fn refusals_without_a_body_are_documented_without_one() {
    let (_, mut api) = parts();
    let policy = Policy::builder()
        .issuer("https://auth.erp.example")
        .audience("https://api.erp.example/{tenant}")
        .problem_details(false)
        .build()
        .unwrap();
    Protection::new(&policy, TOKEN_URL).document(&mut api);
    let api = serde_json::to_value(api).unwrap();
    assert_eq!(api["components"]["responses"]["Refused401"].get("content"), None);
    assert_eq!(api["components"]["schemas"].get("Refusal"), None);
}

#[test]
fn writing_twice_is_writing_once() {
    let (_, mut api) = parts();
    let protection = Protection::new(&policy("{tenant}.{scope}"), TOKEN_URL);
    protection.document(&mut api);
    let once = api.clone();
    protection.document(&mut api);
    assert!(api == once);
}

#[test]
fn the_argument_is_found_in_every_place_up_to_the_sixteenth() {
    fn need<A, H: ScopedHandler<A>>(_: H) -> Vec<Vec<&'static str>> {
        const { &H::NEED }.alternatives()
    }
    type B = bool;
    let book = [["finance.write", "journal.create"]];
    assert_eq!(need(async |_: Scoped<Book>| {}), book);
    assert_eq!(need(async |_: B, _: Scoped<Book>| {}), book);
    assert_eq!(need(async |_: Scoped<Book>, _: B| {}), book);
    assert_eq!(need(async |_: B, _: Scoped<Book>, _: B| {}), book);
    #[rustfmt::skip]
    let last = async |
        _: B, _: B, _: B, _: B, _: B, _: B, _: B, _: B,
        _: B, _: B, _: B, _: B, _: B, _: B, _: B, _: Scoped<Book>,
    | {};
    assert_eq!(need(last), book);
    #[rustfmt::skip]
    let first = async |
        _: Scoped<Book>, _: B, _: B, _: B, _: B, _: B, _: B, _: B,
        _: B, _: B, _: B, _: B, _: B, _: B, _: B, _: B,
    | {};
    assert_eq!(need(first), book);
}
