//! One resource server: a policy, a verifier and a directory, put together once at the start.

use std::fmt;
use std::sync::Arc;

use tenantry_core::{
    Clock, Directory, IssuerSettings, Policy, PolicyBuilder, PolicyError, TrustIssuers, Verifier,
};
use tenantry_jwks::{KeySettings, KeyStore, SystemClock, Transport};
use tenantry_jwt::JwtVerifier;
use tenantry_tower::TenantExtractorLayer;

use crate::error::ConfigError;
use crate::readiness::Readiness;

/// Judges the requests of one service.
///
/// Make one at the start, and put its [layer](Self::layer) around the routes that belong to tenants.
/// Cloning it is cheap; clones share keys and verified tokens.
///
/// ```
/// # use tenantry::ResourceServer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tenantry::ConfigError> {
/// let erp = ResourceServer::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .scope("{tenant}.{scope}")
///     .tenant_path("/{tenant}/{*rest}")
///     .tenant_header("x-tenant-id")
///     .build()
///     .await?;
/// # let _ = erp;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ResourceServer {
    policy: Policy,
    verifier: Arc<JwtVerifier>,
    directory: Arc<dyn Directory>,
}

impl ResourceServer {
    /// Starts with no settings.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder::default()
    }

    /// The layer for a plain tower stack: it needs a [`RequestTarget`](tenantry_tower::RequestTarget)
    /// in the extensions, or [`uri_is_whole`](TenantExtractorLayer::uri_is_whole).
    pub fn tower_layer(&self) -> TenantExtractorLayer {
        let verifier: Arc<dyn Verifier> = self.verifier.clone();
        TenantExtractorLayer::new(self.policy.clone(), verifier, Arc::clone(&self.directory))
    }

    /// The rules that requests are judged by.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether requests can be judged: has every configured issuer keys?
    ///
    /// Asking starts a fetch where one is due, so a service that gets no traffic because it is not
    /// ready becomes ready by being asked.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of(self.verifier.keys())
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Collects the settings of a [`ResourceServer`]; [`build`](Self::build) checks them.
#[must_use = "a builder does nothing until `build`"]
#[derive(Default)]
pub struct ResourceServerBuilder {
    policy: PolicyBuilder,
    directory: Option<Arc<dyn Directory>>,
    keys: KeySettings,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    cache_bytes: Option<u64>,
}

impl ResourceServerBuilder {
    /// Accepts tokens of an issuer: its name, or [`IssuerSettings`]. Call it once for each.
    pub fn issuer(mut self, issuer: impl Into<IssuerSettings>) -> Self {
        self.policy = self.policy.issuer(issuer);
        self
    }

    /// Names this service as tokens do in `aud`. See [`PolicyBuilder::audience`].
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.policy = self.policy.audience(audience);
        self
    }

    /// Says how scopes are written. See [`PolicyBuilder::scope`].
    pub fn scope(mut self, pattern: impl Into<String>) -> Self {
        self.policy = self.policy.scope(pattern);
        self
    }

    /// Judges the tenant in the path. See [`PolicyBuilder::tenant_path`].
    pub fn tenant_path(mut self, pattern: impl Into<String>) -> Self {
        self.policy = self.policy.tenant_path(pattern);
        self
    }

    /// Judges the tenant in a header. See [`PolicyBuilder::tenant_header`].
    pub fn tenant_header(mut self, name: impl Into<String>) -> Self {
        self.policy = self.policy.tenant_header(name);
        self
    }

    /// Judges the tenant in the host. See [`PolicyBuilder::tenant_host`].
    pub fn tenant_host(mut self, pattern: impl Into<String>) -> Self {
        self.policy = self.policy.tenant_host(pattern);
        self
    }

    /// Sets the realm of challenges. See [`PolicyBuilder::realm`].
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.policy = self.policy.realm(realm);
        self
    }

    /// Changes any other setting of the policy.
    ///
    /// ```
    /// # use tenantry::ResourceServer;
    /// let builder = ResourceServer::builder()
    ///     .policy(|policy| policy.plain_scopes(["finance.write"]).refuse_foreign_scopes());
    /// ```
    pub fn policy(mut self, change: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        self.policy = change(self.policy);
        self
    }

    /// Asks this directory whether a tenant may be served. Default: [`TrustIssuers`].
    pub fn directory(mut self, directory: Arc<dyn Directory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Changes when and how keys are fetched.
    pub fn key_settings(mut self, settings: KeySettings) -> Self {
        self.keys = settings;
        self
    }

    /// Fetches keys over a transport of your own.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Tells the time by a clock of your own.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Bounds the memory for verified tokens, in bytes; 0 keeps none. Default 64 MiB.
    pub fn token_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Checks the settings, and starts to fetch the keys of the configured issuers.
    ///
    /// It does not wait for them: an issuer that is down does not stop the start. Until its keys are
    /// there, requests with its tokens get 503, and [`readiness`](ResourceServer::readiness) says so.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used.
    #[expect(
        clippy::unused_async,
        reason = "asking a directory at the start will wait"
    )]
    pub async fn build(self) -> Result<ResourceServer, ConfigError> {
        let policy = self.policy.build()?;
        let directory = self.directory.unwrap_or_else(|| Arc::new(TrustIssuers));
        // INVARIANT (no network for strangers): somebody has to know a tenant before its issuer is asked.
        if let Some(at) = policy
            .issuers()
            .iter()
            .position(|issuer| issuer.pattern().has_tenant())
            && directory.trusts_issuers()
        {
            return Err(PolicyError::new(
                format!("issuer[{at}].issuer"),
                "an issuer pattern needs a directory: without one, anybody could make this service fetch keys for made-up tenants",
            )
            .into());
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => crate::transport::default(&self.keys)?,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let keys = KeyStore::new(self.keys, transport, Arc::clone(&clock));
        let mut verifier =
            JwtVerifier::builder(policy.clone(), keys, Arc::clone(&directory), clock);
        if let Some(bytes) = self.cache_bytes {
            verifier = verifier.with_cache_bytes(bytes);
        }
        let verifier = Arc::new(verifier.build()?);
        for (_, keys) in verifier.keys().pinned() {
            keys.warm();
        }
        Ok(ResourceServer {
            policy,
            verifier,
            directory,
        })
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
