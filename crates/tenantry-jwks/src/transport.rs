//! How a document is fetched, without saying by what.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tenantry_core::BoxFuture;
use url::{Host, Url};

use crate::keys::KeySet;

/// Fetches documents over HTTP.
///
/// `HttpTransport` is the one for production. Whoever writes another must not follow redirects, must
/// stop reading at [`FetchRequest::max_bytes`], and must bound the time.
pub trait Transport: Send + Sync + 'static {
    /// Sends one `GET` and reads the answer.
    ///
    /// A status other than 200 is an answer, not an error, and needs no body.
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>>;
}

/// Who wrote the URL that is fetched.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UrlOrigin {
    /// A document of the issuer did.
    Document,
    /// The operator did, in the configuration.
    Operator,
    /// It is a pattern of the operator, filled in with the tenant of a token.
    Pattern,
}

/// A `GET` of a URL that may be fetched: `https`, or `http` to this machine if that was asked for.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    url: Url,
    origin: UrlOrigin,
    max_bytes: usize,
    time_limit: Duration,
}

impl FetchRequest {
    /// Makes a request for `url`.
    ///
    /// With `loopback_http`, plain `http` is permitted to `localhost`, `127.0.0.0/8` and `[::1]`,
    /// and to nothing else: keys that travel without TLS can be exchanged on the way.
    ///
    /// # Errors
    ///
    /// [`Url`](FetchErrorKind::Url) if it is not an absolute URL with a host, or has a user name or
    /// a fragment. [`Insecure`](FetchErrorKind::Insecure) if it is another scheme than `https` and
    /// not a permitted `http`.
    pub fn new(url: &str, origin: UrlOrigin, loopback_http: bool) -> Result<Self, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchErrorKind::Url)?;
        let host = url.host().ok_or(FetchErrorKind::Url)?;
        let credentials = !url.username().is_empty() || url.password().is_some();
        if credentials || url.fragment().is_some() {
            return Err(FetchErrorKind::Url.into());
        }
        let permitted = match url.scheme() {
            "https" => true,
            "http" => loopback_http && is_loopback(&host),
            _ => false,
        };
        if !permitted {
            return Err(FetchErrorKind::Insecure.into());
        }
        let (max_bytes, time_limit) = (KeySet::MAX_BYTES, Duration::from_secs(5));
        Ok(Self { url, origin, max_bytes, time_limit })
    }

    /// Sets the time from start to last byte; 5 seconds otherwise.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns who wrote the URL.
    #[must_use]
    pub const fn origin(&self) -> UrlOrigin {
        self.origin
    }

    /// Returns how many bytes of the body are accepted.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns the time from start to last byte.
    #[must_use]
    pub const fn time_limit(&self) -> Duration {
        self.time_limit
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The answer to a [`FetchRequest`].
#[derive(Clone)]
pub struct FetchResponse {
    status: u16,
    body: Vec<u8>,
}

impl FetchResponse {
    /// Returns an answer of this status and body.
    #[must_use]
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body }
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A document could not be fetched.
#[derive(Debug)]
pub struct FetchError {
    kind: FetchErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// Returns the error with its cause. The cause must not hold the URL: it may come from a
    /// stranger, and it ends in the log.
    #[must_use]
    pub fn with_source(
        kind: FetchErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Returns the category.
    #[must_use]
    pub const fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }
}

impl From<FetchErrorKind> for FetchError {
    fn from(kind: FetchErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// The category of a [`FetchError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FetchErrorKind {
    /// There was no connection, or TLS refused the other side.
    Connect,
    /// The URL is not `https`, nor a permitted `http`.
    Insecure,
    /// The connection broke, or what came was not HTTP.
    Protocol,
    /// It took too long.
    TimedOut,
    /// The body was too long.
    TooLarge,
    /// The URL is not one.
    Url,
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Insecure => "the URL is not https",
            Self::Protocol => "the connection broke",
            Self::TimedOut => "it took too long",
            Self::TooLarge => "the body is too long",
            Self::Url => "not a URL that can be fetched",
        })
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, loopback_http: bool) -> Option<FetchErrorKind> {
        FetchRequest::new(url, UrlOrigin::Operator, loopback_http).err().map(|error| error.kind())
    }

    #[test]
    fn https_is_fetched_and_nothing_else() {
        assert_eq!(refused("https://auth.example/jwks", false), None);
        assert_eq!(refused("https://127.0.0.1/jwks", false), None);
        for url in [
            "http://auth.example/jwks",
            "http://127.0.0.1/jwks",
            "ftp://auth.example/jwks",
            "file://auth.example/jwks",
        ] {
            assert_eq!(refused(url, false), Some(FetchErrorKind::Insecure), "{url}");
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only_and_only_when_asked_for() {
        for url in
            ["http://localhost:9/", "http://127.0.0.1:9/", "http://127.8.8.8/", "http://[::1]:9/"]
        {
            assert_eq!(refused(url, true), None, "{url}");
            assert_eq!(refused(url, false), Some(FetchErrorKind::Insecure), "{url}");
        }
        for url in [
            "http://auth.example/",
            "http://localhost.auth.example/",
            "http://127.0.0.1.auth.example/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://169.254.169.254/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert_eq!(refused(url, true), Some(FetchErrorKind::Insecure), "{url}");
        }
    }

    #[test]
    fn a_url_with_credentials_fragment_or_no_host_is_refused() {
        for url in [
            "https://user@auth.example/",
            "https://:secret@auth.example/",
            "https://auth.example/#x",
            "data:text/plain,x",
            "/jwks",
            "",
        ] {
            assert_eq!(refused(url, true), Some(FetchErrorKind::Url), "{url}");
        }
    }
}
