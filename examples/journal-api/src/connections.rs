//! Connections: how many there are at a time, and how long they may be silent.
//!
//! | limit | |
//! |---|---|
//! | [`MAX_CONNECTIONS`] | further callers wait to be accepted |
//! | [`HEAD_TIME`] | for a request's head, counted from the answer before: silence ends, too |
//! | [`BODY_TIME`](crate::sent::BODY_TIME) | for its body; 408 |
//! | [`HANDLER_TIME`](crate::layers::HANDLER_TIME) | for the answer; 503 |
//!
//! How slowly a caller reads an answer is not limited here: answers are small, and a proxy in front
//! of a service on the internet does it better.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The most connections at a time.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long a caller may take to send the head of a request.
pub const HEAD_TIME: Duration = Duration::from_secs(10);

/// The most bytes of a head.
const MAX_HEAD: usize = 64 * 1024;

/// Serves `app` until `stop` is done, and then until the requests under way are answered.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) {
    serve_at_most(MAX_CONNECTIONS, listener, app, stop).await;
}

async fn serve_at_most(
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
            let (stream, _) = Listener::accept(&mut listener).await;
            (place, stream)
        };
        let (place, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(app.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_connection_more_waits_until_another_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(async || "here"));
        let serving = tokio::spawn(serve_at_most(1, listener, app, std::future::pending()));
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
        serving.abort();
    }

    #[tokio::test]
    async fn a_head_has_a_bound() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(async || "here"));
        let serving = tokio::spawn(serve(listener, app, std::future::pending()));
        for (size, status) in [(MAX_HEAD / 2, "200"), (MAX_HEAD * 2, "431")] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size));
            // The service may have ended it before all is sent.
            let _ = stream.write_all(head.as_bytes()).await;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes());
        }
        serving.abort();
    }
}
