//! What an authorization server is made of.

use std::fmt;
use std::sync::Arc;

use tenantry_core::Clock;
use tenantry_jwks::SystemClock;
use tokio::sync::Mutex;

use crate::audit::Audit;
use crate::keys::{KeyRing, KeyRingError};
use crate::oauth_endpoints::OAuthEndpoints;
use crate::server::{Figures, Inner, IssuerServer, prune_now_and_then};
use crate::settings::Settings;
use crate::store::Store;
use crate::watch::describe_figures;

/// Makes an [`IssuerServer`].
#[must_use = "a builder does nothing until it is built"]
pub struct IssuerServerBuilder {
    store: Store,
    settings: Settings,
    clock: Arc<dyn Clock>,
    figures: Option<Arc<Figures>>,
}

impl IssuerServerBuilder {
    pub(crate) fn new(store: Store, settings: Settings) -> Self {
        Self { store, settings, clock: Arc::new(SystemClock::new()), figures: None }
    }

    /// Takes the time from `clock`. Default: the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Answers `/metrics` with what `render` writes, in the text format of Prometheus. Default: there
    /// is no `/metrics`. The figures are reported by the `metrics` façade.
    pub fn figures(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.figures = Some(Arc::new(render));
        self
    }

    /// Opens the keys, makes the first ones if there are none, and starts the writer of the audit
    /// trail.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::open`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn build(self) -> Result<IssuerServer, KeyRingError> {
        let Self { store, settings, clock, figures } = self;
        let keys = KeyRing::open(store.clone(), &settings, Arc::clone(&clock)).await?;
        describe_figures();
        let (audit, writer) = Audit::start(store.clone(), Arc::clone(&clock));
        let record = {
            let audit = audit.clone();
            move |event| audit.record(event)
        };
        let endpoints =
            OAuthEndpoints::new(settings, store.clone(), keys.clone(), Arc::clone(&clock), record);
        let server = IssuerServer(Arc::new(Inner {
            store,
            keys,
            clock,
            audit,
            writer: Mutex::new(Some(writer)),
            endpoints,
            figures,
        }));
        tokio::spawn(prune_now_and_then(Arc::downgrade(&server.0)));
        Ok(server)
    }
}

impl fmt::Debug for IssuerServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerServerBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
