//! The settings of a resource server, and the checks that they have to pass.

use std::fmt;
use std::sync::Arc;

use tenantry_core::{
    Clock, Directory, IssuerSettings, Policy, PolicyBuilder, PolicyError, Revocations,
};
use tenantry_jwks::{KeySettings, KeyStore, SystemClock, Transport};
use tenantry_jwt::{BuildError, JwtVerifier, JwtVerifierBuilder};
use tenantry_tower::TenantLabels;

use crate::directory_numbers::Numbers;
use crate::directory_settings::DirectorySettings;
use crate::error::ConfigError;
use crate::key_check;
use crate::server::{InForce, ResourceServer, Shared};

/// Collects the settings of a [`ResourceServer`]; [`build`](Self::build) checks them.
#[must_use = "a builder does nothing until `build`"]
#[derive(Clone, Default)]
pub struct ResourceServerBuilder {
    policy: PolicyBuilder,
    checks: Vec<Check>,
    pub(crate) directory: DirectorySettings,
    keys: KeySettings,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    cache_bytes: Option<u64>,
    tenant_labels: Option<TenantLabels>,
}

/// Refuses a policy that a service cannot work with.
type Check = Arc<dyn Fn(&Policy) -> Result<(), PolicyError> + Send + Sync>;

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

    /// Refuses a policy that this service cannot work with, at the start and at each
    /// [replacement](ResourceServer::replace).
    ///
    /// ```
    /// # use tenantry::{PolicyError, ResourceServer};
    /// let builder = ResourceServer::builder().check(|policy| match policy.path() {
    ///     Some(_) => Ok(()),
    ///     None => Err(PolicyError::new("tenant.path", "this service names its tenants in the path")),
    /// });
    /// ```
    pub fn check(
        mut self,
        check: impl Fn(&Policy) -> Result<(), PolicyError> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Arc::new(check));
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

    /// Refuses the tokens that are on this list: one that other servers of this process share, or one
    /// of another capacity. Default: a [list](Revocations::new) of its own, with the clock of this
    /// server. Either is had back by [`ResourceServer::revocations`].
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.policy = self.policy.revocations(revocations);
        self
    }

    /// Bounds the memory for verified tokens, in bytes; 0 keeps none, so that each request costs a
    /// signature check. Default 64 MiB: some 20 000 tokens of usual size.
    pub fn token_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Gives the first `max` tenants that are admitted a label of their own in
    /// `tenantry_requests_total`; the others share one. Default: there is no such label.
    ///
    /// Each label costs memory here and in whatever collects the figures, for as long as the process
    /// lives. See [`TenantLabels`] and `docs/metrics.md`.
    pub fn tenant_metrics(mut self, max: usize) -> Self {
        self.tenant_labels = Some(TenantLabels::new(max));
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
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::new()));
        let revocations = match self.policy.revocations_set() {
            Some(revocations) => revocations.clone(),
            None => Revocations::new(Arc::clone(&clock)),
        };
        let rules = self.rules(&revocations, &clock, None)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => crate::transport::default(&self.keys)?,
        };
        let keys = KeyStore::new(self.keys, transport, Arc::clone(&clock));
        let mut verifier = JwtVerifier::builder(
            rules.policy.clone(),
            keys,
            Arc::clone(&rules.directory),
            Arc::clone(&clock),
        );
        if let Some(bytes) = self.cache_bytes {
            verifier = verifier.with_cache_bytes(bytes);
        }
        let verifier = ready(&rules.policy, verifier)?;
        Ok(ResourceServer::new(InForce { rules, verifier }, revocations, clock, self.tenant_labels))
    }

    /// Makes what can take the place of `before`. With `keep`, both are of the same file, and what is
    /// known about tenants is kept if it comes from a source, by the same numbers.
    pub(crate) fn succeed(
        &self,
        before: &InForce,
        shared: &Shared,
        keep: bool,
    ) -> Result<InForce, ConfigError> {
        let kept = keep.then_some(&before.rules);
        let mut rules = self.rules(&shared.revocations, &shared.clock, kept)?;
        // A file that is read again later has another source than settings from code.
        rules.source = rules.source.filter(|_| keep);
        let (policy, directory) = (rules.policy.clone(), Arc::clone(&rules.directory));
        let verifier = ready(&rules.policy, before.verifier.successor(policy, directory))?;
        Ok(InForce { rules, verifier })
    }

    /// Checks the settings against each other.
    fn rules(
        &self,
        revocations: &Revocations,
        clock: &Arc<dyn Clock>,
        before: Option<&Rules>,
    ) -> Result<Rules, ConfigError> {
        let policy = self.policy.clone().revocations(revocations.clone()).build()?;
        self.checks.iter().try_for_each(|check| check(&policy))?;
        let source = self.directory.source_numbers();
        let directory = match before {
            Some(before) if source.is_some() && before.source == source => {
                self.directory.check()?;
                Arc::clone(&before.directory)
            }
            _ => self.directory.build(clock)?,
        };
        check_directory(&policy, &*directory)?;
        policy.check_tenants(&directory.known_at_start())?;
        key_check::run(&policy)?;
        Ok(Rules { policy, directory, source })
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What requests are judged by, checked.
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    pub(crate) directory: Arc<dyn Directory>,
    /// The numbers that a source of tenants is asked by, if there is one, and its answers may be kept.
    source: Option<Numbers>,
}

/// Builds the verifier, and starts to fetch the keys of the issuers that are named in full.
fn ready(policy: &Policy, verifier: JwtVerifierBuilder) -> Result<Arc<JwtVerifier>, PolicyError> {
    let verifier = verifier.build().map_err(|error| unreadable_keys(policy, &error))?;
    for (_, keys) in verifier.keys().pinned() {
        keys.warm();
    }
    Ok(Arc::new(verifier))
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
