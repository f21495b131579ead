//! The numbers that keys are fetched and kept by.

use std::time::Duration;

use crate::refresh::Rules;

/// How keys are fetched and kept. The defaults are meant to be left alone.
///
/// | setting                                                  | default        |
/// |----------------------------------------------------------|----------------|
/// | [soft lifetime](Self::with_soft_lifetime)                 | 10 min         |
/// | [staleness](Self::with_max_stale)                         | 1 h            |
/// | [unknown keys](Self::with_unknown_kid_budget)             | 2, and 1 per 30 s |
/// | [back-off](Self::with_back_off)                           | 1 s to 60 s    |
/// | [time of a fetch](Self::with_fetch_time_limit)            | 5 s            |
/// | [time to connect](Self::with_connect_time_limit)          | 2 s            |
/// | [issuers](Self::with_capacity)                            | 10 000         |
/// | [idle time of an issuer](Self::with_idle_time)            | 24 h           |
///
/// A document is at most 256 KiB long and has at most 100 keys; that is not a setting.
#[derive(Clone, Debug)]
#[must_use]
pub struct KeySettings {
    pub(crate) soft_lifetime: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) unknown_burst: u32,
    pub(crate) unknown_refill: Duration,
    pub(crate) back_off_first: Duration,
    pub(crate) back_off_last: Duration,
    pub(crate) fetch_time_limit: Duration,
    pub(crate) connect_time_limit: Duration,
    pub(crate) capacity: u64,
    pub(crate) idle_time: Duration,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            soft_lifetime: Duration::from_secs(10 * 60),
            max_stale: Duration::from_secs(60 * 60),
            unknown_burst: 2,
            unknown_refill: Duration::from_secs(30),
            back_off_first: Duration::from_secs(1),
            back_off_last: Duration::from_secs(60),
            fetch_time_limit: Duration::from_secs(5),
            connect_time_limit: Duration::from_secs(2),
            capacity: 10_000,
            idle_time: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl KeySettings {
    /// Sets how long a key set is used before the next is fetched.
    ///
    /// The fetch starts at about 80 % of it, in the background, when somebody asks. A key that the
    /// issuer withdrew is used for about this long.
    pub const fn with_soft_lifetime(mut self, soft_lifetime: Duration) -> Self {
        self.soft_lifetime = soft_lifetime;
        self
    }

    /// Sets how long past its soft lifetime a key set is used while no newer one can be had, at
    /// most 24 hours. After that requests get 503: a key may have been withdrawn for a reason.
    pub fn with_max_stale(mut self, max_stale: Duration) -> Self {
        self.max_stale = max_stale.min(Duration::from_secs(24 * 60 * 60));
        self
    }

    /// Sets how many fetches unknown key ids may cause per issuer: `burst` at once, then one per
    /// `refill`. Anyone can make up a key id.
    pub const fn with_unknown_kid_budget(mut self, burst: u32, refill: Duration) -> Self {
        self.unknown_burst = burst;
        self.unknown_refill = refill;
        self
    }

    /// Sets the pause after a failed fetch: drawn evenly from nothing to `first`, which doubles
    /// with each failure up to `last`.
    pub const fn with_back_off(mut self, first: Duration, last: Duration) -> Self {
        self.back_off_first = first;
        self.back_off_last = last;
        self
    }

    /// Sets the time of a fetch from start to last byte, metadata included.
    pub const fn with_fetch_time_limit(mut self, limit: Duration) -> Self {
        self.fetch_time_limit = limit;
        self
    }

    /// Sets the time to connect, TLS included.
    pub const fn with_connect_time_limit(mut self, limit: Duration) -> Self {
        self.connect_time_limit = limit;
        self
    }

    /// Sets how many issuers that were found by a pattern are kept. Those
    /// [pinned](crate::KeyStore::pin) do not count.
    pub const fn with_capacity(mut self, issuers: u64) -> Self {
        self.capacity = issuers;
        self
    }

    /// Sets after what time without a request an issuer found by a pattern is dropped.
    pub const fn with_idle_time(mut self, idle_time: Duration) -> Self {
        self.idle_time = idle_time;
        self
    }

    pub(crate) const fn rules(&self) -> Rules {
        Rules {
            soft_lifetime: self.soft_lifetime,
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
