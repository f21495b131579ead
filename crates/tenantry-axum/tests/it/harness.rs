//! A router with one handler, and what a layer could have left before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::handler::Handler;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use serde_json::Value;
use tenantry_core::{Anonymous, Policy, TenantAwareRequest};
use tenantry_testkit::request_of;
use tower::ServiceExt;

/// What an extractor left in the extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// It looked, and found no credentials.
    Anonymous,
    /// There was none.
    Nothing,
    /// A tenant with these scopes.
    Proven(&'static str),
    /// What must not be: then the proof counts.
    ProvenAndAnonymous,
}

/// Counts how often a handler ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn hit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    /// Asserts that this is a refusal: status, exact challenge, code, no caching.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, challenge: Option<&str>, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.challenge.as_deref(), challenge);
        let problem: Value = serde_json::from_str(&self.text).expect("a problem document");
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
    }
}

/// Sends one request to `handler`.
pub(crate) async fn send<H, T>(handler: H, left: Left) -> Answer
where
    H: Handler<T, ()>,
    T: 'static,
{
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    let extensions = request.extensions_mut();
    let proven = |scope: &str| -> TenantAwareRequest {
        request_of("tenant1").with_scope(scope).with_subject("alice").build()
    };
    if let Left::Proven(scope) = left {
        extensions.insert(proven(scope));
    }
    if let Left::ProvenAndAnonymous = left {
        extensions.insert(proven(""));
    }
    if let Left::Anonymous | Left::ProvenAndAnonymous = left {
        extensions.insert(Anonymous::new(&policy()));
    }
    let app: Router = Router::new().route("/", get(handler));
    let response = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    let challenges: Vec<_> = parts.headers.get_all("www-authenticate").iter().collect();
    assert!(challenges.len() <= 1);
    if !parts.status.is_success() {
        assert_eq!(parts.headers["cache-control"], "no-store");
        assert_eq!(parts.headers["content-type"], "application/problem+json");
    }
    Answer {
        status: parts.status,
        challenge: challenges.first().map(|value| value.to_str().unwrap().into()),
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

fn policy() -> Policy {
    Policy::builder()
        .issuer("https://auth.erp.example")
        .audience("https://api.erp.example/{tenant}")
        .realm("journal")
        .build()
        .unwrap()
}

/// A request without credentials.
pub(crate) const UNAUTHENTICATED: Option<&str> = Some(r#"Bearer realm="journal""#);
