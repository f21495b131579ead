//! The network of a simulation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tenantry_core::BoxFuture;
use tenantry_jwks::{FetchError, FetchErrorKind, FetchRequest, FetchResponse, Transport};

use super::report::Event;
use super::site::{Entry, Flight, NO_KEYS, Place, Served, Site};
use super::weather::{Body, Fate, Plan, Weather};
use super::world::World;

/// Answers by the weather at each issuer, and checks what it is asked for.
pub(super) struct Network {
    world: Arc<World>,
    places: BTreeMap<String, (usize, Place)>,
    inside: BTreeMap<String, usize>,
}

impl Network {
    pub(super) fn new(world: Arc<World>) -> Self {
        let mut places = BTreeMap::new();
        let mut inside = BTreeMap::new();
        for site in world.sites() {
            for place in Place::ALL {
                places.insert(site.url(place), (site.index, place));
            }
            inside.insert(site.inside(), site.index);
        }
        Self { world, places, inside }
    }
}

impl Transport for Network {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let world = Arc::clone(&self.world);
        if let Some(index) = self.inside.get(request.url()) {
            world.violate(*index, "an address inside was asked for");
            return Box::pin(async { Err(FetchErrorKind::Connect.into()) });
        }
        let Some((index, place)) = self.places.get(request.url()).copied() else {
            world.violate(usize::MAX, "a URL was asked for that nobody published");
            return Box::pin(async { Err(FetchErrorKind::Connect.into()) });
        };
        let plan = world.takes_off(index, place);
        let known = request.if_none_match().map(str::to_owned);
        let airborne = Airborne { world, index, place, landed: false };
        Box::pin(async move {
            let site = airborne.world.site(airborne.index);
            let published = || {
                let state = site.state();
                (state.ring.clone(), state.place)
            };
            let before = published();
            match plan.after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            let (ring, at) = if plan.old { before } else { published() };
            airborne.lands(plan.fate, &ring, at, known.as_deref())
        })
    }
}

/// A request in the air. One that is dropped was given up.
struct Airborne {
    world: Arc<World>,
    index: usize,
    place: Place,
    landed: bool,
}

impl Airborne {
    /// What the answer is. `at` is where the key set is, with these entries; `known` is the entity
    /// tag of the one that the store has.
    fn lands(
        mut self,
        fate: Fate,
        ring: &[Entry],
        at: Place,
        known: Option<&str>,
    ) -> Result<FetchResponse, FetchError> {
        self.landed = true;
        let site = self.world.site(self.index);
        let metadata = self.place.is_metadata();
        let mut tag = None;
        let (status, body, came) = match fate {
            Fate::Fail(kind) => {
                self.world.lands(self.index, self.place, Came::Nothing);
                return Err(kind.into());
            }
            Fate::Answer(_, Body::Document)
                if self.place == Place::Inserted && site.openid_only =>
            {
                (404, String::new(), Came::Onward)
            }
            Fate::Answer(status, Body::Document | Body::NoKeys) if metadata => {
                (status, site.metadata(&site.url(at)), Came::Onward)
            }
            Fate::Answer(_, Body::Inside) if metadata => {
                (200, site.metadata(&site.inside()), Came::Inside)
            }
            Fate::Answer(_, Body::Document) if self.place != at => {
                (404, String::new(), Came::Misled)
            }
            Fate::Answer(status, Body::Document) => {
                let usable = ring.iter().filter(|entry| !entry.doubled);
                let keys = Came::Keys(usable.map(|entry| entry.generation).collect());
                tag = site.tags.then(|| Site::tag(ring));
                match &tag {
                    Some(tag) if known == Some(tag) => (304, String::new(), keys),
                    _ => (status, site.jwks(ring), keys),
                }
            }
            Fate::Answer(status, Body::NoKeys) => (status, NO_KEYS.to_owned(), Came::Nothing),
            Fate::Answer(status, Body::Inside) => (status, String::new(), Came::Nothing),
            Fate::Answer(status, Body::Text(text)) => (status, text, Came::Nothing),
        };
        self.world.lands(self.index, self.place, came);
        let mut response = FetchResponse::new(status, body.into_bytes());
        if let Some(max_age) = site.max_age {
            response = response.with_cache_control(format!("max-age={}", max_age.as_secs()));
        }
        if let Some(tag) = tag {
            response = response.with_etag(tag);
        }
        Ok(response)
    }
}

/// What came of a request.
enum Came {
    /// Metadata that lead to an address inside.
    Inside,
    /// A set of these keys.
    Keys(Vec<u32>),
    /// The key set is elsewhere.
    Misled,
    Nothing,
    /// Metadata, or that they are elsewhere.
    Onward,
}

impl Drop for Airborne {
    fn drop(&mut self) {
        if !self.landed {
            self.world.lands(self.index, self.place, Came::Nothing);
        }
    }
}

