//! A journal in memory, sound or with one hole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Path, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tenantry::{RequireScopeLayer, ResourceServer, TenantAwareRequest};
use tower_service::Service as _;

/// What is wrong with the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hole {
    // Layers.
    LayerMissing,
    LayerBelowRoute,
    LayerBelowFallback,
    LayerBelowMethod,
    LayerOptional,
    LayerInNestSeesShortPath,
    // Who the caller is.
    TenantFromHeader,
    TenantFromOrgHeader,
    TenantFromHost,
    TenantFromForwardedHost,
    TenantFromForwardedPath,
    TenantFromCookie,
    TenantFromQuery,
    TenantFromBody,
    TenantFromOtherSegment,
    TenantFromSubject,
    TenantFromOtherClaim,
    TenantInPathComparedByPrefix,
    TenantInPathComparedWithoutCase,
    TenantInPathNotCompared,
    WhoamiFromHeader,
    // Credentials and tokens, looked at by somebody else than the layer.
    CredentialsFromCookie,
    CredentialsFromQuery,
    CredentialsFirstOfTwo,
    CredentialsNotAskedInside,
    CredentialsNotAskedForDirectories,
    TokenUnsigned,
    TokenOfItsOwnKey,
    TokenOfAnyIssuer,
    // The store.
    StoreIgnoresTenant,
    StoreIgnoresCase,
    StoreComparesByLike,
    StoreComparesByPrefix,
    ReadById,
    CopyById,
    DeleteById,
    ReplaceById,
    ErrorShowsData,
    HeaderShowsData,
    // Scopes.
    ScopeMissing,
    ScopeAnyOfThem,
    ScopeByPrefix,
    ScopeBeginsTheNeeded,
    ScopeOfAnyTenant,
    ScopeFromRoles,
    // Caches.
    CacheByTokenId,
    CacheBySubject,
    CacheByPayload,
    CacheBySignature,
    CacheByWholeToken,
    CacheOfScopesByTokenId,
    CacheOfAnswersByPath,
    CacheOfAnswersInside,
    // Paths.
    PathRepairedOutside,
    // Others.
    PanicsOnHeader,
}

