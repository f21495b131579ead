//! Connections: how many there are at a time, and how long they may be silent.
//!
//! | limit | |
//! |---|---|
//! | [`MAX_CONNECTIONS`] | further callers wait to be accepted |
//! | [`HEAD_TIME`] | for a request's head, from the first moment of a connection or from the answer before: a silent connection ends, too |
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
pub(crate) async fn serve(mut listener: TcpListener, app: Router, stop: impl Future<Output = ()>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
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
