//! When keys are fetched, and what a request gets meanwhile: the rules, without I/O.
//!
//! [`Refresh`] knows neither keys nor network. It is asked at each use and names what to do; whoever
//! carries that out tells it how a fetch ended. Time and chance are passed in.
//!
//! | set        | fetch in flight | key     | last fetch | do                                        |
//! |------------|-----------------|---------|------------|-------------------------------------------|
//! | in use     | any             | known   | any        | use it; start a refresh if one is due      |
//! | in use     | any             | absent  | worked     | unknown; start a refresh if one is due     |
//! | in use     | yes             | missing | any        | wait for it                               |
//! | in use     | no              | missing | worked     | fetch and wait, or unknown if over budget |
//! | in use     | no              | missing | failed     | fetch and wait, or unavailable if too soon |
//! | none, old  | yes             | any     | any        | wait for it                               |
//! | none, old  | no              | any     | any        | fetch and wait, or unavailable if too soon |
//!
//! Absent: looked for in vain moments ago; while fetching fails that counts as missing. A fetch that
//! there is no room for does not start: known keys are used on, and all else is unavailable.

use std::time::Duration;

use crate::budget::Bucket;

/// The durations that [`Refresh`] goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
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

/// How long a fetch that there was no room for waits until it is tried again.
const CROWDED: Duration = Duration::from_secs(1);

