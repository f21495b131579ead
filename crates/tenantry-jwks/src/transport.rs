//! How a document is fetched, without saying by what.

use std::fmt;
use std::time::Duration;

use tenantry_core::BoxFuture;
use url::{Host, Url};

use crate::egress::is_inside_host;
use crate::fetch_error::{FetchError, FetchErrorKind};
use crate::keys::KeySet;

/// Fetches documents over HTTP.
///
/// `HttpTransport` is the one for production. Whoever writes another must not follow redirects, must
/// stop reading at [`FetchRequest::max_bytes`], must bound the time, and must not connect a
/// [guarded](FetchRequest::is_guarded) request to an address for which
/// [`is_public_address`](crate::is_public_address) is false. It should send
/// [`FetchRequest::if_none_match`], and hand on the fields that say how long an answer may be kept:
/// [`FetchResponse::with_cache_control`], [`FetchResponse::with_etag`].
pub trait Transport: Send + Sync + 'static {
    /// Sends one `GET` and reads the answer.
    ///
    /// A status other than 200 is an answer, not an error, and needs no body. 304 says that the
    /// document that [`FetchRequest::if_none_match`] names is the current one.
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>>;
}

/// Who wrote the URL that is fetched.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UrlOrigin {
    /// A document of the issuer did.
    Document,
    /// The operator did, in the configuration: all of it, or its scheme, host and port.
    Operator,
    /// It is a pattern of the operator, filled in with the tenant of a token.
    Pattern,
}

/// A `GET` of a URL that may be fetched: `https`, or `http` to this machine if that was asked for.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    url: Url,
    origin: UrlOrigin,
    if_none_match: Option<Box<str>>,
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
    /// not a permitted `http`. [`PrivateAddress`](FetchErrorKind::PrivateAddress) if the operator
    /// did not write the URL and its host is `localhost` or an IP address that is not
    /// [public](crate::is_public_address); plain `http` to this machine, where it is permitted, is
    /// exempt.
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
        let inside = is_inside_host(&host);
        let (max_bytes, time_limit) = (KeySet::MAX_BYTES, Duration::from_secs(5));
        let request = Self { url, origin, if_none_match: None, max_bytes, time_limit };
        if request.is_guarded() && inside {
            return Err(FetchErrorKind::PrivateAddress.into());
        }
        Ok(request)
    }

    /// Asks for the document only if it is not the one that `etag` names ([RFC 9110 §13.1.2]).
    ///
    /// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
    #[must_use]
    pub fn with_if_none_match(mut self, etag: impl Into<Box<str>>) -> Self {
        self.if_none_match = Some(etag.into());
        self
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

    /// Returns whether the request must not go to an inside address: the operator did not write
    /// the URL, and it is not the plain `http` to this machine that the operator permitted.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.origin != UrlOrigin::Operator && self.url.scheme() == "https"
    }

    /// Returns the entity tag to send in `If-None-Match`, if there is one.
    #[must_use]
    pub fn if_none_match(&self) -> Option<&str> {
        self.if_none_match.as_deref()
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
    cache_control: Option<Box<str>>,
    etag: Option<Box<str>>,
}

impl FetchResponse {
    /// Returns an answer of this status and body.
    #[must_use]
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, cache_control: None, etag: None }
    }

    /// Sets the `Cache-Control` field. Several lines are one, joined by commas.
    #[must_use]
    pub fn with_cache_control(mut self, field: impl Into<Box<str>>) -> Self {
        self.cache_control = Some(field.into());
        self
    }

    /// Sets the `ETag` field, quotes and all.
    #[must_use]
    pub fn with_etag(mut self, etag: impl Into<Box<str>>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    /// Returns the `Cache-Control` field.
    #[must_use]
    pub fn cache_control(&self) -> Option<&str> {
        self.cache_control.as_deref()
    }

    /// Returns the `ETag` field.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
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
    fn only_the_operator_names_inside_addresses() {
        let refused =
            |url, origin| FetchRequest::new(url, origin, true).err().map(|error| error.kind());
        let inside = Some(FetchErrorKind::PrivateAddress);
        for url in [
            "https://127.0.0.1/",
            "https://10.0.0.1:8443/",
            "https://169.254.169.254/latest",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
        ] {
            assert_eq!(refused(url, UrlOrigin::Operator), None, "{url}");
            assert_eq!(refused(url, UrlOrigin::Document), inside, "{url}");
            assert_eq!(refused(url, UrlOrigin::Pattern), inside, "{url}");
        }
        for url in ["https://auth.example/", "https://1.1.1.1/", "https://[2606:4700::1111]/"] {
            assert_eq!(refused(url, UrlOrigin::Document), None, "{url}");
        }
        let test_issuer = "http://127.0.0.1:9/jwks";
        assert_eq!(refused(test_issuer, UrlOrigin::Document), None, "permitted by the operator");
        let request = FetchRequest::new(test_issuer, UrlOrigin::Document, true).unwrap();
        assert!(!request.is_guarded());
        let request = FetchRequest::new("https://a.example/", UrlOrigin::Pattern, true).unwrap();
        assert!(request.is_guarded());
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
