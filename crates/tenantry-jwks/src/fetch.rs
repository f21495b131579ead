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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::keys::KeySet;
    use crate::transport::UrlOrigin;

    /// A server on this machine that says the same to everybody and then nothing more, without
    /// closing the connection.
    struct Server {
        url: String,
        requests: Arc<AtomicUsize>,
    }

    impl Server {
        async fn saying(answer: impl Into<Vec<u8>>) -> Self {
            let answer = answer.into();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/jwks", listener.local_addr().unwrap());
            let requests = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&requests);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let (counter, answer) = (Arc::clone(&counter), answer.clone());
                    tokio::spawn(async move {
                        let mut head = Vec::new();
                        while !head.ends_with(b"\r\n\r\n") {
                            head.push(stream.read_u8().await?);
                        }
                        counter.fetch_add(1, Ordering::SeqCst);
                        stream.write_all(&answer).await?;
                        std::future::pending::<std::io::Result<()>>().await
                    });
                }
            });
            Self { url, requests }
        }

        fn requests(&self) -> usize {
            self.requests.load(Ordering::SeqCst)
        }
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn request(url: &str) -> FetchRequest {
        FetchRequest::new(url, UrlOrigin::Operator, true).unwrap()
    }

    async fn get(url: &str) -> Result<FetchResponse, FetchErrorKind> {
        let transport = HttpTransport::new(&KeySettings::default()).unwrap();
        transport.get(request(url)).await.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_document_is_fetched() {
        let server = Server::saying(ok(b"{}")).await;
        let response = get(&server.url).await.unwrap();
        assert_eq!((response.status(), response.body()), (200, &b"{}"[..]));
        let named = server.url.replace("127.0.0.1", "localhost");
        assert_eq!(get(&named).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_body_of_the_longest_length_is_read_and_a_longer_one_refused() {
        let longest = vec![b' '; KeySet::MAX_BYTES];
        let server = Server::saying(ok(&longest)).await;
        assert_eq!(get(&server.url).await.unwrap().body().len(), longest.len());

        let server = Server::saying(ok(&[&longest[..], b" "].concat())).await;
        assert_eq!(get(&server.url).await.unwrap_err(), FetchErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn an_endless_body_of_unknown_length_is_refused() {
        // 300 pieces of 1 KiB and no end: only a limit while reading stops here.
        let piece = format!("400\r\n{}\r\n", " ".repeat(1024));
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = format!("{head}{}", piece.repeat(300));
        let server = Server::saying(answer).await;
        assert_eq!(get(&server.url).await.unwrap_err(), FetchErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let target = Server::saying(ok(b"{}")).await;
        for status in [301, 302, 303, 307, 308] {
            let location = &target.url;
            let answer = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            );
            let server = Server::saying(answer).await;
            let response = get(&server.url).await.unwrap();
            assert_eq!((response.status(), response.body()), (status, &b""[..]));
            assert_eq!(server.requests(), 1);
        }
        assert_eq!(target.requests(), 0);
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_given_up_before_and_within_the_body() {
        let begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
        for answer in ["", begun] {
            let server = Server::saying(answer).await;
            let transport = HttpTransport::new(&KeySettings::default()).unwrap();
            let request = request(&server.url).with_time_limit(Duration::from_millis(100));
            let error = transport.get(request).await.unwrap_err();
            assert_eq!(error.kind(), FetchErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        drop(listener);
        let transport = HttpTransport::new(&KeySettings::default()).unwrap();
        let error = transport.get(request(&url)).await.unwrap_err();
        assert_eq!(error.kind(), FetchErrorKind::Connect);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("/jwks"), "the URL is in {shown}");
    }

    #[tokio::test]
    async fn plain_http_where_it_is_not_permitted_never_gets_to_the_transport() {
        let server = Server::saying(ok(b"{}")).await;
        let elsewhere = server.url.replace("127.0.0.1", "auth.example");
        for (url, loopback_http) in [(&elsewhere, true), (&server.url, false)] {
            let error = FetchRequest::new(url, UrlOrigin::Operator, loopback_http).unwrap_err();
            assert_eq!(error.kind(), FetchErrorKind::Insecure);
        }
        assert_eq!(server.requests(), 0);
    }
}
