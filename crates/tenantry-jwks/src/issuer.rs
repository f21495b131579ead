//! The keys of one issuer, over time.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tenantry_core::{Algorithm, Clock, Epoch, Issuer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::error::{KeyError, LoadError, LoadErrorKind};
use crate::flight::{Landing, fly};
use crate::key::Key;
use crate::keys::{KeySet, Selection};
use crate::refresh::{Advice, Answer, Dice, Flight, Need, Outcome, Refresh};
use crate::settings::KeySettings;
use crate::source::{KeySource, Kind, Place, UrlRules};
use crate::status::KeyStatus;
use crate::transport::Transport;

/// What all issuers of a store have in common.
pub(crate) struct Means {
    pub(crate) settings: KeySettings,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Box<dyn Fn() -> Dice + Send + Sync>,
}

/// The keys of one issuer.
///
/// It is asked at each use, and starts a fetch in a task of its own when one is due. That takes a
/// tokio runtime with time enabled; outside of one nothing is fetched.
pub struct IssuerKeys {
    issuer: Issuer,
    pinned: bool,
    source: Option<(Place, UrlRules)>,
    means: Arc<Means>,
    /// The set in use. Written under the lock of `refresh` only.
    held: ArcSwapOption<Held>,
    /// Before this moment, in nanoseconds, a request for a known key need not take the lock.
    quiet_until: AtomicU64,
    refresh: Mutex<State>,
    /// The last fetch that ended.
    landed: watch::Sender<Flight>,
}

struct State {
    refresh: Refresh,
    failure: Option<LoadErrorKind>,
}

struct Held {
    set: Arc<KeySet>,
    epoch: Epoch,
    since: Duration,
    stale_at: Duration,
}

/// A key to judge a token by.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The key.
    pub key: Arc<Key>,
    /// The epoch of the set that it was found in.
    pub epoch: Epoch,
}

impl IssuerKeys {
    pub(crate) fn new(
        issuer: Issuer,
        source: KeySource,
        pinned: bool,
        means: Arc<Means>,
    ) -> Arc<Self> {
        let refresh = Refresh::new(means.settings.rules());
        let (source, held, quiet_until) = match source.kind {
            Kind::Loaded(place) => (Some((place, source.urls)), None, 0),
            Kind::Fixed(set) => (None, Some(Arc::new(Held::fixed(set))), u64::MAX),
        };
        Arc::new(Self {
            issuer,
            pinned,
            source,
            means,
            held: ArcSwapOption::new(held),
            quiet_until: AtomicU64::new(quiet_until),
            refresh: Mutex::new(State { refresh, failure: None }),
            landed: watch::Sender::new(Flight::NONE),
        })
    }

    /// Returns the epoch of the set in use. It changes when a key leaves the set, and when one comes
    /// that makes the choice of a key ambiguous.
    ///
    /// `None`: there is no set, or it is staler than
    /// [permitted](KeySettings::with_max_stale). What is cached about a token does not hold then.
    ///
    /// Takes no lock, except to start a refresh that is due.
    #[must_use]
    pub fn epoch(self: &Arc<Self>) -> Option<Epoch> {
        let now = self.now();
        self.look(now);
        let held = self.held.load();
        held.as_ref().filter(|held| now < held.stale_at).map(|held| held.epoch)
    }

    /// Returns the one key that a token with this `kid` and `alg` is judged by.
    ///
    /// A key of the set in use is returned at once. A key that the set lacks is worth one fetch as
    /// long as the [budget](KeySettings::with_unknown_kid_budget) lasts: the name comes from a
    /// token that nobody has verified. Concurrent callers share a fetch, and no lock is held while
    /// it runs.
    ///
    /// # Errors
    ///
    /// - [`Ambiguous`](crate::KeyErrorKind::Ambiguous): more than one key fits.
    /// - [`Unavailable`](crate::KeyErrorKind::Unavailable): there is no set to judge by, or the set
    ///   lacks the key and may be out of date because the last fetch failed.
    /// - [`Unknown`](crate::KeyErrorKind::Unknown): the set is fresh and lacks the key.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop a fetch.
    pub async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<FoundKey, KeyError> {
        let now = self.now();
        let found = self.find(kid, algorithm, now);
        let answer = match (&found, &self.source) {
            (Found::Ambiguous, _) => return Err(KeyError::AMBIGUOUS),
            (Found::Missing, None) => return Err(KeyError::UNKNOWN),
            (Found::Key(_), _) => {
                self.look(now);
                Answer::Use
            }
            (Found::Missing, Some(_)) => self.ask(now, Need::Missing),
        };
        let Answer::Wait(flight) = answer else {
            return found.judged(answer);
        };
        self.has_landed(flight).await;
        let now = self.now();
        let found = self.find(kid, algorithm, now);
        let answer = self.state().refresh.after_wait(now, found.need());
        found.judged(answer)
    }

    /// Starts the first fetch in the background, unless there was one.
    pub fn warm(self: &Arc<Self>) {
        self.look(self.now());
    }

    /// Returns where the keys stand, and starts a fetch if one is due: a service that is not ready
    /// gets no requests, and heals because somebody asks whether it is.
    #[must_use]
    pub fn status(self: &Arc<Self>) -> KeyStatus {
        let now = self.now();
        self.look(now);
        let failure = self.state().failure;
        let held = self.held.load();
        KeyStatus {
            keys: held.as_ref().map_or(0, |held| held.set.keys().len()),
            age: held.as_ref().map(|held| now.saturating_sub(held.since)),
            usable: held.as_ref().is_some_and(|held| now < held.stale_at),
            failure,
        }
    }

