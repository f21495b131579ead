//! What a simulation found.

use std::fmt;
use std::time::Duration;

/// What a [`Simulation`](crate::Simulation) found.
///
/// It prints as a summary, with the first violations and how to see them again.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Report {
    pub(super) seed: u64,
    pub(super) issuers: usize,
    pub(super) time: Duration,
    counts: [u64; Event::NAMES.len()],
    pub(super) violations: Vec<Violation>,
    pub(super) violated: u64,
    pub(super) longest_wait: Duration,
    pub(super) digest: u64,
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    pub(super) at: Duration,
    pub(super) issuer: usize,
    pub(super) what: String,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Accepted,
    Disconnected,
    Epoch,
    Fetch,
    FetchFailed,
    KeyChange,
    KeySetLoaded,
    Move,
    RefusedAmbiguous,
    RefusedUnavailable,
    RefusedUnknown,
    Request,
    Status,
    TurnedAway,
    WeatherChange,
}

impl Event {
    /// In the order of the variants.
    const NAMES: [&'static str; 15] = [
        "accepted",
        "disconnected",
        "epochs",
        "fetches",
        "failed fetches",
        "key changes",
        "key sets",
        "moves",
        "refused as ambiguous",
        "refused as unavailable",
        "refused as unknown",
        "requests",
        "statuses",
        "inside addresses refused",
        "weather changes",
    ];
}

impl Report {
    /// The most violations that are kept. The first are the ones to look at.
    pub(super) const KEPT: usize = 10;

    pub(super) fn new(seed: u64, issuers: usize, time: Duration) -> Self {
        Self { seed, issuers, time, ..Self::default() }
    }

    /// Returns the seed that it came from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns how many issuers there were.
    #[must_use]
    pub const fn issuers(&self) -> usize {
        self.issuers
    }

    /// Returns the virtual time that passed.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// Returns whether every promise was kept.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.violated == 0
    }

    /// Returns the first violations.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Returns how often each thing happened: `requests`, `accepted`, `fetches` and so on.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Event::NAMES.into_iter().zip(self.counts)
    }

    /// Returns how often this happened; zero for a name that is none of [these](Self::counts).
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts().find(|(what, _)| *what == name).map_or(0, |(_, count)| count)
    }

    /// Returns the longest that a request waited, in virtual time.
    #[must_use]
    pub const fn longest_wait(&self) -> Duration {
        self.longest_wait
    }

    /// Returns a number that two runs have in common only if the same happened at the same time.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Fails the test if a promise was broken.
    ///
    /// # Panics
    ///
    /// If it was, with the report as the message.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }

    /// Takes in what happened, when and where.
    pub(super) fn note(&mut self, at: Duration, issuer: usize, event: Event) {
        if let Some(count) = self.counts.get_mut(event as usize) {
            *count += 1;
        }
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let issuer = u64::try_from(issuer).unwrap_or(u64::MAX);
        for part in [at, issuer, event as u64] {
            self.digest = (self.digest ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        }
    }

    pub(super) fn violate(&mut self, at: Duration, issuer: usize, what: String) {
        self.violated += 1;
        if self.violations.len() < Self::KEPT {
            self.violations.push(Violation { at, issuer, what });
        }
    }
}

impl Violation {
    /// Returns when it happened, since the start.
    #[must_use]
    pub const fn at(&self) -> Duration {
        self.at
    }

    /// Returns the number of the issuer.
    #[must_use]
    pub const fn issuer(&self) -> usize {
        self.issuer
    }

    /// Returns which promise was broken, and how.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s, issuer {}: {}", self.at.as_secs_f64(), self.issuer, self.what)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, issuers, time) = (self.seed, self.issuers, self.time.as_secs());
        write!(f, "seed {seed}: {issuers} issuers, {time} s,")?;
        for (what, count) in self.counts() {
            write!(f, " {what} {count},")?;
        }
        write!(f, " longest wait {} ms, ", self.longest_wait.as_millis())?;
        match self.violated {
            0 => f.write_str("every promise kept"),
            violated => {
                write!(f, "{violated} promises broken:")?;
                for violation in &self.violations {
                    write!(f, "\n  {violation}")?;
                }
                write!(f, "\nagain: TENANTRY_SIM_SEED={seed} with the same program")
            }
        }
    }
}
