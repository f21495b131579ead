//! Many issuers, in all weathers, in no time.

mod bounds;
mod chance;
mod clock;
mod network;
mod report;
mod site;
mod traffic;
mod weather;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenantry_core::{Clock, Issuer};
use tenantry_jwks::{KeySettings, KeySource, KeyStore, Transport};
use tokio::runtime::Builder;

pub use bounds::KeyBounds;
pub use clock::RuntimeClock;
pub use report::{Report, Violation};

use chance::Chance;
use network::Network;
use site::Site;
use traffic::Traffic;
use world::World;

/// A key store among many issuers, in weather that follows from a seed.
///
/// Each issuer rotates its keys, rightly and wrongly, and most have bad weather for some of the time:
/// they are slow, hang, fail, send garbage, a page, a body without end or a key set without keys, or
/// lead to an address inside. Meanwhile there are requests: valid ones, ones with withdrawn keys,
/// floods of made-up key ids, callers that disconnect. The wall clock jumps. What the store does is
/// checked at every step:
///
/// - A request with a key of the set in use is answered at once, and rightly.
/// - A key that was published is accepted, and one that was withdrawn refused, within the
///   [bounds](KeyBounds) that follow from the settings.
/// - Fetches stay within budget: one at a time for each issuer, none that nobody asked for.
/// - What readiness and epochs say is true, of each issuer on its own.
/// - The number of tasks and of issuers stays bounded.
///
/// Time is virtual, so hours take less than a second. The same seed makes the same run.
///
/// ```
/// use tenantry_testkit::Simulation;
///
/// let report = Simulation::new(7).issuers(10).run();
///
/// report.assert_clean();
/// assert!(report.count("accepted") > 0);
/// ```
///
/// Try settings of your own with [`settings`](Self::settings), and a transport with
/// [`transport`](Self::transport).
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation {
    seed: u64,
    issuers: usize,
    settings: Option<KeySettings>,
    transport: Wrap<dyn Transport>,
    clock: Wrap<dyn Clock>,
}

type Wrap<T> = Box<dyn FnOnce(Arc<T>) -> Arc<T>>;