/// Who a request is from, as the handlers are told.
#[derive(Clone, Debug)]
struct Caller {
    tenant: String,
    scopes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Row {
    id: u64,
    tenant: String,
    memo: String,
}

/// The service's state.
#[derive(Clone, Debug, Default)]
struct Journal {
    rows: Arc<Mutex<Vec<Row>>>,
    last_id: Arc<Mutex<u64>>,
    kept: Arc<Mutex<HashMap<String, Caller>>>,
    answers: Arc<Mutex<HashMap<String, Bytes>>>,
}

/// The sound service.
pub(crate) fn sound(server: &ResourceServer) -> Router {
    service(server, None, "/{tenant}")
}

/// The service with addresses that begin otherwise.
pub(crate) fn sound_at(server: &ResourceServer, base: &str) -> Router {
    service(server, None, base)
}

/// The service with one hole.
pub(crate) fn with_hole(server: &ResourceServer, hole: Hole) -> Router {
    service(server, Some(hole), "/{tenant}")
}

fn service(server: &ResourceServer, hole: Option<Hole>, base: &str) -> Router {
    let journal = Journal::default();
    let open = routes(&journal, hole, base);
    let identify = from_fn(move |request: Request, next: Next| identify(hole, request, next));
    let cache = {
        let journal = journal.clone();
        from_fn(move |request: Request, next: Next| {
            let journal = journal.clone();
            async move { keep_caller(hole, &journal, request, next).await }
        })
    };
    let guarded = open.clone().layer(cache).layer(identify.clone());
    let guarded = match hole {
        Some(Hole::LayerMissing) => guarded,
        Some(Hole::LayerOptional) => guarded.layer(server.layer().optional()),
        Some(Hole::LayerInNestSeesShortPath) => {
            let inner = guarded.layer(server.tower_layer().uri_is_whole());
            return Router::new().nest("/{org}", inner);
        }
        Some(Hole::LayerBelowRoute) => {
            let late = Router::new().route(&format!("{base}/journal-entries/{{id}}"), {
                let journal = journal.clone();
                get(move |Path(path): Path<HashMap<String, String>>| async move {
                    let id = path.get("id").and_then(|id| id.parse().ok()).unwrap_or(0);
                    let tenant = path.get("tenant").cloned().unwrap_or_default();
                    journal.find(None, id, &tenant)
                })
            });
            return unrouted(&journal, base).layer(identify).layer(server.layer()).merge(late);
        }
        Some(Hole::LayerBelowMethod) => {
            let path = format!("{base}/journal-entries");
            let journal = journal.clone();
            let replace = put(
                move |Path(path): Path<HashMap<String, String>>, body: Json<Value>| async move {
                    let tenant = path.get("tenant").cloned().unwrap_or_default();
                    journal.add(&tenant, memo(&body)).1.into_response()
                },
            );
            guarded.layer(server.layer()).route(&path, replace)
        }
        Some(Hole::LayerBelowFallback) => {
            let journal = journal.clone();
            guarded.layer(server.layer()).fallback(move |uri: Uri| async move {
                journal.list(None, first_segment(&uri)).into_response()
            })
        }
        _ => guarded.layer(server.layer()),
    };
    around(guarded, open, journal, hole)
}

/// What stands in front of the guarded service.
fn around(guarded: Router, open: Router, journal: Journal, hole: Option<Hole>) -> Router {
    let front = move |mut request: Request| {
        let (mut guarded, mut open, journal) = (guarded.clone(), open.clone(), journal.clone());
        async move {
            let key = token(request.headers()).and_then(|token| kept_by(hole, &token));
            let known = key.as_ref().and_then(|key| journal.kept.lock().unwrap().get(key).cloned());
            if let Some(caller) = known.or_else(|| let_in(hole, &request)) {
                request.extensions_mut().insert(caller);
                return open.call(request).await.unwrap();
            }
            let path = request.uri().path().to_owned();
            let reads = request.method() == "GET";
            if hole == Some(Hole::CacheOfAnswersByPath)
                && reads
                && let Some(body) = journal.answers.lock().unwrap().get(&path).cloned()
            {
                return body.into_response();
            }
            rewrite(hole, &mut request);
            let caller = token(request.headers()).map(|token| caller_of(&claims(&token)));
            let response: Response = guarded.call(request).await.unwrap();
            if let (Some(key), Some(caller), true) = (key, caller, response.status().is_success()) {
                journal.kept.lock().unwrap().insert(key, caller);
            }
            if hole == Some(Hole::CacheOfAnswersByPath) && reads && response.status().is_success() {
                let (parts, body) = response.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                journal.answers.lock().unwrap().insert(path, body.clone());
                return Response::from_parts(parts, Body::from(body));
            }
            response
        }
    };
    Router::new().fallback(front)
}

/// By what a cache of whole decisions knows a token.
fn kept_by(hole: Option<Hole>, token: &str) -> Option<String> {
    let (start, signature) = token.rsplit_once('.')?;
    match hole? {
        Hole::CacheByPayload => Some(start.into()),
        Hole::CacheBySignature => Some(signature.into()).filter(|text: &String| !text.is_empty()),
        Hole::CacheByWholeToken => Some(token.into()),
        _ => None,
    }
}

/// Who gets past the layer altogether.
fn let_in(hole: Option<Hole>, request: &Request) -> Option<Caller> {
    let path = request.uri().path();
    let of_path = || Caller { tenant: first_segment(request.uri()).into(), scopes: all_scopes() };
    match hole? {
        Hole::CredentialsNotAskedInside => {
            request.headers().contains_key("x-internal").then(of_path)
        }
        Hole::CredentialsNotAskedForDirectories => path.ends_with(".json").then(of_path),
        Hole::TokenUnsigned => {
            let token = token(request.headers())?;
            let header = part(&token, 0);
            header["alg"].as_str()?.eq_ignore_ascii_case("none").then(|| caller_of(&claims(&token)))
        }
        Hole::TokenOfItsOwnKey => {
            let token = token(request.headers())?;
            let inside = part(&token, 0).get("jwk").is_some();
            inside.then(|| caller_of(&claims(&token)))
        }
        Hole::TokenOfAnyIssuer => {
            let claims = claims(&token(request.headers())?);
            let known = ["https://auth.erp.example"];
            let iss = claims["iss"].as_str()?;
            (!known.contains(&iss) && iss.starts_with("https://other.")).then(|| caller_of(&claims))
        }
        _ => None,
    }
}

/// What a proxy in front makes of a request.
fn rewrite(hole: Option<Hole>, request: &mut Request) {
    let Some(hole) = hole else { return };
    let bearer = |token: &str| HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match hole {
        Hole::CredentialsFromCookie => {
            let cookie = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
            let token = cookie.and_then(|cookie| cookie.strip_prefix("session=")).and_then(bearer);
            if let Some(token) = token {
                request.headers_mut().insert(AUTHORIZATION, token);
            }
        }
        Hole::CredentialsFromQuery => {
            if let Some(token) = query.strip_prefix("token=").and_then(bearer) {
                request.headers_mut().insert(AUTHORIZATION, token);
            }
        }
        Hole::CredentialsFirstOfTwo => {
            if let Some(first) = request.headers().get(AUTHORIZATION).cloned() {
                request.headers_mut().insert(AUTHORIZATION, first);
            }
        }
        Hole::PathRepairedOutside => {
            let mut path = request.uri().path().to_owned();
            while path.contains("//") {
                path = path.replace("//", "/");
            }
            if let Ok(uri) = path.parse() {
                *request.uri_mut() = uri;
                // As if it were done before any router.
                request.extensions_mut().remove::<OriginalUri>();
            }
        }
        _ => {}
    }
}

/// Tells the handlers who the caller is.
async fn identify(hole: Option<Hole>, mut request: Request, next: Next) -> Response {
    let proven = request.extensions().get::<TenantAwareRequest>();
    let mut caller = match proven {
        Some(proven) => Caller {
            tenant: proven.tenant().to_string(),
            scopes: proven.scopes().map(ToString::to_string).collect(),
        },
        None => Caller { tenant: first_segment(request.uri()).into(), scopes: all_scopes() },
    };
    let headers = request.headers();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = token(headers).unwrap_or_default();
    let original = request.extensions().get::<OriginalUri>();
    let other = match hole {
        Some(Hole::TenantFromHeader) => header("x-tenant-id"),
        Some(Hole::TenantFromOrgHeader) => header("x-org-id"),
        Some(Hole::TenantFromHost) => {
            header("host").and_then(|host| host.split('.').next()).filter(|label| *label != "api")
        }
        Some(Hole::TenantFromForwardedHost) => {
            header("x-forwarded-host").and_then(|host| host.split('.').next())
        }
        Some(Hole::TenantFromForwardedPath) => {
            header("x-original-url").and_then(|path| path.split('/').nth(1))
        }
        Some(Hole::TenantFromCookie) => {
            header("cookie").and_then(|cookie| cookie.strip_prefix("tenant="))
        }
        Some(Hole::TenantFromQuery) => {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').find_map(|pair| pair.strip_prefix("tenant_id="))
        }
        Some(Hole::LayerInNestSeesShortPath) => {
            original.and_then(|OriginalUri(uri)| uri.path().split('/').nth(1))
        }
        _ => None,
    };
    let claims = claims(&token);
    let claim = |name: &str| claims[name].as_str();
    let path = first_segment(request.uri());
    let own = caller.tenant.as_str();
    let other = other.or(match hole {
        Some(Hole::TenantFromSubject) => {
            claim("sub").filter(|subject| subject.starts_with("tenant"))
        }
        Some(Hole::TenantFromOtherClaim) => claim("organization_id"),
        Some(Hole::TenantInPathComparedByPrefix) => Some(path).filter(|path| path.starts_with(own)),
        Some(Hole::TenantInPathComparedWithoutCase) => Some(path),
        Some(Hole::TenantInPathNotCompared) => Some(path),
        _ => None,
    });
    if hole == Some(Hole::TenantInPathComparedByPrefix) && other.is_none()
        || hole == Some(Hole::TenantInPathComparedWithoutCase) && !path.eq_ignore_ascii_case(own)
    {
        return StatusCode::FORBIDDEN.into_response();
    }
    if hole == Some(Hole::TenantInPathComparedWithoutCase) {
        caller.tenant = path.to_ascii_lowercase();
    } else if let Some(other) = other {
        caller.tenant = other.into();
    }
    if hole == Some(Hole::ScopeFromRoles) {
        let roles = claims["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let unqualified = roles.filter_map(|role| role.split_once('.')).map(|(_, scope)| scope);
        caller.scopes.extend(unqualified.map(Into::into));
    }
    if hole == Some(Hole::ScopeOfAnyTenant) {
        let written = claims["scope"].as_str().unwrap_or_default().split(' ');
        let unqualified = written.filter_map(|scope| scope.split_once('.')).map(|(_, scope)| scope);
        caller.scopes = unqualified.map(Into::into).collect();
    }
    if hole == Some(Hole::PanicsOnHeader) && header("forwarded").is_some() {
        panic!("planted");
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// A cache of callers behind the layer, keyed by something that several tokens have.
async fn keep_caller(
    hole: Option<Hole>,
    journal: &Journal,
    mut request: Request,
    next: Next,
) -> Response {
    let claims = claims(&token(request.headers()).unwrap_or_default());
    let key = match hole {
        Some(Hole::CacheByTokenId | Hole::CacheOfScopesByTokenId) => claims["jti"].as_str(),
        Some(Hole::CacheBySubject) => claims["sub"].as_str(),
        _ => None,
    };
    if let (Some(key), Some(caller)) = (key, request.extensions().get::<Caller>().cloned()) {
        let mut kept = journal.kept.lock().unwrap();
        let known = kept.entry(key.into()).or_insert_with(|| caller.clone()).clone();
        drop(kept);
        let caller = match hole {
            Some(Hole::CacheOfScopesByTokenId) => Caller { scopes: known.scopes, ..caller },
            _ => known,
        };
        request.extensions_mut().insert(caller);
    }
    if hole == Some(Hole::CacheOfAnswersInside) && request.method() == "GET" {
        // By what follows the tenant, as if the tenant were not part of the address.
        let path = request.uri().path().splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        if let Some(body) = journal.answers.lock().unwrap().get(&path).cloned() {
            return body.into_response();
        }
        let response = next.run(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        if parts.status.is_success() && body.len() > 2 {
            journal.answers.lock().unwrap().insert(path, body.clone());
        }
        return Response::from_parts(parts, Body::from(body));
    }
    next.run(request).await
}

fn routes(journal: &Journal, hole: Option<Hole>, base: &str) -> Router {
    let own_scopes = matches!(
        hole,
        Some(
            Hole::LayerMissing
                | Hole::LayerOptional
                | Hole::ScopeMissing
                | Hole::ScopeAnyOfThem
                | Hole::ScopeByPrefix
                | Hole::ScopeBeginsTheNeeded
                | Hole::ScopeOfAnyTenant
                | Hole::ScopeFromRoles
                | Hole::CacheOfScopesByTokenId
                | Hole::TokenUnsigned
                | Hole::TokenOfItsOwnKey
                | Hole::TokenOfAnyIssuer
                | Hole::CacheByPayload
                | Hole::CacheBySignature
                | Hole::CacheByWholeToken
                | Hole::CredentialsNotAskedInside
                | Hole::CredentialsNotAskedForDirectories
        )
    );
    let state = journal.clone();
    let list = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>| async move {
            if own_scopes && !permits(hole, &caller, &["journal.read"]) {
                return StatusCode::FORBIDDEN.into_response();
            }
            journal.list(hole, &caller.tenant).into_response()
        }
    };
    let create = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>, uri: OriginalUri, body: Json<Value>| async move {
            if own_scopes && !permits(hole, &caller, &["finance.write", "journal.create"]) {
                return StatusCode::FORBIDDEN.into_response();
            }
            let named = body["tenantId"].as_str().filter(|_| hole == Some(Hole::TenantFromBody));
            let (id, row) = journal.add(named.unwrap_or(&caller.tenant), memo(&body));
            let location = [(LOCATION, format!("{}/{id}", uri.path()))];
            (StatusCode::CREATED, location, row).into_response()
        }
    };
    let find = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>, Path(path): Path<HashMap<String, String>>| async move {
            if own_scopes && !permits(hole, &caller, &["journal.read"]) {
                return StatusCode::FORBIDDEN.into_response();
            }
            journal.find(hole, id(&path), &caller.tenant)
        }
    };
    let delete = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>, Path(path): Path<HashMap<String, String>>| async move {
            if own_scopes && !permits(hole, &caller, &["journal.delete"]) {
                return StatusCode::FORBIDDEN;
            }
            let (id, by_id) = (id(&path), hole == Some(Hole::DeleteById));
            let mut rows = journal.rows.lock().unwrap();
            rows.retain(|row| row.id != id || !by_id && row.tenant != caller.tenant);
            StatusCode::NO_CONTENT
        }
    };
    let replace = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>,
              Path(path): Path<HashMap<String, String>>,
              body: Json<Value>| async move {
            if own_scopes && !permits(hole, &caller, &["journal.create"]) {
                return StatusCode::FORBIDDEN;
            }
            let (id, by_id) = (id(&path), hole == Some(Hole::ReplaceById));
            let mut rows = journal.rows.lock().unwrap();
            let found =
                rows.iter_mut().find(|row| row.id == id && (by_id || row.tenant == caller.tenant));
            let Some(row) = found else { return StatusCode::NOT_FOUND };
            row.memo = memo(&body).into();
            StatusCode::NO_CONTENT
        }
    };
    let copy = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>, body: Json<Value>| async move {
            let id = body["of"].as_str().and_then(|id| id.parse::<u64>().ok()).unwrap_or(0);
            let rows = journal.rows.lock().unwrap();
            let by_id = hole == Some(Hole::CopyById);
            let row =
                rows.iter().find(|row| row.id == id && (by_id || row.tenant == caller.tenant));
            let Some(memo) = row.map(|row| format!("{}, again: {}", row.memo, memo(&body))) else {
                return StatusCode::NOT_FOUND;
            };
            drop(rows);
            let _ = journal.add(&caller.tenant, &memo);
            StatusCode::CREATED
        }
    };
    let report = {
        let journal = state.clone();
        move |Extension(caller): Extension<Caller>, Path(path): Path<HashMap<String, String>>| async move {
            let of = path.get("report").filter(|_| hole == Some(Hole::TenantFromOtherSegment));
            let of = of.filter(|name| *name != "all").unwrap_or(&caller.tenant);
            if own_scopes && !permits(hole, &caller, &["journal.read"]) {
                return StatusCode::FORBIDDEN.into_response();
            }
            journal.list(hole, of).into_response()
        }
    };
    let whoami = move |Extension(caller): Extension<Caller>, headers: HeaderMap| async move {
        let other = headers.get("x-tenant").and_then(|value| value.to_str().ok());
        let other = other.filter(|_| hole == Some(Hole::WhoamiFromHeader));
        let client = claims(&token(&headers).unwrap_or_default())["client_id"].clone();
        Json(json!({ "tenant": other.unwrap_or(&caller.tenant), "client": client }))
    };
    let need = |names: &'static [&'static str]| match names {
        ["finance.write", ..] => RequireScopeLayer::all(["finance.write", "journal.create"]),
        ["journal.create"] => RequireScopeLayer::all(["journal.create"]),
        ["journal.delete"] => RequireScopeLayer::all(["journal.delete"]),
        _ => RequireScopeLayer::all(["journal.read"]),
    };
    let copying = format!("{base}/copies");
    let [entries, entry, reports, who] = [
        format!("{base}/journal-entries"),
        format!("{base}/journal-entries/{{id}}"),
        format!("{base}/reports/{{report}}"),
        format!("{base}/whoami"),
    ];
    let copies = post(copy).layer(RequireScopeLayer::all(["journal.create"]));
    let router = Router::new().route(&who, get(whoami));
    let router = if own_scopes { router } else { router.route(&copying, copies) };
    let router = if own_scopes {
        router
            .route(&entries, get(list).post(create))
            .route(&entry, get(find).delete(delete).put(replace))
            .route(&reports, get(report))
    } else {
        router
            .route(&entries, get(list).layer(need(&["journal.read"])))
            .route(&entries, post(create).layer(need(&["finance.write", "journal.create"])))
            .route(&entry, get(find).layer(need(&["journal.read"])))
            .route(&entry, axum::routing::delete(delete).layer(need(&["journal.delete"])))
            .route(&entry, put(replace).layer(need(&["journal.create"])))
            .route(&reports, get(report).layer(need(&["journal.read"])))
    };
    if hole == Some(Hole::CredentialsNotAskedForDirectories) {
        // A route for people who want the file.
        let journal = state;
        return router.route(
            &format!("{base}/journal-entries.json"),
            get(move |Extension(caller): Extension<Caller>| async move {
                journal.list(None, &caller.tenant)
            }),
        );
    }
    router
}

