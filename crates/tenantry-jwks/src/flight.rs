//! One fetch, in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{LoadError, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::issuer::IssuerKeys;
use crate::keys::KeySet;
use crate::load::{Loaded, Memory, Trip, load};
use crate::refresh::{Errand, Flight};
use crate::room::Seat;
use crate::snapshot::{Owner, Restored};
use crate::source::{Place, UrlRules};
use crate::validator::Validator;

/// How a fetch ended well.
pub(crate) enum Landed {
    /// A key set came.
    New { set: KeySet, memory: Memory },
    /// A key set came from the disk, which was loaded `age` ago.
    Restored { set: KeySet, memory: Memory, age: Duration },
    /// The set in use was confirmed.
    Same { memory: Memory },
}

/// Loads the key set, within the time that a fetch has, and reports how it went.
pub(crate) async fn fly(landing: Landing, place: Place, urls: UrlRules, memory: Memory) {
    let keys = Arc::clone(&landing.keys);
    let means = keys.means();
    let trip = Trip { issuer: keys.issuer(), urls, errand: landing.seat.errand, means };
    let limit = means.settings.fetch_time_limit;
    if let Ok(Some(Restored { set, validator, age })) =
        tokio::time::timeout(limit, restore(trip, &place)).await
    {
        let memory = Memory { keys: Some(validator), metadata: None };
        landing.with(Ok(Landed::Restored { set, memory, age }));
        return;
    }
    let loaded = match tokio::time::timeout(limit, load(trip, &place, memory)).await {
        Ok(loaded) => loaded,
        Err(_) => Err(LoadErrorKind::Fetch(FetchErrorKind::TimedOut).into()),
    };
    let (landed, kept) = match loaded {
        Ok((Loaded::New { set, document }, memory)) => {
            let kept = memory.keys.clone().map(|keys| (keys, Some(document)));
            (Ok(Landed::New { set, memory }), kept)
        }
        Ok((Loaded::Same, memory)) => {
            let kept = memory.keys.clone().map(|keys| (keys, None));
            (Ok(Landed::Same { memory }), kept)
        }
        Err(error) => (Err(error), None),
    };
    let in_time = landing.with(landed);
    if let Some((validator, document)) = kept.filter(|_| in_time) {
        keep(trip, place, validator, document);
    }
}

/// The set that an earlier process left, if there is none in use and it is not too old.
async fn restore(trip: Trip<'_>, place: &Place) -> Option<Restored> {
    if trip.errand != Errand::First {
        return None;
    }
    let (snapshots, source) = (trip.means.snapshots.clone()?, place.url()?.to_owned());
    let (issuer, unix) = (trip.issuer.clone(), trip.means.clock.unix());
    let read = tokio::task::spawn_blocking(move || {
        snapshots.restore(Owner { issuer: &issuer, source: &source }, unix)
    });
    let settings = &trip.means.settings;
    read.await.ok()?.filter(|restored| {
        let lifetime = settings.lifetime(restored.validator.said);
        restored.age < lifetime.saturating_add(settings.max_stale)
    })
}

/// Writes the set to the disk, if it is to be kept there. Nobody waits for it.
fn keep(trip: Trip<'_>, place: Place, validator: Validator, document: Option<Vec<u8>>) {
    let Some(snapshots) = trip.means.snapshots.clone() else { return };
    let (issuer, unix) = (trip.issuer.clone(), trip.means.clock.unix());
    tokio::task::spawn_blocking(move || {
        let Some(source) = place.url() else { return };
        let owner = Owner { issuer: &issuer, source };
        match document {
            Some(document) => snapshots.keep(owner, &document, &validator, unix),
            None => snapshots.renew(owner, &validator, unix),
        }
    });
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

    /// `false`: it came too late.
    fn with(mut self, landed: Result<Landed, LoadError>) -> bool {
        self.landed = true;
        self.keys.land(self.flight, landed)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.keys.land(self.flight, Err(LoadErrorKind::Interrupted.into()));
        }
    }
}
