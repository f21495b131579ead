//! Whether it lives, whether it can work, and how much it does.
//!
//! | request        | answer                                                                  |
//! |----------------|-------------------------------------------------------------------------|
//! | `GET /healthz` | 200: the process answers                                                |
//! | `GET /readyz`  | 200 if the database answers and there is a key to sign with, or else 503 |
//! | `GET /metrics` | the figures of the process, if it has any                               |

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::no_store::no_store;
use crate::records::KeyOwner;
use crate::server::IssuerServer;

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn router(server: &IssuerServer) -> Router {
    let router = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));
    router.with_state(server.clone())
}

pub(crate) fn metrics(server: &IssuerServer) -> Router {
    let mut router = Router::new();
    if server.0.figures.is_some() {
        router = router.route("/metrics", get(figures));
    }
    router.with_state(server.clone())
}

async fn healthz() -> Response {
    answer(StatusCode::OK, "ok")
}

async fn readyz(State(server): State<IssuerServer>) -> Response {
    let asked = async {
        if server.store().ping().await.is_err() {
            return Err("the database does not answer");
        }
        if !server.settings().issuer().has_tenant()
            && server.keys().keys(&KeyOwner::Shared).await.is_err()
        {
            return Err("there is no key to sign with");
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(())) => answer(StatusCode::OK, "ok"),
        Ok(Err(problem)) => answer(StatusCode::SERVICE_UNAVAILABLE, problem),
        Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time"),
    }
}

async fn figures(State(server): State<IssuerServer>) -> Response {
    let text = server.0.figures.as_ref().map(|render| render()).unwrap_or_default();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    let mut answer = (status, json!({ "status": text }).to_string()).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    no_store(headers);
    answer
}
