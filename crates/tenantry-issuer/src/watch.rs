//! What every request has: an end, and a place in the figures.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// How long a request may take, with its body. A body that trickles in must not hold a place for ever.
const LIMIT: Duration = Duration::from_secs(30);

/// Counts a request by its route and status, and ends it when it takes too long.
// INVARIANT (secrets stay in): a label is a route of ours, never what a request holds.
pub(crate) async fn watch(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "-".to_owned(), |route| route.as_str().to_owned());
    let began = Instant::now();
    let answer = match tokio::time::timeout(LIMIT, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let status = answer.status().as_u16().to_string();
    metrics::counter!("tenantry_issuer_requests_total", "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("tenantry_issuer_request_seconds", "route" => route)
        .record(began.elapsed().as_secs_f64());
    answer
}

/// Says what the figures of an authorization server mean, to the recorder that there is.
pub(crate) fn describe_figures() {
    metrics::describe_counter!(
        "tenantry_issuer_requests_total",
        "requests that were answered; route as it is registered, - for none"
    );
    metrics::describe_histogram!(
        "tenantry_issuer_request_seconds",
        metrics::Unit::Seconds,
        "how long an answer took"
    );
    metrics::describe_counter!(
        "tenantry_issuer_audit_lost_total",
        "audit events that the queue had no room for"
    );
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_ended() {
        let router =
            Router::new().route("/", get(pending::<&str>)).layer(middleware::from_fn(watch));
        let began = tokio::time::Instant::now();
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
