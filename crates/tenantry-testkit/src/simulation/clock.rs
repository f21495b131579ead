//! The clock of a simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tenantry_core::Clock;
use tokio::time::Instant;

/// A [`Clock`] that shows the time of the Tokio runtime: in a runtime with paused time, the virtual
/// one.
///
/// Its wall clock can be set apart, and then goes on from there. Clones show the same time.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_core::Clock;
/// use tenantry_testkit::RuntimeClock;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let clock = RuntimeClock::new(Duration::from_secs(1_800_000_000));
/// let before = clock.monotonic();
///
/// tokio::time::sleep(Duration::from_secs(60)).await;
/// clock.jump(-3600);
///
/// assert_eq!(clock.monotonic() - before, Duration::from_secs(60));
/// assert_eq!(clock.unix(), Duration::from_secs(1_800_000_060 - 3600));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RuntimeClock {
    started: Instant,
    unix: Duration,
    jumped: Arc<AtomicI64>,
}

impl RuntimeClock {
    /// Starts at `unix`, the time since the Unix epoch, and an hour after the origin of its
    /// monotonic time.
    #[must_use]
    pub fn new(unix: Duration) -> Self {
        Self { started: Instant::now(), unix, jumped: Arc::new(AtomicI64::new(0)) }
    }

    /// Sets the wall clock this many seconds forward, or back.
    pub fn jump(&self, seconds: i64) {
        self.jumped.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for RuntimeClock {
    fn unix(&self) -> Duration {
        let shown = self.unix.saturating_add(self.started.elapsed());
        let jumped = self.jumped.load(Ordering::Relaxed);
        let by = Duration::from_secs(jumped.unsigned_abs());
        if jumped < 0 { shown.saturating_sub(by) } else { shown.saturating_add(by) }
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(3600).saturating_add(self.started.elapsed())
    }
}
