//! The schedule at chosen moments, and a simulation of replicas with any number of mishaps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const T: Duration = Duration::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// Keys as a database has them.
#[derive(Clone, Debug, Default)]
struct Table {
    rows: BTreeMap<String, Row>,
    made: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Row {
    algorithm: Algorithm,
    published_at: Duration,
    active_at: Duration,
    retired_at: Option<Duration>,
}

impl Table {
    fn times(&self) -> Vec<KeyTimes<'_>> {
        self.rows
            .iter()
            .map(|(kid, row)| KeyTimes {
                name: Name::Stored(kid),
                algorithm: row.algorithm,
                published_at: row.published_at,
                active_at: row.active_at,
                retired_at: row.retired_at,
            })
            .collect()
    }

    fn apply(&mut self, algorithm: Algorithm, steps: Vec<Step>, now: Duration) {
        for step in steps {
            match step {
                Step::Create { active_at, retired_at } => {
                    self.made += 1;
                    let row = Row {
                        algorithm,
                        published_at: stored(now),
                        active_at: stored(active_at),
                        retired_at: retired_at.map(stored),
                    };
                    assert!(self.rows.insert(format!("k{:03}", self.made), row).is_none());
                }
                Step::Remove { kid } => assert!(self.rows.remove(&kid).is_some()),
                Step::Set { kid, active_at, retired_at } => {
                    let row = self.rows.get_mut(&kid).unwrap();
                    (row.active_at, row.retired_at) = (stored(active_at), retired_at.map(stored));
                }
            }
        }
    }

    fn plan(&mut self, schedule: &Schedule, now: Duration) {
        let steps = schedule.plan(&self.times(), now);
        self.apply(schedule.algorithm(), steps, now);
        assert_eq!(schedule.plan(&self.times(), now), [], "a plan leaves nothing to do");
    }

    fn rotate(&mut self, schedule: &Schedule, hurry: bool, now: Duration) {
        let steps = schedule.rotate(&self.times(), hurry, now);
        self.apply(schedule.algorithm(), steps, now);
    }

    fn withdraw(&mut self, schedule: &Schedule, kid: &str, now: Duration) {
        let steps = schedule.withdraw(&self.times(), kid, now);
        self.apply(schedule.algorithm(), steps, now);
    }

    fn signer(&self, now: Duration) -> Option<String> {
        match signer(self.times(), now)?.name {
            Name::Stored(kid) => Some(kid.to_owned()),
            Name::New(_) => unreachable!(),
        }
    }

    fn states(&self, now: Duration) -> Vec<(&str, KeyState)> {
        let kids = self.rows.keys().map(String::as_str);
        kids.zip(self.times()).map(|(kid, times)| (kid, times.state(now))).collect()
    }
}

fn schedule() -> Schedule {
    Schedule::new(Algorithm::Es256, DAY * 30)
}

/// A time as a database keeps it: to the millisecond.
fn stored(time: Duration) -> Duration {
    Duration::from_millis(time.as_millis().try_into().unwrap())
}

/// What a start leaves at `T`.
fn started() -> Table {
    let mut table = Table::default();
    table.plan(&schedule(), T);
    table
}

#[test]
fn the_first_start_makes_a_key_that_signs_and_one_that_waits() {
    let table = started();

    assert_eq!(table.states(T), [("k001", KeyState::Active), ("k002", KeyState::Next)]);
    let (first, second) = (table.rows["k001"], table.rows["k002"]);
    // A replica whose clock is 5 minutes behind uses the same key.
    assert_eq!(table.signer(T - CLOCK_SKEW).as_deref(), Some("k001"));
    assert_eq!(first.published_at, T);
    assert_eq!(second.active_at, first.active_at + DAY * 30);
    assert_eq!(first.retired_at, Some(second.active_at));
}

#[test]
fn the_next_key_takes_over_at_its_moment_though_nobody_plans() {
    let table = started();
    let turn = table.rows["k002"].active_at;

    assert_eq!(table.signer(turn - Duration::from_millis(1)).as_deref(), Some("k001"));
    assert_eq!(table.signer(turn).as_deref(), Some("k002"));
    assert_eq!(table.states(turn), [("k001", KeyState::Retired), ("k002", KeyState::Active)]);
}

