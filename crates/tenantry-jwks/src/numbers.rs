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

    /// Returns the [bounds of a lifetime](Self::with_lifetime_bounds).
    #[must_use]
    pub const fn lifetime_bounds(&self) -> (Duration, Duration) {
        (self.shortest_lifetime, self.longest_lifetime)
    }

    /// Returns the [time that a key counts as absent](Self::with_absent_time).
    #[must_use]
    pub const fn absent_time(&self) -> Duration {
        self.absent_time
    }

    /// Returns the [number of fetches in flight](Self::with_fetches_in_flight).
    #[must_use]
    pub const fn fetches_in_flight(&self) -> usize {
        self.fetches_in_flight
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

    /// Returns the [time to connect](Self::with_connect_time_limit).
    #[must_use]
    pub const fn connect_time_limit(&self) -> Duration {
        self.connect_time_limit
    }

    /// Returns the [idle time of an issuer](Self::with_idle_time).
    #[must_use]
    pub const fn idle_time(&self) -> Duration {
        self.idle_time
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
            .with_capacity(8)
            .with_lifetime_bounds(seconds(9), seconds(10))
            .with_absent_time(seconds(11))
            .with_fetches_in_flight(12)
            .with_connect_time_limit(seconds(13))
            .with_idle_time(seconds(61));
        assert_eq!(settings.soft_lifetime(), seconds(1));
        assert_eq!(settings.max_stale(), seconds(2));
        assert_eq!(settings.unknown_kid_budget(), (3, seconds(4)));
        assert_eq!(settings.back_off(), (seconds(5), seconds(6)));
        assert_eq!(settings.fetch_time_limit(), seconds(7));
        assert_eq!(settings.capacity(), 8);
        assert_eq!(settings.lifetime_bounds(), (seconds(9), seconds(10)));
        assert_eq!(settings.absent_time(), seconds(11));
        assert_eq!(settings.fetches_in_flight(), 12);
        assert_eq!(settings.connect_time_limit(), seconds(13));
        assert_eq!(settings.idle_time(), seconds(61));
    }

    #[test]
    fn a_value_outside_its_bounds_is_the_bound() {
        let (zero, endless) = (Duration::ZERO, Duration::MAX);
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        let least = KeySettings::default()
            .with_soft_lifetime(zero)
            .with_lifetime_bounds(zero, zero)
            .with_unknown_kid_budget(0, zero)
            .with_fetches_in_flight(0)
            .with_back_off(zero, zero)
            .with_idle_time(zero);
        assert_eq!(least.soft_lifetime(), second);
        assert_eq!(least.lifetime_bounds(), (second, second));
        assert_eq!(least.unknown_kid_budget(), (0, second));
        assert_eq!(least.fetches_in_flight(), 1);
        assert_eq!(least.back_off(), (second / 10, second / 10));
        assert_eq!(least.idle_time(), minute);
        let most = KeySettings::default()
            .with_soft_lifetime(endless)
            .with_lifetime_bounds(endless, zero)
            .with_max_stale(endless)
            .with_absent_time(endless)
            .with_back_off(endless, zero)
            .with_fetch_time_limit(endless)
            .with_connect_time_limit(endless);
        assert_eq!(most.soft_lifetime(), day);
        assert_eq!(most.lifetime_bounds(), (day, day));
        assert_eq!(most.max_stale(), day);
        assert_eq!(most.absent_time(), hour);
        assert_eq!(most.back_off(), (hour, hour));
        assert_eq!(most.fetch_time_limit(), minute);
        assert_eq!(most.connect_time_limit(), minute);
    }
}
