//! What a key store promises, as numbers.

use std::time::Duration;

use tenantry_jwks::KeySettings;

/// The bounds that follow from [`KeySettings`], and that a [`Simulation`](crate::Simulation) holds
/// a key store to.
///
/// They hold for an issuer that answers within the time limit of a fetch, counted from when it
/// began to if it did not before. `docs/simulator.md` derives each.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_jwks::KeySettings;
/// use tenantry_testkit::KeyBounds;
///
/// let bounds = KeyBounds::of(&KeySettings::default());
///
/// assert_eq!(bounds.accepted_within(), Duration::from_secs(65));
/// assert_eq!(bounds.accepted_within_in_calm(), Duration::from_secs(35));
/// assert_eq!(bounds.served_for(), Duration::from_secs(70 * 60));
/// ```
#[derive(Clone, Debug)]
pub struct KeyBounds {
    pub(super) fetch: Duration,
    pub(super) soft: Duration,
    pub(super) stale: Duration,
    pub(super) burst: u32,
    pub(super) refill: Duration,
    pub(super) pause_first: Duration,
    pub(super) pause_last: Duration,
    pub(super) absent: Duration,
    shortest: Duration,
    longest: Duration,
}

impl KeyBounds {
    /// Returns the bounds of a store with these settings.
    #[must_use]
    pub const fn of(settings: &KeySettings) -> Self {
        let (burst, refill) = settings.unknown_kid_budget();
        let (pause_first, pause_last) = settings.back_off();
        let (shortest, longest) = settings.lifetime_bounds();
        Self {
            fetch: settings.fetch_time_limit(),
            soft: settings.soft_lifetime(),
            stale: settings.max_stale(),
            burst,
            refill,
            pause_first,
            pause_last,
            absent: settings.absent_time(),
            shortest,
            longest,
        }
    }

    /// The bounds for an issuer that says in `Cache-Control` how long its keys are good.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.soft = max_age.clamp(self.shortest, self.longest);
        self
    }

    /// How long after a key was published a request that names it is accepted, whatever else is
    /// asked for meanwhile, also after an outage: the fetch that began before, then the longest
    /// pause, or what [holds in calm](Self::accepted_within_in_calm).
    #[must_use]
    pub fn accepted_within(&self) -> Duration {
        self.fetch.saturating_add(self.pause_last).max(self.accepted_within_in_calm())
    }

    /// The same where no fetch has failed for the longest pause: the fetch that began before, then
    /// the time in which the budget earns a fetch, or for which a key that was asked for too early
    /// counts as absent.
    #[must_use]
    pub fn accepted_within_in_calm(&self) -> Duration {
        self.fetch.saturating_add(self.refill.max(self.absent))
    }

    /// How long after a key was withdrawn a refresh is due. The next request of its issuer starts
    /// it, and when [that](Self::answered_within) has ended the key is refused.
    #[must_use]
    pub fn withdrawal_due_within(&self) -> Duration {
        let refresh = self.soft.saturating_mul(88) / 100;
        self.fetch.saturating_add(refresh.max(self.pause_last))
    }

    /// How long after a key was withdrawn it is refused, whether or not the issuer can be reached
    /// and somebody asks.
    #[must_use]
    pub const fn withdrawn_within(&self) -> Duration {
        self.fetch.saturating_add(self.served_for())
    }

    /// How long a key set is used when no newer one can be had.
    #[must_use]
    pub const fn served_for(&self) -> Duration {
        self.soft.saturating_add(self.stale)
    }

    /// How long a request waits at most. One for a key of the set in use does not.
    #[must_use]
    pub const fn answered_within(&self) -> Duration {
        self.fetch
    }

    /// How many fetches of one issuer start within any `window`, of which `failures` are known to
    /// have failed: those that unknown keys may cause, those for lifetimes that ended, and one after
    /// each failure.
    #[must_use]
    pub fn fetches_within(&self, window: Duration, failures: usize) -> usize {
        let earned = parts(window, self.refill);
        let refreshes = parts(window, self.soft.saturating_mul(72) / 100).saturating_add(1);
        let burst = usize::try_from(self.burst).unwrap_or(usize::MAX);
        [earned, refreshes, failures].into_iter().fold(burst, usize::saturating_add)
    }

    /// How many fetches of one issuer fail within the longest pause: those while the pause grows,
    /// and 14 more. The pauses are drawn evenly from nothing to the longest, so it is not certain;
    /// but fourteen in a row come to less than one longest pause once in 10^11 times.
    #[must_use]
    pub fn failures_within_longest_pause(&self) -> usize {
        let doublings = parts(self.pause_last, self.pause_first.max(Duration::from_millis(1)));
        usize::try_from(doublings.max(1).ilog2()).unwrap_or(0) + 2 + 14
    }
}

fn parts(whole: Duration, part: Duration) -> usize {
    let parts = whole.as_nanos().checked_div(part.as_nanos()).unwrap_or(u128::MAX);
    usize::try_from(parts).unwrap_or(usize::MAX)
}
