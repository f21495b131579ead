//! The key store among many issuers, in all weathers, and the floods that it must withstand.
//! `docs/simulator.md` says what is checked and why the bounds are what they are.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_core::{Algorithm, BoxFuture, Clock, Issuer};
use tenantry_jwks::{
    FetchError, FetchRequest, FetchResponse, IssuerKeys, KeyErrorKind, KeySettings, KeySource,
    KeyStore, Transport,
};
use tenantry_testkit::{KeyBounds, RuntimeClock, SigningKey, Simulation};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Here and in continuous integration; `scripts/simulate` runs 10,000.
const SEEDS: u64 = 200;

#[test]
fn every_promise_is_kept_whatever_the_seed() {
    if let Some(seed) = Simulation::seed_of_environment() {
        return Simulation::new(seed).run().assert_clean();
    }
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    Simulation::new(seed).run().assert_clean();
                }
            });
        }
    });
}

/// Whether a simulation with a fault planted in it finds it, within a few seeds.
fn finds(plant: impl Fn(Simulation) -> Simulation) -> bool {
    (0..8).any(|seed| !plant(Simulation::new(seed).issuers(40)).run().is_clean())
}

/// A transport with a fault, around one without.
struct Faulty<F> {
    inner: Arc<dyn Transport>,
    fault: F,
}

impl<F> Transport for Faulty<F>
where
    F: Fn(Arc<dyn Transport>, FetchRequest) -> Answer + Send + Sync + 'static,
{
    fn get(&self, request: FetchRequest) -> Answer {
        (self.fault)(Arc::clone(&self.inner), request)
    }
}

type Answer = BoxFuture<Result<FetchResponse, FetchError>>;

fn with_transport(
    simulation: Simulation,
    fault: impl Fn(Arc<dyn Transport>, FetchRequest) -> Answer + Send + Sync + 'static,
) -> Simulation {
    simulation.transport(|inner| Arc::new(Faulty { inner, fault }))
}

#[test]
fn a_transport_that_tries_again_at_once_is_found() {
    assert!(finds(|simulation| {
        with_transport(simulation, |inner, request| {
            Box::pin(async move {
                match inner.get(request.clone()).await {
                    Ok(response) if response.status() < 500 => Ok(response),
                    _ => inner.get(request).await,
                }
            })
        })
    }));
}

#[test]
fn a_transport_that_asks_twice_at_once_is_found() {
    assert!(finds(|simulation| {
        with_transport(simulation, |inner, request| {
            Box::pin(async move {
                let (first, hedge) = (inner.get(request.clone()), inner.get(request));
                let response = first.await;
                drop(hedge);
                response
            })
        })
    }));
}

#[test]
fn a_transport_that_lets_one_issuer_delay_another_is_found() {
    assert!(finds(|simulation| {
        let line = Arc::new(tokio::sync::Mutex::new(()));
        with_transport(simulation, move |inner, request| {
            let line = Arc::clone(&line);
            Box::pin(async move {
                let _turn = line.lock().await;
                inner.get(request).await
            })
        })
    }));
}

#[test]
fn a_transport_that_mixes_issuers_up_is_found() {
    assert!(finds(|simulation| {
        with_transport(simulation, |inner, request| {
            let other = request.url().replace("/17/", "/18/");
            let other = FetchRequest::new(&other, request.origin(), false);
            Box::pin(async move { inner.get(other?).await })
        })
    }));
}

#[test]
fn a_proxy_that_serves_old_key_sets_is_found() {
    assert!(finds(|simulation| {
        let kept = Arc::new(Mutex::new(std::collections::HashMap::new()));
        with_transport(simulation, move |inner, request| {
            let kept = Arc::clone(&kept);
            Box::pin(async move {
                let url = request.url().to_owned();
                if let Some(old) = kept.lock().unwrap().get(&url).cloned() {
                    return Ok(old);
                }
                let response: FetchResponse = inner.get(request).await?;
                if response.status() == 200 {
                    kept.lock().unwrap().insert(url, response.clone());
                }
                Ok(response)
            })
        })
    }));
}

