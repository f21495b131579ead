//! The settings, read back: what a store promises follows from them.

use std::time::Duration;

use crate::settings::KeySettings;

impl KeySettings {
    /// Returns the [soft lifetime](Self::with_soft_lifetime).
    #[must_use]
    pub const fn soft_lifetime(&self) -> Duration {
        self.soft_lifetime
    }

    /// Returns the [staleness](Self::with_max_stale).
    #[must_use]
    pub const fn max_stale(&self) -> Duration {
        self.max_stale
    }

    /// Returns the [budget for unknown keys](Self::with_unknown_kid_budget): burst and refill.
    #[must_use]
    pub const fn unknown_kid_budget(&self) -> (u32, Duration) {
        (self.unknown_burst, self.unknown_refill)
    }

    /// Returns the [back-off](Self::with_back_off): first and last.
    #[must_use]
    pub const fn back_off(&self) -> (Duration, Duration) {
        (self.back_off_first, self.back_off_last)
    }

    /// Returns the [time of a fetch](Self::with_fetch_time_limit).
    #[must_use]
    pub const fn fetch_time_limit(&self) -> Duration {
        self.fetch_time_limit
    }

    /// Returns the [number of issuers](Self::with_capacity).
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_back() {
        let seconds = Duration::from_secs;
        let settings = KeySettings::default()
            .with_soft_lifetime(seconds(1))
            .with_max_stale(seconds(2))
            .with_unknown_kid_budget(3, seconds(4))
            .with_back_off(seconds(5), seconds(6))
            .with_fetch_time_limit(seconds(7))
            .with_capacity(8);
        assert_eq!(settings.soft_lifetime(), seconds(1));
        assert_eq!(settings.max_stale(), seconds(2));
        assert_eq!(settings.unknown_kid_budget(), (3, seconds(4)));
        assert_eq!(settings.back_off(), (seconds(5), seconds(6)));
        assert_eq!(settings.fetch_time_limit(), seconds(7));
        assert_eq!(settings.capacity(), 8);
    }
}
