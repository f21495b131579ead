//! The state of an issuer under thousands of interleavings of threads.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p tenantry-jwks --lib --target-dir target/shuttle interleavings
//! ```
//!
//! The scheduler chooses who runs at each lock, each atomic and each await; a waiter that nobody
//! wakes is a deadlock, which fails the check. A failure prints a schedule that can be run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::future::{block_on, yield_now};
use shuttle::thread;
use tenantry_core::{Algorithm, BoxFuture, Issuer};

use crate::error::KeyErrorKind;
use crate::fetch_error::FetchError;
use crate::issuer::IssuerKeys;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::store::KeyStore;
use crate::testing::{ISSUER, ManualClock, URL, Verdict, ask, found, keys_of};
use crate::transport::{FetchRequest, FetchResponse, Transport};

const ITERATIONS: usize = 2_000;

/// Answers in the order of the requests, after a while: the first with these keys, and so on.
struct Answers {
    kids: &'static [&'static [&'static str]],
    asked: AtomicUsize,
}

impl Transport for Answers {
    fn get(&self, _: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let kids = self.kids.get(number).copied();
        Box::pin(async move {
            yield_now().await;
            yield_now().await;
            Ok(match kids {
                Some([]) | None => FetchResponse::new(500, Vec::new()),
                Some([kid]) => FetchResponse::new(200, keys_of([*kid]).to_string().into()),
                Some([one, other, ..]) => {
                    FetchResponse::new(200, keys_of([*one, *other]).to_string().into())
                }
            })
        })
    }
}

/// An issuer whose network answers so, and what it depends on.
struct Stage {
    clock: Arc<ManualClock>,
    network: Arc<Answers>,
    keys: Arc<IssuerKeys>,
}

impl Stage {
    fn new(kids: &'static [&'static [&'static str]]) -> Self {
        let clock = Arc::new(ManualClock::default());
        clock.advance(Duration::from_secs(1000));
        let network = Arc::new(Answers { kids, asked: AtomicUsize::new(0) });
        let settings = KeySettings::default();
        let mut store =
            KeyStore::with_randomness(settings, network.clone(), clock.clone(), || u64::MAX / 2);
        store.pin(Issuer::new(ISSUER), KeySource::uri(URL));
        let keys = store.get(ISSUER).unwrap();
        Self { clock, network, keys }
    }

    fn asks(&self, kid: &'static str) -> thread::JoinHandle<Verdict> {
        let keys = Arc::clone(&self.keys);
        thread::spawn(move || block_on(ask(&keys, kid)))
    }

    fn fetches(&self) -> usize {
        self.network.asked.load(Ordering::SeqCst)
    }
}

/// Within a runtime, which is where an issuer looks for one.
fn check(scenario: impl Fn() + Send + Sync + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    shuttle::check_random(scenario, ITERATIONS);
}

#[test]
fn first_requests_share_one_fetch_and_all_wake_up() {
    check(|| {
        let stage = Stage::new(&[&["a"]]);
        let callers = [stage.asks("a"), stage.asks("a"), stage.asks("a")];
        for caller in callers {
            assert_eq!(caller.join().unwrap(), found("a"));
        }
        assert_eq!(stage.fetches(), 1);
    });
}

#[test]
fn a_caller_that_goes_away_takes_nothing_along() {
    check(|| {
        let stage = Stage::new(&[&["a"]]);
        let keys = Arc::clone(&stage.keys);
        let gone = thread::spawn(move || {
            block_on(async {
                let mut asked = Box::pin(ask(&keys, "a"));
                std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(asked.as_mut().poll(cx).is_ready())
                })
                .await
            })
        });
        let stays = stage.asks("a");
        assert_eq!(stays.join().unwrap(), found("a"));
        gone.join().unwrap();
        assert_eq!(stage.fetches(), 1);
    });
}

#[test]
fn searches_stay_within_the_budget_and_known_keys_are_found_meanwhile() {
    check(|| {
        let stage = Stage::new(&[&["a"], &["a"], &["a"], &["a"]]);
        assert_eq!(block_on(ask(&stage.keys, "a")), found("a"));
        let epoch = stage.keys.epoch();
        let strangers = [stage.asks("x"), stage.asks("y"), stage.asks("z"), stage.asks("x")];
        let known = stage.asks("a");
        assert_eq!(known.join().unwrap(), found("a"));
        for stranger in strangers {
            assert_eq!(stranger.join().unwrap(), Err(KeyErrorKind::Unknown));
        }
        assert!(stage.fetches() <= 3, "{} fetches", stage.fetches());
        assert_eq!(stage.keys.epoch(), epoch);
    });
}

#[test]
fn a_set_never_goes_back_and_its_epoch_goes_with_its_keys() {
    check(|| {
        let stage = Stage::new(&[&["old"], &["new"]]);
        stage.keys.warm();
        // The first fetch is given up while it runs, or has come by then.
        while stage.fetches() == 0 {
            thread::yield_now();
        }
        let (clock, keys) = (Arc::clone(&stage.clock), Arc::clone(&stage.keys));
        let impatient = thread::spawn(move || {
            clock.advance(Duration::from_secs(600));
            block_on(ask(&keys, "new"))
        });
        let keys = Arc::clone(&stage.keys);
        let watching = thread::spawn(move || {
            let mut epochs = Vec::new();
            for _ in 0..3 {
                epochs.extend(keys.epoch());
                thread::yield_now();
            }
            epochs
        });
        assert_eq!(impatient.join().unwrap(), found("new"));
        let mut epochs = watching.join().unwrap();
        epochs.extend(stage.keys.epoch());
        // Once another epoch was seen, the one before does not come back.
        epochs.dedup();
        assert!(epochs.len() <= 2, "{epochs:?}");
        let found = block_on(stage.keys.key(Some("new"), Algorithm::EdDsa)).unwrap();
        assert_eq!(Some(found.epoch), stage.keys.epoch());
    });
}

#[test]
fn a_refresh_that_is_due_starts_whatever_came_before() {
    check(|| {
        let stage = Stage::new(&[&["a"], &[], &["a"], &["a", "b"]]);
        assert_eq!(block_on(ask(&stage.keys, "a")), found("a"));
        stage.clock.advance(Duration::from_secs(480));
        // One of them starts a refresh, which fails, beside one that looks for an unknown key.
        let (known, unknown) = (stage.asks("a"), stage.asks("x"));
        assert_eq!(known.join().unwrap(), found("a"));
        assert!(unknown.join().unwrap().is_err());
        let fetches = stage.fetches();
        assert!((2..=3).contains(&fetches), "{fetches} fetches");
        // After any back-off, the next who asks starts another.
        stage.clock.advance(Duration::from_secs(120));
        stage.keys.warm();
        assert_eq!(block_on(ask(&stage.keys, "a")), found("a"));
        while stage.keys.is_fetching() {
            thread::yield_now();
        }
        assert!(stage.fetches() > fetches, "quiet for too long");
    });
}
