//! Where the keys of an issuer stand, for readiness and diagnosis.

use std::fmt;
use std::time::Duration;

use tenantry_core::Epoch;

use crate::error::LoadErrorKind;

/// Where the keys of an issuer stand.
///
/// `Display` writes it for people: `ready, 2 keys, 40 s old, next fetch in 440 s`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    pub(crate) keys: usize,
    pub(crate) age: Option<Duration>,
    pub(crate) usable: bool,
    pub(crate) failure: Option<LoadErrorKind>,
    pub(crate) last_success: Option<Duration>,
    pub(crate) next_refresh: Option<Duration>,
    pub(crate) staleness: Duration,
    pub(crate) epoch: Option<Epoch>,
}

impl KeyStatus {
    /// Returns whether tokens of the issuer can be judged.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.usable
    }

    /// Returns how many keys there are.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// Returns how long ago the issuer last said that these are its keys, if it did; a restart does
    /// not make them younger. For keys in the configuration, how long the clock has been running.
    #[must_use]
    pub const fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Returns why the last fetch failed, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<LoadErrorKind> {
        self.failure
    }

    /// Returns how long ago a fetch of this process last worked, if one did.
    #[must_use]
    pub const fn last_success(&self) -> Option<Duration> {
        self.last_success
    }

    /// Returns in how long the next fetch is due. It starts when somebody asks after that. `None`:
    /// the keys are in the configuration.
    #[must_use]
    pub const fn next_refresh(&self) -> Option<Duration> {
        self.next_refresh
    }

    /// Returns how long the keys are past their lifetime. Zero: they are not.
    #[must_use]
    pub const fn staleness(&self) -> Duration {
        self.staleness
    }

    /// Returns the epoch of the keys, usable or not.
    #[must_use]
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.usable { "ready" } else { "not ready" };
        let plural = if self.keys == 1 { "" } else { "s" };
        write!(f, "{state}, {} key{plural}", self.keys)?;
        if let Some(age) = self.age {
            write!(f, ", {} s old", age.as_secs())?;
        }
        if !self.staleness.is_zero() {
            write!(f, ", {} s past their lifetime", self.staleness.as_secs())?;
        }
        if let Some(next) = self.next_refresh {
            write!(f, ", next fetch in {} s", next.as_secs())?;
        }
        if let Some(failure) = self.failure {
            write!(f, ", last fetch failed: {failure}")?;
        }
        Ok(())
    }
}
