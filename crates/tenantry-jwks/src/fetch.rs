//! The transport for production. The only file that opens a connection.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tenantry_core::BoxFuture;

use crate::fetch_error::{FetchError, FetchErrorKind};
use crate::resolve::{Guarded, Open, Resolver, SystemResolver};
use crate::settings::KeySettings;
use crate::transport::{FetchRequest, FetchResponse, Transport};

/// Fetches over HTTP with reqwest and rustls.
///
/// It follows no redirect, uses no proxy of the environment, and stops reading at the limit.
/// `localhost` is this machine, whatever DNS says.
///
/// A [guarded](FetchRequest::is_guarded) request goes to [public](crate::is_public_address) addresses
/// only: the answer of DNS is checked, and connected to without asking again. A name of which one
/// address is inside is refused, whatever its others are.
///
/// Certificates are judged by what the system trusts. On a system without any, every `https` fetch
/// fails. The cryptography is aws-lc-rs, unless the program has installed another rustls provider
/// for the whole process: that is then taken at its word.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    /// Goes wherever the operator says.
    open: Client,
    /// Goes nowhere inside. It shares no connection with the other.
    guarded: Client,
}

impl HttpTransport {
    /// Makes a transport with the time to connect that `settings` give.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(settings: &KeySettings) -> Result<Self, FetchError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// Makes a transport that asks `resolver` for the addresses of hosts.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn with_resolver(
        settings: &KeySettings,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, FetchError> {
        let guarded = Guarded::new(Arc::clone(&resolver));
        Self::with_guard(settings, resolver, guarded)
    }

    fn with_guard(
        settings: &KeySettings,
        resolver: Arc<dyn Resolver>,
        guarded: Guarded,
    ) -> Result<Self, FetchError> {
        let here = |address: IpAddr| SocketAddr::new(address, 0);
        let loopback = [here(Ipv4Addr::LOCALHOST.into()), here(Ipv6Addr::LOCALHOST.into())];
        let open = Arc::new(Open(resolver));
        let guarded = Arc::new(guarded);
        Ok(Self {
            open: client(|| {
                builder(settings, open.clone()).resolve_to_addrs("localhost", &loopback)
            })?,
            guarded: client(|| builder(settings, guarded.clone()))?,
        })
    }
}

fn client(builder: impl Fn() -> ClientBuilder) -> Result<Client, FetchError> {
    let client = builder().build().or_else(|error| {
        // No certificates on this system: then none is trusted, but keys on this machine and in
        // files can still be had.
        let error = error.without_url();
        tracing::warn!(%error, "no trusted certificates: https will fail");
        builder().tls_certs_only([]).build()
    });
    client.map_err(failed)
}

fn builder<R: Resolve + 'static>(settings: &KeySettings, resolver: Arc<R>) -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(settings.connect_time_limit)
        .dns_resolver(resolver)
        // Metadata and keys are fetched one after the other, then nothing for minutes.
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(settings.fetch_time_limit)
        .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
}

impl Transport for HttpTransport {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        // An IP address in the URL was looked at when the request was made: no resolver sees it.
        let client = if request.is_guarded() { &self.guarded } else { &self.open };
        let mut get = client
            .get(request.url())
            .header(ACCEPT, "application/json")
            .timeout(request.time_limit());
        if let Some(etag) = request.if_none_match() {
            get = get.header(IF_NONE_MATCH, etag);
        }
        Box::pin(async move {
            let response = get.send().await.map_err(failed)?;
            let status = response.status().as_u16();
            let (cache_control, etag) = caching(response.headers());
            let body = match status {
                200 => read(response, request.max_bytes()).await?,
                _ => Vec::new(),
            };
            let mut answer = FetchResponse::new(status, body);
            if let Some(field) = cache_control {
                answer = answer.with_cache_control(field);
            }
            if let Some(etag) = etag {
                answer = answer.with_etag(etag);
            }
            Ok(answer)
        })
    }
}

/// `Cache-Control`, of which there may be several lines, and `ETag`.
fn caching(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let lines: Vec<_> =
        headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok()).collect();
    let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    ((!lines.is_empty()).then(|| lines.join(",")), etag.map(str::to_owned))
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
    let kind = if is_guarded_off(&error) {
        FetchErrorKind::PrivateAddress
    } else if error.is_timeout() {
        FetchErrorKind::TimedOut
    } else if error.is_connect() {
        FetchErrorKind::Connect
    } else {
        FetchErrorKind::Protocol
    };
    FetchError::with_source(kind, error.without_url())
}

