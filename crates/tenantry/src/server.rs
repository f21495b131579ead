//! One resource server: a policy, a verifier and a directory, put together once at the start.

use std::fmt;
use std::sync::Arc;

use tenantry_core::{Directory, Policy, TenantId, Verifier};
use tenantry_jwt::JwtVerifier;
use tenantry_tower::TenantExtractorLayer;

use crate::builder::ResourceServerBuilder;
use crate::readiness::Readiness;

/// Judges the requests of one service.
///
/// Make one at the start, and put its layer around the routes that belong to tenants: `layer()` in an
/// axum router, [`tower_layer`](Self::tower_layer) elsewhere. Cloning it is cheap; clones share keys
/// and verified tokens.
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
    /// Starts with the defaults: no issuer and no audience, which both have to be named.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder::default()
    }

    pub(crate) const fn new(
        policy: Policy,
        verifier: Arc<JwtVerifier>,
        directory: Arc<dyn Directory>,
    ) -> Self {
        Self { policy, verifier, directory }
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
        let verifier: Arc<dyn Verifier> = self.verifier.clone();
        TenantExtractorLayer::new(self.policy.clone(), verifier, Arc::clone(&self.directory))
    }

    /// Returns the rules that requests are judged by.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Drops what is remembered of a tenant's standing, so that its next request asks the
    /// [source](ResourceServerBuilder::tenant_source). An answer that was asked for before this call
    /// and comes later is dropped, too.
    ///
    /// For services that learn of changes: a suspension then holds at once, and not within the
    /// lifetime. Each process remembers for itself.
    pub fn forget_tenant(&self, tenant: &TenantId) {
        self.directory.forget(tenant);
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
        Readiness::of(self.verifier.keys())
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer").field("policy", &self.policy).finish_non_exhaustive()
    }
}
