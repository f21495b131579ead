//! The numbers that a directory asks and remembers by.

use std::time::Duration;

use crate::directory::TIME_LIMIT;

const SECOND: Duration = Duration::from_secs(1);

/// How long a suspended tenant may live on, at most, and how often a tenant in use is asked about.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30);
pub(crate) const SHORTEST_LIFETIME: Duration = SECOND;
pub(crate) const LONGEST_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The longest pause after failures: a source that is up again is asked within it.
const LAST_PAUSE: Duration = Duration::from_secs(8);

/// How long an ask that there was no room for waits until it is tried again.
pub(crate) const CROWDED: Duration = SECOND;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) lifetime: Duration,
    pub(crate) time_limit: Duration,
    /// Tenants that are remembered.
    pub(crate) capacity: u64,
    /// Ids that are remembered as unknown.
    pub(crate) unknown_capacity: u64,
    pub(crate) asks_in_flight: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            time_limit: TIME_LIMIT,
            capacity: 10_000,
            unknown_capacity: 1024,
            asks_in_flight: 256,
        }
    }
}

impl Numbers {
    /// How long an ask may take: an answer that is older than the lifetime when it comes is of no use.
    pub(crate) fn ask_limit(&self) -> Duration {
        self.time_limit.min(self.lifetime)
    }

    /// When an ask that did not report back is given up: its task may be stuck in a blocking call.
    pub(crate) fn lost_at(&self, now: Duration) -> Duration {
        now.saturating_add(self.ask_limit().saturating_mul(2))
    }

    /// When an answer in use is asked for again: at 80 % of its lifetime, or up to a tenth later, so
    /// that tenants which came together drift apart.
    pub(crate) fn renew_at(&self, asked_at: Duration, dice: Dice) -> Duration {
        let earliest = self.lifetime.saturating_mul(80) / 100;
        asked_at.saturating_add(earliest).saturating_add(dice.part_of(self.lifetime / 10))
    }

    /// How long a tenant is not asked about after so many failures: half to all of a second,
    /// doubling to 8; less with a short lifetime, so that one failure does not outlast an answer.
    pub(crate) fn pause(&self, failures: u32, dice: Dice) -> Duration {
        let first = (self.lifetime / 30).clamp(SECOND / 10, SECOND);
        let doublings = failures.saturating_sub(1).min(31);
        let longest = first.saturating_mul(1 << doublings).min(LAST_PAUSE);
        (longest / 2).saturating_add(dice.part_of(longest / 2))
    }
}

/// A number drawn evenly from all of `u64`, so that chance is passed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A part of `whole`: from nothing up to, not quite, all of it.
    fn part_of(self, whole: Duration) -> Duration {
        let part = (whole.as_nanos().saturating_mul(u128::from(self.0))) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOWEST: Dice = Dice(0);
    const HIGHEST: Dice = Dice(u64::MAX);

    fn milliseconds(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_answer_is_renewed_between_80_and_90_percent_of_its_lifetime() {
        let numbers = Numbers::default();
        let at = |dice| numbers.renew_at(milliseconds(1000), dice);
        assert_eq!(at(LOWEST), milliseconds(25_000));
        assert!(at(HIGHEST) > milliseconds(27_999) && at(HIGHEST) <= milliseconds(28_000));
    }

    #[test]
    fn a_pause_is_half_to_all_of_a_second_and_doubles_to_eight() {
        let numbers = Numbers::default();
        for (failures, longest) in [(1, 1000), (2, 2000), (3, 4000), (4, 8000), (u32::MAX, 8000)] {
            assert_eq!(numbers.pause(failures, LOWEST), milliseconds(longest / 2));
            let most = numbers.pause(failures, HIGHEST);
            assert!(most > milliseconds(longest - 1) && most <= milliseconds(longest), "{most:?}");
        }
        let short = Numbers { lifetime: SECOND, ..numbers };
        assert_eq!(short.pause(1, LOWEST), milliseconds(50));
    }

    #[test]
    fn an_ask_takes_no_longer_than_its_answer_would_be_good_for() {
        let short = Numbers { lifetime: SECOND, ..Numbers::default() };
        assert_eq!(short.ask_limit(), SECOND);
        assert_eq!(Numbers::default().ask_limit(), TIME_LIMIT);
    }
}
