//! What a request was proven to be.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use tenantry::TenantPrincipal;

/// What the access token says
///
/// Needs no scope.
#[utoipa::path(
    get,
    path = "/{tenant}/whoami",
    security(("access_token" = [])),
    responses((status = 200, description = "What the token was proven to say.", body = Caller)),
)]
pub(super) async fn whoami(caller: TenantPrincipal) -> Json<Caller> {
    Json(Caller {
        tenant: caller.tenant().to_string(),
        issuer: caller.issuer().to_string(),
        subject: caller.subject().map(ToString::to_string),
        client_id: caller.client_id().map(ToString::to_string),
        scopes: caller.scopes().map(ToString::to_string).collect(),
    })
}

/// What a request was proven to be. Scopes are this tenant's, without the tenant in front.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Caller {
    tenant: String,
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_id: Option<String>,
    scopes: Vec<String>,
}
