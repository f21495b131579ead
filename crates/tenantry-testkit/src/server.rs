//! Serves what an issuer publishes, over plain HTTP.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::published::Published;

/// A listener that nobody serves yet: the issuer's URL needs its port.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    pub(crate) async fn to(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn serve(self, published: Arc<Published>) -> Server {
        Server { task: tokio::spawn(accept(self.listener, published)) }
    }
}

/// Serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Stops, and returns when the port is free again.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        // The only outcome is that it was aborted: it does not end by itself.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, published: Arc<Published>) {
    // Dropped with this task, which closes the connections too.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&published)));
            }
            // Out of file descriptors, or the caller was gone already: neither ends the server.
            Err(_) => tokio::task::yield_now().await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, published: Arc<Published>) {
    let service = service_fn(|request| {
        let published = &published;
        async move {
            Ok::<_, Infallible>(published.answer(request.method(), request.uri().path()).await)
        }
    });
    // A caller that hangs up in the middle is its own affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