#[test]
fn a_retired_key_stays_until_the_longest_token_of_a_replica_that_did_not_know_has_expired() {
    let mut table = started();
    let turn = table.rows["k002"].active_at;
    // Written out: 5 minutes unaware, 24 hours of a token, 5 minutes of skew.
    let gone = turn + Duration::from_secs(300 + 86_400 + 300);

    table.plan(&schedule(), gone - SECOND);
    assert_eq!(table.states(gone - SECOND)[0], ("k001", KeyState::Retired));

    table.plan(&schedule(), gone);
    assert!(!table.rows.contains_key("k001"));
}

#[test]
fn a_rotation_by_command_waits_until_the_next_key_was_published_for_long_enough() {
    let schedule = schedule();
    let mut table = started();

    table.rotate(&schedule, false, T + MINUTE);

    let turn = T + HOUR * 2;
    assert_eq!(table.rows["k002"].active_at, turn);
    assert_eq!(table.rows["k001"].retired_at, Some(turn));
    // Asking again changes nothing, and planning does not put it off.
    let before = table.rows.clone();
    table.rotate(&schedule, false, T + MINUTE * 2);
    table.plan(&schedule, T + MINUTE * 3);
    assert_eq!(table.rows, before);
    assert_eq!(table.signer(turn).as_deref(), Some("k002"));
}

#[test]
fn a_rotation_by_command_is_at_once_where_the_next_key_has_waited() {
    let (schedule, later) = (schedule(), T + DAY);
    let mut table = started();

    table.rotate(&schedule, false, later);

    assert_eq!(table.signer(later).as_deref(), Some("k002"));
    assert_eq!(
        table.states(later),
        [("k001", KeyState::Retired), ("k002", KeyState::Active), ("k003", KeyState::Next)]
    );
}

#[test]
fn a_rotation_in_a_hurry_does_not_wait() {
    let mut table = started();

    table.rotate(&schedule(), true, T + SECOND);

    assert_eq!(table.signer(T + SECOND).as_deref(), Some("k002"));
    assert_eq!(table.rows["k001"].retired_at, Some(T + SECOND));
    assert_eq!(table.states(T + SECOND)[2], ("k003", KeyState::Next));
}

#[test]
fn a_key_that_is_withdrawn_is_gone_and_the_next_one_signs_at_once() {
    let mut table = started();

    table.withdraw(&schedule(), "k001", T + DAY);

    assert_eq!(table.states(T + DAY), [("k002", KeyState::Active)]);
    assert_eq!(table.rows["k002"].retired_at, None, "nobody follows yet");
    table.plan(&schedule(), T + DAY);
    assert_eq!(table.states(T + DAY), [("k002", KeyState::Active), ("k003", KeyState::Next)]);
    assert_eq!(table.rows["k002"].active_at, T + DAY);
}

#[test]
fn when_the_next_key_is_withdrawn_the_one_that_signs_goes_on() {
    let schedule = schedule();
    let mut table = started();
    table.rotate(&schedule, false, T);

    table.withdraw(&schedule, "k002", T + MINUTE);

    assert_eq!(table.rows["k001"].retired_at, None, "it does not give way to a key that left");
    table.plan(&schedule, T + MINUTE);
    assert_eq!(table.states(T + MINUTE), [("k001", KeyState::Active), ("k003", KeyState::Next)]);
    let turn = table.rows["k003"].active_at;
    assert_eq!(turn, table.rows["k001"].active_at + schedule.rotation());
    assert_eq!(table.rows["k001"].retired_at, Some(turn));
}

#[test]
fn when_the_next_key_is_withdrawn_the_one_after_it_is_waited_for() {
    let schedule = schedule();
    let mut table = started();
    table.rotate(&schedule, false, T);
    // Not yet taken over, and somebody is to follow already.
    let turn = table.rows["k002"].active_at;
    let follower = Row { active_at: turn + DAY, ..table.rows["k002"] };
    table.rows.get_mut("k002").unwrap().retired_at = Some(turn + DAY);
    table.rows.insert("k003".into(), follower);

    table.withdraw(&schedule, "k002", T + MINUTE);

    assert_eq!(table.states(T + MINUTE), [("k001", KeyState::Active), ("k003", KeyState::Next)]);
    assert_eq!(table.rows["k001"].retired_at, Some(turn + DAY));
}