    fn find(&self, kid: Option<&str>, algorithm: Algorithm, now: Duration) -> Found {
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| now < held.stale_at) else {
            return Found::Missing;
        };
        match held.set.select(kid, algorithm) {
            Selection::Ambiguous => Found::Ambiguous,
            Selection::None => Found::Missing,
            Selection::One(key) => Found::Key(FoundKey { key: Arc::clone(key), epoch: held.epoch }),
        }
    }

    /// Starts a refresh if one is due.
    fn look(self: &Arc<Self>, now: Duration) {
        if nanoseconds(now) >= self.quiet_until.load(Ordering::Relaxed) {
            self.ask(now, Need::Known);
        }
    }

    /// Asks what to do, and does it.
    fn ask(self: &Arc<Self>, now: Duration, need: Need) -> Answer {
        let (Some((place, urls)), Ok(runtime)) = (&self.source, Handle::try_current()) else {
            return Answer::Unavailable { retry_after: Duration::ZERO };
        };
        let mut state = self.state();
        let Advice { answer, start } = state.refresh.ask(now, need);
        self.quiet(&state.refresh);
        drop(state);
        if let Some(flight) = start {
            let landing = Landing::of(Arc::clone(self), flight);
            // INVARIANT (no network for strangers): the fetch belongs to nobody, so a caller that
            // disconnects neither stops it nor pays for it twice.
            runtime.spawn(fly(landing, place.clone(), *urls));
        }
        answer
    }

    async fn has_landed(&self, flight: Flight) {
        // The sender is in `self`, so this does not fail.
        let _ = self.landed.subscribe().wait_for(|landed| *landed >= flight).await;
    }

    /// Takes in how a fetch ended.
    pub(crate) fn land(&self, flight: Flight, loaded: Result<KeySet, LoadError>) {
        let now = self.now();
        let dice = (self.means.dice)();
        let outcome = if loaded.is_ok() { Outcome::Loaded } else { Outcome::Failed };
        let mut state = self.state();
        // Others may have started, and finished, since this one was given up.
        if !state.refresh.land(now, flight, outcome, dice) {
            return;
        }
        match loaded {
            Ok(set) => {
                state.failure = None;
                let stale_at = state.refresh.stale_at().unwrap_or(now);
                self.hold(set, now, stale_at);
            }
            Err(error) => {
                state.failure = Some(error.kind);
                self.report_failure(&error);
            }
        }
        self.quiet(&state.refresh);
        drop(state);
        self.landed.send_replace(flight);
    }

    pub(crate) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn means(&self) -> &Means {
        &self.means
    }

    fn hold(&self, set: KeySet, now: Duration, stale_at: Duration) {
        let before = self.held.load_full();
        self.report_success(&set, before.as_deref());
        let epoch = match &before {
            // INVARIANT (cache the identity): a key that left takes the epoch with it.
            Some(before) if before.set.lives_on_in(&set) => before.epoch,
            _ => Epoch::new(),
        };
        self.held.store(Some(Arc::new(Held { set: Arc::new(set), epoch, since: now, stale_at })));
    }

    fn quiet(&self, refresh: &Refresh) {
        self.quiet_until.store(nanoseconds(refresh.quiet_until()), Ordering::Relaxed);
    }

    /// Never held over an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.means.clock.monotonic()
    }

    /// The issuer for the log: not if a token brought it here.
    fn name(&self) -> Option<&str> {
        self.pinned.then(|| self.issuer.as_str())
    }

    fn report_success(&self, set: &KeySet, before: Option<&Held>) {
        let (issuer, keys) = (self.name(), set.keys().len());
        tracing::debug!(issuer, keys, "key set loaded");
        // The same odd key every ten minutes is not news.
        if before.is_some_and(|before| before.set.skipped() == set.skipped()) {
            return;
        }
        for skipped in set.skipped() {
            let (index, reason) = (skipped.index(), skipped.reason());
            tracing::warn!(issuer, index, %reason, "key skipped");
        }
    }

    fn report_failure(&self, error: &LoadError) {
        // The cause may name a host, which for an issuer found by a pattern is up to others.
        let cause = error.source().filter(|_| self.pinned).map(first_cause);
        tracing::warn!(issuer = self.name(), %error, cause, "key set not loaded");
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Held {
    fn fixed(set: Arc<KeySet>) -> Self {
        Self { set, epoch: Epoch::new(), since: Duration::ZERO, stale_at: Duration::MAX }
    }
}

enum Found {
    Ambiguous,
    Key(FoundKey),
    Missing,
}

impl Found {
    const fn need(&self) -> Need {
        match self {
            Self::Missing => Need::Missing,
            Self::Ambiguous | Self::Key(_) => Need::Known,
        }
    }

    fn judged(self, answer: Answer) -> Result<FoundKey, KeyError> {
        match (self, answer) {
            (_, Answer::Unavailable { retry_after }) => Err(KeyError::unavailable(retry_after)),
            (Self::Ambiguous, _) => Err(KeyError::AMBIGUOUS),
            (Self::Key(found), _) => Ok(found),
            (Self::Missing, _) => Err(KeyError::UNKNOWN),
        }
    }
}

fn first_cause(mut error: &(dyn Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