impl World {
    /// Takes in that a document is asked for, and says what becomes of it.
    fn takes_off(&self, index: usize, place: Place) -> Plan {
        let now = self.now();
        let site = self.site(index);
        let state = &mut *site.state();
        self.note(index, Event::Fetch);
        match &state.flight {
            Some(Flight { ended: None, .. }) => {
                self.violate(index, "two fetches of one issuer at once");
            }
            // The next document of the same fetch.
            Some(Flight { ended: Some(ended), place: last, .. })
                if *ended == now && last.is_metadata() => {}
            _ => {
                state.flight = None;
                if state.asked != Some(now) {
                    self.violate(index, "a fetch that nobody asked for");
                }
            }
        }
        let started = state.flight.as_ref().map_or(now, |flight| flight.started);
        state.flight = Some(Flight { started, place, ended: None });
        if place.is_metadata() {
            state.misled = 0;
        }
        let others = if site.pinned { 0 } else { self.in_the_air.fetch_add(1, Ordering::Relaxed) };
        // As many for renewals as for strangers.
        if others >= self.places * 2 {
            self.violate(index, format!("{} fetches of found issuers at once", others + 1));
        }
        self.within_budget(site, &mut state.starts, &state.failures, place, now);
        let limit = self.bounds.answered_within();
        let weather = state.weather;
        // Only what a fetch has in all: the documents of one that are found share it.
        let limit = if site.discovered && weather == Weather::Fair { limit / 3 } else { limit };
        weather.plan(&mut state.chance, limit)
    }

    fn within_budget(
        &self,
        site: &Site,
        starts: &mut BTreeMap<Place, VecDeque<Duration>>,
        failures: &VecDeque<Duration>,
        place: Place,
        now: Duration,
    ) {
        let starts = starts.entry(place).or_default();
        starts.push_back(now);
        let longest = self.bounds.refill.saturating_mul(10);
        while starts.front().is_some_and(|start| start.saturating_add(longest) <= now) {
            starts.pop_front();
        }
        for window in [self.bounds.refill, longest] {
            let within = |at: &&Duration| at.saturating_add(window) > now;
            let fetches = starts.iter().rev().take_while(within).count();
            // The last one before may be tried again within.
            let failed = failures.iter().rev().take_while(within).count()
                + usize::from(!site.always_fair || site.discovered);
            let most = site.bounds.fetches_within(window, failed);
            if fetches > most {
                let seconds = window.as_secs_f64();
                self.violate(
                    site.index,
                    format!("{fetches} fetches within {seconds} s, of which {failed} failed; at most {most}"),
                );
            }
        }
    }

    /// Takes in what came of a request.
    fn lands(&self, index: usize, place: Place, came: Came) {
        let now = self.now();
        let site = self.site(index);
        let state = &mut *site.state();
        if !site.pinned {
            self.in_the_air.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(flight) = &mut state.flight {
            flight.ended = Some(now);
            let took = now.saturating_sub(flight.started);
            if took > self.bounds.answered_within() {
                self.violate(index, format!("a fetch took {took:?}"));
            }
        }
        let event = match &came {
            Came::Inside => Event::TurnedAway,
            Came::Keys(_) => Event::KeySetLoaded,
            Came::Misled | Came::Nothing => Event::FetchFailed,
            Came::Onward => return,
        };
        self.note(index, event);
        let misled = matches!(came, Came::Misled);
        match came {
            Came::Keys(keys) => {
                state.failed = false;
                let changed = state.served.as_ref().is_none_or(|served| served.keys != keys);
                if changed {
                    state.epoch = None;
                }
                // A signature takes longer than everything else in a request.
                if changed || state.chance.one_in(8) {
                    state.checked.clear();
                }
                state.served = Some(Served { at: now, keys });
            }
            _ => {
                state.failed = !place.is_metadata();
                self.failed(site, &mut state.failures, now);
            }
        }
        if misled {
            state.misled += 1;
            if state.misled > 1 && state.fair_since.is_some() {
                self.violate(index, "the key set moved, and nobody looked where to");
            }
            // A move shows when the key set is not where it was.
            state.fair_since = state.fair_since.map(|_| now);
        }
    }

    fn failed(&self, site: &Site, failures: &mut VecDeque<Duration>, now: Duration) {
        failures.push_back(now);
        let kept = self.bounds.pause_last.max(self.bounds.refill.saturating_mul(10));
        while failures.front().is_some_and(|failure| failure.saturating_add(kept) <= now)
            && failures.len() > 1
        {
            failures.pop_front();
        }
        let within = |at: &&Duration| at.saturating_add(self.bounds.pause_last) > now;
        let failed = failures.iter().rev().take_while(within).count();
        // A fetch that looks in two places fails twice.
        let most =
            self.bounds.failures_within_longest_pause() * if site.discovered { 2 } else { 1 };
        if failed > most {
            let pause = self.bounds.pause_last;
            self.violate(site.index, format!("{failed} failures within {pause:?}; at most {most}"));
        }
    }
}
