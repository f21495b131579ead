//! An authorization server's keys and metadata, without the rest of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use tenantry_core::{Algorithm, Clock, TenantId};

use crate::key_ring::KeyRing;
use crate::published::{Mood, Published};
use crate::server::{Bound, Server};
use crate::{SigningKey, TokenBuilder};

/// An issuer with keys of its own, made for one test.
///
/// It publishes its key set and metadata, on a loopback port or only as documents, and
/// [signs tokens](Self::token), right or wrong. It has no endpoint that issues them.
///
/// | path | document |
/// |---|---|
/// | `/jwks.json` | key set ([RFC 7517 §5]) |
/// | `/.well-known/oauth-authorization-server` | metadata ([RFC 8414 §3]) |
/// | `/.well-known/openid-configuration` | the same for OpenID Connect ([Discovery §4]) |
/// | `/{tenant}/jwks.json` | key set of a tenant that has its own |
/// | `/.well-known/oauth-authorization-server/{tenant}` | its metadata |
/// | `/{tenant}/.well-known/openid-configuration` | its metadata |
///
/// No two issuers share a key, nor do two tenants of one. Their names do meet: the first ES256 key
/// of every issuer is called `es256-1`, so a test with two issuers shows whether keys are kept
/// apart. Those of a tenant begin with its id: `tenant1-es256-1`.
///
/// Clones are the same issuer. Its server stops when the last one is dropped.
///
/// ```
/// use tenantry_testkit::TestIssuer;
///
/// let issuer = TestIssuer::offline("https://auth.erp.example");
/// let token = issuer.token().tenant("tenant1").scope("tenant1.journal.read").sign();
///
/// assert_eq!(token.split('.').count(), 3);
/// assert_eq!(issuer.jwks()["keys"][0]["kid"], "es256-1");
/// ```
///
/// [RFC 7517 §5]: https://www.rfc-editor.org/rfc/rfc7517#section-5
/// [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
/// [Discovery §4]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
#[derive(Clone)]
pub struct TestIssuer {
    inner: Arc<Inner>,
}

struct Inner {
    published: Arc<Published>,
    claims: ClaimSettings,
    clock: Option<Arc<dyn Clock>>,
    server: Mutex<Option<Server>>,
}

/// How the issuer writes what its tokens say.
#[derive(Clone, Debug)]
pub(crate) struct ClaimSettings {
    pub(crate) audience: Box<str>,
    pub(crate) scope_pattern: Option<Box<str>>,
    pub(crate) tenant_claim: Box<str>,
}

impl TestIssuer {
    /// Starts an issuer with one ES256 key on a loopback port that the system chooses.
    ///
    /// # Panics
    ///
    /// If no port can be had, or there is no Tokio runtime with I/O.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Makes an issuer with one ES256 key that listens nowhere: hand on its [`jwks`](Self::jwks).
    ///
    /// `url` is its `iss`, written as tokens are to carry it.
    #[must_use]
    pub fn offline(url: impl Into<String>) -> Self {
        Self::builder().url(url).offline()
    }

    /// Begins an issuer that differs from the usual one.
    pub fn builder() -> TestIssuerBuilder {
        TestIssuerBuilder {
            url: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            algorithms: vec![Algorithm::Es256],
            keys: Vec::new(),
            tenants: Vec::new(),
            openid_only: false,
            claims: ClaimSettings {
                audience: "https://api.erp.example/{tenant}".into(),
                scope_pattern: None,
                tenant_claim: "tenant_id".into(),
            },
            clock: None,
        }
    }

    /// Its `iss`: `http://127.0.0.1:PORT`, unless it was given another.
    #[must_use]
    pub fn url(&self) -> &str {
        self.inner.published.url()
    }

    /// The `iss` of the tokens for `tenant`: `{url}/{tenant}` if the tenant has keys of its own,
    /// else [`url`](Self::url).
    #[must_use]
    pub fn issuer_of(&self, tenant: &str) -> String {
        let own = self.published().with_ring(Some(tenant), |_| ()).map(|()| tenant);
        self.published().issuer(own)
    }

