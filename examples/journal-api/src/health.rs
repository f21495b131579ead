//! `/healthz`: the process answers. `/readyz`: it can judge and book, or it says which it cannot.
//!
//! Both are outside the tenant layer: whoever asks has no token. So the answer is a word for the
//! keys and one for the database; whose keys are missing, and why, is in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use tenantry::ResourceServer;

use crate::problem::Problem;
use crate::store::Journal;

#[derive(Clone)]
struct Health {
    erp: ResourceServer,
    journal: Journal,
    /// The answer before: the log gets a line when it changes, and not whenever a stranger asks.
    ready: Arc<AtomicBool>,
}

/// Returns the two routes.
pub fn router(erp: ResourceServer, journal: Journal) -> Router {
    Router::new()
        .route("/healthz", get(async || ([(CACHE_CONTROL, "no-store")], "ok\n")))
        .route("/readyz", get(readyz))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(Health { erp, journal, ready: Arc::new(AtomicBool::new(true)) })
}

async fn readyz(State(Health { erp, journal, ready }): State<Health>) -> Response {
    // Asking starts a fetch of keys that are due, so a service that gets no requests heals too.
    let keys = erp.readiness();
    let database = journal.ping().await;
    let is_ready = keys.is_ready() && database.is_ok();
    if ready.swap(is_ready, Ordering::Relaxed) != is_ready {
        let source = database.as_ref().err().and_then(std::error::Error::source);
        let database = source.map(tracing::field::display);
        let keys = keys.to_string();
        if is_ready {
            tracing::info!(keys = keys.trim_end(), "ready again");
        } else {
            tracing::warn!(keys = keys.trim_end(), database, "not ready");
        }
    }
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |ready| if ready { "ready" } else { "not ready" };
    let words = format!("keys: {}\ndatabase: {}\n", word(keys.is_ready()), word(database.is_ok()));
    (status, [(CACHE_CONTROL, "no-store")], words).into_response()
}
