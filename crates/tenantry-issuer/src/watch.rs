//! What every request has: an end, and a place in the figures.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use metrics::{Counter, Histogram, SharedString, counter, histogram};

use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// How long a request may take, with its body. A database that never answers must not hold it for ever.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What is counted about the requests of one router.
///
/// The usual answer is counted by handles that are kept per route: no label is made or looked up. A
/// handle belongs to the recorder that was there when it was first used.
// INVARIANT (secrets stay in): a label is a route of ours, never what a request holds.
#[derive(Clone, Default)]
pub(crate) struct Figures(Arc<RwLock<HashMap<Box<str>, Arc<OfRoute>>>>);

/// The figures of one route.
struct OfRoute {
    route: SharedString,
    done: OnceLock<Counter>,
    seconds: Histogram,
}

impl Figures {
    /// There are as many as there are routes.
    fn of(&self, route: Option<&MatchedPath>) -> Arc<OfRoute> {
        let route = route.map_or("-", MatchedPath::as_str);
        // A map of handles is right whoever panicked.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route).cloned();
        known.unwrap_or_else(|| {
            let of_route = Arc::new(OfRoute::new(route));
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.insert(route.into(), Arc::clone(&of_route));
            of_route
        })
    }
}

impl OfRoute {
    fn new(route: &str) -> Self {
        let route = SharedString::from_shared(route.into());
        let seconds = histogram!("tenantry_issuer_request_seconds", "route" => route.clone());
        Self { route, done: OnceLock::new(), seconds }
    }

    fn answered(&self, status: StatusCode, took: Duration) {
        if status == StatusCode::OK {
            self.done.get_or_init(|| self.answers(status)).increment(1);
        } else {
            self.answers(status).increment(1);
        }
        self.seconds.record(took.as_secs_f64());
    }

    fn answers(&self, status: StatusCode) -> Counter {
        let (route, status) = (self.route.clone(), status.as_str().to_owned());
        counter!("tenantry_issuer_requests_total", "route" => route, "status" => status)
    }
}

/// Counts a request by its route and status, and ends it when it takes too long.
pub(crate) async fn watch(
    State(figures): State<Figures>,
    request: Request,
    next: Next,
) -> Response {
    let of_route = figures.of(request.extensions().get());
    let began = Instant::now();
    let answer = match tokio::time::timeout(LIMIT, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!(route = &*of_route.route, "a request took too long, and was given up");
            OAuthError::unavailable(Reason::Time).into_response()
        }
    };
    of_route.answered(answer.status(), began.elapsed());
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
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_ended() {
        let router = Router::new()
            .route("/", get(pending::<&str>))
            .layer(middleware::from_fn_with_state(Figures::default(), watch));
        let began = tokio::time::Instant::now();
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