/// Whether the guard is the cause, somewhere below.
fn is_guarded_off(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref().map(FetchError::kind);
        if kind == Some(FetchErrorKind::PrivateAddress) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::keys::KeySet;
    use crate::testing::Names;
    use crate::transport::UrlOrigin;

    /// A server on this machine that says the same to everybody and then nothing more, without
    /// closing the connection.
    struct Server {
        url: String,
        requests: Arc<AtomicUsize>,
        connections: Arc<AtomicUsize>,
    }

    impl Server {
        async fn saying(answer: impl Into<Vec<u8>>) -> Self {
            let answer = answer.into();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/jwks", listener.local_addr().unwrap());
            let requests = Arc::new(AtomicUsize::new(0));
            let connections = Arc::new(AtomicUsize::new(0));
            let (counter, connected) = (Arc::clone(&requests), Arc::clone(&connections));
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    connected.fetch_add(1, Ordering::SeqCst);
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
            Self { url, requests, connections }
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

    #[tokio::test]
    async fn what_says_how_long_a_document_may_be_kept_is_handed_on() {
        let answer = "HTTP/1.1 200 OK\r\ncache-control: public\r\nCache-Control: max-age=60\r\n\
                      etag: W/\"a\"\r\ncontent-length: 2\r\n\r\n{}";
        let response = get(&Server::saying(answer).await.url).await.unwrap();
        assert_eq!(response.cache_control(), Some("public,max-age=60"));
        assert_eq!(response.etag(), Some("W/\"a\""));

        let response = get(&Server::saying(ok(b"{}")).await.url).await.unwrap();
        assert_eq!((response.cache_control(), response.etag()), (None, None));
    }

    #[tokio::test]
    async fn a_known_document_is_asked_for_by_its_tag() {
        // Says 304 to whoever sends the tag, and hangs otherwise.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 304 Not Modified\r\n\r\n").await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let transport = HttpTransport::new(&KeySettings::default()).unwrap();
        let response = transport.get(request(&url).with_if_none_match("\"a\"")).await.unwrap();
        assert_eq!(response.status(), 304);
        assert!(asked.await.unwrap().contains("\r\nif-none-match: \"a\"\r\n"));
    }

    /// Sends an `https` request for `name`, written by a stranger, to where `names` lead: `Protocol`
    /// or `Connect` says that something was connected to, and did not speak TLS.
    async fn get_guarded(
        transport: &HttpTransport,
        server: &Server,
    ) -> Result<FetchResponse, FetchErrorKind> {
        let port = server.url.split(':').nth(2).unwrap();
        let url = format!("https://auth.example:{port}");
        let request = FetchRequest::new(&url, UrlOrigin::Document, true).unwrap();
        transport.get(request).await.map_err(|error| error.kind())
    }

    fn names<const N: usize>(answers: [&[&str]; N]) -> Arc<Names> {
        let address = |address: &&str| address.parse().unwrap();
        Arc::new(Names::of(answers.map(|answer| answer.iter().map(address).collect())))
    }

    #[tokio::test]
    async fn a_name_of_an_inside_address_is_not_connected_to() {
        for answer in [&["127.0.0.1"][..], &["127.0.0.1", "9.9.9.9"], &["9.9.9.9", "127.0.0.1"]] {
            let server = Server::saying("").await;
            let names = names([answer]);
            let settings = KeySettings::default();
            let transport = HttpTransport::with_resolver(&settings, names.clone()).unwrap();
            let refused = get_guarded(&transport, &server).await.unwrap_err();
            assert_eq!(refused, FetchErrorKind::PrivateAddress);
            assert_eq!((names.asked(), server.connections.load(Ordering::SeqCst)), (1, 0));
        }
    }

    #[tokio::test]
    async fn the_address_that_was_checked_is_the_address_that_is_connected_to() {
        // In this test 127.0.0.1 is outside and 127.0.0.2 is inside.
        let outside = |address: IpAddr| address == IpAddr::from([127, 0, 0, 1]);
        let server = Server::saying("this is not TLS").await;
        let names = names([&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"]]);
        let guard = Guarded::allowing(names.clone(), outside);
        let settings = KeySettings::default();
        let transport = HttpTransport::with_guard(&settings, names.clone(), guard).unwrap();
        for (asked, connections) in [(1, 1), (2, 1), (3, 2)] {
            let kind = get_guarded(&transport, &server).await.unwrap_err();
            assert_eq!(kind == FetchErrorKind::PrivateAddress, asked == 2, "{kind}");
            assert_eq!(names.asked(), asked);
            assert_eq!(server.connections.load(Ordering::SeqCst), connections);
        }
    }

    #[tokio::test]
    async fn the_operator_may_name_what_is_inside() {
        let server = Server::saying("this is not TLS").await;
        let names = names([&["127.0.0.1"]]);
        let transport = HttpTransport::with_resolver(&KeySettings::default(), names).unwrap();
        let url = server.url.replace("http://127.0.0.1", "https://auth.example");
        let request = FetchRequest::new(&url, UrlOrigin::Operator, false).unwrap();
        let kind = transport.get(request).await.unwrap_err().kind();
        assert_ne!(kind, FetchErrorKind::PrivateAddress);
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_test_issuer_on_this_machine_may_name_itself() {
        let server = Server::saying(ok(b"{}")).await;
        let transport = HttpTransport::new(&KeySettings::default()).unwrap();
        for url in [server.url.clone(), server.url.replace("127.0.0.1", "localhost")] {
            let request = FetchRequest::new(&url, UrlOrigin::Document, true).unwrap();
            assert_eq!(transport.get(request).await.unwrap().status(), 200);
        }
    }
}
