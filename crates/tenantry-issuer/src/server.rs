//! The authorization server: a router, and what stands behind it.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use tenantry_core::Clock;
use tokio::sync::Mutex;

use crate::audit::{Audit, AuditWriter};
use crate::config_error::ConfigError;
use crate::keys::KeyRing;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::server_builder::IssuerServerBuilder;
use crate::settings::Settings;
use crate::store::Store;

/// How often what has expired is removed from the database.
const PRUNE: Duration = Duration::from_secs(10 * 60);

/// An OAuth 2.0 authorization server whose every token is good for exactly one tenant. Cheap to clone.
///
/// ```
/// use axum::body::Body;
/// use axum::http::{Request, StatusCode};
/// use tenantry_issuer::{IssuerServer, Settings, Store};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let store = Store::open("sqlite::memory:").await?;
/// let server = IssuerServer::builder(store, settings).build().await?;
///
/// let request = Request::post("/oauth/token")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .body(Body::from("grant_type=client_credentials"))?;
/// // Nobody says who asks.
/// assert_eq!(server.router().oneshot(request).await?.status(), StatusCode::UNAUTHORIZED);
/// # server.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct IssuerServer(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Audit,
    pub(crate) writer: Mutex<Option<AuditWriter>>,
    pub(crate) endpoints: OAuthEndpoints,
    pub(crate) figures: Option<Arc<Figures>>,
}

/// Writes the figures of the process down, as a scraper reads them.
pub(crate) type Figures = dyn Fn() -> String + Send + Sync;

impl IssuerServer {
    /// Starts with a database and settings.
    pub fn builder(store: Store, settings: Settings) -> IssuerServerBuilder {
        IssuerServerBuilder::new(store, settings)
    }

    /// The endpoints, each where the issuer's name says that it is: merge it into the router that
    /// serves the host of that name. [`serve`](Self::serve) adds [`health`](Self::health) and
    /// [`metrics`](Self::metrics) to it.
    pub fn router(&self) -> Router {
        crate::routes::router(self)
    }

    /// `/healthz` and `/readyz`.
    pub fn health(&self) -> Router {
        crate::health::router(self)
    }

    /// `/metrics`, if there are figures. They name no tenant and no client; how much is asked of the server
    /// is still nobody's business but its operator's.
    pub fn metrics(&self) -> Router {
        crate::health::metrics(self)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.endpoints.settings()
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The signing keys.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// Where audit events go.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Puts other settings in force for every request that comes after this call.
    ///
    /// # Errors
    ///
    /// If they change what cannot change while the server runs: the issuer, because its tokens and
    /// endpoints are named after it, `tenant_claims`, because tokens are out that say their tenant in
    /// them, and `algorithm`, `key_rotation` and the key encryption key,
    /// because replicas share the keys. What was in force stays in force.
    pub fn replace(&self, settings: Settings) -> Result<(), ConfigError> {
        let before = self.settings();
        for (setting, same) in [
            ("issuer", before.issuer() == settings.issuer()),
            ("tenant_claims", before.tenant_claims() == settings.tenant_claims()),
            ("algorithm", before.algorithm() == settings.algorithm()),
            ("key_rotation", before.key_rotation() == settings.key_rotation()),
            (
                "key_encryption_key_file",
                before.key_encryption_key() == settings.key_encryption_key(),
            ),
        ] {
            if !same {
                return Err(ConfigError::needs_restart(setting));
            }
        }
        self.0.endpoints.replace_settings(settings);
        Ok(())
    }

    /// Removes from the database what has expired, and audit events that are older than
    /// [`audit_retention`](Settings::audit_retention). A server does so by itself, every ten minutes.
    /// Returns how much it was.
    ///
    /// # Errors
    ///
    /// If the database cannot be written to.
    pub async fn prune(&self) -> Result<u64, crate::store::StoreError> {
        let now = self.0.clock.unix();
        let expired = self.0.store.prune(now).await?;
        // A clock that has no idea of the date makes nothing old.
        let kept_from = now.saturating_sub(self.settings().audit_retention());
        Ok(expired.saturating_add(self.0.store.prune_audit(kept_from).await?))
    }

    /// Writes the audit events that wait, and closes the database. Requests after this are answered
    /// with 503.
    pub async fn close(&self) {
        if let Some(writer) = self.0.writer.lock().await.take() {
            writer.finish().await;
        }
        self.0.store.close().await;
    }
}

/// Prunes for as long as there is a server.
pub(crate) async fn prune_now_and_then(server: Weak<Inner>) {
    loop {
        tokio::time::sleep(PRUNE).await;
        let Some(inner) = server.upgrade() else { return };
        if let Err(error) = IssuerServer(inner).prune().await {
            tracing::warn!(%error, "what has expired could not be removed from the database");
        }
    }
}

impl fmt::Debug for IssuerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerServer")
            .field("issuer", &self.settings().issuer().as_str())
            .finish_non_exhaustive()
    }
}
