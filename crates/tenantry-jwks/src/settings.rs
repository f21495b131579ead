//! The numbers that keys are fetched and kept by.

use std::path::PathBuf;
use std::time::Duration;

use crate::refresh::Rules;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How keys are fetched and kept. The defaults are meant to be left alone.
///
/// | setting                                                  | default             |
/// |----------------------------------------------------------|---------------------|
/// | [soft lifetime](Self::with_soft_lifetime)                 | 10 min              |
/// | [bounds of a lifetime](Self::with_lifetime_bounds)        | 60 s to 1 h         |
/// | [staleness](Self::with_max_stale)                         | 1 h                 |
/// | [unknown keys](Self::with_unknown_kid_budget)             | 2, and 1 per 30 s   |
/// | [absent keys](Self::with_absent_time)                     | 30 s                |
/// | [fetches in flight](Self::with_fetches_in_flight)         | 64                  |
/// | [back-off](Self::with_back_off)                           | 1 s to 60 s         |
/// | [time of a fetch](Self::with_fetch_time_limit)            | 5 s                 |
/// | [time to connect](Self::with_connect_time_limit)          | 2 s                 |
/// | [issuers](Self::with_capacity)                            | 10 000              |
/// | [idle time of an issuer](Self::with_idle_time)            | 24 h                |
/// | [snapshots](Self::with_snapshots)                         | none                |
///
/// A document is at most 256 KiB long and has at most 100 keys, and at most 128 absent keys are
/// remembered per issuer; those are not settings. A value outside its bounds is taken as the bound.
#[derive(Clone, Debug)]
#[must_use]
pub struct KeySettings {
    pub(crate) soft_lifetime: Duration,
    pub(crate) shortest_lifetime: Duration,
    pub(crate) longest_lifetime: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) unknown_burst: u32,
    pub(crate) unknown_refill: Duration,
    pub(crate) absent_time: Duration,
    pub(crate) fetches_in_flight: usize,
    pub(crate) back_off_first: Duration,
    pub(crate) back_off_last: Duration,
    pub(crate) fetch_time_limit: Duration,
    pub(crate) connect_time_limit: Duration,
    pub(crate) capacity: u64,
    pub(crate) idle_time: Duration,
    pub(crate) snapshots: Option<PathBuf>,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            soft_lifetime: Duration::from_secs(10 * 60),
            shortest_lifetime: MINUTE,
            longest_lifetime: HOUR,
            max_stale: HOUR,
            unknown_burst: 2,
            unknown_refill: Duration::from_secs(30),
            absent_time: Duration::from_secs(30),
            fetches_in_flight: 64,
            back_off_first: SECOND,
            back_off_last: MINUTE,
            fetch_time_limit: Duration::from_secs(5),
            connect_time_limit: Duration::from_secs(2),
            capacity: 10_000,
            idle_time: DAY,
            snapshots: None,
        }
    }
}

impl KeySettings {
    /// Sets how long a key set is used before the next is fetched, where the issuer does not say:
    /// from 1 second to 24 hours.
    ///
    /// The fetch starts at about 80 % of it, in the background, when somebody asks. A key that the
    /// issuer withdrew is used for about this long, while the issuer is in use and can be reached.
    pub fn with_soft_lifetime(mut self, soft_lifetime: Duration) -> Self {
        self.soft_lifetime = soft_lifetime.clamp(SECOND, DAY);
        self
    }

    /// Sets what the lifetime that an issuer gives in `Cache-Control` is held to: at least
    /// `shortest`, so that no issuer makes us hammer it, and at most `longest`, so that a withdrawn
    /// key goes. Both from 1 second to 24 hours; `longest` is not below `shortest`.
    pub fn with_lifetime_bounds(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest_lifetime = shortest.clamp(SECOND, DAY);
        self.longest_lifetime = longest.clamp(self.shortest_lifetime, DAY);
        self
    }

    /// Sets how long past its lifetime a key set is used while no newer one can be had, at
    /// most 24 hours. After that requests get 503: a key may have been withdrawn for a reason.
    pub fn with_max_stale(mut self, max_stale: Duration) -> Self {
        self.max_stale = max_stale.min(DAY);
        self
    }

