//! OAuth 2.0 protection that knows the tenant, for axum and tower.
//!
//! A service that serves many customers from one process adds this crate, says whose tokens it
//! accepts, and puts a layer around its routes. After that no request of one tenant reaches another
//! tenant's data: the token, its audience, its issuer, the path, the header and the host have to name
//! the same tenant, and the handler gets that tenant as a proof.
//!
//! # Example
//!
//! A tenant's token on another tenant's path is refused, and the answer says why:
//!
//! ```
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use tenantry::{IssuerSettings, KeyLocation, RequireScopeLayer, ResourceServer, TenantPrincipal};
//! # use tenantry_testkit::TestIssuer;
//! # use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = TestIssuer::offline("https://auth.erp.example");
//! # let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
//! let erp = ResourceServer::builder()
//!     .issuer(IssuerSettings::new("https://auth.erp.example").keys(keys))
//!     .audience("https://api.erp.example/{tenant}")
//!     .scope("{tenant}.{scope}")
//!     .tenant_path("/{tenant}/{*rest}")
//!     .build()
//!     .await?;
//!
//! async fn list(principal: TenantPrincipal) -> String {
//!     format!("the entries of {}", principal.tenant())
//! }
//!
//! let app: Router = Router::new()
//!     .route("/{tenant}/journal-entries", get(list).layer(RequireScopeLayer::all(["journal.read"])))
//!     .layer(erp.layer());
//!
//! # let audience = "https://api.erp.example/tenant1";
//! let token = issuer.token().tenant("tenant1").audience(audience).scope("tenant1.journal.read").sign();
//! let get = |path: &str| {
//!     Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty())
//! };
//! let own = app.clone().oneshot(get("/tenant1/journal-entries")?).await?;
//! assert_eq!(own.status(), StatusCode::OK);
//!
//! let foreign = app.oneshot(get("/tenant2/journal-entries")?).await?;
//! assert_eq!(foreign.status(), StatusCode::FORBIDDEN); // code: tenant_mismatch.path
//! # Ok(())
//! # }
//! ```

mod answers;
mod ask;
mod ask_error;
mod asks;
mod builder;
mod cached_directory;
mod directory;
mod directory_numbers;
mod directory_report;
mod directory_settings;
mod error;
mod key_check;
#[cfg(feature = "axum")]
mod layer;
#[cfg(feature = "axum")]
mod metadata;
#[cfg(feature = "policy-file")]
mod policy_file;
#[cfg(feature = "policy-file")]
mod policy_format;
#[cfg(feature = "policy-file")]
mod policy_settings;
#[cfg(feature = "policy-file")]
mod policy_unbuilt;
mod readiness;
#[cfg(feature = "policy-file")]
mod reload;
mod server;
mod tenant_source;
mod transport;

pub use builder::ResourceServerBuilder;
pub use error::ConfigError;
#[cfg(feature = "policy-file")]
pub use policy_file::PolicyFile;
pub use readiness::Readiness;
pub use server::ResourceServer;
pub use tenant_source::{BoxError, Tenant, TenantSource};

#[cfg(feature = "utoipa")]
pub use tenantry_axum::openapi;
#[cfg(feature = "axum")]
pub use tenantry_axum::{Refused, RequiredScope, Scoped, TenantPrincipal};
pub use tenantry_core::{
    AccessToken, Algorithm, Anonymous, BoxFuture, ClaimsError, ClientId, Clock, Directory,
    Identity, Issuer, IssuerSettings, KeyLocation, Policy, PolicyBuilder, PolicyError,
    ProvenTenant, Reason, Rejection, ResourceMetadata, RevocationError, RevocationErrorKind,
    Revocations, ScopeNeed, Standing, StaticDirectory, Subject, TenantAwareRequest, TenantId,
    TokenProfile, TrustIssuers, Verifier, Whose,
};
pub use tenantry_jwks::{
    FetchError, FetchErrorKind, FetchRequest, FetchResponse, KeySettings, KeyStatus, LoadErrorKind,
    SystemClock, Transport, UrlOrigin,
};
#[cfg(feature = "reqwest")]
pub use tenantry_jwks::{HttpTransport, Resolver, SystemResolver};
pub use tenantry_tower::{
    RefusalBody, RequestTarget, RequireScopeLayer, TenantExtractorLayer, TenantLabels,
};
