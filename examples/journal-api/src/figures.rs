//! `/metrics`: figures in [Prometheus' text form], the libraries' and these:
//!
//! | figure | labels | |
//! |---|---|---|
//! | `journal_requests_total` | `method`, `route`, `status` | requests that were answered |
//! | `journal_request_seconds` | `method`, `route` | how long that took |
//!
//! A route is what the router knows it by, `/{tenant}/whoami`, or `none`; a method that no route has
//! is `other`. No label has a tenant or anything else that a caller chooses: who they are, and how
//! many, is nobody else's business.
//!
//! Without `--metrics-listen` they are beside `/healthz`, for everybody. The labels of the libraries'
//! figures name the issuers that the policy names in full, so in production serve them where only the
//! collector comes.
//!
//! [Prometheus' text form]: https://prometheus.io/docs/instrumenting/exposition_formats/

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::problem::Problem;

const REQUESTS: &str = "journal_requests_total";
const SECONDS: &str = "journal_request_seconds";

/// The bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// How often what was measured is counted, if nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// The figures of the process. Cheap to clone.
#[derive(Clone)]
pub struct Figures(Option<PrometheusHandle>);

impl Figures {
    /// Returns them; from the first call on they are recorded.
    #[must_use]
    pub fn of_process() -> Self {
        static RECORDED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        Self(RECORDED.get_or_init(record).clone())
    }

    /// Returns the route `/metrics`.
    pub fn router(&self) -> Router {
        let figures = self.clone();
        let text = async move || {
            let text = figures.0.as_ref().map(PrometheusHandle::render).unwrap_or_default();
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
        };
        Router::new()
            .route("/metrics", get(text))
            .method_not_allowed_fallback(async || Problem::method_not_allowed())
    }

    /// Counts what was measured, again and again: otherwise it is kept until somebody asks.
    pub(crate) async fn keep_up(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            if let Some(handle) = &self.0 {
                handle.run_upkeep();
            }
        }
    }
}

impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Figures").finish_non_exhaustive()
    }
}

/// Installs the recorder; `None` if the process has another one.
fn record() -> Option<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    describe_counter!(REQUESTS, "Requests that were answered.");
    describe_histogram!(SECONDS, metrics::Unit::Seconds, "How long answers took.");
    Some(handle)
}

/// Counts a request, and how long its answer took to begin.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = known(request.method());
    let answer = next.run(request).await;
    let status = answer.status().as_u16().to_string();
    histogram!(SECONDS, "method" => method, "route" => route.clone()).record(start.elapsed());
    counter!(REQUESTS, "method" => method, "route" => route, "status" => status).increment(1);
    answer
}

/// Callers may make methods up, and each would be a label for ever.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_request_is_counted_by_route_and_not_by_path() {
        // Of this test alone: the process' recorder hears others.
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let app = Router::new()
            .route("/{tenant}/entries/{id}", get(async || "entry"))
            .layer(axum::middleware::from_fn(count));

        for (method, path) in [
            ("GET", "/tenant1/entries/7?limit=secret"),
            ("GET", "/tenant2/entries/8"),
            ("PURGE", "/tenant2/entries/8"),
            ("MADE-UP", "/nowhere"),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.body(Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap();
        }

        let text = handle.render();
        for line in [
            r#"journal_requests_total{method="GET",route="/{tenant}/entries/{id}",status="200"} 2"#,
            r#"journal_requests_total{method="other",route="/{tenant}/entries/{id}",status="405"} 1"#,
            r#"journal_requests_total{method="other",route="none",status="404"} 1"#,
            r#"journal_request_seconds_count{method="GET",route="/{tenant}/entries/{id}"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for caller in ["tenant1", "tenant2", "MADE-UP", "secret", "nowhere"] {
            assert!(!text.contains(caller), "{text}");
        }
    }
}