impl Simulation {
    /// Begins a simulation that follows from `seed`: of 300 issuers if it is a multiple of 25, else
    /// of 40.
    ///
    /// The settings follow from it, too: the default ones for one seed in four.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            issuers: if seed.is_multiple_of(25) { 300 } else { 40 },
            settings: None,
            transport: Box::new(|transport| transport),
            clock: Box::new(|clock| clock),
        }
    }

    /// Returns the seed that the environment variable `TENANTRY_SIM_SEED` names, if it does.
    ///
    /// # Panics
    ///
    /// If it is not a number.
    #[must_use]
    pub fn seed_of_environment() -> Option<u64> {
        let seed = std::env::var("TENANTRY_SIM_SEED").ok()?;
        Some(seed.trim().parse().expect("TENANTRY_SIM_SEED is a number"))
    }

    /// Sets how many issuers there are.
    pub const fn issuers(mut self, issuers: usize) -> Self {
        self.issuers = issuers;
        self
    }

    /// Sets the settings of the store.
    pub fn settings(mut self, settings: KeySettings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Puts something between the store and the network: a proxy to try, or a fault to find.
    pub fn transport(
        mut self,
        wrap: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport> + 'static,
    ) -> Self {
        self.transport = Box::new(wrap);
        self
    }

    /// Puts something between the store and its clock.
    pub fn clock(mut self, wrap: impl FnOnce(Arc<dyn Clock>) -> Arc<dyn Clock> + 'static) -> Self {
        self.clock = Box::new(wrap);
        self
    }

    /// Runs it, and returns what it found.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime: it has one of its own, whose time is virtual.
    pub fn run(self) -> Report {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime can be made");
        runtime.block_on(self.live())
    }

    async fn live(self) -> Report {
        let mut chance = Chance::new(self.seed);
        let drawn = draw_settings(&mut chance);
        let settings = self.settings.unwrap_or(drawn);
        let bounds = KeyBounds::of(&settings);
        let mut sites: Vec<_> =
            (0..self.issuers).map(|index| Site::new(index, &bounds, &mut chance)).collect();
        let places = settings.fetches_in_flight();
        let crowded = sites.iter().filter(|site| !site.pinned).count() > places;
        for site in sites.iter_mut().filter(|site| !site.pinned) {
            site.crowded = crowded;
        }
        let end = bounds.served_for().saturating_mul(2) + bounds.soft * 2;
        let report = Report::new(self.seed, self.issuers, end);
        let world = Arc::new(World::new(bounds, sites, places, report));

        let wall = RuntimeClock::new(Duration::from_secs(1_800_000_000));
        let clock = (self.clock)(Arc::new(wall.clone()));
        let network = (self.transport)(Arc::new(Network::new(Arc::clone(&world))));
        let jitter = Mutex::new(chance.split());
        let jitter = move || jitter.lock().map_or(0, |mut chance| chance.draw());
        let mut store =
            KeyStore::with_randomness(settings.clone(), network, Arc::clone(&clock), jitter);
        for site in world.sites().iter().filter(|site| site.pinned) {
            store.pin(site.issuer.clone(), site.source());
        }
        let store = Arc::new(store);

        let mut lives = vec![world.spawn(jumps(Arc::clone(&world), wall, chance.split(), end))];
        for index in 0..self.issuers {
            let (world_, store) = (Arc::clone(&world), Arc::clone(&store));
            let traffic = Traffic::new(world_, store, index, chance.split(), end);
            lives.push(world.spawn(traffic.live()));
        }
        for life in lives {
            life.await.expect("a simulated life does not panic");
        }
        // Whoever still waits gets an answer.
        world.until(end + world.bounds.answered_within() * 2).await;
        if self.seed.is_multiple_of(8) {
            crowd(&world, settings, clock);
        }
        world.report(std::mem::take)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("issuers", &self.issuers)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The wall clock is set, forward and back, by seconds and by days.
async fn jumps(world: Arc<World>, wall: RuntimeClock, mut chance: Chance, end: Duration) {
    let mut at = Duration::ZERO;
    loop {
        at += chance.between(Duration::from_secs(10), end / 4);
        if at >= end {
            return;
        }
        world.until(at).await;
        let seconds = chance.pick(&[1, 60, 3600, 86_400, 864_000]);
        wall.jump(if chance.one_in(2) { seconds } else { -seconds });
    }
}

/// Many more issuers than the store may hold.
fn crowd(world: &World, settings: KeySettings, clock: Arc<dyn Clock>) {
    const CAPACITY: usize = 50;
    let capacity = u64::try_from(CAPACITY).unwrap_or(u64::MAX);
    let settings = settings.with_capacity(capacity);
    let mut store = KeyStore::new(settings, Arc::new(Nowhere), clock);
    let pinned = Issuer::new("https://auth.example/pinned");
    store.pin(pinned.clone(), KeySource::discovery());
    let crowd: Vec<_> = (0..2000)
        .map(|number| Issuer::new(format!("https://auth.example/crowd/{number}")))
        .collect();
    for issuer in &crowd {
        store.get_or_insert(issuer, KeySource::discovery);
    }
    let kept = crowd.iter().filter(|issuer| store.get(issuer.as_str()).is_some()).count();
    // What was put in is counted in batches.
    world.judge_crowd(kept, CAPACITY + 1024, store.get(pinned.as_str()).is_some());
}

/// Where nothing is fetched from.
struct Nowhere;

impl Transport for Nowhere {
    fn get(
        &self,
        _: tenantry_jwks::FetchRequest,
    ) -> tenantry_core::BoxFuture<Result<tenantry_jwks::FetchResponse, tenantry_jwks::FetchError>>
    {
        Box::pin(std::future::pending())
    }
}

/// Settings that somebody might choose.
fn draw_settings(chance: &mut Chance) -> KeySettings {
    if chance.one_in(4) {
        return KeySettings::default();
    }
    let seconds = Duration::from_secs;
    let fetch = chance.between(seconds(1), seconds(6));
    let burst = u32::try_from(chance.below(4) + 1).unwrap_or(1);
    let refill = chance.between(seconds(5), seconds(60));
    let places = if chance.one_in(3) { chance.below(12) + 1 } else { 10_000 };
    KeySettings::default()
        .with_absent_time(chance.between(Duration::ZERO, refill))
        .with_fetches_in_flight(usize::try_from(places).unwrap_or(usize::MAX))
        .with_soft_lifetime(chance.between(seconds(60), seconds(900)))
        .with_max_stale(chance.between(Duration::ZERO, seconds(1800)))
        .with_fetch_time_limit(fetch)
        .with_unknown_kid_budget(burst, refill)
        .with_back_off(
            chance.between(Duration::from_millis(200), seconds(2)),
            chance.between(seconds(5), seconds(90)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_run_and_another_seed_another() {
        let run = |seed| Simulation::new(seed).issuers(20).run();
        let (one, again, other) = (run(11), run(11), run(12));
        assert_eq!(one.to_string(), again.to_string());
        assert_eq!(one.digest(), again.digest());
        assert_ne!(one.digest(), other.digest());
    }
}
