//! The metadata of the resource, in an axum router.

use axum::Router;
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use tenantry_core::ResourceMetadata;

use crate::server::ResourceServer;

/// Short, so that a client soon hears of another authorization server.
const MAX_AGE: &str = "public, max-age=300";

impl ResourceServer {
    /// Returns a router that serves the metadata of this resource server, or of each tenant's
    /// ([RFC 9728 §3]), for clients that have no access token yet.
    ///
    /// [Merge](axum::Router::merge) it at the root of the service, outside the layer: a layer that is
    /// added afterwards would ask for a token. It answers `GET` and `HEAD` of
    /// `/.well-known/oauth-protected-resource` and what is below, from any origin. What is not there
    /// is 404: everything, if the policy has not
    /// [turned it on](tenantry_core::PolicyBuilder::resource_metadata), and what
    /// [`resource_metadata`](tenantry_core::Policy::resource_metadata) has no document for. Another
    /// framework serves [`resource_metadata_at`](tenantry_core::Policy::resource_metadata_at).
    ///
    /// # Example
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
    /// let erp = ResourceServer::builder()
    /// #     .issuer(IssuerSettings::new("https://auth.erp.example").keys(keys))
    ///     .audience("https://api.erp.example/{tenant}")
    ///     .tenant_path("/{tenant}/{*rest}")
    ///     .policy(|policy| policy.resource_metadata())
    ///     // …
    /// #   ;
    /// # let erp = erp
    ///     .build()
    ///     .await?;
    /// let app: Router = Router::new()
    ///     .route("/{tenant}/entries", get(|_: TenantPrincipal| async { "entries" }))
    ///     .layer(erp.layer())
    ///     .merge(erp.metadata_router());
    ///
    /// let get = |path: &str| Request::get(path).body(Body::empty());
    /// let refused = app.clone().oneshot(get("/tenant1/entries")?).await?;
    /// assert_eq!(
    ///     refused.headers()["www-authenticate"],
    ///     r#"Bearer realm="tenantry", resource_metadata="https://api.erp.example/.well-known/oauth-protected-resource/tenant1""#,
    /// );
    /// let metadata = app.oneshot(get("/.well-known/oauth-protected-resource/tenant1")?).await?;
    /// assert_eq!(metadata.status(), StatusCode::OK);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [RFC 9728 §3]: https://www.rfc-editor.org/rfc/rfc9728#section-3
    pub fn metadata_router<S>(&self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let server = self.clone();
        let answer = move |OriginalUri(uri): OriginalUri, headers: HeaderMap| {
            // At each request: the policy may have been exchanged since the last.
            let metadata = server.policy().resource_metadata_at(&uri, &headers);
            std::future::ready(metadata.map_or_else(absent, present))
        };
        Router::new()
            .route("/.well-known/oauth-protected-resource", get(answer.clone()))
            .route("/.well-known/oauth-protected-resource/{*resource_path}", get(answer))
    }
}

fn present(metadata: ResourceMetadata) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, MAX_AGE),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, metadata.to_json()).into_response()
}

/// One answer for a path that is no resource's, and for a tenant that nobody speaks for.
fn absent() -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (StatusCode::NOT_FOUND, headers).into_response()
}
