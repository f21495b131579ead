//! The port, and the end: requests under way are finished.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::connections::{self, MAX_CONNECTIONS, MAX_FOR_METRICS};
use crate::document::no_document;
use crate::server::IssuerServer;

/// How long requests under way may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

impl IssuerServer {
    /// Serves the [router](Self::router), [health](Self::health) and [metrics](Self::metrics) on
    /// `listener` until `stop` is done, then until the last request under way is answered, but no longer
    /// than ten seconds; and then [closes](Self::close). HTTP/1.1, up to 900 connections at a time; one on
    /// which nothing comes for 75 seconds is ended.
    ///
    /// With `for_metrics` the metrics are there, and not on `listener`.
    pub async fn serve(
        &self,
        listener: TcpListener,
        for_metrics: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let app = self.router().merge(self.health());
        let (app, apart) = match for_metrics {
            None => (app.merge(self.metrics()), None),
            Some(listener) => (app, Some((listener, self.metrics()))),
        };
        let (stopping, stopped) = watch::channel(false);
        let signal = async {
            stop.await;
            tracing::info!("stopping");
            // Nobody listens any more only if serving has ended already.
            let _ = stopping.send(true);
        };
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                // An error means that the sender is gone, which it is not before the end.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }
        };
        let serving =
            connections::serve(MAX_CONNECTIONS, listener, or_nothing(app), until_stopped());
        let serving_metrics = async {
            if let Some((listener, metrics)) = apart {
                let metrics = or_nothing(metrics);
                connections::serve(MAX_FOR_METRICS, listener, metrics, until_stopped()).await;
            }
        };
        tokio::select! {
            _ = async { tokio::join!(signal, serving, serving_metrics) } => {}
            () = async {
                until_stopped().await;
                tokio::time::sleep(GRACE).await;
            } => tracing::warn!("requests still under way were given up"),
        }
        // A database that hangs does not keep the process from its end.
        if tokio::time::timeout(GRACE, self.close()).await.is_err() {
            tracing::warn!("the database does not answer: audit events may be in the log only");
        }
    }
}

fn or_nothing(app: Router) -> Router {
    app.fallback(|| async { no_document().map(Body::from) })
}
