//! Where the keys of an issuer stand, for readiness and diagnosis.

use std::time::Duration;

use crate::error::LoadErrorKind;

/// Where the keys of an issuer stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    pub(crate) keys: usize,
    pub(crate) age: Option<Duration>,
    pub(crate) usable: bool,
    pub(crate) failure: Option<LoadErrorKind>,
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

    /// Returns how long ago they were loaded, if they were. For keys in the configuration, how long
    /// the clock has been running.
    #[must_use]
    pub const fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Returns why the last fetch failed, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<LoadErrorKind> {
        self.failure
    }
}
