//! One fetch, in a task of its own.

use std::sync::Arc;

use crate::error::{LoadError, LoadErrorKind};
use crate::issuer::IssuerKeys;
use crate::keys::KeySet;
use crate::load::load;
use crate::refresh::Flight;
use crate::source::{Place, UrlRules};
use crate::transport::FetchErrorKind;

/// Loads the key set, within the time that a fetch has, and reports how it went.
pub(crate) async fn fly(landing: Landing, place: Place, urls: UrlRules) {
    let means = landing.keys.means();
    let loading = load(landing.keys.issuer(), &place, urls, means.transport.as_ref());
    let loaded = match tokio::time::timeout(means.settings.fetch_time_limit, loading).await {
        Ok(loaded) => loaded,
        Err(_) => Err(LoadErrorKind::Fetch(FetchErrorKind::TimedOut).into()),
    };
    landing.with(loaded);
}

/// Sees to it that a fetch ends, whatever becomes of its task: callers wait for it.
pub(crate) struct Landing {
    keys: Arc<IssuerKeys>,
    flight: Flight,
    landed: bool,
}

impl Landing {
    pub(crate) const fn of(keys: Arc<IssuerKeys>, flight: Flight) -> Self {
        Self { keys, flight, landed: false }
    }

    fn with(mut self, loaded: Result<KeySet, LoadError>) {
        self.landed = true;
        self.keys.land(self.flight, loaded);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.keys.land(self.flight, Err(LoadErrorKind::Interrupted.into()));
        }
    }
}