/// What a fetch is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Errand {
    /// There is no set to judge by.
    First,
    /// The set in use is getting old.
    Renewal,
    /// A key that the set in use lacks.
    Search,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// A key that the set in use lacks, as a fetch moments ago has shown.
    Absent,
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
    /// A set with a usable key, to be used this long.
    Loaded { lifetime: Duration },
    /// A set that was loaded `age` ago, by an earlier process.
    Restored { age: Duration, lifetime: Duration },
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
    /// The set comes from an earlier process, and the issuer has not confirmed it yet.
    restored: bool,
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
    /// The end of its lifetime.
    old_at: Duration,
    /// How long it was past its lifetime then: it comes from an earlier process.
    old_by: Duration,
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
            restored: false,
            flying: None,
            numbered: 0,
            failures: 0,
            retry_at: Duration::ZERO,
            unknown: Bucket::full(rules.unknown_burst, rules.unknown_refill),
        }
    }

    /// Says what to do about a request that needs `need`.
    ///
    /// `room` is asked at most once, last, and takes the place of the fetch that then starts.
    pub(crate) fn ask(
        &mut self,
        now: Duration,
        need: Need,
        room: impl FnOnce(Errand) -> bool,
    ) -> Advice {
        let content = match need {
            Need::Known if self.in_use(now) => Some(Answer::Use),
            Need::Absent if self.in_use(now) && self.failures == 0 => Some(Answer::Unknown),
            _ => None,
        };
        let answer = |otherwise| content.unwrap_or(otherwise);
        if let Some(flight) = self.flight(now) {
            return Advice { answer: answer(Answer::Wait(flight)), start: None };
        }
        match self.depart(now, need, room) {
            Ok(flight) => Advice { answer: answer(Answer::Wait(flight)), start: Some(flight) },
            Err(refused) => Advice { answer: answer(refused), start: None },
        }
    }

    /// What a request gets that waited for a fetch and still needs `need`. Starts nothing, so no
    /// request waits twice.
    pub(crate) fn after_wait(&self, now: Duration, need: Need) -> Answer {
        match need {
            Need::Known if self.in_use(now) => Answer::Use,
            Need::Absent | Need::Missing if self.in_use(now) && self.failures == 0 => {
                Answer::Unknown
            }
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
            Outcome::Loaded { lifetime } => {
                self.use_from(now, self.life(now, lifetime, dice));
                self.restored = false;
            }
            Outcome::Restored { age, lifetime } => {
                let left = lifetime.saturating_add(self.rules.max_stale).saturating_sub(age);
                let old_at = now.saturating_add(lifetime.saturating_sub(age));
                let (stale_at, old_by) = (now.saturating_add(left), age.saturating_sub(lifetime));
                self.use_from(now, Loaded { refresh_at: now, old_at, old_by, stale_at });
                self.restored = true;
            }
        }
        true
    }

    /// Until when a request for a known key need not ask.
    pub(crate) fn quiet_until(&self) -> Duration {
        match (self.flying, self.loaded) {
            (Some(flying), _) => flying.lost_at,
            (None, Some(loaded)) if self.failures == 0 => loaded.refresh_at.max(self.retry_at),
            (None, _) => self.retry_at,
        }
    }

    /// When the set in use stops being used, if there is one.
    pub(crate) fn stale_at(&self) -> Option<Duration> {
        self.loaded.map(|loaded| loaded.stale_at)
    }

    /// When the next fetch is due, asked or not.
    pub(crate) fn next_at(&self) -> Duration {
        match self.loaded {
            Some(loaded) if self.failures == 0 => loaded.refresh_at,
            _ => self.retry_at,
        }
    }

    /// How long the set in use is past its lifetime.
    pub(crate) fn staleness(&self, now: Duration) -> Duration {
        let old = self.loaded.filter(|loaded| now >= loaded.old_at);
        old.map_or(Duration::ZERO, |old| now.saturating_sub(old.old_at).saturating_add(old.old_by))
    }

    /// Whether the set in use comes from an earlier process and no fetch has ended since.
    pub(crate) const fn is_unconfirmed(&self) -> bool {
        self.restored && self.failures == 0
    }

    fn in_use(&self, now: Duration) -> bool {
        self.loaded.is_some_and(|loaded| now < loaded.stale_at)
    }

    /// The fetch in flight. One that was given up is not: its number is not current any more once
    /// the next has started, so its answer is dropped.
    fn flight(&self, now: Duration) -> Option<Flight> {
        self.flying.filter(|flying| now < flying.lost_at).map(|flying| flying.flight)
    }

    #[cfg(test)]
    pub(crate) fn is_flying(&self, now: Duration) -> bool {
        self.flight(now).is_some()
    }

    /// Starts the fetch that is worth it, or says what a request gets without one.
    fn depart(
        &mut self,
        now: Duration,
        need: Need,
        room: impl FnOnce(Errand) -> bool,
    ) -> Result<Flight, Answer> {
        let errand = match (self.in_use(now), self.is_due(now)) {
            (false, _) => Errand::First,
            (true, true) => Errand::Renewal,
            (true, false) if need == Need::Missing && self.unknown.holds_one(now) => Errand::Search,
            (true, false) => return Err(Answer::Unknown),
        };
        let too_soon = self.retry_at.saturating_sub(now);
        if !too_soon.is_zero() {
            return Err(Answer::Unavailable { retry_after: too_soon });
        }
        if !room(errand) {
            if errand == Errand::Renewal {
                // Requests for known keys need not all come and see.
                self.retry_at = now.saturating_add(CROWDED);
            }
            return Err(Answer::Unavailable { retry_after: CROWDED });
        }
        if errand == Errand::Search {
            self.unknown.take(now);
        }
        Ok(self.start(now))
    }

    fn start(&mut self, now: Duration) -> Flight {
        self.numbered = self.numbered.saturating_add(1);
        let flight = Flight(self.numbered);
        self.flying = Some(Flying { flight, lost_at: now.saturating_add(self.rules.flight_limit) });
        flight
    }

    fn is_due(&self, now: Duration) -> bool {
        self.failures > 0 || self.loaded.is_none_or(|loaded| now >= loaded.refresh_at)
    }

    fn use_from(&mut self, now: Duration, loaded: Loaded) {
        self.failures = 0;
        self.retry_at = now;
        self.loaded = Some(loaded);
    }

    /// A refresh is due at 80 % of the lifetime, give or take a tenth: instances that started
    /// together drift apart.
    fn life(&self, now: Duration, lifetime: Duration, dice: Dice) -> Loaded {
        let earliest = lifetime.saturating_mul(72) / 100;
        let spread = lifetime.saturating_mul(16) / 100;
        let old_at = now.saturating_add(lifetime);
        Loaded {
            refresh_at: now.saturating_add(earliest).saturating_add(dice.part_of(spread)),
            old_at,
            old_by: Duration::ZERO,
            stale_at: old_at.saturating_add(self.rules.max_stale),
        }
    }

    /// The longest pause after this many failures.
    fn back_off(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(31);
        self.rules.back_off_first.saturating_mul(1 << doublings).min(self.rules.back_off_last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: Dice = Dice(u64::MAX / 2 + 1);
    const LOWEST: Dice = Dice(0);
    const HIGHEST: Dice = Dice(u64::MAX);
    const LOADED: Outcome = Outcome::Loaded { lifetime: Duration::from_secs(600) };

    impl Refresh {
        /// With room for everybody.
        fn asked(&mut self, now: Duration, need: Need) -> Advice {
            self.ask(now, need, |_| true)
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rules() -> Rules {
        Rules {
            max_stale: seconds(3600),
            back_off_first: seconds(1),
            back_off_last: seconds(60),
            unknown_burst: 2,
            unknown_refill: seconds(30),
            flight_limit: seconds(10),
        }
    }

    fn started(flight: Flight, answer: Answer) -> Advice {
        Advice { answer, start: Some(flight) }
    }

    fn only(answer: Answer) -> Advice {
        Advice { answer, start: None }
    }

    fn unavailable(after: u64) -> Answer {
        Answer::Unavailable { retry_after: seconds(after) }
    }

    /// Loaded at `at`, by flight 1, so that a refresh is due 480 s later.
    fn loaded(at: u64) -> Refresh {
        let mut refresh = Refresh::new(rules());
        refresh.asked(seconds(at), Need::Known);
        assert!(refresh.land(seconds(at), Flight(1), LOADED, MIDDLE));
        refresh
    }

    fn fail(refresh: &mut Refresh, at: u64, flight: u64, dice: Dice) {
        assert!(refresh.land(seconds(at), Flight(flight), Outcome::Failed, dice));
    }

    #[test]
    fn without_a_set_the_first_starts_a_fetch_and_all_wait_for_it() {
        for need in [Need::Known, Need::Missing] {
            let mut refresh = Refresh::new(rules());
            let wait = Answer::Wait(Flight(1));
            assert_eq!(refresh.asked(seconds(5), need), started(Flight(1), wait));
            for need in [Need::Known, Need::Missing] {
                assert_eq!(refresh.asked(seconds(6), need), only(wait));
            }
        }
    }

    #[test]
    fn a_fresh_set_is_used_and_nothing_is_fetched() {
        let mut refresh = loaded(100);
        for now in [100, 300, 579] {
            assert_eq!(refresh.asked(seconds(now), Need::Known), only(Answer::Use), "at {now}");
        }
        assert_eq!(refresh.quiet_until(), seconds(580));
    }

    #[test]
    fn a_due_refresh_runs_beside_the_set_in_use() {
        let mut refresh = loaded(100);
        assert_eq!(refresh.asked(seconds(580), Need::Known), started(Flight(2), Answer::Use));
        assert_eq!(refresh.asked(seconds(581), Need::Known), only(Answer::Use));
        assert_eq!(refresh.quiet_until(), seconds(590), "until the fetch is given up");
        let wait = only(Answer::Wait(Flight(2)));
        assert_eq!(refresh.asked(seconds(581), Need::Missing), wait, "joins it");
        assert!(refresh.land(seconds(582), Flight(2), LOADED, MIDDLE));
        assert_eq!(refresh.quiet_until(), seconds(582 + 480));
    }

    #[test]
    fn a_refresh_is_due_between_72_and_88_percent_of_the_lifetime() {
        for (dice, due) in [(LOWEST, 432), (MIDDLE, 480), (HIGHEST, 528)] {
            let mut refresh = Refresh::new(rules());
            refresh.asked(seconds(0), Need::Known);
            refresh.land(seconds(0), Flight(1), LOADED, dice);
            assert_eq!(refresh.asked(seconds(due - 1), Need::Known), only(Answer::Use));
            let advice = refresh.asked(seconds(due), Need::Known);
            assert_eq!(advice, started(Flight(2), Answer::Use), "at {due}");
        }
    }

    #[test]
    fn an_unknown_key_is_worth_two_fetches_then_one_per_30_seconds() {
        let mut refresh = loaded(100);
        let mut flight = 1;
        for (now, fetched) in
            [(110, true), (110, true), (110, false), (139, false), (140, true), (140, false)]
        {
            let advice = refresh.asked(seconds(now), Need::Missing);
            if fetched {
                flight += 1;
                let wait = Answer::Wait(Flight(flight));
                assert_eq!(advice, started(Flight(flight), wait), "at {now}");
                refresh.land(seconds(now), Flight(flight), LOADED, MIDDLE);
                assert_eq!(refresh.after_wait(seconds(now), Need::Missing), Answer::Unknown);
            } else {
                assert_eq!(advice, only(Answer::Unknown), "at {now}: at once, without waiting");
            }
            assert_eq!(refresh.asked(seconds(now), Need::Known), only(Answer::Use));
        }
    }

    #[test]
    fn a_failed_fetch_for_an_unknown_key_is_charged_too() {
        let mut refresh = loaded(100);
        assert_eq!(refresh.asked(seconds(110), Need::Missing).start, Some(Flight(2)));
        fail(&mut refresh, 110, 2, LOWEST);
        assert_eq!(refresh.asked(seconds(110), Need::Known).start, Some(Flight(3)), "made up for");
        refresh.land(seconds(110), Flight(3), LOADED, MIDDLE);

        assert_eq!(refresh.asked(seconds(110), Need::Missing).start, Some(Flight(4)));
        refresh.land(seconds(110), Flight(4), LOADED, MIDDLE);
        assert_eq!(refresh.asked(seconds(110), Need::Missing), only(Answer::Unknown));
    }

    #[test]
    fn a_fetch_that_is_due_anyway_is_not_charged() {
        let mut refresh = loaded(100);
        for flight in 2..10 {
            let now = 100 + 480 * (flight - 1);
            assert_eq!(refresh.asked(seconds(now), Need::Missing).start, Some(Flight(flight)));
            refresh.land(seconds(now), Flight(flight), LOADED, MIDDLE);
        }
        let now = seconds(100 + 480 * 8);
        let fetched = [0; 3].map(|_| {
            let start = refresh.asked(now, Need::Missing).start;
            start.is_some_and(|flight| refresh.land(now, flight, LOADED, MIDDLE))
        });
        assert_eq!(fetched, [true, true, false]);
    }

    #[test]
    fn after_a_failure_nothing_starts_before_the_back_off_is_over() {
        let mut refresh = Refresh::new(rules());
        refresh.asked(seconds(100), Need::Known);
        fail(&mut refresh, 100, 1, HIGHEST);
        let mut now = seconds(100);
        for (flight, pause) in [(2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 60), (9, 60)]
        {
            // `HIGHEST` is a nanosecond less than all of it.
            let retry_at = now + seconds(pause) - Duration::from_nanos(1);
            let early = retry_at - Duration::from_millis(1);
            for need in [Need::Known, Need::Missing] {
                let retry_after = Duration::from_millis(1);
                assert_eq!(refresh.asked(early, need), only(Answer::Unavailable { retry_after }));
            }
            assert_eq!(refresh.asked(retry_at, Need::Known).start, Some(Flight(flight)));
            assert!(refresh.land(retry_at, Flight(flight), Outcome::Failed, HIGHEST));
            now = retry_at;
        }
    }

    #[test]
    fn the_back_off_is_drawn_from_nothing_to_the_longest_pause() {
        for (dice, pause) in [(LOWEST, Duration::ZERO), (MIDDLE, Duration::from_millis(500))] {
            let mut refresh = Refresh::new(rules());
            refresh.asked(seconds(100), Need::Known);
            fail(&mut refresh, 100, 1, dice);
            assert_eq!(refresh.quiet_until(), seconds(100) + pause);
        }
    }

    #[test]
    fn a_success_ends_the_back_off() {
        let mut refresh = loaded(100);
        for flight in 2..8 {
            let now = 1000 * flight;
            assert!(refresh.asked(seconds(now), Need::Known).start.is_some());
            fail(&mut refresh, now, flight, HIGHEST);
        }
        refresh.asked(seconds(9000), Need::Known);
        refresh.land(seconds(9000), Flight(8), LOADED, MIDDLE);
        refresh.asked(seconds(9480), Need::Known);
        fail(&mut refresh, 9480, 9, MIDDLE);
        assert_eq!(
            refresh.quiet_until(),
            Duration::from_millis(9_480_500),
            "the first pause again"
        );
    }

    #[test]
    fn while_fetching_fails_known_keys_serve_on_and_unknown_ones_are_unavailable() {
        let mut refresh = loaded(100);
        assert_eq!(refresh.asked(seconds(580), Need::Known).start, Some(Flight(2)));
        fail(&mut refresh, 580, 2, MIDDLE);
        let retry_after = Duration::from_millis(500);
        assert_eq!(refresh.asked(seconds(580), Need::Known), only(Answer::Use));
        let advice = refresh.asked(seconds(580), Need::Missing);
        assert_eq!(advice, only(Answer::Unavailable { retry_after }));
        let waited = refresh.after_wait(seconds(580), Need::Missing);
        assert_eq!(waited, Answer::Unavailable { retry_after });
        assert_eq!(refresh.after_wait(seconds(580), Need::Known), Answer::Use);
        // Heals when asked again, even by a request for a known key.
        assert_eq!(refresh.asked(seconds(581), Need::Known), started(Flight(3), Answer::Use));
        refresh.land(seconds(582), Flight(3), LOADED, MIDDLE);
        assert_eq!(refresh.after_wait(seconds(582), Need::Missing), Answer::Unknown);
    }

    #[test]
    fn a_set_is_used_for_an_hour_past_its_lifetime_and_then_no_more() {
        let mut refresh = loaded(100);
        let (last, over) = (seconds(100 + 600 + 3600 - 1), seconds(100 + 600 + 3600));
        assert_eq!(refresh.stale_at(), Some(over));
        refresh.asked(last, Need::Known);
        assert!(refresh.land(last, Flight(2), Outcome::Failed, HIGHEST));
        assert_eq!(refresh.asked(last, Need::Known), only(Answer::Use));
        assert_eq!(refresh.after_wait(over, Need::Known), unavailable(0));
        assert_eq!(refresh.asked(over, Need::Known).answer, Answer::Wait(Flight(3)));
        assert!(refresh.land(over, Flight(3), Outcome::Failed, MIDDLE));
        assert_eq!(refresh.asked(over, Need::Known), only(unavailable(1)));
        let recovered = over + seconds(1);
        assert_eq!(refresh.asked(recovered, Need::Missing).start, Some(Flight(4)));
        refresh.land(recovered, Flight(4), LOADED, MIDDLE);
        assert_eq!(refresh.asked(recovered, Need::Known), only(Answer::Use));
    }

    #[test]
    fn a_fetch_that_does_not_report_back_is_given_up_and_its_answer_dropped() {
        let mut refresh = Refresh::new(rules());
        refresh.asked(seconds(100), Need::Known);
        assert_eq!(refresh.asked(seconds(109), Need::Known), only(Answer::Wait(Flight(1))));
        assert_eq!(refresh.asked(seconds(110), Need::Known).start, Some(Flight(2)));
        for outcome in [LOADED, Outcome::Failed] {
            assert!(!refresh.land(seconds(111), Flight(1), outcome, MIDDLE));
        }
        assert_eq!(refresh.stale_at(), None);
        assert_eq!(refresh.asked(seconds(111), Need::Known), only(Answer::Wait(Flight(2))));
        assert!(refresh.land(seconds(112), Flight(2), LOADED, MIDDLE));
        assert!(!refresh.land(seconds(113), Flight(2), Outcome::Failed, MIDDLE), "only once");
        assert_eq!(refresh.asked(seconds(113), Need::Known), only(Answer::Use));
    }

    #[test]
    fn a_fetch_that_is_late_but_was_not_replaced_counts() {
        let mut refresh = Refresh::new(rules());
        refresh.asked(seconds(100), Need::Known);
        assert!(refresh.land(seconds(500), Flight(1), LOADED, MIDDLE));
        assert_eq!(refresh.asked(seconds(500), Need::Known), only(Answer::Use));
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Ask(Need),
        Land(bool, u64),
        Pass(u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Ask(Need::Known)),
            Just(Event::Ask(Need::Missing)),
            (any::<bool>(), any::<u64>()).prop_map(|(works, dice)| Event::Land(works, dice)),
            (0_u64..700).prop_map(Event::Pass),
        ]
    }

    proptest! {
        // What must hold whatever happens, in words too simple to be wrong.
        #[test]
        fn known_keys_never_wait_one_fetch_flies_and_an_old_set_is_not_used(
            events in proptest::collection::vec(event(), 1..200),
        ) {
            let mut refresh = Refresh::new(rules());
            let mut now = seconds(1000);
            let mut loaded_at: Option<Duration> = None;
            let mut flying: Option<(Flight, Duration)> = None;
            let mut last_failed = false;
            for event in events {
                match event {
                    Event::Pass(time) => now += seconds(time),
                    Event::Land(works, dice) => {
                        let Some((flight, _)) = flying.take() else { continue };
                        let outcome = if works { LOADED } else { Outcome::Failed };
                        prop_assert!(refresh.land(now, flight, outcome, Dice(dice)));
                        last_failed = !works;
                        if works {
                            loaded_at = Some(now);
                        }
                    }
                    Event::Ask(need) => {
                        let Advice { answer, start } = refresh.asked(now, need);
                        let usable = loaded_at.is_some_and(|at| now < at + seconds(4200));
                        prop_assert_eq!(answer == Answer::Use, usable && need == Need::Known);
                        if answer == Answer::Unknown {
                            prop_assert!(usable && !last_failed);
                        }
                        if let Some(flight) = start {
                            let alone = flying.is_none_or(|(_, since)| now >= since + seconds(10));
                            prop_assert!(alone, "two fetches at once");
                            flying = Some((flight, now));
                        }
                        if let Answer::Wait(flight) = answer {
                            prop_assert_eq!(Some(flight), flying.map(|(flight, _)| flight));
                        }
                    }
                }
            }
        }

        #[test]
        fn no_flood_of_unknown_keys_becomes_a_flood_of_fetches(
            steps in proptest::collection::vec(0_u64..5, 1..500),
        ) {
            let mut refresh = loaded(0);
            let (mut now, mut fetches) = (0, 0);
            for step in steps {
                now += step;
                if let Some(flight) = refresh.asked(seconds(now), Need::Missing).start {
                    fetches += 1;
                    refresh.land(seconds(now), flight, LOADED, MIDDLE);
                }
                // The budget, and one refresh per lifetime.
                prop_assert!(fetches <= 2 + now / 30 + now / 432);
            }
        }
    }
}
