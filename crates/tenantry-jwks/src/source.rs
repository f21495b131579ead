//! Where the keys of an issuer come from.

use std::path::PathBuf;
use std::sync::Arc;

use crate::keys::{KeySet, KeySetError};
use crate::transport::UrlOrigin;

/// Where the keys of one issuer come from.
///
/// ```
/// use tenantry_jwks::KeySource;
///
/// let discovered = KeySource::discovery();
/// let named = KeySource::uri("http://127.0.0.1:9000/jwks.json").with_loopback_http(true);
/// assert!(KeySource::jwks(r#"{"keys": []}"#).is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KeySource {
    pub(crate) kind: Kind,
    pub(crate) urls: UrlRules,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A JWK Set. Which of its keys count depends on the issuer.
    Document(Arc<str>),
    /// Parsed once, for good.
    Fixed(Arc<KeySet>),
    Loaded(Place),
}

/// From where keys are loaded again and again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Discovery,
    File(PathBuf),
    Uri(Box<str>),
}

impl Place {
    /// What tells places on the network apart. A file needs no copy on the disk.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Discovery => Some("discovery"),
            Self::File(_) => None,
            Self::Uri(url) => Some(url),
        }
    }
}

/// Which URLs may be fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UrlRules {
    pub(crate) loopback_http: bool,
    pub(crate) origin: UrlOrigin,
}

impl KeySource {
    /// The `jwks_uri` of the issuer's metadata, looked for by [RFC 8414 §3.1] and then by [OpenID
    /// Connect Discovery §4].
    ///
    /// [RFC 8414 §3.1]: https://www.rfc-editor.org/rfc/rfc8414#section-3.1
    /// [OpenID Connect Discovery §4]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
    pub fn discovery() -> Self {
        Self::of(Kind::Loaded(Place::Discovery))
    }

    /// The JWK Set at `url`.
    pub fn uri(url: impl Into<Box<str>>) -> Self {
        Self::of(Kind::Loaded(Place::Uri(url.into())))
    }

    /// A file with a JWK Set, or with public keys in PEM. It is read again like a URL is fetched
    /// again, so keys can be rotated by replacing it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Kind::Loaded(Place::File(path.into())))
    }

    /// A JWK Set in the configuration. It never changes. As everywhere, keys that say they are for
    /// another issuer than the one whose source this is are skipped.
    ///
    /// # Errors
    ///
    /// If it is not a [key set](KeySet::parse), or no key in it can be used.
    pub fn jwks(json: &str) -> Result<Self, KeySetError> {
        refuse_empty(&KeySet::parse(json.as_bytes())?)?;
        Ok(Self::of(Kind::Document(json.into())))
    }

    /// Public keys in PEM in the configuration. They never change.
    ///
    /// # Errors
    ///
    /// If it is not [PEM](KeySet::from_pem), or no key in it can be used.
    pub fn pem(pem: &str) -> Result<Self, KeySetError> {
        let set = KeySet::from_pem(pem)?;
        refuse_empty(&set)?;
        Ok(Self::of(Kind::Fixed(Arc::new(set))))
    }

    /// Sets whether plain `http` is permitted to this machine. It is for tests and demonstrations,
    /// and off otherwise.
    pub const fn with_loopback_http(mut self, permitted: bool) -> Self {
        self.urls.loopback_http = permitted;
        self
    }

    /// Sets who wrote the URL, or the issuer that metadata is looked for at:
    /// [`Operator`](UrlOrigin::Operator) otherwise. Say [`Pattern`](UrlOrigin::Pattern) for an
    /// issuer that was found by a pattern.
    pub const fn with_url_origin(mut self, origin: UrlOrigin) -> Self {
        self.urls.origin = origin;
        self
    }

    const fn of(kind: Kind) -> Self {
        let urls = UrlRules { loopback_http: false, origin: UrlOrigin::Operator };
        Self { kind, urls }
    }
}

fn refuse_empty(set: &KeySet) -> Result<(), KeySetError> {
    if set.keys().is_empty() { Err(KeySetError::NO_USABLE_KEY) } else { Ok(()) }
}
