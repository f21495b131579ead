//! The extractor inside an axum router.

use axum::extract::OriginalUri;

use tenantry_tower::TenantExtractorLayer;

use crate::server::ResourceServer;

impl ResourceServer {
    /// Returns the layer for an axum [`Router`](axum::Router): `.layer(erp.layer())` or
    /// `.route_layer(…)`.
    ///
    /// It judges the path that the outermost router got, also where it is applied inside a `nest`.
    /// Around a whole router, as a service, there is no such router: use
    /// [`tower_layer`](Self::tower_layer) with `uri_is_whole()` there.
    ///
    /// Health checks and other routes that belong to no tenant go into a router of their own, which is
    /// [merged](axum::Router::merge) with the protected one. `Router::layer` also wraps the fallback: a
    /// wrong address then gets 401, not 404; `route_layer` leaves it alone.
    ///
    /// With [`optional()`](TenantExtractorLayer::optional) requests without credentials pass, and
    /// `Option<TenantPrincipal>` is `None` for them.
    ///
    /// # Example
    ///
    /// A nested router sees a shortened path: of `/tenant2/tenant1/entries` it would see
    /// `/tenant1/entries`. The layer judges the whole:
    ///
    /// ```
    /// # use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
    /// # use tenantry::{IssuerSettings, KeyLocation, ResourceServer, TenantPrincipal};
    /// # use tenantry_testkit::TestIssuer;
    /// # use tower::ServiceExt;
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
    /// # let token = issuer.token().tenant("tenant1").sign();
    /// # let request = |path: &str| {
    /// #     Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty())
    /// # };
    /// let entries = Router::new()
    ///     .route("/{*entries}", get(|_: TenantPrincipal| async { "entries" }))
    ///     .layer(erp.layer());
    /// let app: Router = Router::new().nest("/{tenant}", entries);
    ///
    /// // With a token of `tenant1`:
    /// let own = app.clone().oneshot(request("/tenant1/entries")?).await?;
    /// assert_eq!(own.status(), StatusCode::OK);
    /// let foreign = app.oneshot(request("/tenant2/tenant1/entries")?).await?;
    /// assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer(&self) -> TenantExtractorLayer {
        // INVARIANT (agreement): axum writes this before it routes; callers cannot.
        self.tower_layer().request_target(|extensions| {
            extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri)
        })
    }
}
