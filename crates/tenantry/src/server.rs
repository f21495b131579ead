//! One resource server: a policy, a verifier and a directory, put together once at the start.

use std::fmt;
#[cfg(feature = "policy-file")]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;

use tenantry_core::{Clock, Directory, Policy, Revocations, TenantId};
use tenantry_jwt::JwtVerifier;
use tenantry_tower::{LivePolicy, TenantExtractorLayer, TenantLabels};

use crate::builder::{ResourceServerBuilder, Rules};
use crate::error::ConfigError;
#[cfg(feature = "policy-file")]
use crate::policy_file::PolicyOrigin;
use crate::readiness::Readiness;

/// Judges the requests of one service.
///
/// Make one at the start, and put its layer around the routes that belong to tenants: `layer()` in an
/// axum router, [`tower_layer`](Self::tower_layer) elsewhere. Cloning it is cheap; clones share keys,
/// verified tokens and the policy in force.
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
pub struct ResourceServer(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    live: LivePolicy,
    /// What is in force in `live`.
    in_force: ArcSwap<InForce>,
    /// Directories that were replaced, while there are requests that ask them. Locked for as long as
    /// one takes the place of another.
    replaced: Mutex<Vec<Weak<dyn Directory>>>,
    /// The same under every policy.
    pub(crate) revocations: Revocations,
    pub(crate) clock: Arc<dyn Clock>,
    /// One reload after the other, so that what was asked for last is in force last.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    #[cfg(feature = "policy-file")]
    pub(crate) origin: OnceLock<PolicyOrigin>,
}

/// What requests are judged by.
pub(crate) struct InForce {
    pub(crate) rules: Rules,
    pub(crate) verifier: Arc<JwtVerifier>,
}

impl ResourceServer {
    /// Starts with the defaults: no issuer and no audience, which both have to be named.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder::default()
    }

    pub(crate) fn new(
        in_force: InForce,
        revocations: Revocations,
        clock: Arc<dyn Clock>,
        tenant_labels: Option<TenantLabels>,
    ) -> Self {
        let Rules { policy, directory, .. } = &in_force.rules;
        let (verifier, directory) = (in_force.verifier.clone(), Arc::clone(directory));
        let live = LivePolicy::new(policy.clone(), verifier, directory);
        Self(Arc::new(Shared {
            live: match tenant_labels {
                Some(labels) => live.with_tenant_labels(labels),
                None => live,
            },
            in_force: ArcSwap::from_pointee(in_force),
            replaced: Mutex::default(),
            revocations,
            clock,
            reloading: tokio::sync::Mutex::new(()),
            #[cfg(feature = "policy-file")]
            origin: OnceLock::new(),
        }))
    }

    /// Puts other settings in force, for every request that comes after this call, in all clones and
    /// layers of this server.
    ///
    /// Policy and directory are those of `settings`. Transport, clock, key settings, revocations and
    /// the bound on memory stay as they are. The keys of issuers whose keys come from the same place are kept, so
    /// the requests of others notice nothing; every token is verified anew.
    ///
    /// # Errors
    ///
    /// As [`ResourceServerBuilder::build`]. What was in force stays in force.
    pub async fn replace(&self, settings: ResourceServerBuilder) -> Result<(), ConfigError> {
        let _one_by_one = self.0.reloading.lock().await;
        self.0.put_in_force(&settings, false)
    }

    /// Returns the layer for a plain tower stack: it needs a
    /// [`RequestTarget`](tenantry_tower::RequestTarget) in the extensions, or
    /// [`uri_is_whole`](TenantExtractorLayer::uri_is_whole).
    ///
    /// ```
    /// # use tenantry::{IssuerSettings, KeyLocation, ResourceServer, TenantAwareRequest};
    /// # use tenantry_testkit::TestIssuer;
    /// # use http::{Request, Response, StatusCode};
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = TestIssuer::offline("https://auth.erp.example");
    /// # let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    /// # let erp = ResourceServer::builder()
    /// #     .issuer(IssuerSettings::new("https://auth.erp.example").keys(keys))
    /// #     .audience("https://api.erp.example/{tenant}")
    /// #     .tenant_path("/{tenant}/{*rest}")
    /// #     .build()
    /// #     .await?;
    /// let handler = service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(())) });
    /// let guarded = erp.tower_layer().uri_is_whole().layer(handler);
    ///
    /// let response = guarded.oneshot(Request::get("/tenant1/journal-entries").body(())?).await?;
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED); // no credentials
    /// # Ok(())
    /// # }
    /// ```
    pub fn tower_layer(&self) -> TenantExtractorLayer {
        TenantExtractorLayer::live(self.0.live.clone())
    }

    /// Returns the rules that requests are judged by, as they are now.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.live.policy()
    }

    /// Returns the list of tokens that are refused before they expire. What is put on it counts from
    /// the next request on, in this process.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// Drops what is remembered of a tenant's standing, so that its next request asks the
    /// [source](ResourceServerBuilder::tenant_source). An answer that was asked for before this call
    /// and comes later is dropped, too, also where other settings came into force meanwhile.
    ///
    /// For services that learn of changes: a suspension then holds at once, and not within the
    /// lifetime. Each process remembers for itself.
    pub fn forget_tenant(&self, tenant: &TenantId) {
        for directory in self.0.directories() {
            directory.forget(tenant);
        }
    }

    /// Returns whether requests can be judged: has every issuer that is named in full its keys?
    ///
    /// The issuers of a pattern do not count: their keys are fetched when their tenants come.
    ///
    /// Asking starts a fetch where one is due, so a service that gets no traffic because it is not
    /// ready becomes ready by being asked. It does not wait for that fetch. Outside a tokio runtime
    /// nothing is fetched.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of(self.0.in_force.load().verifier.keys())
    }
}

impl Shared {
    pub(crate) fn put_in_force(
        &self,
        settings: &ResourceServerBuilder,
        keep_tenants: bool,
    ) -> Result<(), ConfigError> {
        let next = settings.succeed(&self.in_force.load(), self, keep_tenants)?;
        let Rules { policy, directory, .. } = &next.rules;
        let (verifier, directory) = (next.verifier.clone(), Arc::clone(directory));
        let mut replaced = self.replaced();
        replaced.retain(|directory| directory.strong_count() > 0);
        let before = Arc::clone(&self.in_force.load().rules.directory);
        if !Arc::ptr_eq(&before, &directory) {
            replaced.push(Arc::downgrade(&before));
        }
        self.live.replace(policy.clone(), verifier, directory);
        self.in_force.store(Arc::new(next));
        Ok(())
    }

    /// Every directory that a request may be judged by.
    // INVARIANT (fail closed): what was forgotten comes back from none of them.
    fn directories(&self) -> Vec<Arc<dyn Directory>> {
        let replaced = self.replaced();
        let now = Arc::clone(&self.in_force.load().rules.directory);
        replaced.iter().filter_map(Weak::upgrade).chain([now]).collect()
    }

    fn replaced(&self) -> MutexGuard<'_, Vec<Weak<dyn Directory>>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer").field("policy", &self.policy()).finish_non_exhaustive()
    }
}
