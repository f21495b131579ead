//! The key set in use, and what a request finds in it.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{Algorithm, Epoch};

use crate::error::KeyError;
use crate::key::Key;
use crate::keys::{KeySet, Selection};
use crate::refresh::Answer;

/// The key set in use.
pub(crate) struct Held {
    pub(crate) set: Arc<KeySet>,
    pub(crate) epoch: Epoch,
    /// When it came into use or was confirmed.
    pub(crate) since: Duration,
    /// How long before that the issuer said that this is its set: it may come from the disk.
    pub(crate) age_then: Duration,
    pub(crate) stale_at: Duration,
}

impl Held {
    pub(crate) fn fixed(set: Arc<KeySet>) -> Self {
        let (since, age_then) = (Duration::ZERO, Duration::ZERO);
        Self { set, epoch: Epoch::new(), since, age_then, stale_at: Duration::MAX }
    }

    pub(crate) const fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since).saturating_add(self.age_then)
    }
}

/// A key to judge a token by.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The key.
    pub key: Arc<Key>,
    /// The epoch of the set that it was found in.
    pub epoch: Epoch,
}

/// What a request finds.
pub(crate) enum Found {
    Ambiguous,
    Key(FoundKey),
    Missing,
}

impl Found {
    pub(crate) fn of(
        held: Option<&Held>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Duration,
    ) -> Self {
        let Some(held) = held.filter(|held| now < held.stale_at) else {
            return Self::Missing;
        };
        match held.set.select(kid, algorithm) {
            Selection::Ambiguous => Self::Ambiguous,
            Selection::None => Self::Missing,
            Selection::One(key) => Self::Key(FoundKey { key: Arc::clone(key), epoch: held.epoch }),
        }
    }

    pub(crate) fn judged(self, answer: Answer) -> Result<FoundKey, KeyError> {
        match (self, answer) {
            (_, Answer::Unavailable { retry_after }) => Err(KeyError::unavailable(retry_after)),
            (Self::Ambiguous, _) => Err(KeyError::AMBIGUOUS),
            (Self::Key(found), _) => Ok(found),
            (Self::Missing, _) => Err(KeyError::UNKNOWN),
        }
    }
}
