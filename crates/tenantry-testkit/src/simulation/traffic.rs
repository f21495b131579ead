//! What happens at one issuer: requests, weather, and changes of its keys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenantry_core::Algorithm;
use tenantry_jwks::{FoundKey, IssuerKeys, KeyError, KeyStore};

use super::chance::Chance;
use super::report;
use super::site::{Entry, Life, Place, Site, SiteState};
use super::weather::Weather;
use super::world::{Asked, Named, World};

/// Lives through what happens at one issuer.
pub(super) struct Traffic {
    world: Arc<World>,
    store: Arc<KeyStore>,
    index: usize,
    chance: Chance,
    agenda: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    scheduled: u64,
    next_generation: u32,
    end: Duration,
    /// Requests follow each other closely until then.
    busy_until: Duration,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// Something is asked for.
    Request,
    /// This key is asked for: a bound has just passed.
    Probe(u32),
    /// The keys are asked after, so that a refresh that is due starts.
    Look,
    /// Names that nobody has are asked for, for some time.
    Flood(Duration),
    /// The keys change.
    Rotate,
    /// This key goes.
    Remove(u32),
    /// This key comes, or comes back.
    Publish(u32),
    /// Another key gets the name of this one, or loses it.
    Double(u32, bool),
    /// The weather changes.
    Change,
    /// The key set moves, and the metadata say where to.
    Move,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Caller {
    /// Goes away when there is no answer at once.
    Disconnects,
    Waits,
}

impl Traffic {
    pub(super) fn new(
        world: Arc<World>,
        store: Arc<KeyStore>,
        index: usize,
        chance: Chance,
        end: Duration,
    ) -> Self {
        let agenda = BinaryHeap::new();
        let (scheduled, next_generation, busy_until) = (0, 1, Duration::ZERO);
        let mut traffic = Self {
            world,
            store,
            index,
            chance,
            agenda,
            scheduled,
            next_generation,
            end,
            busy_until,
        };
        let soft = traffic.world.bounds.soft;
        let first = traffic.chance.between(Duration::ZERO, soft / 2);
        traffic.at(first, Event::Request);
        traffic.after(soft / 8, soft * 3, Event::Rotate);
        if !traffic.world.site(index).always_fair {
            traffic.after(Duration::ZERO, soft * 2, Event::Change);
        }
        if traffic.site().discovered && traffic.chance.one_in(2) {
            traffic.after(soft, end, Event::Move);
        }
        if traffic.chance.one_in(6) {
            let long = traffic.long_flood();
            traffic.after(Duration::ZERO, end, Event::Flood(long));
        }
        traffic
    }

    pub(super) async fn live(mut self) {
        self.begin();
        while let Some(Reverse((at, _, event))) = self.agenda.pop() {
            if at >= self.end {
                break;
            }
            self.world.until(at).await;
            self.happens(event);
            self.world.check_tasks();
        }
    }

    /// Some are warmed up at start, some by a thousand first requests, some not at all.
    fn begin(&mut self) {
        match self.chance.below(4) {
            0 => {
                self.looks();
                self.keys().warm();
            }
            1 => {
                for _ in 0..self.chance.below(30) {
                    self.request(Named::Generation(0), Caller::Waits);
                }
            }
            _ => {}
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Request => {
                self.some_request();
                let next = self.pause();
                self.at(next, Event::Request);
            }
            Event::Probe(generation) => {
                self.request(Named::Generation(generation), Caller::Waits);
            }
            Event::Look => self.status(),
            Event::Flood(until) => self.flood(until),
            Event::Rotate => self.rotate(),
            Event::Remove(generation) => self.change_ring(generation, |ring| {
                ring.retain(|entry| entry.generation != generation);
            }),
            Event::Publish(generation) => self.change_ring(generation, |ring| {
                ring.retain(|entry| entry.generation != generation);
                ring.push(Entry { generation, doubled: false });
            }),
            Event::Double(generation, doubled) => self.change_ring(generation, |ring| {
                for entry in ring.iter_mut().filter(|entry| entry.generation == generation) {
                    entry.doubled = doubled;
                }
            }),
            Event::Change => self.change_weather(),
            Event::Move => self.move_keys(),
        }
    }

    fn some_request(&mut self) {
        match self.chance.below(32) {
            0..14 => self.valid(1),
            14..20 => self.epoch(),
            20..24 => {
                let count = self.chance.below(8) + 1;
                self.junk(count);
            }
            24..27 => self.any_generation(),
            27..29 => self.status(),
            29 => self.request(Named::Nothing, Caller::Waits),
            30 => {
                let count = self.chance.below(20);
                self.valid(count);
            }
            _ => self.busy_until = self.world.now() + self.chance.between(SECOND, 10 * SECOND),
        }
    }

