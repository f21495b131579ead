//! A clock that a test sets by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenantry_core::Clock;

/// A [`Clock`] that stands still until it is told otherwise.
///
/// Clones show and change the same time: keep one, give the others away.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_core::Clock;
/// use tenantry_testkit::ManualClock;
///
/// let clock = ManualClock::new(Duration::from_secs(1_800_000_000));
/// let elsewhere = clock.clone();
///
/// clock.advance(Duration::from_secs(60));
///
/// assert_eq!(elsewhere.unix(), Duration::from_secs(1_800_000_060));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    times: Arc<Mutex<Times>>,
}

#[derive(Debug)]
struct Times {
    unix: Duration,
    monotonic: Duration,
}

impl ManualClock {
    /// Stands at `unix`, the time since the Unix epoch.
    ///
    /// The monotonic time starts an hour after its origin, which is as good as any other and leaves
    /// room to look back.
    #[must_use]
    pub fn new(unix: Duration) -> Self {
        let times = Times { unix, monotonic: Duration::from_secs(3600) };
        Self { times: Arc::new(Mutex::new(times)) }
    }

    /// Lets `by` pass: both times move.
    pub fn advance(&self, by: Duration) {
        self.advance_monotonic(by);
        self.advance_unix(by);
    }

    /// Moves the monotonic time alone, as if the wall clock were being held back.
    pub fn advance_monotonic(&self, by: Duration) {
        let mut times = self.times();
        times.monotonic = times.monotonic.saturating_add(by);
    }

    /// Moves the wall clock alone, as if somebody had set it forward.
    pub fn advance_unix(&self, by: Duration) {
        let mut times = self.times();
        times.unix = times.unix.saturating_add(by);
    }

    /// Sets the wall clock alone, forward or back.
    pub fn set_unix(&self, unix: Duration) {
        self.times().unix = unix;
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // A test that panicked elsewhere left two numbers, which are right whatever happened.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn unix(&self) -> Duration {
        self.times().unix
    }

    fn monotonic(&self) -> Duration {
        self.times().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const STEP: Duration = Duration::from_secs(5);

    fn both(clock: &ManualClock) -> (Duration, Duration) {
        (clock.unix(), clock.monotonic())
    }

    #[test]
    fn it_stands_still_until_told_otherwise() {
        let clock = ManualClock::new(NOW);
        assert_eq!(both(&clock), both(&clock));
        assert_eq!(clock.unix(), NOW);
    }

    #[test]
    fn the_two_times_move_together_or_alone() {
        let clock = ManualClock::new(NOW);
        let (unix, monotonic) = both(&clock);

        clock.advance(STEP);
        assert_eq!(both(&clock), (unix + STEP, monotonic + STEP));
        clock.advance_unix(STEP);
        assert_eq!(both(&clock), (unix + 2 * STEP, monotonic + STEP));
        clock.advance_monotonic(STEP);
        assert_eq!(both(&clock), (unix + 2 * STEP, monotonic + 2 * STEP));
        clock.set_unix(NOW - STEP);
        assert_eq!(both(&clock), (unix - STEP, monotonic + 2 * STEP));
    }
}
