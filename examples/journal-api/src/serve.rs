//! The port, and the end: no new connections on SIGTERM or Ctrl-C, and those under way may finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

use tenantry::ResourceServer;

use crate::figures::Figures;
use crate::run_error::RunError;
use crate::store::Journal;
use crate::{api, connections, document, health, layers};

/// How long requests under way may take after the signal to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// The journal's service, with a port but not serving yet.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    routes: Router,
    figures: Figures,
    /// Where the figures are served, if not beside the other routes.
    collector: Option<TcpListener>,
}

impl Service {
    /// Puts the routes for tenants, guarded by `erp`, and those for health on `listener`. Its document
    /// says that tokens are from `token_url`.
    ///
    /// # Errors
    ///
    /// If the listener does not know its address.
    pub fn new(
        listener: TcpListener,
        erp: &ResourceServer,
        journal: Journal,
        token_url: &str,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (api, document) = api::router(erp, journal.clone(), token_url);
        let routes = health::router(erp.clone(), journal);
        // Empty, unless the policy has `metadata = true`.
        let metadata = erp.metadata_router();
        let routes = routes.merge(metadata).merge(document::router(document)).merge(api);
        Ok(Self { listener, address, routes, figures: Figures::of_process(), collector: None })
    }

    /// Puts `/metrics` on a listener of its own, if there is one.
    #[must_use]
    pub fn metrics_on(self, collector: Option<TcpListener>) -> Self {
        Self { collector, ..self }
    }

    /// Returns where it listens, with the port that the system chose if it was asked to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, and then until the last request under way is answered, but no
    /// longer than [`GRACE`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self { listener, routes, figures, collector, .. } = self;
        let metrics = figures.router();
        let (routes, metrics) = match collector {
            Some(collector) => (routes, Some((collector, layers::around(metrics)))),
            None => (routes.merge(metrics), None),
        };
        let (stopping, stopped) = watch::channel(false);
        let signal = async {
            stop.await;
            tracing::info!("stopping");
            // Nobody listens any more only if serving has ended already.
            let _ = stopping.send(true);
        };
        let until = |mut stopped: watch::Receiver<bool>| async move {
            // An error means that the sender is gone, which it is not before the end.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let figures_served = async {
            if let Some((collector, metrics)) = metrics {
                connections::serve(collector, metrics, until(stopped.clone())).await;
            }
        };
        let served = connections::serve(listener, layers::around(routes), until(stopped.clone()));
        tokio::select! {
            _ = async { tokio::join!(signal, served, figures_served) } => {}
            () = figures.keep_up() => {}
            () = async {
                until(stopped.clone()).await;
                tokio::time::sleep(GRACE).await;
            } => tracing::warn!("requests still under way were given up"),
        }
    }
}

/// Takes the port of the service.
///
/// # Errors
///
/// If it cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen {
        what: "the journal",
        address,
        remedy: "choose another address with --listen ADDR",
        source,
    })
}

/// Takes the port for the figures, if they have one of their own.
///
/// # Errors
///
/// If it cannot be had.
pub async fn listen_for_collector(
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, RunError> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| RunError::Listen {
        what: "/metrics",
        address,
        remedy: "choose another address with --metrics-listen ADDR",
        source,
    })?;
    Ok(Some(listener))
}

/// Watches for the signal to stop: SIGTERM or Ctrl-C. From this call on neither ends the process
/// by itself.
///
/// # Errors
///
/// If the signals cannot be watched.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            // If Ctrl-C cannot be watched it still ends the process, only not as gently.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