#[test]
fn of_those_that_wait_the_one_whose_turn_is_first_takes_over() {
    let mut table = started();
    let first = Row { active_at: T + DAY, retired_at: Some(T + DAY * 2), ..table.rows["k002"] };
    table.rows.get_mut("k002").unwrap().active_at = T + DAY * 2;
    table.rows.insert("k003".into(), first);

    table.withdraw(&schedule(), "k001", T + HOUR);

    assert_eq!(table.signer(T + HOUR).as_deref(), Some("k003"));
    assert_eq!(table.rows["k003"].retired_at, Some(T + DAY * 2));
}

#[test]
fn a_rotation_by_command_is_not_put_off_by_another_one() {
    let mut table = started();
    table.rotate(&schedule().with_publish_ahead(Duration::ZERO), false, T);
    let turn = table.rows["k002"].active_at;
    assert_eq!(turn, T + MINUTE * 30);
    table.rotate(&schedule(), false, T + MINUTE);
    assert_eq!(table.rows["k002"].active_at, turn);
}

/// Nobody writes that down, but a plan comes to an end all the same.
#[test]
fn a_key_that_is_to_follow_itself_does_not_go_round_in_a_circle() {
    let mut table = started();
    let turn = table.rows["k002"].active_at;
    table.rows.get_mut("k002").unwrap().retired_at = Some(turn);
    table.plan(&schedule(), T + MINUTE);
    assert_eq!(table.rows["k002"].retired_at, None);
}

#[test]
fn when_the_last_key_is_withdrawn_none_is_left() {
    let mut table = started();
    table.withdraw(&schedule(), "k002", T);
    table.withdraw(&schedule(), "k001", T);
    assert!(table.rows.is_empty());
}

#[test]
fn a_key_that_nobody_has_is_withdrawn_without_effect() {
    assert_eq!(schedule().withdraw(&started().times(), "k009", T), []);
}

#[test]
fn another_algorithm_takes_over_as_soon_as_its_key_was_published_for_long_enough() {
    let eddsa = Schedule::new(Algorithm::EdDsa, DAY * 30);
    let mut table = started();

    table.plan(&eddsa, T + MINUTE);

    // The key of the old algorithm that waited is not needed any more.
    let turn = T + MINUTE + HOUR * 2;
    assert_eq!(table.states(T + MINUTE), [("k001", KeyState::Active), ("k003", KeyState::Next)]);
    assert_eq!(table.rows["k003"].algorithm, Algorithm::EdDsa);
    assert_eq!(table.rows["k003"].active_at, turn);
    assert_eq!(table.signer(turn).as_deref(), Some("k003"));
}

#[test]
fn replicas_whose_algorithms_differ_do_not_undo_what_the_others_do() {
    let eddsa = Schedule::new(Algorithm::EdDsa, DAY * 30);
    let mut table = started();
    table.plan(&eddsa, T);
    let before = table.rows.clone();

    for seconds in (0..7200).step_by(30) {
        table.plan(&schedule(), T + SECOND * seconds);
        table.plan(&eddsa, T + SECOND * seconds);
    }

    assert_eq!(table.rows, before);
}

#[test]
fn a_key_that_signed_already_where_the_clock_is_ahead_is_not_removed() {
    let row = |active_at, retired_at| Row {
        algorithm: Algorithm::Es256,
        published_at: T - DAY,
        active_at,
        retired_at,
    };
    // Two rotations in a hurry within a millisecond. In between, `b` may have signed.
    let rows = [
        ("z", row(T - DAY, Some(T))),
        ("b", row(T, Some(T))),
        ("a", row(T, Some(T + DAY * 30))),
        ("c", row(T + DAY * 30, None)),
    ];
    let rows = rows.map(|(kid, row)| (kid.to_owned(), row)).into();

    let steps = schedule().plan(&Table { rows, made: 0 }.times(), T - MINUTE);

    assert_eq!(steps, []);
}

#[test]
fn a_shorter_rotation_counts_for_the_key_that_signs_and_a_longer_one_for_the_next() {
    let table = started();
    let turn = |rotation| {
        let mut table = table.clone();
        table.plan(&Schedule::new(Algorithm::Es256, rotation), T + DAY);
        table.rows["k002"].active_at
    };

    assert_eq!(turn(DAY * 7), T - CLOCK_SKEW + DAY * 7);
    assert_eq!(turn(DAY * 60), T - CLOCK_SKEW + DAY * 30);
    // It would have been an hour ago: at once.
    assert_eq!(turn(DAY - HOUR), T + DAY);
}

