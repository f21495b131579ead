//! The settings of a resource server, and the checks that they have to pass.

use std::fmt;
use std::sync::Arc;

use tenantry_core::{Clock, Directory, IssuerSettings, Policy, PolicyBuilder, PolicyError};
use tenantry_jwks::{KeySettings, KeyStore, SystemClock, Transport};
use tenantry_jwt::{BuildError, JwtVerifier};

use crate::directory_settings::DirectorySettings;
use crate::error::ConfigError;
use crate::key_check;
use crate::server::ResourceServer;

/// Collects the settings of a [`ResourceServer`]; [`build`](Self::build) checks them.
#[must_use = "a builder does nothing until `build`"]
#[derive(Default)]
pub struct ResourceServerBuilder {
    policy: PolicyBuilder,
    pub(crate) directory: DirectorySettings,
    keys: KeySettings,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    cache_bytes: Option<u64>,
}

impl ResourceServerBuilder {
    /// Accepts tokens of an issuer: its name, or [`IssuerSettings`]. Call it once for each. Without
    /// further settings its keys are discovered.
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

    /// Changes when and how keys are fetched. See [`KeySettings`] for the defaults.
    pub fn key_settings(mut self, settings: KeySettings) -> Self {
        self.keys = settings;
        self
    }

    /// Fetches keys over a transport of your own.
    ///
    /// Default: `HttpTransport`, with the feature `reqwest`. Without it, keys come from files and
    /// documents, and an issuer that has to be asked over HTTP is never ready.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Tells the time by a clock of your own, for tests. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Bounds the memory for verified tokens, in bytes; 0 keeps none, so that each request costs a
    /// signature check. Default 64 MiB: some 20 000 tokens of usual size.
    pub fn token_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Checks the settings, and starts to fetch the keys of the issuers that are named in full.
    ///
    /// It does not wait for them: an issuer that is down does not stop the start. Until its keys are
    /// there, requests with its tokens get 503, and [`readiness`](ResourceServer::readiness) says so.
    ///
    /// Key files are read here, once, to see that they can be used; they are part of the
    /// configuration. That blocks for as long as the disk takes.
    ///
    /// # Runtime
    ///
    /// A tokio runtime is needed for the first fetch only: without one, this starts no fetch and
    /// fails no sooner. The first request, or the first call of
    /// [`readiness`](ResourceServer::readiness), inside a runtime makes up for it.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used:
    ///
    /// - what [`PolicyBuilder::build`] refuses;
    /// - an issuer with `{tenant}` in its name, and no directory that knows tenants;
    /// - two directories, or a lifetime of one that is out of bounds;
    /// - a directory with a tenant that the policy cannot tell apart ([`Policy::check_tenants`]);
    /// - a URL that keys cannot be fetched from;
    /// - a key file or document that cannot be read, or has no usable key;
    /// - an HTTP client that cannot be set up.
    #[expect(clippy::unused_async, reason = "asking a directory at the start will wait")]
    pub async fn build(self) -> Result<ResourceServer, ConfigError> {
        let policy = self.policy.build()?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let directory = self.directory.build(&clock)?;
        check_directory(&policy, &*directory)?;
        policy.check_tenants(&directory.known_at_start())?;
        key_check::run(&policy)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => crate::transport::default(&self.keys)?,
        };
        let keys = KeyStore::new(self.keys, transport, Arc::clone(&clock));
        let mut verifier =
            JwtVerifier::builder(policy.clone(), keys, Arc::clone(&directory), clock);
        if let Some(bytes) = self.cache_bytes {
            verifier = verifier.with_cache_bytes(bytes);
        }
        let verifier = verifier.build().map_err(|error| unreadable_keys(&policy, &error))?;
        for (_, keys) in verifier.keys().pinned() {
            keys.warm();
        }
        Ok(ResourceServer::new(policy, Arc::new(verifier), directory))
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Refuses an issuer pattern whose tenants nobody knows.
// INVARIANT (no network for strangers): somebody has to know a tenant before its issuer is asked.
pub(crate) fn check_directory(
    policy: &Policy,
    directory: &dyn Directory,
) -> Result<(), PolicyError> {
    let mut issuers = policy.issuers().iter();
    match issuers.position(|issuer| issuer.pattern().has_tenant()) {
        Some(at) if directory.trusts_issuers() => Err(PolicyError::new(
            format!("issuer[{at}].issuer"),
            "an issuer with `{tenant}` needs a directory that lists its tenants: without one, anybody could make this service fetch keys for made-up tenants",
        )),
        _ => Ok(()),
    }
}

/// Says which issuer's document cannot be read.
fn unreadable_keys(policy: &Policy, error: &BuildError) -> PolicyError {
    let mut issuers = policy.issuers().iter();
    let setting = match issuers.position(|issuer| issuer.pattern().as_str() == error.issuer()) {
        Some(at) => format!("issuer[{at}]"),
        None => "issuer".into(),
    };
    let cause =
        std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    PolicyError::new(setting, format!("{error}{cause}"))
}
