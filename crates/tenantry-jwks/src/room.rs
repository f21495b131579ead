//! How many fetches may be in flight over all issuers.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refresh::Errand;

/// The places for fetches of issuers that were found by a pattern.
///
/// Strangers and refreshes have places of their own: who has many issuers fetched for the first time
/// does not keep the keys of the others from being refreshed.
#[derive(Debug)]
pub(crate) struct Room {
    strangers: Arc<Semaphore>,
    renewals: Arc<Semaphore>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) errand: Errand,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn new(places: usize) -> Self {
        let places = || Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { strangers: places(), renewals: places() }
    }

    /// Takes a place, or says that there is none. A pinned issuer needs none.
    pub(crate) fn take(&self, errand: Errand, pinned: bool) -> Option<Seat> {
        if pinned {
            return Some(Seat { errand, _permit: None });
        }
        let places = match errand {
            Errand::First | Errand::Search => &self.strangers,
            Errand::Renewal => &self.renewals,
        };
        let permit = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Seat { errand, _permit: Some(permit) })
    }
}