    /// How long until the next request.
    fn pause(&mut self) -> Duration {
        let (now, bounds) = (self.world.now(), &self.world.bounds);
        let (soft, whole) = (bounds.soft, bounds.served_for());
        let pause = if now < self.busy_until {
            self.chance.between(Duration::from_millis(50), SECOND)
        } else if self.chance.one_in(80) {
            // Nobody asks, so nothing is fetched: also for longer than a set is used.
            self.chance.between(soft / 2, whole + soft / 4)
        } else {
            self.chance.between(soft / 60, soft / 6)
        };
        now + pause
    }

    fn valid(&mut self, count: u64) {
        let usable = self.state(|state| state.usable());
        let newest = usable.last().copied();
        for _ in 0..count {
            let named = if self.chance.one_in(2) { newest } else { self.one_of(&usable) };
            if let Some(generation) = named {
                let caller = self.caller();
                self.request(Named::Generation(generation), caller);
            }
        }
    }

    /// One that the issuer has, had, or will have.
    fn any_generation(&mut self) {
        let generation = self.chance.below(u64::from(self.next_generation) + 1);
        let generation = u32::try_from(generation).expect("few generations");
        self.request(Named::Generation(generation), Caller::Waits);
    }

    fn junk(&mut self, count: u64) {
        for _ in 0..count {
            // Some come again and again.
            let number =
                if self.chance.one_in(3) { self.chance.below(5) } else { self.chance.draw() };
            let caller = self.caller();
            self.request(Named::Junk(number), caller);
        }
    }

    fn caller(&mut self) -> Caller {
        if self.chance.one_in(3) { Caller::Disconnects } else { Caller::Waits }
    }

    fn flood(&mut self, until: Duration) {
        let now = self.world.now();
        let count = self.chance.below(6);
        self.junk(count);
        if now < until {
            self.after(
                Duration::from_millis(100),
                Duration::from_millis(1500),
                Event::Flood(until),
            );
        }
    }

    fn long_flood(&mut self) -> Duration {
        self.world.now() + self.chance.between(20 * SECOND, 120 * SECOND)
    }

    /// What issuers do with their keys, right and wrong.
    fn rotate(&mut self) {
        let soft = self.world.bounds.soft;
        let usable = self.state(|state| state.usable());
        let old = self.one_of(&usable);
        let next = self.next_generation;
        match (self.chance.below(6), old) {
            // All at once: the old key is gone when the new one comes.
            (0, Some(old)) => {
                self.next_generation += 1;
                self.happens(Event::Publish(next));
                self.happens(Event::Remove(old));
            }
            // One that vanishes and returns.
            (1, Some(old)) if usable.len() > 1 => {
                self.happens(Event::Remove(old));
                self.after(SECOND, soft * 3, Event::Publish(old));
            }
            // A second key of the same name, for some time.
            (2, Some(old)) if usable.len() > 1 => {
                self.happens(Event::Double(old, true));
                self.after(SECOND, soft * 2, Event::Double(old, false));
            }
            // As it should be: the new one comes first.
            (_, old) => {
                self.next_generation += 1;
                self.happens(Event::Publish(next));
                if let Some(old) = old.filter(|_| usable.len() > 1 || self.chance.one_in(2)) {
                    self.after(soft / 2, soft * 2, Event::Remove(old));
                }
            }
        }
        if self.chance.one_in(5) {
            let until = self.long_flood();
            self.at(self.world.now(), Event::Flood(until));
        }
        self.after(soft, soft * 5, Event::Rotate);
    }

    /// Changes what is published, and comes back to see each bound kept.
    fn change_ring(&mut self, generation: u32, change: impl FnOnce(&mut Vec<Entry>)) {
        let now = self.world.now();
        let life = self.state(|state| {
            let before = state.ring.clone();
            change(&mut state.ring);
            if state.usable().is_empty() {
                // An issuer without keys is weather, not a rotation.
                state.ring = before;
            }
            state.changed(now);
            state.lives.get(&generation).copied()
        });
        self.world.note(self.index, report::Event::KeyChange);
        let (bounds, just) = (self.site().bounds.clone(), Duration::from_millis(1));
        match life {
            Some(Life::Published(_)) => {
                let calm = now + bounds.accepted_within_in_calm() + just;
                let always = now + bounds.accepted_within() + just;
                self.at(calm, Event::Probe(generation));
                self.at(always, Event::Probe(generation));
            }
            Some(Life::Withdrawn(_)) => {
                let due = now + bounds.withdrawal_due_within();
                let gone = due + bounds.answered_within() + just;
                let always = now + bounds.withdrawn_within() + just;
                self.at(due, Event::Look);
                self.at(gone, Event::Probe(generation));
                self.at(always, Event::Probe(generation));
            }
            None => {}
        }
    }