#[test]
fn a_proxy_that_drops_cache_control_is_found() {
    assert!(finds(|simulation| {
        with_transport(simulation, |inner, request| {
            Box::pin(async move {
                let response = inner.get(request).await?;
                let (status, body) = (response.status(), response.body().to_vec());
                let bare = FetchResponse::new(status, body);
                Ok(match response.etag() {
                    Some(etag) => bare.with_etag(etag),
                    None => bare,
                })
            })
        })
    }));
}

/// A clock with a fault, around one without.
struct FaultyClock<F> {
    inner: Arc<dyn Clock>,
    monotonic: F,
}

impl<F: Fn(&dyn Clock) -> Duration + Send + Sync + 'static> Clock for FaultyClock<F> {
    fn unix(&self) -> Duration {
        self.inner.unix()
    }

    fn monotonic(&self) -> Duration {
        (self.monotonic)(&*self.inner)
    }
}

#[test]
fn times_that_are_taken_by_the_wall_clock_are_found() {
    assert!(finds(|simulation| {
        let monotonic = |clock: &dyn Clock| clock.unix();
        simulation.clock(move |inner| Arc::new(FaultyClock { inner, monotonic }))
    }));
}

#[test]
fn a_clock_that_is_slow_is_found() {
    assert!(finds(|simulation| {
        let monotonic = |clock: &dyn Clock| clock.monotonic() * 9 / 10;
        simulation.clock(move |inner| Arc::new(FaultyClock { inner, monotonic }))
    }));
}

/// One issuer that answers after a moment, in virtual time.
#[derive(Clone)]
struct Scene {
    keys: Arc<Mutex<Vec<Value>>>,
    fetched: Arc<Mutex<Vec<Instant>>>,
}

const URL: &str = "https://auth.example/jwks.json";
const MOMENT: Duration = Duration::from_millis(200);

impl Transport for Scene {
    fn get(&self, request: FetchRequest) -> Answer {
        assert_eq!(request.url(), URL);
        self.fetched.lock().unwrap().push(Instant::now());
        // As old as can be: what was published when the request came.
        let body = json!({ "keys": *self.keys.lock().unwrap() }).to_string();
        Box::pin(async move {
            sleep(MOMENT).await;
            Ok(FetchResponse::new(200, body.into_bytes()))
        })
    }
}

impl Scene {
    fn start() -> (Self, Arc<IssuerKeys>, KeyBounds) {
        let scene = Self { keys: Arc::default(), fetched: Arc::default() };
        scene.publish("first");
        let settings = KeySettings::default();
        let bounds = KeyBounds::of(&settings);
        let clock = Arc::new(RuntimeClock::new(Duration::from_secs(1_800_000_000)));
        let mut store = KeyStore::new(settings, Arc::new(scene.clone()), clock);
        let issuer = Issuer::new("https://auth.example");
        store.pin(issuer.clone(), KeySource::uri(URL));
        let keys = store.get(issuer.as_str()).unwrap();
        (scene, keys, bounds)
    }

    fn publish(&self, kid: &str) {
        let key = SigningKey::generate(Algorithm::EdDsa, kid);
        self.keys.lock().unwrap().push(key.public_jwk());
    }

    /// The most fetches that started within any 30 seconds.
    fn most_in_30_seconds(&self) -> usize {
        let fetched = self.fetched.lock().unwrap().clone();
        let within = |from: &Instant| {
            let until = *from + Duration::from_secs(30);
            fetched.iter().filter(|at| (*from..until).contains(at)).count()
        };
        fetched.iter().map(within).max().unwrap_or(0)
    }

