//! The keys of one issuer, over time.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tenantry_core::{Algorithm, Epoch, Issuer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::absent::Absent;
use crate::error::{KeyError, LoadError, LoadErrorKind};
use crate::flight::{Landed, Landing, fly};
use crate::held::{Found, FoundKey, Held};
use crate::keys::KeySet;
use crate::load::Memory;
use crate::means::Means;
use crate::refresh::{Advice, Answer, Flight, Need, Outcome, Refresh};
use crate::report::{News, Refusal, Report};
use crate::source::{KeySource, Kind, Place, UrlRules};
use crate::status::KeyStatus;
use crate::sync::{AtomicU64, Mutex, MutexGuard, spawn};

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
    /// When somebody last asked, in nanoseconds, give or take a second.
    used_at: AtomicU64,
    state: Mutex<State>,
    /// The last fetch that ended.
    landed: watch::Sender<Flight>,
}

struct State {
    refresh: Refresh,
    absent: Absent,
    memory: Memory,
    failure: Option<LoadErrorKind>,
    /// When a fetch last worked.
    worked_at: Option<Duration>,
}

impl State {
    fn new(refresh: Refresh) -> Self {
        let (absent, memory) = (Absent::default(), Memory::default());
        Self { refresh, absent, memory, failure: None, worked_at: None }
    }
}

