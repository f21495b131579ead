//! One fetch, in a task of its own.

use std::sync::Arc;

use crate::error::{LoadError, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::issuer::IssuerKeys;
use crate::keys::KeySet;
use crate::load::{Loaded, Memory, Trip, load};
use crate::refresh::Flight;
use crate::room::Seat;
use crate::source::{Place, UrlRules};

/// How a fetch ended well.
pub(crate) enum Landed {
    /// A key set came.
    New { set: KeySet, memory: Memory },
    /// The set in use was confirmed.
    Same { memory: Memory },
}

/// Loads the key set, within the time that a fetch has, and reports how it went.
pub(crate) async fn fly(landing: Landing, place: Place, urls: UrlRules, memory: Memory) {
    let means = landing.keys.means();
    let trip = Trip { issuer: landing.keys.issuer(), urls, errand: landing.seat.errand, means };
    let loading = load(trip, &place, memory);
    let loaded = match tokio::time::timeout(means.settings.fetch_time_limit, loading).await {
        Ok(loaded) => loaded,
        Err(_) => Err(LoadErrorKind::Fetch(FetchErrorKind::TimedOut).into()),
    };
    match loaded {
        Ok((Loaded::New { set, .. }, memory)) => landing.with(Ok(Landed::New { set, memory })),
        Ok((Loaded::Same, memory)) => landing.with(Ok(Landed::Same { memory })),
        Err(error) => landing.with(Err(error)),
    };
}

/// Sees to it that a fetch ends, whatever becomes of its task: callers wait for it.
pub(crate) struct Landing {
    keys: Arc<IssuerKeys>,
    flight: Flight,
    seat: Seat,
    landed: bool,
}

impl Landing {
    pub(crate) const fn of(keys: Arc<IssuerKeys>, flight: Flight, seat: Seat) -> Self {
        Self { keys, flight, seat, landed: false }
    }

    fn with(mut self, landed: Result<Landed, LoadError>) {
        self.landed = true;
        self.keys.land(self.flight, landed);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.keys.land(self.flight, Err(LoadErrorKind::Interrupted.into()));
        }
    }
}
