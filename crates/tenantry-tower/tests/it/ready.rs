//! The contract of `poll_ready`: only what was ready is called, and what is not called keeps nothing.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tenantry_tower::RequireScopeLayer;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};

use crate::stub::{Calls, Stub, read, request};

/// Panics when it is called without having been ready, as [`Service::call`] permits. A clone is not
/// ready, whatever the original is.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
    /// How many are ready: places that nobody else can have.
    places: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Strict {
    fn leave(&mut self) {
        if std::mem::take(&mut self.ready) {
            self.places.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, places: self.places.clone(), calls: self.calls.clone() }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<http_body_util::Empty<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if !std::mem::replace(&mut self.ready, true) {
            self.places.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready, "a service was called that was not ready");
        self.leave();
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(http_body_util::Empty::new())))
    }
}

/// What one service, used again and again, is asked.
const REQUESTS: [(&str, Option<&str>, u16); 8] = [
    ("/tenant1/x", Some("tenant1"), 200),
    ("/tenant1/x", Some("tenant2"), 403),
    ("/tenant2/x", Some("tenant2"), 200),
    ("/tenant1/x", None, 401),
    ("/tenant1/x", Some("forged"), 401),
    ("/tenant1/x", Some("down"), 503),
    ("/tenant1//x", Some("tenant1"), 400),
    ("/tenant1/x", Some("tenant1"), 200),
];

#[tokio::test]
async fn only_a_service_that_was_ready_is_called() {
    let stub = Stub::new();
    stub.remember("tenant1");
    let strict = Strict::default();
    let (places, calls) = (strict.places.clone(), strict.calls.clone());
    let mut service = stub.layer().uri_is_whole().layer(strict);
    for (path, token, status) in REQUESTS {
        let response = service.ready().await.unwrap().call(request(path, token)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {token:?}");
        // Whoever was refused holds no place, although the service lives on.
        assert_eq!(places.load(Ordering::Relaxed), 0, "{path} {token:?}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_optional_extractor_keeps_to_it_too() {
    let stub = Stub::new();
    let mut service = stub.layer().uri_is_whole().optional().layer(Strict::default());
    for (path, token, status) in REQUESTS {
        let status = if token.is_none() { 200 } else { status };
        let response = service.ready().await.unwrap().call(request(path, token)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {token:?}");
    }
}

#[tokio::test]
async fn a_scope_layer_calls_what_was_ready() {
    let stub = Stub::new();
    let scoped = RequireScopeLayer::all(["journal.read"]).layer(Strict::default());
    let mut service = stub.layer().uri_is_whole().layer(scoped);
    for (token, status) in
        [("tenant1.journal.read", 200), ("tenant1.profile", 403), ("tenant1.journal.read", 200)]
    {
        for _ in 0..2 {
            let request = request("/tenant1/x", Some(token));
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{token}");
            stub.remember(token);
        }
    }
}

#[tokio::test]
async fn a_scope_layer_that_refuses_holds_no_place() {
    let strict = Strict::default();
    let (places, calls) = (strict.places.clone(), strict.calls.clone());
    let mut service = RequireScopeLayer::all(["journal.read"]).layer(strict);
    let response = service.ready().await.unwrap().call(request("/", None)).await.unwrap();
    assert_eq!(response.status().as_u16(), 500);
    assert_eq!((places.load(Ordering::Relaxed), calls.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn it_works_around_a_buffer() {
    let stub = Stub::new();
    stub.remember("tenant1");
    let calls = Calls::default();
    let buffer = Buffer::new(calls.service(), 1);
    let mut service = stub.layer().uri_is_whole().layer(buffer);
    for (path, token, status) in REQUESTS {
        let response = service.ready().await.unwrap().call(request(path, token)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {token:?}");
    }
    assert_eq!(calls.count(), 3);
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn who_waits_for_keys_takes_no_place_from_others() {
    let stub = Stub::new();
    stub.remember("tenant1");
    let calls = Calls::default();
    let one_at_a_time = ConcurrencyLimit::new(calls.service(), 1);
    let mut service = stub.layer().uri_is_whole().layer(one_at_a_time);

    let held = stub.hold();
    let waiting = service.ready().await.unwrap().call(request("/tenant2/x", Some("tenant2")));
    let mut waiting = pin!(waiting);
    assert!(poll(waiting.as_mut()).is_pending());

    // Somebody whose keys are there is served meanwhile, on the same service and on a clone.
    for service in [&mut service.clone(), &mut service] {
        let mut next = pin!(service.ready());
        let Poll::Ready(Ok(service)) = poll(next.as_mut()) else { panic!("no place is left") };
        let response = service.call(request("/tenant1/x", Some("tenant1"))).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    }
    assert_eq!(calls.count(), 2);
    drop(held);
    assert_eq!(read(waiting.await.unwrap()).await.text, "tenant2");
}

#[tokio::test]
async fn who_was_let_through_waits_for_a_place() {
    let stub = Stub::new();
    let calls = Calls::default();
    let limit = Arc::new(tokio::sync::Semaphore::new(1));
    let limited = ConcurrencyLimit::with_semaphore(calls.service(), Arc::clone(&limit));
    let mut service = stub.layer().uri_is_whole().layer(limited);

    let answer = service.ready().await.unwrap().call(request("/tenant1/x", Some("tenant1")));
    let mut answer = pin!(answer);
    // Another takes the place before the token is judged.
    let taken = limit.clone().try_acquire_owned().unwrap();
    assert!(poll(answer.as_mut()).is_pending());
    assert_eq!(calls.count(), 0);
    drop(taken);
    assert_eq!(answer.await.unwrap().status().as_u16(), 200);
    assert_eq!(calls.count(), 1);
}

/// Ready once, and never again.
#[derive(Clone)]
struct Closing {
    ready: bool,
}

impl Service<Request<()>> for Closing {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Response<()>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        let first = std::mem::take(&mut self.ready);
        Poll::Ready(if first { Ok(()) } else { Err("closed") })
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn a_service_that_will_not_be_ready_again_is_not_called() {
    let stub = Stub::new();
    let layer = stub.layer().uri_is_whole();
    let mut closed = layer.layer(Closing { ready: false });
    assert!(closed.ready().await.is_err());
    // Ready at first; when the token has been judged it is no more.
    let mut closing = layer.layer(Closing { ready: true });
    let ready = closing.ready().await.unwrap();
    let answer = ready.call(request("/tenant1/x", Some("tenant1"))).await;
    assert_eq!(answer.err(), Some("closed"));
}
