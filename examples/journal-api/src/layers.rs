//! What every request passes, whichever route it is for: from the outside, a figure, an id, a span,
//! a net for panics, and a time limit.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::figures;
use crate::problem::Problem;
use crate::request_id::{self, NewId, X_REQUEST_ID};

/// How long a request may take, with its body.
pub const HANDLER_TIME: Duration = Duration::from_secs(30);

/// Puts the layers around `routes`.
pub(crate) fn around(routes: Router) -> Router {
    routes
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(from_fn(request_id::remember))
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, NewId))
        .layer(from_fn(request_id::distrust))
        .layer(from_fn(figures::count))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = timeout(HANDLER_TIME, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::timed_out().into_response())
}

/// What the panic said is on standard error; the caller learns nothing of it.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

/// The span of a request. The tenant layer fills in the tenant and the client.
fn span(request: &Request) -> tracing::Span {
    let id = request.extensions().get::<RequestId>();
    tracing::info_span!(
        "request",
        id = id.map(request_id::text),
        method = %request.method(),
        // Not the query: some callers put a token there.
        path = request.uri().path(),
        tenant = tracing::field::Empty,
        client_id = tracing::field::Empty,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt;
    use tracing_subscriber::fmt::format::FmtSpan;
    use uuid::Uuid;

    use super::*;

    async fn sent(
        app: Router,
        request: axum::http::request::Builder,
    ) -> (StatusCode, String, Value) {
        let answer = around(app).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let id = answer.headers()[X_REQUEST_ID].to_str().unwrap().to_owned();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (status, id, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn an_id_is_the_callers_if_it_is_one_and_otherwise_ours() {
        let app = || Router::new().route("/", get(async || Problem::route_not_found()));
        let most = "a".repeat(128);
        for theirs in ["7", "a.B-9_", &most] {
            let (_, id, problem) =
                sent(app(), Request::get("/").header(X_REQUEST_ID, theirs)).await;
            assert_eq!((id.as_str(), &problem["request_id"]), (theirs, &theirs.into()));
        }
        let long = "a".repeat(129);
        for theirs in ["", "a b", "a\tb", "<a>", "a\"", "ä", &long] {
            let (_, id, problem) =
                sent(app(), Request::get("/").header(X_REQUEST_ID, theirs)).await;
            assert!(Uuid::try_parse(&id).is_ok(), "{theirs:?}: {id}");
            assert_eq!(problem["request_id"], id);
        }
        let twice = Request::get("/").header(X_REQUEST_ID, "a").header(X_REQUEST_ID, "b");
        assert!(Uuid::try_parse(&sent(app(), twice).await.1).is_ok());
        let (first, second) =
            (sent(app(), Request::get("/")).await.1, sent(app(), Request::get("/")).await.1);
        assert!(Uuid::try_parse(&first).is_ok() && first != second);
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_document_that_does_not_say_what_it_said() {
        async fn broken() -> &'static str {
            panic!("secret")
        }
        let (status, id, problem) =
            sent(Router::new().route("/", get(broken)), Request::get("/")).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!((&problem["code"], &problem["request_id"]), (&"internal".into(), &id.into()));
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_takes_too_long_is_given_up() {
        let app =
            |takes| Router::new().route("/", get(async move || tokio::time::sleep(takes).await));
        let in_time = sent(app(HANDLER_TIME - Duration::from_secs(1)), Request::get("/")).await;
        assert_eq!(in_time.0, StatusCode::OK);
        let (status, _, problem) =
            sent(app(HANDLER_TIME + Duration::from_secs(1)), Request::get("/")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["code"], "timed_out");
    }

    #[test]
    fn secrets_stay_in_the_span_of_a_request_has_its_path_but_not_its_query() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt()
            .with_span_events(FmtSpan::NEW)
            .with_writer(move || Log(Arc::clone(&writer)))
            .finish();

        let uri = "/tenant1/whoami?access_token=secret";
        let mut request = Request::get(uri).body(Body::empty()).unwrap();
        let id = axum::http::HeaderValue::from_static("id-4711");
        request.extensions_mut().insert(RequestId::new(id));
        tracing::subscriber::with_default(subscriber, || drop(span(&request)));

        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        assert!(log.contains("/tenant1/whoami") && log.contains("id-4711"), "{log}");
        assert!(!log.contains("secret"), "{log}");
    }

    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
