//! The body of a request, whole: as JSON, and as what a retry has to repeat.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Json, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use tenantry::TenantAwareRequest;

use crate::idempotency::{Attempt, RequestDigest};
use crate::problem::Problem;

/// How long a caller may take to send a body.
pub const BODY_TIME: Duration = Duration::from_secs(15);

/// A request whose body has arrived; the last argument of a handler that has one.
#[derive(Debug)]
pub(crate) struct Sent {
    parts: Parts,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state);
        let body = timeout(BODY_TIME, body).await.map_err(|_| Problem::body_too_slow())??;
        Ok(Self { parts, body })
    }
}

impl Sent {
    /// Returns the attempt it is, if it may be sent again.
    pub(crate) fn attempt(&self, by: &TenantAwareRequest) -> Result<Option<Attempt>, Problem> {
        let Parts { method, uri, headers, .. } = &self.parts;
        let digest = RequestDigest::of(method, uri.path(), &self.body);
        Ok(Attempt::of(by, headers, digest)?)
    }

    /// Reads the body as JSON if there is one.
    pub(crate) async fn optional_json<T: DeserializeOwned>(self) -> Result<Option<T>, Problem> {
        if self.body.is_empty() { Ok(None) } else { self.json().await.map(Some) }
    }

    /// Reads the body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let request = Request::from_parts(self.parts, Body::from(self.body));
        let Json(value) = Json::from_request(request, &()).await?;
        Ok(value)
    }
}
