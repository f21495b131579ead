//! A refusal by an extractor, as an axum response.

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use tenantry_core::{Reason, Rejection};

/// The request was refused by an extractor: the layers are in the wrong order (500), there are no
/// credentials (401), or the scopes do not suffice (403).
#[derive(Debug)]
pub struct Refused(Rejection);

impl Refused {
    pub(crate) const fn new(rejection: Rejection) -> Self {
        Self(rejection)
    }

    pub(crate) fn misconfigured(problem: &'static str) -> Self {
        Self(Rejection::misconfigured(problem))
    }

    /// Why.
    #[must_use]
    pub const fn rejection(&self) -> &Rejection {
        &self.0
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let cause = std::error::Error::source(&self.0).map(ToString::to_string);
        let tenant = self.0.tenant().map(tracing::field::display);
        let (reason, status) = (self.0.reason().code(), self.0.status().as_u16());
        if self.0.reason() == Reason::Misconfigured {
            tracing::error!(reason, status, tenant, cause, "request refused");
        } else {
            tracing::info!(reason, status, tenant, cause, "request refused");
        }
        let issuer = self.0.issuer().unwrap_or_default().to_owned();
        metrics::counter!("tenantry_refusals_total", "reason" => reason, "issuer" => issuer)
            .increment(1);
        self.0.to_response().map(Body::from)
    }
}