/// The service without the route that comes later.
fn unrouted(journal: &Journal, base: &str) -> Router {
    let (list, create) = (journal.clone(), journal.clone());
    let entries = format!("{base}/journal-entries");
    let read = RequireScopeLayer::all(["journal.read"]);
    let write = RequireScopeLayer::all(["finance.write", "journal.create"]);
    Router::new()
        .route(
            &entries,
            get(move |Extension(caller): Extension<Caller>| async move {
                list.list(None, &caller.tenant)
            })
            .layer(read),
        )
        .route(
            &entries,
            post(move |Extension(caller): Extension<Caller>, body: Json<Value>| async move {
                create.add(&caller.tenant, memo(&body)).1
            })
            .layer(write),
        )
}

impl Journal {
    fn add(&self, tenant: &str, memo: &str) -> (u64, Json<Value>) {
        let mut last = self.last_id.lock().unwrap();
        *last += 1;
        let row = Row { id: *last, tenant: tenant.into(), memo: memo.into() };
        self.rows.lock().unwrap().push(row);
        (*last, Json(json!({ "id": *last })))
    }

    fn list(&self, hole: Option<Hole>, tenant: &str) -> Response {
        let rows = self.rows.lock().unwrap();
        let own = rows.iter().filter(|row| is_of(hole, row, tenant));
        let memos: Vec<_> = own.map(|row| json!({ "id": row.id, "memo": row.memo })).collect();
        let response = Json(memos).into_response();
        match rows.last().filter(|_| hole == Some(Hole::HeaderShowsData)) {
            Some(last) => ([("x-last-memo", last.memo.clone())], response).into_response(),
            None => response,
        }
    }