    /// Sets how many fetches unknown key ids may cause per issuer: `burst` at once, then one per
    /// `refill`, at least 1 second. Anyone can make up a key id. With a `burst` of zero they cause
    /// none, and a new key is found when the set is refreshed.
    pub fn with_unknown_kid_budget(mut self, burst: u32, refill: Duration) -> Self {
        self.unknown_burst = burst;
        self.unknown_refill = refill.max(SECOND);
        self
    }

    /// Sets how long a key id that was looked for in vain is not looked for again, at most 1 hour. It
    /// should not be longer than the refill of the [budget](Self::with_unknown_kid_budget): a key
    /// that is used before it is published would wait for longer than it has to.
    pub fn with_absent_time(mut self, absent_time: Duration) -> Self {
        self.absent_time = absent_time.min(HOUR);
        self
    }

    /// Sets how many fetches may be in flight at once for issuers that were found by a pattern: this
    /// many for first sets and unknown key ids, and as many again for refreshes. Beyond that, requests
    /// that need a fetch get 503. Issuers that are [pinned](crate::KeyStore::pin) neither count nor
    /// wait. At least 1.
    pub fn with_fetches_in_flight(mut self, fetches: usize) -> Self {
        self.fetches_in_flight = fetches.max(1);
        self
    }

    /// Sets the pause after a failed fetch: drawn evenly from nothing to `first`, which doubles
    /// with each failure up to `last`. Both from 100 milliseconds to 1 hour; `last` is not below
    /// `first`.
    pub fn with_back_off(mut self, first: Duration, last: Duration) -> Self {
        self.back_off_first = first.clamp(MILLISECOND.saturating_mul(100), HOUR);
        self.back_off_last = last.clamp(self.back_off_first, HOUR);
        self
    }

    /// Sets the time of a fetch from start to last byte, metadata included, at most 1 minute.
    pub fn with_fetch_time_limit(mut self, limit: Duration) -> Self {
        self.fetch_time_limit = limit.clamp(MILLISECOND, MINUTE);
        self
    }

    /// Sets the time to connect, TLS included, at most 1 minute.
    pub fn with_connect_time_limit(mut self, limit: Duration) -> Self {
        self.connect_time_limit = limit.clamp(MILLISECOND, MINUTE);
        self
    }

    /// Sets how many issuers that were found by a pattern are kept. Those
    /// [pinned](crate::KeyStore::pin) do not count.
    pub const fn with_capacity(mut self, issuers: u64) -> Self {
        self.capacity = issuers;
        self
    }

    /// Sets after what time without a request an issuer found by a pattern is dropped, at least 1
    /// minute.
    pub fn with_idle_time(mut self, idle_time: Duration) -> Self {
        self.idle_time = idle_time.max(MINUTE);
        self
    }

    /// Sets a directory where the key sets that were fetched are kept, so that a restart while an
    /// issuer is down serves at once. It must exist, and whoever can write to it can bring in keys: it
    /// must belong to this service alone.
    ///
    /// Only public keys are written. A set is as old after a restart as it would be without one.
    pub fn with_snapshots(mut self, directory: impl Into<PathBuf>) -> Self {
        self.snapshots = Some(directory.into());
        self
    }

    /// The lifetime of a document, of which `said` is what `Cache-Control` says.
    pub(crate) fn lifetime(&self, said: Option<Duration>) -> Duration {
        let bounded = |said: Duration| said.clamp(self.shortest_lifetime, self.longest_lifetime);
        said.map_or(self.soft_lifetime, bounded)
    }

    /// The lifetime of metadata for those who look for an unknown key: the issuer may have moved.
    pub(crate) fn lifetime_for_search(&self, said: Option<Duration>) -> Duration {
        self.lifetime(said).min(self.shortest_lifetime)
    }

    pub(crate) const fn rules(&self) -> Rules {
        Rules {
            max_stale: self.max_stale,
            back_off_first: self.back_off_first,
            back_off_last: self.back_off_last,
            unknown_burst: self.unknown_burst,
            unknown_refill: self.unknown_refill,
            // Twice what the fetch allows itself: only one that is stuck gets that old.
            flight_limit: self.fetch_time_limit.saturating_mul(2),
        }
    }
}
