//! What every request has: an end, and a place in the figures.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// How long a request may take, with its body. A database that never answers must not hold it for ever.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Counts a request by its route and status, and ends it when it takes too long.
// INVARIANT (secrets stay in): a label is a route of ours, never what a request holds.
pub(crate) async fn watch(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "-".to_owned(), |route| route.as_str().to_owned());
    let began = Instant::now();
    let answer = match tokio::time::timeout(LIMIT, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!(route, "a request took too long, and was given up");
            OAuthError::unavailable(Reason::Time).into_response()
        }
    };
    let status = answer.status().as_u16().to_string();
    metrics::counter!("tenantry_issuer_requests_total", "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("tenantry_issuer_request_seconds", "route" => route)
        .record(began.elapsed().as_secs_f64());
    answer
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_ended() {
        let router =
            Router::new().route("/", get(pending::<&str>)).layer(middleware::from_fn(watch));
        let began = tokio::time::Instant::now();
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