/// What a request is about.
#[derive(Clone, Copy)]
enum Want<'a> {
    /// A key of this name, for this algorithm.
    Key(Option<&'a str>, Algorithm),
    /// The set in use, whatever is in it.
    Set,
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
            // INVARIANT (isolation): a key is used only for the issuer that it was published for.
            Kind::Document(json) => {
                let set = KeySet::parse_for(&issuer, json.as_bytes()).ok();
                let set = set.filter(|set| !set.keys().is_empty());
                (None, set.map(|set| Arc::new(Held::fixed(Arc::new(set)))), u64::MAX)
            }
            Kind::Fixed(set) => (None, Some(Arc::new(Held::fixed(set))), u64::MAX),
        };
        Arc::new(Self {
            issuer,
            pinned,
            source,
            held: ArcSwapOption::new(held),
            quiet_until: AtomicU64::new(quiet_until),
            used_at: AtomicU64::new(nanoseconds(means.now())),
            state: Mutex::new(State::new(refresh)),
            landed: watch::Sender::new(Flight::NONE),
            means,
        })
    }

    /// Whether these are the keys that `source` would lead to, in memory already. A file is none of
    /// them: who reloads a configuration expects its files to be read.
    pub(crate) fn comes_from(&self, source: &KeySource, pinned: bool) -> bool {
        match (&self.source, &source.kind) {
            (Some((Place::File(_), _)), _) => false,
            (Some((place, urls)), Kind::Loaded(other)) => {
                place == other && *urls == source.urls && self.pinned == pinned
            }
            _ => false,
        }
    }

    /// Returns the epoch of the set in use. It changes when a key leaves the set, and when one comes
    /// that makes the choice of a key ambiguous.
    ///
    /// `None`: there is no set, or it is staler than
    /// [permitted](crate::KeySettings::with_max_stale). What is cached about a token does not hold then.
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
    /// long as the [budget](crate::KeySettings::with_unknown_kid_budget) lasts: the name comes from a
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
        let (mut now, want) = (self.now(), Want::Key(kid, algorithm));
        let found = self.find(kid, algorithm, now);
        let mut answer = match (&found, &self.source) {
            (Found::Missing, None) => return Err(KeyError::UNKNOWN),
            (Found::Missing, Some(_)) => self.ask(now, want),
            (Found::Ambiguous | Found::Key(_), _) => {
                self.look(now);
                return found.judged(Answer::Use);
            }
        };
        while let Answer::Wait(flight) = answer {
            self.has_landed(flight).await;
            now = self.now();
            answer = self.after_wait(now, want);
        }
        self.find(kid, algorithm, now).judged(answer)
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
        let held = self.held.load();
        let state = self.state();
        let (next_at, staleness) = (state.refresh.next_at(), state.refresh.staleness(now));
        let (failure, worked_at) = (state.failure, state.worked_at);
        drop(state);
        self.report().staleness(staleness);
        KeyStatus {
            keys: held.as_ref().map_or(0, |held| held.set.keys().len()),
            age: held.as_ref().map(|held| held.age(now)),
            usable: held.as_ref().is_some_and(|held| now < held.stale_at),
            failure,
            last_success: worked_at.map(|at| now.saturating_sub(at)),
            next_refresh: self.source.as_ref().map(|_| next_at.saturating_sub(now)),
            staleness,
            epoch: held.as_ref().map(|held| held.epoch),
        }
    }

    /// Starts a refresh if one is due.
    fn look(self: &Arc<Self>, now: Duration) {
        self.touch(now);
        if nanoseconds(now) >= self.quiet_until.load(Ordering::Relaxed) {
            self.ask(now, Want::Set);
        }
    }

    /// Asks what to do, and does it.
    fn ask(self: &Arc<Self>, now: Duration, want: Want<'_>) -> Answer {
        let (Some((place, urls)), Ok(runtime)) = (&self.source, Handle::try_current()) else {
            return Answer::Unavailable { retry_after: Duration::ZERO };
        };
        self.touch(now);
        let (mut seat, mut crowded) = (None, false);
        let mut state = self.state();
        let need = self.need(&state, now, want);
        let Advice { answer, start } = state.refresh.ask(now, need, |errand| {
            seat = self.means.room.take(errand, self.pinned);
            crowded = seat.is_none();
            !crowded
        });
        self.quiet(&state.refresh);
        let memory = start.map(|_| state.memory.clone());
        let staleness = state.refresh.staleness(now);
        drop(state);
        if let (Some(flight), Some(seat), Some(memory)) = (start, seat, memory) {
            self.report().staleness(staleness);
            let landing = Landing::of(Arc::clone(self), flight, seat);
            // INVARIANT (no network for strangers): the fetch belongs to nobody, so a caller that
            // disconnects neither stops it nor pays for it twice.
            spawn(&runtime, fly(landing, place.clone(), *urls, memory));
        } else if crowded {
            self.report().refused(Refusal::Crowded);
        } else {
            self.report_refusal(answer, need);
        }
        answer
    }

    fn report_refusal(&self, answer: Answer, need: Need) {
        match (answer, need) {
            (Answer::Unknown, Need::Absent) => self.report().refused(Refusal::Absent),
            (Answer::Unknown, _) => self.report().refused(Refusal::Budget),
            (Answer::Unavailable { .. }, _) => self.report().refused(Refusal::BackOff),
            (Answer::Use | Answer::Wait(_), _) => {}
        }
    }

    /// What a request gets that has waited. A fetch that brought nothing is not repeated; a set from
    /// the disk is only the start.
    fn after_wait(self: &Arc<Self>, now: Duration, want: Want<'_>) -> Answer {
        let mut state = self.state();
        let need = self.need(&state, now, want);
        if need == Need::Missing && state.refresh.is_unconfirmed() {
            drop(state);
            return self.ask(now, want);
        }
        let answer = state.refresh.after_wait(now, need);
        if let (Answer::Unknown, Want::Key(kid, algorithm)) = (answer, want) {
            let until = now.saturating_add(self.means.settings.absent_time);
            state.absent.insert(self.means.hash(kid, algorithm), until);
        }
        answer
    }

    /// What a request needs. Looks again, now that the set cannot change: whoever looked just before
    /// a fetch ended would otherwise start the next.
    fn need(&self, state: &State, now: Duration, want: Want<'_>) -> Need {
        let Want::Key(kid, algorithm) = want else {
            return Need::Known;
        };
        match self.find(kid, algorithm, now) {
            Found::Ambiguous | Found::Key(_) => Need::Known,
            Found::Missing if state.absent.holds(now, self.means.hash(kid, algorithm)) => {
                Need::Absent
            }
            Found::Missing => Need::Missing,
        }
    }

    fn find(&self, kid: Option<&str>, algorithm: Algorithm, now: Duration) -> Found {
        Found::of(self.held.load().as_deref(), kid, algorithm, now)
    }

    async fn has_landed(&self, flight: Flight) {
        // The sender is in `self`, so this does not fail.
        let _ = self.landed.subscribe().wait_for(|landed| *landed >= flight).await;
    }

    /// Takes in how a fetch ended. `false`: too late, others may have started, and finished, since
    /// this one was given up.
    pub(crate) fn land(&self, flight: Flight, landed: Result<Landed, LoadError>) -> bool {
        let (now, dice) = (self.now(), self.means.dice());
        let mut state = self.state();
        let before = self.held.load_full();
        let landed = match (landed, &before) {
            // Nobody asks whether a set changed that is not there.
            (Ok(Landed::Same { .. }), None) => Err(LoadErrorKind::Status(304).into()),
            (landed, _) => landed,
        };
        if !state.refresh.land(now, flight, self.outcome(&landed), dice) {
            return false;
        }
        let news = match landed {
            Ok(landed) => self.hold(&mut state, landed, before, now),
            Err(error) => {
                state.failure = Some(error.kind);
                state.memory.doubt();
                News::Failed(error)
            }
        };
        self.quiet(&state.refresh);
        let staleness = state.refresh.staleness(now);
        drop(state);
        self.landed.send_replace(flight);
        // Without the lock: whoever listens may be slow, or ask for the status.
        self.report().landed(&news);
        self.report().staleness(staleness);
        true
    }

    fn outcome(&self, landed: &Result<Landed, LoadError>) -> Outcome {
        let lifetime = |memory: &Memory| {
            self.means.settings.lifetime(memory.keys.as_ref().and_then(|keys| keys.said))
        };
        match landed {
            Ok(Landed::New { memory, .. } | Landed::Same { memory }) => {
                Outcome::Loaded { lifetime: lifetime(memory) }
            }
            Ok(Landed::Restored { memory, age, .. }) => {
                Outcome::Restored { age: *age, lifetime: lifetime(memory) }
            }
            Err(_) => Outcome::Failed,
        }
    }

    pub(crate) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn means(&self) -> &Means {
        &self.means
    }

    /// Puts a set into use. `before` is the one in use: it changes only here, under the lock.
    fn hold(
        &self,
        state: &mut State,
        landed: Landed,
        before: Option<Arc<Held>>,
        now: Duration,
    ) -> News {
        let old = before.as_ref().map(|before| Arc::clone(&before.set));
        let (set, memory, age_then, is_news) = match landed {
            Landed::New { set, memory } => (Arc::new(set), memory, Duration::ZERO, true),
            Landed::Restored { set, memory, age } => (Arc::new(set), memory, age, true),
            Landed::Same { memory } => {
                (old.clone().unwrap_or_default(), memory, Duration::ZERO, false)
            }
        };
        let epoch = match &before {
            // INVARIANT (cache the identity): a key that left takes the epoch with it.
            Some(before) if before.set.lives_on_in(&set) => before.epoch,
            _ => Epoch::new(),
        };
        if old.as_ref().is_none_or(|old| !old.is_same(&set)) {
            state.absent.clear();
        }
        state.failure = None;
        state.memory = memory;
        if !state.refresh.is_unconfirmed() {
            state.worked_at = Some(now);
        }
        let stale_at = state.refresh.stale_at().unwrap_or(now);
        let held = Held { set: Arc::clone(&set), epoch, since: now, age_then, stale_at };
        self.held.store(Some(Arc::new(held)));
        match (is_news, state.refresh.is_unconfirmed()) {
            (true, true) => News::Restored(set),
            (true, false) => News::Loaded { set, before: old },
            (false, _) => News::Confirmed,
        }
    }

    /// Whether nobody has asked for so long.
    pub(crate) fn is_idle_for(&self, time: Duration) -> bool {
        let used_at = self.used_at.load(Ordering::Relaxed);
        nanoseconds(self.now()).saturating_sub(used_at) >= nanoseconds(time)
    }

    /// Takes down that somebody asked. Once a second is enough: many threads write here.
    fn touch(&self, now: Duration) {
        let now = nanoseconds(now);
        let since = now.saturating_sub(self.used_at.load(Ordering::Relaxed));
        if since >= nanoseconds(Duration::from_secs(1)) {
            self.used_at.store(now, Ordering::Relaxed);
        }
    }

    fn quiet(&self, refresh: &Refresh) {
        self.quiet_until.store(nanoseconds(refresh.quiet_until()), Ordering::Relaxed);
    }

    /// Never held over an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.means.now()
    }

    fn report(&self) -> Report<'_> {
        Report::of(&self.issuer, self.pinned)
    }
}

#[cfg(test)]
impl IssuerKeys {
    pub(crate) fn is_fetching(&self) -> bool {
        self.state().refresh.is_flying(self.now())
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
