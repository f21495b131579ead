//! Which path leads where.
//!
//! | one issuer for all                          | an issuer per tenant                                   |
//! |---------------------------------------------|--------------------------------------------------------|
//! | `/oauth/token`, `/{tenant}/oauth/token`     | the same                                               |
//! | `/jwks.json`                                | `/{tenant}/jwks.json`                                  |
//! | `/.well-known/oauth-authorization-server`   | `/.well-known/oauth-authorization-server/{tenant}`     |
//! | `/.well-known/openid-configuration`         | `/{tenant}/.well-known/openid-configuration`           |
//! | `/openapi.json`                             | `/openapi.json`                                        |
//!
//! An issuer with a path has all of them below it, apart from the metadata, where the path comes after
//! the well-known part ([RFC 8414 §3.1]).
//!
//! [RFC 8414 §3.1]: https://www.rfc-editor.org/rfc/rfc8414#section-3.1

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use tenantry_core::{InvalidTenantId, TenantId};

use crate::document::{Document, no_document};
use crate::endpoints::Endpoints;
use crate::keys::{KeyRingError, KeyRingErrorKind, Schedule};
use crate::metadata::{oauth_metadata, openid_metadata};
use crate::no_store::no_store;
use crate::openapi::openapi;
use crate::records::KeyOwner;
use crate::server::IssuerServer;
use crate::watch::{Figures, watch};

/// How long caches may keep the OpenAPI document.
const OPENAPI_AGE: Duration = Duration::from_secs(300);

/// Every endpoint of the issuer, at the path that its name gives it.
pub(crate) fn router(server: &IssuerServer) -> Router {
    let settings = server.settings();
    let base = settings.issuer().base_path();
    let metadata = format!("{}{base}", Endpoints::METADATA);
    let below = if settings.issuer().has_tenant() { "/{tenant}" } else { "" };
    let documents = Router::new()
        .route(&format!("{metadata}{below}"), any(metadata_document))
        .route(&format!("{base}{below}{}", Endpoints::OPENID_METADATA), any(openid_document))
        .route(&format!("{base}{below}{}", Endpoints::AUTHORIZATION), any(authorization))
        .route(&format!("{base}{below}{}", Endpoints::JWKS), any(key_set))
        .route(&format!("{base}/openapi.json"), any(openapi_document))
        .with_state(server.clone());
    let endpoints = server.0.endpoints.router();
    let endpoints = if base.is_empty() { endpoints } else { Router::new().nest(base, endpoints) };
    documents.merge(endpoints).layer(middleware::from_fn_with_state(Figures::default(), watch))
}

/// A tenant of the path, where every tenant has an issuer of its own.
type Tenant = Option<Path<String>>;

async fn metadata_document(
    State(server): State<IssuerServer>,
    tenant: Tenant,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let document = |tenant: Option<&TenantId>| {
        let settings = server.settings();
        oauth_metadata(&settings, &Schedule::of(&settings), tenant)
    };
    answer_for_known(&server, tenant, &method, &headers, document).await
}

async fn openid_document(
    State(server): State<IssuerServer>,
    tenant: Tenant,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let document = |tenant: Option<&TenantId>| {
        let settings = server.settings();
        openid_metadata(&settings, &Schedule::of(&settings), tenant)
    };
    answer_for_known(&server, tenant, &method, &headers, document).await
}

/// Nobody is authorized here: an OpenID configuration has to name this endpoint, and that is all
/// ([RFC 6749 §4.1.2.1]). No redirect: no client has registered where to.
///
/// [RFC 6749 §4.1.2.1]: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
async fn authorization(State(server): State<IssuerServer>, tenant: Tenant) -> Response {
    if !server.settings().openid_configuration() || read(tenant).is_err() {
        return no_document().map(Body::from);
    }
    let body = json!({
        "error": "unsupported_response_type",
        "error_description": "there are no users here: clients get tokens at the token endpoint",
    });
    let mut answer = (StatusCode::BAD_REQUEST, body.to_string()).into_response();
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    no_store(answer.headers_mut());
    answer
}

async fn key_set(
    State(server): State<IssuerServer>,
    tenant: Tenant,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let owner = match read(tenant) {
        Ok(Some(tenant)) => KeyOwner::Tenant(tenant),
        Ok(None) => KeyOwner::Shared,
        Err(_) => return no_document().map(Body::from),
    };
    match server.keys().keys(&owner).await {
        Ok(keys) => keys.jwks().answer(&method, &headers).map(Body::from),
        Err(error) => without(&error),
    }
}

async fn openapi_document(
    State(server): State<IssuerServer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    Document::new(&openapi(&server.settings()), OPENAPI_AGE)
        .answer(&method, &headers)
        .map(Body::from)
}

/// Answers with a document of a tenant that there is; suspended or not, its tokens that are alive
/// need it.
async fn answer_for_known(
    server: &IssuerServer,
    tenant: Tenant,
    method: &Method,
    headers: &HeaderMap,
    document: impl Fn(Option<&TenantId>) -> Option<Document>,
) -> Response {
    let tenant = match read(tenant) {
        Ok(tenant) => tenant,
        Err(_) => return no_document().map(Body::from),
    };
    if let Some(tenant) = &tenant {
        match server.store().tenant(tenant).await {
            Ok(Some(_)) => {}
            Ok(None) => return no_document().map(Body::from),
            Err(error) => {
                tracing::error!(%error, "the database cannot be asked for a tenant");
                return unavailable();
            }
        }
    }
    match document(tenant.as_ref()) {
        Some(document) => document.answer(method, headers).map(Body::from),
        None => no_document().map(Body::from),
    }
}

/// The tenant of the path; an error if the path has a place for one, and no id is in it.
fn read(tenant: Tenant) -> Result<Option<TenantId>, InvalidTenantId> {
    tenant.map(|Path(tenant)| tenant.parse()).transpose()
}

fn without(error: &KeyRingError) -> Response {
    if error.kind() == KeyRingErrorKind::UnknownTenant {
        return no_document().map(Body::from);
    }
    tracing::error!(%error, "there are no signing keys to publish");
    unavailable()
}

// INVARIANT (cannot judge is not invalid): a document that cannot be had is not one that is not there.
fn unavailable() -> Response {
    let mut answer = StatusCode::SERVICE_UNAVAILABLE.into_response();
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    no_store(answer.headers_mut());
    answer
}
