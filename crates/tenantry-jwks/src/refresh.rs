//! When keys are fetched, and what a request gets meanwhile: the rules, without I/O.
//!
//! [`Refresh`] knows neither keys nor network. It is asked at each use and names what to do; whoever
//! carries that out tells it how a fetch ended. Time and chance are passed in.
//!
//! | set        | fetch in flight | key     | last fetch | do                                        |
//! |------------|-----------------|---------|------------|-------------------------------------------|
//! | in use     | any             | known   | any        | use it; start a refresh if one is due      |
//! | in use     | yes             | missing | any        | wait for it                               |
//! | in use     | no              | missing | worked     | fetch and wait, or unknown if over budget |
//! | in use     | no              | missing | failed     | fetch and wait, or unavailable if too soon |
//! | none, old  | yes             | any     | any        | wait for it                               |
//! | none, old  | no              | any     | any        | fetch and wait, or unavailable if too soon |

use std::time::Duration;

use crate::budget::Bucket;

/// The durations that [`Refresh`] goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) soft_lifetime: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) back_off_first: Duration,
    pub(crate) back_off_last: Duration,
    pub(crate) unknown_burst: u32,
    pub(crate) unknown_refill: Duration,
    /// After this a fetch that did not report back is given up.
    pub(crate) flight_limit: Duration,
}

/// The number of one fetch. An answer counts only if it carries the number of the fetch in flight.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Flight(u64);

impl Flight {
    /// Before the first.
    pub(crate) const NONE: Self = Self(0);
}

/// What a request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// A key that the set in use has, or just the set.
    Known,
    /// A key that the set in use lacks.
    Missing,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// There are no keys to judge by; a fetch may start after `retry_after`.
    Unavailable { retry_after: Duration },
    /// The set is fresh and lacks the key.
    Unknown,
    /// The set in use will do.
    Use,
    /// The fetch in flight decides.
    Wait(Flight),
}

/// What to do about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Advice {
    pub(crate) answer: Answer,
    /// A fetch to start now, in a task of its own.
    pub(crate) start: Option<Flight>,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// No set with a usable key came of it.
    Failed,
    /// A set with a usable key.
    Loaded,
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

/// Where the keys of one issuer stand.
#[derive(Debug)]
pub(crate) struct Refresh {
    rules: Rules,
    loaded: Option<Loaded>,
    flying: Option<Flying>,
    /// The last number given out.
    numbered: u64,
    /// Fetches that failed since one worked.
    failures: u32,
    /// No fetch starts before.
    retry_at: Duration,
    unknown: Bucket,
}

#[derive(Clone, Copy, Debug)]
struct Loaded {
    refresh_at: Duration,
    stale_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Flying {
    flight: Flight,
    lost_at: Duration,
}

impl Refresh {
    pub(crate) const fn new(rules: Rules) -> Self {
        Self {
            rules,
            loaded: None,
            flying: None,
            numbered: 0,
            failures: 0,
            retry_at: Duration::ZERO,
            unknown: Bucket::full(rules.unknown_burst, rules.unknown_refill),
        }
    }

    /// Says what to do about a request that needs `need`.
    pub(crate) fn ask(&mut self, now: Duration, need: Need) -> Advice {
        let content = self.in_use(now) && need == Need::Known;
        let answer = |otherwise| if content { Answer::Use } else { otherwise };
        if let Some(flight) = self.flight(now) {
            return Advice { answer: answer(Answer::Wait(flight)), start: None };
        }
        let too_soon = self.retry_at.saturating_sub(now);
        if too_soon.is_zero() && (self.is_due(now) || self.may_look_for_unknown(now, need)) {
            let flight = self.start(now);
            return Advice { answer: answer(Answer::Wait(flight)), start: Some(flight) };
        }
        let refused = if self.is_due(now) {
            Answer::Unavailable { retry_after: too_soon }
        } else {
            Answer::Unknown
        };
        Advice { answer: answer(refused), start: None }
    }

    /// What a request gets that waited for a fetch and still needs `need`. Starts nothing, so no
    /// request waits twice.
    pub(crate) fn after_wait(&self, now: Duration, need: Need) -> Answer {
        match need {
            Need::Known if self.in_use(now) => Answer::Use,
            Need::Missing if self.in_use(now) && self.failures == 0 => Answer::Unknown,
            _ => Answer::Unavailable { retry_after: self.retry_at.saturating_sub(now) },
        }
    }

    /// Takes in how `flight` ended. `false`: it came too late and changes nothing.
    pub(crate) fn land(
        &mut self,
        now: Duration,
        flight: Flight,
        outcome: Outcome,
        dice: Dice,
    ) -> bool {
        if self.flying.is_none_or(|flying| flying.flight != flight) {
            return false;
        }
        self.flying = None;
        match outcome {
            Outcome::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.retry_at = now.saturating_add(dice.part_of(self.back_off()));
            }
            Outcome::Loaded => {
                self.failures = 0;
                self.retry_at = now;
                self.loaded = Some(self.lifetime_from(now, dice));
            }
        }
        true
    }

    /// Until when a request for a known key need not ask.
    pub(crate) fn quiet_until(&self) -> Duration {
        match (self.flying, self.loaded) {
            (Some(flying), _) => flying.lost_at,
            (None, Some(loaded)) if self.failures == 0 => loaded.refresh_at,
            (None, _) => self.retry_at,
        }
    }

    /// When the set in use stops being used, if there is one.
    pub(crate) fn stale_at(&self) -> Option<Duration> {
        self.loaded.map(|loaded| loaded.stale_at)
    }

    fn in_use(&self, now: Duration) -> bool {
        self.loaded.is_some_and(|loaded| now < loaded.stale_at)
    }

    /// The fetch in flight. One that was given up is not: its number is not current any more once
    /// the next has started, so its answer is dropped.
    fn flight(&self, now: Duration) -> Option<Flight> {
        self.flying.filter(|flying| now < flying.lost_at).map(|flying| flying.flight)
    }

    fn start(&mut self, now: Duration) -> Flight {
        self.numbered = self.numbered.saturating_add(1);
        let flight = Flight(self.numbered);
        self.flying =
            Some(Flying { flight, lost_at: now.saturating_add(self.rules.flight_limit) });
        flight
    }

    fn is_due(&self, now: Duration) -> bool {
        self.failures > 0 || self.loaded.is_none_or(|loaded| now >= loaded.refresh_at)
    }

    fn may_look_for_unknown(&mut self, now: Duration, need: Need) -> bool {
        need == Need::Missing && self.unknown.take(now)
    }

    /// At 80 % of the soft lifetime, give or take a tenth: instances that started together drift
    /// apart.
    fn lifetime_from(&self, now: Duration, dice: Dice) -> Loaded {
        let soft = self.rules.soft_lifetime;
        let earliest = soft.saturating_mul(72) / 100;
        let spread = soft.saturating_mul(16) / 100;
        Loaded {
            refresh_at: now.saturating_add(earliest).saturating_add(dice.part_of(spread)),
            stale_at: now.saturating_add(soft).saturating_add(self.rules.max_stale),
        }
    }

    /// The longest pause after this many failures.
    fn back_off(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(31);
        self.rules.back_off_first.saturating_mul(1 << doublings).min(self.rules.back_off_last)
    }
}