    fn fetches(&self) -> usize {
        self.fetched.lock().unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_requests_make_one_fetch() {
    let (scene, keys, _) = Scene::start();
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let keys = Arc::clone(&keys);
        requests.spawn(async move { keys.key(Some("first"), Algorithm::EdDsa).await.is_ok() });
    }
    let accepted = requests.join_all().await;
    assert_eq!(accepted, [true; 1000]);
    assert_eq!(scene.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unknown_keys_make_three_fetches_in_30_seconds() {
    for (number, pause) in [(10_000, Duration::ZERO), (10_000, Duration::from_millis(20))] {
        let (scene, keys, bounds) = Scene::start();
        keys.key(Some("first"), Algorithm::EdDsa).await.unwrap();
        let mut requests = JoinSet::new();
        for number in 0..number {
            let stranger = Arc::clone(&keys);
            requests.spawn(async move {
                let kid = format!("unknown-{number}");
                stranger.key(Some(&kid), Algorithm::EdDsa).await.unwrap_err().kind()
            });
            if !pause.is_zero() {
                // Meanwhile a known key waits for nothing.
                let before = Instant::now();
                keys.key(Some("first"), Algorithm::EdDsa).await.unwrap();
                assert_eq!(before.elapsed(), Duration::ZERO);
                sleep(pause).await;
            }
        }
        let refused = requests.join_all().await;
        assert!(refused.iter().all(|kind| *kind == KeyErrorKind::Unknown));
        assert!((2..=3).contains(&scene.most_in_30_seconds()), "{}", scene.most_in_30_seconds());
        assert!(scene.fetches() <= bounds.fetches_within(pause * 10_000, 0) + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_disconnect_do_not_hold_up_a_rotation() {
    let (scene, keys, bounds) = Scene::start();
    keys.key(Some("first"), Algorithm::EdDsa).await.unwrap();

    // For a minute: sends, and is gone before anything can come back.
    let flood = {
        let keys = Arc::clone(&keys);
        tokio::spawn(async move {
            let until = Instant::now() + Duration::from_secs(60);
            let mut number = 0_u64;
            while Instant::now() < until {
                for _ in 0..10 {
                    number += 1;
                    let kid = format!("unknown-{number}");
                    let request = keys.key(Some(&kid), Algorithm::EdDsa);
                    let _ = tokio::time::timeout(Duration::ZERO, request).await;
                }
                sleep(Duration::from_millis(10)).await;
            }
        })
    };
    // At the worst moment: the budget has just been used up.
    sleep(Duration::from_secs(1)).await;
    scene.publish("second");
    let published = Instant::now();
    while keys.key(Some("second"), Algorithm::EdDsa).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    let delay = published.elapsed();
    assert!(delay <= bounds.accepted_within_in_calm(), "{delay:?}");
    assert!(delay > Duration::from_secs(20), "the flood did not use up the budget: {delay:?}");
    flood.await.unwrap();
    assert!(scene.most_in_30_seconds() <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_never_answers_holds_up_nobody_who_has_keys() {
    let settings = KeySettings::default();
    let bounds = KeyBounds::of(&settings);
    let clock = Arc::new(RuntimeClock::new(Duration::from_secs(1_800_000_000)));
    let (scene, _, _) = Scene::start();
    let hangs = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let transport = Faulty {
        inner: Arc::new(scene),
        fault: {
            let hangs = Arc::clone(&hangs);
            move |inner: Arc<dyn Transport>, request| -> Answer {
                if hangs.load(Ordering::Relaxed) {
                    return Box::pin(std::future::pending());
                }
                inner.get(request)
            }
        },
    };
    let mut store = KeyStore::new(settings, Arc::new(transport), clock);
    store.pin(Issuer::new("https://auth.example"), KeySource::uri(URL));
    let keys = store.get("https://auth.example").unwrap();
    keys.key(Some("first"), Algorithm::EdDsa).await.unwrap();
    let loaded = Instant::now();

    hangs.store(true, Ordering::Relaxed);
    while loaded.elapsed() < bounds.served_for() - Duration::from_secs(1) {
        let before = Instant::now();
        keys.key(Some("first"), Algorithm::EdDsa).await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(2)).await;
    let refused = keys.key(Some("first"), Algorithm::EdDsa).await.unwrap_err();
    assert_eq!(refused.kind(), KeyErrorKind::Unavailable);
}
