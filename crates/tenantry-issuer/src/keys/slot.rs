//! The keys of one owner, kept at hand and in step with the database.
//!
//! | the keys at hand were read       | a request for them gets                                      |
//! |----------------------------------|--------------------------------------------------------------|
//! | up to 20 seconds ago             | these, at once                                               |
//! | up to 30 seconds ago             | these, at once; they are read again in the background        |
//! | earlier, or not yet              | those in the database, after one read that all wait for      |
//! | up to 5 minutes ago, and the database cannot be asked | these, at once or after the attempt     |
//! | earlier, and the database cannot be asked | [`Unavailable`](KeyRingErrorKind::Unavailable)      |
//!
//! So a change reaches every replica within 30 seconds, and while requests come in none waits for the
//! database. There is no timer: keys that nobody asks for are not read, and what the schedule wants
//! done is done when somebody does.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::keys::error::{KeyRingError, KeyRingErrorKind};
use crate::keys::keeper::Keeper;
use crate::keys::schedule::{FRESH, STALE};
use crate::keys::signing_keys::SigningKeys;
use crate::records::{KeyOwner, StoredKey};

/// From when on keys are read again in the background: two thirds of what they may be old.
const REFRESH: Duration = Duration::from_secs(20);

/// How long one read, with what follows from it, may take.
const LOAD_LIMIT: Duration = Duration::from_secs(5);

/// How long nobody tries again after a read failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The place of one owner's keys.
pub(super) struct Slot {
    owner: KeyOwner,
    keys: ArcSwapOption<SigningKeys>,
    /// When reading them failed last, by the monotonic clock.
    failed_at: ArcSwap<Option<Duration>>,
    /// Held by whoever reads or changes them.
    loading: Arc<Mutex<()>>,
}

/// What is at hand.
pub(super) enum AtHand {
    /// To be used.
    Fresh(Arc<SigningKeys>),
    /// To be used, and to be read again meanwhile.
    Ageing(Arc<SigningKeys>),
    /// To be read first.
    Old,
}

impl Slot {
    pub(super) fn new(owner: KeyOwner) -> Self {
        Self {
            owner,
            keys: ArcSwapOption::empty(),
            failed_at: ArcSwap::from_pointee(None),
            loading: Arc::default(),
        }
    }

    pub(super) const fn owner(&self) -> &KeyOwner {
        &self.owner
    }

    pub(super) fn at_hand(&self, now: Duration) -> AtHand {
        let Some(keys) = self.keys.load_full() else { return AtHand::Old };
        match now.saturating_sub(keys.read_at()) {
            age if age <= REFRESH => AtHand::Fresh(keys),
            age if age <= FRESH => AtHand::Ageing(keys),
            _ => AtHand::Old,
        }
    }

    /// Waits until nobody else reads or changes the keys.
    pub(super) async fn lock(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.loading).lock_owned().await
    }

    /// The same without waiting: `None` if somebody does.
    pub(super) fn try_lock(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.loading).try_lock_owned().ok()
    }

    /// Reads the keys, unless that was done while this waited for the guard.
    pub(super) async fn load(
        &self,
        keeper: &Keeper,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let now = keeper.clock.monotonic();
        let held = self.keys.load_full();
        let age = held.as_ref().map(|keys| now.saturating_sub(keys.read_at()));
        if let Some(keys) = held.clone().filter(|_| age.is_some_and(|age| age <= REFRESH)) {
            return Ok(keys);
        }
        let failed = **self.failed_at.load();
        if failed.is_some_and(|failed| now.saturating_sub(failed) < PAUSE) {
            let what = "the signing keys could not be read a moment ago";
            let error = KeyRingError::new(KeyRingErrorKind::Unavailable, what);
            return held.filter(|_| age.is_some_and(|age| age <= STALE)).ok_or(error);
        }
        let error = match tokio::time::timeout(LOAD_LIMIT, keeper.read(&self.owner)).await {
            Ok(Ok(stored)) => return self.take(keeper, stored, now, guard),
            Ok(Err(error)) => error,
            Err(_) => KeyRingError::new(
                KeyRingErrorKind::Unavailable,
                "the database took too long to tell the signing keys",
            ),
        };
        if error.kind() != KeyRingErrorKind::Unavailable {
            return Err(error);
        }
        // Others are used on for a while, if that is all.
        self.failed_at.store(Arc::new(Some(keeper.clock.monotonic())));
        let held = held.filter(|_| age.is_some_and(|age| age <= STALE));
        tracing::warn!(held = held.is_some(), "{error}");
        held.ok_or(error)
    }

    /// Makes the keys that were read at `read_at` those at hand.
    pub(super) fn take(
        &self,
        keeper: &Keeper,
        stored: Vec<StoredKey>,
        read_at: Duration,
        _guard: OwnedMutexGuard<()>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let before = self.keys.load_full();
        let keys = keeper.prepare(&self.owner, stored, before.as_deref(), read_at)?;
        let keys = Arc::new(keys);
        self.keys.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }

    /// Lets the next request read the keys.
    pub(super) fn forget(&self, _guard: OwnedMutexGuard<()>) {
        self.keys.store(None);
    }
}
