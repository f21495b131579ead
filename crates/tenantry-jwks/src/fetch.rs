//! The transport for production. The only file that opens a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tenantry_core::BoxFuture;

use crate::settings::KeySettings;
use crate::transport::{FetchError, FetchErrorKind, FetchRequest, FetchResponse, Transport};

/// Fetches over HTTP with reqwest and rustls.
///
/// It follows no redirect, uses no proxy of the environment, and stops reading at the limit.
/// `localhost` is this machine, whatever DNS says.
///
/// Certificates are judged by what the system trusts. On a system without any, every `https` fetch
/// fails. The cryptography is aws-lc-rs, unless the program has installed another rustls provider
/// for the whole process: that is then taken at its word.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
}

impl HttpTransport {
    /// Makes a transport with the time to connect that `settings` give.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(settings: &KeySettings) -> Result<Self, FetchError> {
        let client = builder(settings).build().or_else(|error| {
            // No certificates on this system: then none is trusted, but keys on this machine and in
            // files can still be had.
            let error = error.without_url();
            tracing::warn!(%error, "no trusted certificates: https will fail");
            builder(settings).tls_certs_only([]).build()
        });
        Ok(Self { client: client.map_err(failed)? })
    }
}

fn builder(settings: &KeySettings) -> ClientBuilder {
    let here = |address: IpAddr| SocketAddr::new(address, 0);
    let loopback = [here(Ipv4Addr::LOCALHOST.into()), here(Ipv6Addr::LOCALHOST.into())];
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(settings.connect_time_limit)
        .resolve_to_addrs("localhost", &loopback)
        // Metadata and keys are fetched one after the other, then nothing for minutes.
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(settings.fetch_time_limit)
        .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
}

impl Transport for HttpTransport {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let get = self
            .client
            .get(request.url())
            .header(ACCEPT, "application/json")
            .timeout(request.time_limit());
        Box::pin(async move {
            let response = get.send().await.map_err(failed)?;
            let status = response.status().as_u16();
            let body = match status {
                200 => read(response, request.max_bytes()).await?,
                _ => Vec::new(),
            };
            Ok(FetchResponse::new(status, body))
        })
    }
}

/// Reads piece by piece: how long a body says it is proves nothing.
async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if body.len() + piece.len() > max_bytes {
            return Err(FetchErrorKind::TooLarge.into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> FetchError {
    let kind = if error.is_timeout() {
        FetchErrorKind::TimedOut
    } else if error.is_connect() {
        FetchErrorKind::Connect
    } else {
        FetchErrorKind::Protocol
    };
    FetchError::with_source(kind, error.without_url())
}