#[test]
fn settings_are_held_to_their_bounds() {
    // A database keeps no nanoseconds: a plan that had some would never be carried out.
    let odd = Schedule::new(Algorithm::Es256, DAY + Duration::from_nanos(1));
    assert_eq!(odd.rotation(), DAY);
    let schedule = schedule()
        .with_publish_ahead(Duration::ZERO)
        .with_jwks_max_age(Duration::from_millis(90_700));

    assert_eq!(schedule.jwks_max_age(), SECOND * 90);
    // max-age, soft lifetime of a resource server, an old set at a replica, clocks.
    assert_eq!(schedule.publish_ahead(), SECOND * (90 + 600 + 300 + 300));
    let longest = schedule.with_publish_ahead(DAY * 999).with_jwks_max_age(DAY * 9);
    assert_eq!(longest.publish_ahead(), DAY * 30);
    assert_eq!(longest.jwks_max_age(), DAY);
    assert_eq!(longest.with_jwks_max_age(Duration::ZERO).jwks_max_age(), MINUTE);
}

/// What happens in a simulation, at a replica of three.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes.
    Pass(Duration),
    /// The replica loses or finds the database.
    Reach(usize, bool),
    /// Somebody asks the replica for a token.
    Sign(usize),
    /// Somebody asks the replica for its keys.
    Show(usize),
    Rotate(usize, bool),
    Withdraw(usize, Index),
}

fn event() -> impl Strategy<Value = Event> {
    let replica = 0..3_usize;
    let seconds = prop_oneof![1..40_u64, 60..900_u64, 3600..20_000_u64, 80_000..100_000_u64];
    prop_oneof![
        4 => seconds.prop_map(|seconds| Event::Pass(SECOND * u32::try_from(seconds).unwrap())),
        1 => (1..40_u32).prop_map(|days| Event::Pass(DAY * days)),
        2 => (replica.clone(), any::<bool>()).prop_map(|(at, can)| Event::Reach(at, can)),
        6 => replica.clone().prop_map(Event::Sign),
        3 => replica.clone().prop_map(Event::Show),
        1 => (replica.clone(), proptest::bool::weighted(0.2)).prop_map(|(at, hurry)| Event::Rotate(at, hurry)),
        1 => (replica, any::<Index>()).prop_map(|(at, which)| Event::Withdraw(at, which)),
    ]
}

struct Replica {
    schedule: Schedule,
    /// Its clock is late by this much.
    late: Duration,
    reaches: bool,
    held: Table,
    read_at: Option<Duration>,
}

struct Token {
    kid: String,
    expires_at: Duration,
}

struct World {
    now: Duration,
    database: Table,
    replicas: Vec<Replica>,
    tokens: Vec<Token>,
    /// When each key was in fact published.
    published: BTreeMap<String, Duration>,
    /// Keys that an explicit command, or the very first start, let sign at once.
    hurried: BTreeSet<String>,
    withdrawn: BTreeSet<String>,
}

impl World {
    fn own_time(&self, at: usize) -> Duration {
        self.now - self.replicas[at].late
    }

    /// A change in one transaction, whoever makes it.
    fn change(&mut self, at: usize, change: impl FnOnce(&mut Table, &Schedule, Duration)) {
        let now = self.own_time(at);
        change(&mut self.database, &self.replicas[at].schedule, now);
        for kid in self.database.rows.keys() {
            self.published.entry(kid.clone()).or_insert(self.now);
        }
        self.replicas[at].held = self.database.clone();
        self.replicas[at].read_at = Some(self.now);
    }

    /// The keys that the replica works with; `None` if they are too old.
    fn held(&mut self, at: usize) -> Option<&Table> {
        let age = |replica: &Replica| replica.read_at.map(|read| self.now - read);
        if self.replicas[at].reaches && age(&self.replicas[at]).is_none_or(|age| age > FRESH) {
            self.change(at, |table, schedule, now| table.plan(schedule, now));
        }
        let age = self.replicas[at].read_at.map(|read| self.now - read)?;
        (age <= STALE).then_some(&self.replicas[at].held)
    }

