//! The port, and the end: requests under way are finished.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::document::no_document;
use crate::server::IssuerServer;

/// How long requests under way may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

impl IssuerServer {
    /// Serves the [router](Self::router) and [health](Self::health) on `listener` until `stop` is done,
    /// then until the last request under way is answered, but no longer than ten seconds; and then
    /// [closes](Self::close).
    ///
    /// # Errors
    ///
    /// If the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = self.router().merge(self.health());
        let app = app.fallback(|| async { no_document().map(Body::from) });
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let (stopping, stopped) = oneshot::channel();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            stop.await;
            tracing::info!("stopping");
            // Nobody listens any more only if serving has ended already.
            let _ = stopping.send(());
        });
        let served = tokio::select! {
            served = serving => served,
            () = async {
                // An error means that the signal will not come: serving ended by itself.
                if stopped.await.is_ok() {
                    tokio::time::sleep(GRACE).await;
                } else {
                    std::future::pending::<()>().await;
                }
            } => {
                tracing::warn!("requests still under way were given up");
                Ok(())
            }
        };
        self.close().await;
        served
    }
}