    fn find(&self, hole: Option<Hole>, id: u64, tenant: &str) -> Response {
        let rows = self.rows.lock().unwrap();
        let Some(row) = rows.iter().find(|row| row.id == id) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if row.tenant == tenant || hole == Some(Hole::ReadById) {
            return Json(json!({ "id": id, "memo": row.memo })).into_response();
        }
        match hole {
            Some(Hole::ErrorShowsData) => {
                let text = format!("`{}` is not yours", row.memo);
                (StatusCode::NOT_FOUND, text).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

fn is_of(hole: Option<Hole>, row: &Row, tenant: &str) -> bool {
    match hole {
        Some(Hole::StoreIgnoresTenant) => true,
        Some(Hole::StoreIgnoresCase) => row.tenant.eq_ignore_ascii_case(tenant),
        Some(Hole::StoreComparesByLike) => {
            row.tenant.len() == tenant.len()
                && row.tenant.bytes().zip(tenant.bytes()).all(|(a, b)| a == b || b == b'_')
        }
        Some(Hole::StoreComparesByPrefix) => row.tenant.starts_with(tenant),
        _ => row.tenant == tenant,
    }
}

fn permits(hole: Option<Hole>, caller: &Caller, needed: &[&str]) -> bool {
    let held = &caller.scopes;
    let has = |need: &&str| match hole {
        Some(Hole::ScopeByPrefix) => held.iter().any(|scope| scope.starts_with(need)),
        Some(Hole::ScopeBeginsTheNeeded) => {
            held.iter().any(|scope| need.starts_with(scope.as_str()))
        }
        _ => held.iter().any(|scope| scope == need),
    };
    match hole {
        Some(Hole::ScopeMissing) if needed == ["journal.read"] => true,
        Some(Hole::ScopeAnyOfThem) => needed.iter().any(has),
        _ => needed.iter().all(has),
    }
}

fn memo(body: &Value) -> &str {
    body["memo"].as_str().unwrap_or_default()
}

fn id(path: &HashMap<String, String>) -> u64 {
    path.get("id").and_then(|id| id.parse().ok()).unwrap_or(0)
}

fn first_segment(uri: &Uri) -> &str {
    uri.path().split('/').nth(1).unwrap_or_default()
}

fn all_scopes() -> Vec<String> {
    ["journal.read", "journal.create", "journal.delete", "finance.write"].map(Into::into).into()
}

fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(Into::into)
}

fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The claims of a token that nobody has verified.
fn claims(token: &str) -> Value {
    part(token, 1)
}

fn caller_of(claims: &Value) -> Caller {
    let scopes = claims["scope"].as_str().unwrap_or_default().split(' ');
    let unqualified =
        scopes.filter_map(|scope| scope.split_once('.')).map(|(_, scope)| scope.into());
    Caller {
        tenant: claims["tenant_id"].as_str().unwrap_or_default().into(),
        scopes: unqualified.collect(),
    }
}
