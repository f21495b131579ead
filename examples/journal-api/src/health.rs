//! `/healthz`: the process answers. `/readyz`: it can judge and book, or it says why not.
//!
//! Both are outside the tenant layer: whoever asks has no token.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use tenantry::ResourceServer;

use crate::store::Journal;

#[derive(Clone)]
struct Health {
    erp: ResourceServer,
    journal: Journal,
}

/// Returns the two routes.
pub fn router(erp: ResourceServer, journal: Journal) -> Router {
    Router::new()
        .route("/healthz", get(async || ([(CACHE_CONTROL, "no-store")], "ok\n")))
        .route("/readyz", get(readyz))
        .with_state(Health { erp, journal })
}

async fn readyz(State(Health { erp, journal }): State<Health>) -> Response {
    // Asking starts a fetch of keys that are due, so a service that gets no requests heals too.
    let keys = erp.readiness();
    let database = journal.ping().await;
    if let Err(error) = &database {
        tracing::warn!(source = std::error::Error::source(error), "{error}");
    }
    let ready = keys.is_ready() && database.is_ok();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let database = if database.is_ok() { "ready" } else { "does not answer" };
    let reasons = format!("{}\ndatabase: {database}\n", keys.to_string().trim_end());
    (status, [(CACHE_CONTROL, "no-store")], reasons).into_response()
}
