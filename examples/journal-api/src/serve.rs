//! The port, and the end: no new connections on SIGTERM or Ctrl-C, and those under way may finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use tenantry::ResourceServer;

use crate::run_error::RunError;
use crate::store::Journal;
use crate::{api, connections, health, layers};

/// How long requests under way may take after the signal to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// The journal's service, with a port but not serving yet.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    app: Router,
}

impl Service {
    /// Puts the routes for tenants, guarded by `erp`, and those for health on `listener`.
    ///
    /// # Errors
    ///
    /// If the listener does not know its address.
    pub fn new(listener: TcpListener, erp: &ResourceServer, journal: Journal) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let routes = health::router(erp.clone(), journal.clone()).merge(api::router(erp, journal));
        let app = layers::around(routes);
        Ok(Self { listener, address, app })
    }

    /// Returns where it listens, with the port that the system chose if it was asked to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, and then until the last request under way is answered, but no
    /// longer than [`GRACE`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let (stopping, stopped) = oneshot::channel();
        let serving = connections::serve(self.listener, self.app, async move {
            stop.await;
            tracing::info!("stopping");
            // Nobody listens any more only if serving has ended already.
            let _ = stopping.send(());
        });
        tokio::select! {
            () = serving => {}
            () = async {
                // An error means that the signal will not come: serving ended by itself.
                if stopped.await.is_ok() {
                    tokio::time::sleep(GRACE).await;
                } else {
                    std::future::pending::<()>().await;
                }
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
