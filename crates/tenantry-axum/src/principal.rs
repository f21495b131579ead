//! The caller, as a handler argument.

use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use tenantry_core::{Anonymous, TenantAwareRequest};

use crate::refused::Refused;

/// The caller: verified, of one tenant, and that the tenant this request is for.
///
/// It derefs to [`TenantAwareRequest`], which has the tenant, the subject, the client and the scopes.
///
/// | the request has | `TenantPrincipal` | `Option<TenantPrincipal>` |
/// |---|---|---|
/// | a proven tenant | the principal | `Some` |
/// | no credentials, on an optional extractor | 401 | `None` |
/// | neither: no extractor ran before this handler | 500 | 500 |
///
/// A bad token is refused by the layer and never arrives here, not even as `None`.
#[derive(Clone, Debug)]
pub struct TenantPrincipal(TenantAwareRequest);

impl TenantPrincipal {
    /// Returns what was proven.
    #[must_use]
    pub fn into_inner(self) -> TenantAwareRequest {
        self.0
    }
}

impl Deref for TenantPrincipal {
    type Target = TenantAwareRequest;

    fn deref(&self) -> &TenantAwareRequest {
        &self.0
    }
}

/// For unit tests of handlers, together with `tenantry_testkit::request_of`.
impl From<TenantAwareRequest> for TenantPrincipal {
    fn from(request: TenantAwareRequest) -> Self {
        Self(request)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TenantPrincipal {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        match find(parts)? {
            Found::Principal(principal) => Ok(principal),
            Found::Anonymous(anonymous) => Err(Refused::new(anonymous.unauthenticated())),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for TenantPrincipal {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refused> {
        match find(parts)? {
            Found::Principal(principal) => Ok(Some(principal)),
            Found::Anonymous(_) => Ok(None),
        }
    }
}

enum Found {
    Principal(TenantPrincipal),
    Anonymous(Anonymous),
}

/// Looks for what an extractor left.
// INVARIANT (fail closed): nothing there means that nobody looked, not that nobody called.
fn find(parts: &Parts) -> Result<Found, Refused> {
    if let Some(request) = parts.extensions.get::<TenantAwareRequest>() {
        return Ok(Found::Principal(TenantPrincipal(request.clone())));
    }
    match parts.extensions.get::<Anonymous>() {
        Some(anonymous) => Ok(Found::Anonymous(anonymous.clone())),
        None => Err(Refused::misconfigured("no tenant extractor ran before this handler")),
    }
}
