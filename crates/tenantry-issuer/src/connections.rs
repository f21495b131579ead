//! Connections: how many there are at a time, and how long they may be silent.
//!
//! | limit | |
//! |---|---|
//! | [`MAX_CONNECTIONS`] | further callers wait to be accepted |
//! | [`HEAD_TIME`] | for a request's head, counted from the answer before; then the connection ends |
//! | [`MAX_HEAD`] | bytes of a head; 431 |
//! | [`BODY_TIME`](crate::body::BODY_TIME) | for its body; 408 |
//! | [`LIMIT`](crate::watch::LIMIT) | for the request as a whole; 503 |
//!
//! HTTP/1.1 only: a proxy speaks HTTP/2 to clients, and this to us. How slowly a caller reads an answer
//! is not limited here: answers are small, and a proxy does it better.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service;

/// The most connections at a time. With the database's files that is below 1024, which is how many files
/// a process may usually have open.
pub(crate) const MAX_CONNECTIONS: usize = 900;

/// The same for the address that metrics have to themselves.
pub(crate) const MAX_FOR_METRICS: usize = 16;

/// How long a caller may take to send the head of a request, or to send nothing.
///
/// Longer than the 60 s for which proxies and load balancers usually keep a connection for the next
/// request: it should be they who end it, or they send a request into a connection that is gone.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(75);

/// The most bytes of a head.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// Serves `app` on `most` connections at a time until `stop` is done, and then until the requests under
/// way are answered.
pub(crate) async fn serve(
    most: usize,
    mut listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(most));
    tokio::pin!(stop);
    loop {
        let accepted = async {
            // Nobody closes the semaphore.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            let (stream, peer) = Listener::accept(&mut listener).await;
            (place, stream, peer)
        };
        let (place, stream, peer) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let app = app.clone();
        let service = service_fn(move |request| answer(app.clone(), peer, request));
        let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(
    mut app: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    // A router is always ready.
    app.call(request).await
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    fn app() -> Router {
        Router::new().route("/", get(async |peer: ConnectInfo<SocketAddr>| peer.0.to_string()))
    }

    async fn serving(most: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(most, listener, app(), std::future::pending()));
        address
    }

    async fn ask(stream: &mut TcpStream) -> String {
        let peer = stream.local_addr().unwrap().to_string();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(peer.as_bytes()) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_connection_more_waits_until_another_ends() {
        let address = serving(1).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
        let mut second = TcpStream::connect(address).await.unwrap();

        tokio::time::pause();
        // Silence ends the first after `HEAD_TIME`, so this is less.
        assert!(timeout(HEAD_TIME / 2, ask(&mut second)).await.is_err());
        drop(first);
        let mut answer = [0; 12];
        timeout(HEAD_TIME / 2, second.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn silence_ends_a_connection_before_within_and_after_a_request() {
        let address = serving(10).await;
        let nothing = TcpStream::connect(address).await.unwrap();
        let mut within = TcpStream::connect(address).await.unwrap();
        within.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        let mut after = TcpStream::connect(address).await.unwrap();
        ask(&mut after).await;

        tokio::time::pause();
        let began = tokio::time::Instant::now();
        for mut stream in [nothing, within, after] {
            let mut rest = Vec::new();
            let read = timeout(HEAD_TIME * 2, stream.read_to_end(&mut rest)).await;
            assert_eq!(read.unwrap().unwrap(), 0, "{}", String::from_utf8_lossy(&rest));
        }
        assert!(began.elapsed() <= HEAD_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_head_has_a_bound() {
        let address = serving(10).await;
        for (size, status) in [(MAX_HEAD / 2, "200"), (MAX_HEAD * 2, "431")] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size));
            // The service may have ended it before all is sent.
            let _ = stream.write_all(head.as_bytes()).await;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes());
        }
    }
}