    fn change_weather(&mut self) {
        let now = self.world.now();
        let (soft, whole) = (self.world.bounds.soft, self.world.bounds.served_for());
        let fetch = self.world.bounds.answered_within();
        let fair = self.state(|state| state.weather != Weather::Fair);
        let weather = if fair { Weather::Fair } else { self.chance.pick(&Weather::FOUL) };
        self.state(|state| {
            state.weather = weather;
            state.fair_since = fair.then_some(now);
        });
        self.world.note(self.index, report::Event::WeatherChange);
        let (least, most) = match self.chance.below(4) {
            0 => (fetch, soft / 2),
            1 | 2 => (soft / 2, soft * 2),
            _ if fair => (soft, soft * 3),
            // Longer than a set is used.
            _ => (whole, whole + soft),
        };
        self.after(least, most, Event::Change);
    }

    fn move_keys(&mut self) {
        self.state(|state| {
            state.place = match state.place {
                Place::Jwks => Place::Moved,
                _ => Place::Jwks,
            };
            state.misled = 0;
        });
        self.world.note(self.index, report::Event::Move);
        self.after(self.world.bounds.soft, self.end, Event::Move);
    }

    /// Sends a request, and judges what it gets.
    fn request(&mut self, named: Named, caller: Caller) {
        let at = self.world.now();
        let asked = Asked { named, at };
        let known = match named {
            Named::Generation(generation) => self.state(|state| {
                let known = state.knows(generation, at, &self.site().bounds);
                // Only what is in use is sure to start a refresh that is due.
                if known {
                    state.ask(at);
                }
                state.asked = Some(at);
                known
            }),
            Named::Junk(_) | Named::Nothing => self.state(|state| {
                state.asked = Some(at);
                false
            }),
        };
        self.world.note(self.index, report::Event::Request);
        let keys = self.keys();
        let kid = named.kid();
        let mut answer = Box::pin(async move { keys.key(kid.as_deref(), Algorithm::EdDsa).await });
        if let Poll::Ready(result) = poll_once(answer.as_mut()) {
            return self.world.judge(self.index, asked, &result);
        }
        if known {
            self.world.violate(self.index, format!("{named:?} is in the set in use, and waited"));
        }
        if caller == Caller::Waits {
            let (world, index) = (Arc::clone(&self.world), self.index);
            self.world.spawn(async move {
                let result: Result<FoundKey, KeyError> = answer.await;
                world.judge(index, asked, &result);
            });
        } else {
            self.world.note(self.index, report::Event::Disconnected);
        }
    }

    fn epoch(&self) {
        self.looks();
        let epoch = self.keys().epoch();
        self.world.judge_epoch(self.index, epoch);
    }

    fn status(&self) {
        self.looks();
        let status = self.keys().status();
        self.world.judge_status(self.index, &status);
    }

    fn looks(&self) {
        let now = self.world.now();
        self.state(|state| state.ask(now));
    }

    fn site(&self) -> &Site {
        self.world.site(self.index)
    }

    fn keys(&self) -> Arc<IssuerKeys> {
        let site = self.site();
        // As for a request: an issuer that a pattern matches is asked for anew each time.
        self.store.get_or_insert(&site.issuer, || site.source())
    }

    fn one_of(&mut self, generations: &[u32]) -> Option<u32> {
        (!generations.is_empty()).then(|| self.chance.pick(generations))
    }

    fn state<T>(&self, f: impl FnOnce(&mut SiteState) -> T) -> T {
        f(&mut self.site().state())
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.agenda.push(Reverse((at, self.scheduled, event)));
    }

    fn after(&mut self, least: Duration, most: Duration, event: Event) {
        let at = self.world.now() + self.chance.between(least, most);
        self.at(at, event);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Asks once. What is not ready then waits for something.
fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let future = pin!(tokio::task::unconstrained(future));
    future.poll(&mut Context::from_waker(Waker::noop()))
}