    /// Where its key set is, or would be if it listened.
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        self.published().jwks_uri(None)
    }

    /// Where the key set of a tenant with keys of its own is. Write it with `{tenant}` for the
    /// pattern of all.
    #[must_use]
    pub fn jwks_uri_of(&self, tenant: &str) -> String {
        self.published().jwks_uri(Some(tenant))
    }

    /// Its key set, as [`jwks_uri`](Self::jwks_uri) shows it.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.ring(None, |ring| ring.jwks())
    }

    /// The key set of a tenant with keys of its own.
    ///
    /// # Panics
    ///
    /// If `tenant` has none.
    #[must_use]
    pub fn jwks_of(&self, tenant: &str) -> Value {
        self.ring(Some(tenant), |ring| ring.jwks())
    }

    /// The key that it signs with, for `algorithm`.
    ///
    /// # Panics
    ///
    /// If it has none for that algorithm.
    #[must_use]
    pub fn key(&self, algorithm: Algorithm) -> SigningKey {
        self.signing_key(None, Some(algorithm))
    }

    /// The key that it signs with for a tenant with keys of its own.
    ///
    /// # Panics
    ///
    /// If `tenant` has none, or none for that algorithm.
    #[must_use]
    pub fn key_of(&self, tenant: &str, algorithm: Algorithm) -> SigningKey {
        self.signing_key(Some(tenant), Some(algorithm))
    }

    /// Begins a token. Name a tenant and it is one that a resource server should accept.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(self.clone())
    }

    /// Replaces every key by a new one under a new name: `es256-2` after `es256-1`. Keys that were
    /// added are gone.
    pub fn rotate(&self) {
        self.published().rotate();
    }

    /// Publishes a further key. Tokens are signed with it only where
    /// [`signed_by`](TokenBuilder::signed_by) says so.
    pub fn publish(&self, key: SigningKey) {
        self.ring(None, |ring| ring.add(key));
    }

    /// Takes requests, and answers none until it is told otherwise: as a server that hangs. Those
    /// that wait then are answered then.
    ///
    /// ```
    /// use tenantry_testkit::TestIssuer;
    ///
    /// # #[tokio::main]
    /// # async fn main() {
    /// let issuer = TestIssuer::start().await;
    ///
    /// issuer.pause(); // or fail(), or garble()
    /// // Whoever has its keys goes on, and nobody else waits for long.
    /// issuer.recover();
    /// # }
    /// ```
    pub fn pause(&self) {
        self.published().set_mood(Mood::Paused);
    }

    /// Answers every request with 500 until it is told otherwise.
    pub fn fail(&self) {
        self.published().set_mood(Mood::Failing);
    }

    /// Answers every request with 200 and bytes that are no JSON, until it is told otherwise.
    pub fn garble(&self) {
        self.published().set_mood(Mood::Garbling);
    }

    /// Answers as it should again, after [`pause`](Self::pause), [`fail`](Self::fail),
    /// [`garble`](Self::garble) or [`set_unavailable`](Self::set_unavailable).
    pub fn recover(&self) {
        self.published().set_mood(Mood::Normal);
    }

    /// Answers every request with 503, or as it should again.
    pub fn set_unavailable(&self, unavailable: bool) {
        let mood = if unavailable { Mood::Unavailable } else { Mood::Normal };
        self.published().set_mood(mood);
    }

    /// How often each path was asked for, whatever the answer was.
    #[must_use]
    pub fn fetches(&self) -> BTreeMap<String, usize> {
        self.published().fetches()
    }

    /// How often `path` was asked for: `/jwks.json`, say.
    #[must_use]
    pub fn fetches_of(&self, path: &str) -> usize {
        self.fetches().get(path).copied().unwrap_or_default()
    }

    /// Stops listening, closes every connection, and returns when the port is free again.
    ///
    /// The issuer goes on signing.
    pub async fn stop(&self) {
        let server = self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    /// The same issuer with a life of its own: the keys that it has now, and another clock.
    #[cfg(feature = "attack")]
    pub(crate) fn fork(&self, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                published: Arc::new(self.published().fork()),
                claims: self.claims().clone(),
                clock: Some(clock),
                server: Mutex::new(None),
            }),
        }
    }

    #[cfg(feature = "attack")]
    pub(crate) fn documents(&self) -> Arc<Published> {
        Arc::clone(&self.inner.published)
    }

    pub(crate) fn claims(&self) -> &ClaimSettings {
        &self.inner.claims
    }

    /// Whole seconds since the Unix epoch ([RFC 7519 §2], "NumericDate").
    ///
    /// [RFC 7519 §2]: https://www.rfc-editor.org/rfc/rfc7519#section-2
    pub(crate) fn now(&self) -> i64 {
        let now = match &self.inner.clock {
            Some(clock) => clock.unix(),
            None => {
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO)
            }
        };
        i64::try_from(now.as_secs()).expect("the time is within a few billion years")
    }

    /// The tenant whose keys sign a token for `tenant`: itself, where tenants have keys of their
    /// own.
    pub(crate) fn signer_of<'a>(&self, tenant: Option<&'a str>) -> Option<&'a str> {
        tenant.filter(|_| self.published().has_tenants())
    }

    pub(crate) fn signing_key(
        &self,
        tenant: Option<&str>,
        algorithm: Option<Algorithm>,
    ) -> SigningKey {
        match self.ring(tenant, |ring| ring.key(algorithm).cloned()) {
            Some(key) => key,
            None => panic!("the issuer has no key for {algorithm:?}: ask its builder for one"),
        }
    }

    fn ring<T>(&self, tenant: Option<&str>, f: impl FnOnce(&mut KeyRing) -> T) -> T {
        match self.published().with_ring(tenant, f) {
            Some(found) => found,
            None => panic!(
                "{tenant:?} has no keys of its own: name it in `TestIssuerBuilder::keys_per_tenant`"
            ),
        }
    }

    fn published(&self) -> &Published {
        &self.inner.published
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// Begun by [`TestIssuer::builder`], ended by [`start`](Self::start) or [`offline`](Self::offline).
#[must_use = "a builder does nothing until it is started"]
pub struct TestIssuerBuilder {
    url: Option<String>,
    listen: SocketAddr,
    algorithms: Vec<Algorithm>,
    keys: Vec<SigningKey>,
    tenants: Vec<TenantId>,
    openid_only: bool,
    claims: ClaimSettings,
    clock: Option<Arc<dyn Clock>>,
}

impl TestIssuerBuilder {
    /// The `iss`, where it is not the address that the issuer listens at.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The address to listen at. By default a loopback port that the system chooses.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The algorithms to have a key for, instead of ES256. Tokens are signed with the first, unless
    /// they say another.
    ///
    /// RSA keys take a noticeable part of a second to make. One serves all RSA algorithms of a key
    /// set, under a name for each.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// A further key to publish, and the one that tokens are signed with if there is no other for
    /// their algorithm.
    pub fn key(mut self, key: SigningKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Gives each of `tenants` an issuer of its own, `{url}/{tenant}`, with its own keys at
    /// `{url}/{tenant}/jwks.json`.
    ///
    /// # Panics
    ///
    /// If one of them is not a [`TenantId`].
    pub fn keys_per_tenant<T: AsRef<str>>(mut self, tenants: impl IntoIterator<Item = T>) -> Self {
        self.tenants = tenants
            .into_iter()
            .map(|tenant| tenant.as_ref().parse().expect("a tenant with keys has a tenant id"))
            .collect();
        self
    }

    /// The audience of the tokens, with `{tenant}` for the tenant. By default
    /// `https://api.erp.example/{tenant}`.
    pub fn audience(mut self, audience: &str) -> Self {
        self.claims.audience = audience.into();
        self
    }

    /// How each member of a token's scope is written: `{tenant}.{scope}`, say. By default as it was
    /// given.
    pub fn scope_pattern(mut self, pattern: &str) -> Self {
        self.claims.scope_pattern = Some(pattern.into());
        self
    }

    /// The claim that names the tenant, instead of `tenant_id`.
    pub fn tenant_claim(mut self, name: &str) -> Self {
        self.claims.tenant_claim = name.into();
        self
    }

    /// Serves OpenID Connect metadata only, as some authorization servers do: 404 at the place of
    /// [RFC 8414 §3].
    ///
    /// [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
    pub fn openid_only(mut self) -> Self {
        self.openid_only = true;
        self
    }

    /// The clock that its tokens are dated by, instead of the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If the address cannot be had, there is no Tokio runtime with I/O, or it was given neither an
    /// algorithm nor a key.
    pub async fn start(self) -> TestIssuer {
        self.try_start().await.expect("a test issuer can listen")
    }

    /// Starts it where the address may be in use: a program for people to run, not a test.
    ///
    /// # Errors
    ///
    /// If the address cannot be had.
    ///
    /// # Panics
    ///
    /// If there is no Tokio runtime with I/O, or it was given neither an algorithm nor a key.
    pub async fn try_start(self) -> io::Result<TestIssuer> {
        let bound = Bound::to(self.listen).await?;
        let base = format!("http://{}", bound.address());
        let issuer = self.build(base);
        let server = bound.serve(Arc::clone(&issuer.inner.published));
        *issuer.inner.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(issuer)
    }

    /// Makes it, to listen nowhere. Without a [`url`](Self::url) it is `https://auth.erp.example`.
    ///
    /// # Panics
    ///
    /// If it was given neither an algorithm nor a key.
    #[must_use]
    pub fn offline(self) -> TestIssuer {
        let url = self.url.clone().unwrap_or_else(|| "https://auth.erp.example".into());
        self.build(url)
    }

    fn build(self, base: String) -> TestIssuer {
        let mut own = KeyRing::new(String::new(), self.algorithms.clone());
        self.keys.into_iter().for_each(|key| own.add(key));
        assert!(own.key(None).is_some(), "a test issuer needs an algorithm or a key");
        let tenants = self.tenants.iter().map(|tenant| {
            let ring = KeyRing::new(format!("{tenant}-"), self.algorithms.clone());
            (tenant.as_str().into(), ring)
        });
        let url = self.url.unwrap_or_else(|| base.clone());
        let published = Published::new(url, base, self.openid_only, own, tenants.collect());
        TestIssuer {
            inner: Arc::new(Inner {
                published: Arc::new(published),
                claims: self.claims,
                clock: self.clock,
                server: Mutex::new(None),
            }),
        }
    }
}

impl fmt::Debug for TestIssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuerBuilder")
            .field("url", &self.url)
            .field("listen", &self.listen)
            .field("algorithms", &self.algorithms)
            .field("keys", &self.keys)
            .field("tenants", &self.tenants)
            .field("openid_only", &self.openid_only)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