    fn sign(&mut self, at: usize) -> Result<(), TestCaseError> {
        let own_time = self.own_time(at);
        let Some(table) = self.held(at) else { return Ok(()) };
        let kid = table.signer(own_time);
        prop_assert!(kid.is_some(), "a replica has no key that signs");
        let kid = kid.unwrap();
        if !self.hurried.contains(&kid) {
            let least = self.replicas[at].schedule.jwks_max_age() + SOFT_LIFETIME + STALE;
            prop_assert!(self.now - self.published[&kid] >= least, "{} signs too early", kid);
        }
        self.tokens.push(Token { kid, expires_at: own_time + LONGEST_TOKEN_LIFETIME });
        self.show(at)
    }

    /// Every token that is alive finds its key.
    fn show(&mut self, at: usize) -> Result<(), TestCaseError> {
        let (now, own_time) = (self.now, self.own_time(at));
        let Some(table) = self.held(at) else { return Ok(()) };
        let shown: BTreeSet<String> = table
            .states(own_time)
            .into_iter()
            .filter(|(_, state)| *state != KeyState::Gone)
            .map(|(kid, _)| kid.to_owned())
            .collect();
        let read_at = self.replicas[at].read_at.unwrap();
        for token in self.tokens.iter().filter(|token| token.expires_at > now) {
            let kid = &token.kid;
            // Of a key that signed at once, a replica may not have heard yet.
            let unheard = self.hurried.contains(kid) && self.published[kid] >= read_at;
            let withdrawn = self.withdrawn.contains(kid);
            prop_assert!(withdrawn || unheard || shown.contains(kid), "{} is not shown", kid);
        }
        Ok(())
    }

    /// Whatever signs now though its turn had not come.
    fn note_hurry(&mut self, at: usize) {
        let now = self.own_time(at);
        self.hurried.extend(self.database.signer(now));
    }

    fn play(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Pass(time) => self.now += time,
            Event::Reach(at, reaches) => self.replicas[at].reaches = reaches,
            Event::Sign(at) => self.sign(at)?,
            Event::Show(at) => self.show(at)?,
            Event::Rotate(at, hurry) if self.replicas[at].reaches => {
                self.change(at, |table, schedule, now| table.plan(schedule, now));
                self.change(at, |table, schedule, now| table.rotate(schedule, hurry, now));
                if hurry {
                    self.note_hurry(at);
                }
            }
            Event::Withdraw(at, which) if self.replicas[at].reaches => {
                self.change(at, |table, schedule, now| table.plan(schedule, now));
                let kids: Vec<_> = self.database.rows.keys().cloned().collect();
                let kid = which.get(&kids).clone();
                self.change(at, |table, schedule, now| table.withdraw(schedule, &kid, now));
                self.change(at, |table, schedule, now| table.plan(schedule, now));
                self.withdrawn.insert(kid);
                self.note_hurry(at);
            }
            Event::Rotate(..) | Event::Withdraw(..) => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_a_key_signs_it_was_published_before_and_until_its_tokens_expire(
        events in proptest::collection::vec(event(), 1..120),
        late in [0..150_u64, 0..150_u64, 0..150_u64],
        algorithms in [any::<bool>(), any::<bool>(), any::<bool>()],
        rotation in prop_oneof![Just(HOUR), Just(DAY), Just(DAY * 30)],
        ahead in prop_oneof![Just(Duration::ZERO), Just(HOUR * 2), Just(DAY * 2)],
    ) {
        let replica = |at: usize| {
            let algorithm = if algorithms[at] { Algorithm::Es256 } else { Algorithm::EdDsa };
            Replica {
                schedule: Schedule::new(algorithm, rotation).with_publish_ahead(ahead),
                late: SECOND * u32::try_from(late[at]).unwrap(),
                reaches: true,
                held: Table::default(),
                read_at: None,
            }
        };
        let mut world = World {
            // Finer than what a database keeps.
            now: T + Duration::from_nanos(123_456_789),
            database: Table::default(),
            replicas: (0..3).map(replica).collect(),
            tokens: Vec::new(),
            published: BTreeMap::new(),
            hurried: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
        };
        world.change(0, |table, schedule, now| table.plan(schedule, now));
        world.note_hurry(0);
        for event in events {
            world.play(event)?;
        }
    }
}
