//! The directory by hand: a clock, a source that does as it is told, paused time.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use proptest::prelude::*;
use tenantry_testkit::ManualClock;
use tokio::task::JoinSet;

use AskErrorKind::{BackOff, Crowded, Failed, Interrupted, NoRuntime, TimedOut};
use Standing::{Active, Suspended, Unknown};

use super::*;
use crate::tenant_source::{BoxError, Tenant, TenantSource};

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Weather {
    Down,
    Hanging,
    Panicking,
    #[default]
    Up,
}

/// A source that does as it is told.
#[derive(Default)]
struct Told {
    standings: Mutex<HashMap<String, Standing>>,
    weather: Mutex<Weather>,
    /// Asks that have read wait here before they answer.
    held: watch::Sender<bool>,
    asked: Mutex<Vec<String>>,
    /// Asks that have not ended, and the most there were.
    flying: Mutex<(usize, usize)>,
    folds_case: Mutex<bool>,
}

impl Told {
    fn set(&self, tenant: &str, standing: Standing) {
        self.standings.lock().unwrap().insert(tenant.into(), standing);
    }

    fn weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn find(&self, id: &str) -> Option<Tenant> {
        let folds = *self.folds_case.lock().unwrap();
        let standings = self.standings.lock().unwrap();
        let same = |kept: &str| if folds { kept.eq_ignore_ascii_case(id) } else { kept == id };
        let (id, standing) = standings.iter().find(|(kept, _)| same(kept))?;
        Some(Tenant::new(id, *standing))
    }
}

struct Flying<'a>(&'a Told);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.flying.lock().unwrap().0 -= 1;
    }
}

impl TenantSource for Told {
    async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, BoxError> {
        self.asked.lock().unwrap().push(id.to_string());
        let _flying = {
            let mut flying = self.flying.lock().unwrap();
            flying.0 += 1;
            flying.1 = flying.1.max(flying.0);
            Flying(self)
        };
        let (found, weather) = (self.find(id.as_str()), *self.weather.lock().unwrap());
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        match weather {
            Weather::Down => Err("the database is down".into()),
            Weather::Hanging => std::future::pending().await,
            Weather::Panicking => panic!("the source was told to panic"),
            Weather::Up => Ok(found),
        }
    }
}

struct Bench {
    told: Arc<Told>,
    clock: ManualClock,
    directory: Arc<CachedDirectory>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Numbers::default())
    }

    /// With `tenant1` and `tenant2`, which are active.
    fn with(numbers: Numbers) -> Self {
        let clock = ManualClock::new(seconds(1_800_000_000));
        let told = Arc::new(Told::default());
        told.set("tenant1", Active);
        told.set("tenant2", Active);
        let source = Arc::new(Arc::clone(&told));
        let directory = CachedDirectory::new(source, numbers, Arc::new(clock.clone()));
        Self { told, clock, directory: Arc::new(directory) }
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn cached(&self, tenant: &str) -> Option<Standing> {
        self.directory.cached(&id(tenant))
    }

    /// As a request does it: from memory, or else by asking.
    async fn ask(&self, tenant: &str) -> Result<Standing, AskErrorKind> {
        ask(&self.directory, tenant).await
    }

    fn forget(&self, tenant: &str) {
        self.directory.forget(&id(tenant));
    }

    fn in_flight(&self) -> usize {
        self.directory.0.asks().count()
    }

    fn kept(&self) -> (u64, u64) {
        self.directory.0.answers.kept()
    }
}

async fn ask(directory: &CachedDirectory, tenant: &str) -> Result<Standing, AskErrorKind> {
    let tenant = id(tenant);
    match directory.cached(&tenant) {
        Some(standing) => Ok(standing),
        None => Arc::clone(&directory.0).fresh(&tenant).await.map_err(|error| error.kind),
    }
}

fn id(tenant: &str) -> TenantId {
    tenant.parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Lets tasks in the background come to an end; nothing here takes time.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_first_requests_from_many_threads_make_one_ask() {
    let bench = Bench::new();
    bench.told.hold(true);
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let directory = Arc::clone(&bench.directory);
        callers.spawn(async move { ask(&directory, "tenant1").await });
    }
    while bench.told.asked() == 0 {
        tokio::task::yield_now().await;
    }
    bench.told.hold(false);
    for answer in callers.join_all().await {
        assert_eq!(answer, Ok(Active));
    }
    assert_eq!(bench.told.asked(), 1);
    assert_eq!(bench.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_for_its_lifetime_from_before_the_ask() {
    let bench = Bench::new();
    bench.told.hold(true);
    let mut first = pin!(bench.ask("tenant1"));
    assert!(poll(first.as_mut()).is_pending());
    settle().await;
    // It was read, and travels for 10 s.
    bench.told.set("tenant1", Suspended);
    bench.advance(seconds(3));
    bench.told.hold(false);
    assert_eq!(first.await, Ok(Active));

    bench.told.weather(Weather::Down);
    bench.advance(seconds(27) - milliseconds(1));
    assert_eq!(bench.cached("tenant1"), Some(Active));
    bench.advance(milliseconds(1));
    assert_eq!(bench.cached("tenant1"), None);
    settle().await;
    bench.told.weather(Weather::Up);
    bench.advance(seconds(1));
    assert_eq!(bench.ask("tenant1").await, Ok(Suspended));
}

#[tokio::test]
async fn an_answer_in_use_is_asked_for_again_in_the_background_once() {
    let bench = Bench::new();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    bench.told.set("tenant1", Suspended);
    bench.advance(seconds(24) - milliseconds(1));
    assert_eq!(bench.cached("tenant1"), Some(Active));
    settle().await;
    assert_eq!(bench.told.asked(), 1, "before 80 %");

    bench.told.hold(true);
    bench.advance(seconds(3) + milliseconds(1));
    for _ in 0..100 {
        assert_eq!(bench.cached("tenant1"), Some(Active));
        settle().await;
    }
    assert_eq!(bench.told.asked(), 2, "at 90 %");
    bench.told.hold(false);
    settle().await;
    assert_eq!(bench.cached("tenant1"), Some(Suspended));

    // Counted from the second ask.
    bench.advance(seconds(30) - milliseconds(1));
    assert_eq!(bench.cached("tenant1"), Some(Suspended));
    settle().await;
    assert_eq!(bench.told.asked(), 3);
}

#[tokio::test]
async fn who_is_not_in_use_or_not_known_is_not_asked_for_in_the_background() {
    let bench = Bench::new();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    assert_eq!(bench.ask("stranger").await, Ok(Unknown));
    bench.advance(seconds(30) - milliseconds(1));
    assert_eq!(bench.cached("stranger"), Some(Unknown));
    settle().await;
    assert_eq!(bench.told.asked(), 2);

    bench.told.set("stranger", Active);
    bench.advance(milliseconds(1));
    assert_eq!(bench.kept(), (1, 1));
    assert_eq!(bench.ask("stranger").await, Ok(Active));
    assert_eq!(bench.told.asked(), 3);
    assert_eq!(bench.kept(), (2, 0));
}

#[tokio::test]
async fn while_the_source_is_down_answers_live_to_their_end_and_asks_pause() {
    let bench = Bench::new();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    bench.told.weather(Weather::Down);
    assert_eq!(bench.ask("tenant2").await, Err(Failed));
    for _ in 0..100 {
        assert_eq!(bench.ask("tenant2").await, Err(BackOff));
    }
    assert_eq!(bench.told.asked(), 2);
    // 0.5 s to 1 s, then 1 s to 2 s.
    bench.advance(seconds(1));
    assert_eq!(bench.ask("tenant2").await, Err(Failed));
    bench.advance(milliseconds(999));
    assert_eq!(bench.ask("tenant2").await, Err(BackOff));

    // A request each 100 ms.
    while bench.cached("tenant1").is_some() {
        settle().await;
        bench.advance(milliseconds(100));
    }
    assert_eq!(
        bench.clock.monotonic(),
        seconds(3600) + seconds(30) - milliseconds(1) + milliseconds(100)
    );
    let asked = bench.told.asked();
    assert!((5..=8).contains(&asked), "{asked} asks: some 3 in the background");
    assert!(matches!(bench.ask("tenant1").await, Err(BackOff | Failed)));
    assert_eq!(bench.ask("tenant1").await, Err(BackOff));

    bench.told.weather(Weather::Up);
    bench.advance(seconds(8));
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
    // The next failure is a first one.
    bench.told.weather(Weather::Down);
    bench.advance(seconds(30));
    assert_eq!(bench.ask("tenant2").await, Err(Failed));
    bench.advance(seconds(1));
    assert_eq!(bench.ask("tenant2").await, Err(Failed));
}

#[tokio::test]
async fn the_failure_of_one_tenant_does_not_refuse_another() {
    let bench = Bench::new();
    bench.told.weather(Weather::Down);
    assert_eq!(bench.ask("tenant1").await, Err(Failed));
    bench.told.weather(Weather::Up);
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
    assert_eq!(bench.ask("tenant1").await, Err(BackOff));
}

#[tokio::test]
async fn a_503_says_when_the_pause_is_over() {
    let bench = Bench::new();
    bench.told.weather(Weather::Down);
    for _ in 0..8 {
        let _ = bench.ask("tenant1").await;
        bench.advance(seconds(8));
    }
    let _ = bench.ask("tenant1").await;
    let rejection = Arc::clone(&bench.directory).fresh(id("tenant1")).await.unwrap_err();
    assert_eq!(rejection.reason(), tenantry_core::Reason::DirectoryUnavailable);
    let response = rejection.to_response();
    assert_eq!(response.status(), 503);
    let after = response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((4..=8).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_unavailable_in_bounded_time_and_known_tenants_go_on() {
    let bench = Bench::new();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    bench.told.weather(Weather::Hanging);
    bench.advance(seconds(28));
    let before = tokio::time::Instant::now();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(bench.ask("tenant2").await, Err(TimedOut));
    assert_eq!(before.elapsed(), seconds(2));
    settle().await;
    assert_eq!(bench.in_flight(), 0);
    assert_eq!(bench.ask("tenant2").await, Err(BackOff));

    bench.told.weather(Weather::Up);
    bench.advance(seconds(1));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
}

#[tokio::test]
async fn a_source_that_panics_is_an_outage() {
    let bench = Bench::new();
    bench.told.weather(Weather::Panicking);
    assert_eq!(bench.ask("tenant1").await, Err(Interrupted));
    assert_eq!(bench.ask("tenant1").await, Err(BackOff));
    assert_eq!(bench.in_flight(), 0);
    bench.told.weather(Weather::Up);
    bench.advance(seconds(1));
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
}

#[tokio::test]
async fn a_source_that_panics_before_its_future_is_an_outage() {
    let source = |_: TenantId| -> std::future::Ready<Result<Option<Tenant>, BoxError>> {
        panic!("the source was told to panic")
    };
    let clock = Arc::new(ManualClock::new(seconds(1)));
    let directory = CachedDirectory::new(Arc::new(source), Numbers::default(), clock);
    assert_eq!(ask(&directory, "tenant1").await, Err(Interrupted));
}

#[tokio::test]
async fn a_caller_that_disconnects_leaves_the_ask_to_the_next() {
    let bench = Bench::new();
    bench.told.hold(true);
    for _ in 0..100 {
        let mut asked = Box::pin(bench.ask("tenant1"));
        assert!(poll(asked.as_mut()).is_pending());
        settle().await;
    }
    bench.told.hold(false);
    settle().await;
    assert_eq!(bench.cached("tenant1"), Some(Active));
    assert_eq!(bench.told.asked(), 1);
}

#[tokio::test]
async fn a_forgotten_tenant_is_asked_for_at_once() {
    let bench = Bench::new();
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
    assert_eq!(bench.ask("tenant3").await, Ok(Unknown));
    for tenant in ["tenant1", "tenant2", "tenant3"] {
        bench.told.set(tenant, Suspended);
    }
    bench.forget("tenant1");
    bench.forget("tenant3");
    assert_eq!(bench.ask("tenant1").await, Ok(Suspended));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
    assert_eq!(bench.ask("tenant3").await, Ok(Suspended));
}

#[tokio::test]
async fn an_answer_that_was_asked_for_before_its_tenant_was_forgotten_does_not_come_in() {
    let bench = Bench::new();
    bench.told.hold(true);
    let mut first = pin!(bench.ask("tenant1"));
    assert!(poll(first.as_mut()).is_pending());
    settle().await;
    assert_eq!(bench.told.asked(), 1);
    bench.told.set("tenant1", Suspended);
    bench.forget("tenant1");
    // It waits for the ask that it has started now.
    assert!(poll(first.as_mut()).is_pending());
    settle().await;
    assert_eq!(bench.told.asked(), 2);
    bench.told.hold(false);
    settle().await;
    assert_eq!(bench.cached("tenant1"), Some(Suspended));
    assert_eq!(first.await, Ok(Suspended));
    assert_eq!(bench.in_flight(), 0);

    // The same, of an ask in the background.
    bench.advance(seconds(28));
    bench.told.hold(true);
    assert_eq!(bench.cached("tenant1"), Some(Suspended));
    settle().await;
    assert_eq!(bench.told.asked(), 3);
    bench.told.set("tenant1", Active);
    bench.forget("tenant1");
    bench.told.hold(false);
    settle().await;
    assert_eq!(bench.cached("tenant1"), None);
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
}

#[tokio::test]
async fn a_source_that_compares_without_case_does_not_merge_tenants() {
    let bench = Bench::new();
    *bench.told.folds_case.lock().unwrap() = true;
    for (tenant, standing) in [("tenant1", Active), ("Tenant1", Unknown), ("TENANT2", Unknown)] {
        assert_eq!(bench.ask(tenant).await, Ok(standing), "{tenant}");
        assert_eq!(bench.cached(tenant), Some(standing), "{tenant}");
    }
    assert_eq!(bench.cached("tenant1"), Some(Active));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
}

#[test]
fn a_record_is_taken_for_the_tenant_only_byte_for_byte() {
    for kept in ["Tenant1", "tenant1 ", " tenant1", "tenant1\0", "tenant", "tenant11", ""] {
        let said = Said::of(&id("tenant1"), Some(Tenant::new(kept, Active)));
        assert!(matches!(said, Said::Another), "{kept:?}");
    }
    let said = Said::of(&id("tenant1"), Some(Tenant::new("tenant1", Suspended)));
    assert!(matches!(said, Said::Standing(Suspended)));
}

#[tokio::test]
async fn made_up_tenants_are_bounded_and_push_out_no_tenant() {
    let bench = Bench::new();
    for number in 0..100 {
        bench.told.set(&format!("known-{number}"), Active);
        assert_eq!(bench.ask(&format!("known-{number}")).await, Ok(Active));
    }
    for number in 0..10_000 {
        assert_eq!(bench.ask(&format!("made-up-{number}")).await, Ok(Unknown));
    }
    bench.told.weather(Weather::Down);
    for number in 0..10_000 {
        assert_eq!(bench.ask(&format!("made-up-too-{number}")).await, Err(Failed));
    }
    assert_eq!(bench.kept(), (100, 1024));
    for number in 0..100 {
        assert_eq!(bench.cached(&format!("known-{number}")), Some(Active));
    }
}

#[tokio::test]
async fn tenants_are_bounded_and_the_one_not_asked_for_longest_goes() {
    let bench = Bench::with(Numbers { capacity: 3, ..Numbers::default() });
    for number in 0..10 {
        bench.told.set(&format!("known-{number}"), Active);
        assert_eq!(bench.ask(&format!("known-{number}")).await, Ok(Active));
        assert!(bench.kept().0 <= 3);
    }
    assert_eq!(bench.cached("known-9"), Some(Active));
    assert_eq!(bench.cached("known-0"), None);
}

#[tokio::test(start_paused = true)]
async fn asks_of_strangers_are_bounded_and_leave_the_places_of_renewals() {
    let bench = Bench::with(Numbers { asks_in_flight: 8, ..Numbers::default() });
    for number in 0..8 {
        bench.told.set(&format!("known-{number}"), Active);
        assert_eq!(bench.ask(&format!("known-{number}")).await, Ok(Active));
    }
    bench.told.hold(true);
    let mut strangers = JoinSet::new();
    for number in 0..1000 {
        let directory = Arc::clone(&bench.directory);
        strangers.spawn(async move { ask(&directory, &format!("made-up-{number}")).await });
    }
    settle().await;
    assert_eq!(bench.told.flying.lock().unwrap().1, 8);
    assert_eq!(bench.in_flight(), 8);
    // The answers about known tenants are renewed all the same, in time or after it.
    bench.advance(seconds(28));
    for number in 0..4 {
        assert_eq!(bench.cached(&format!("known-{number}")), Some(Active));
    }
    bench.advance(seconds(2));
    settle().await;
    let mut late = JoinSet::new();
    for number in 4..8 {
        let directory = Arc::clone(&bench.directory);
        late.spawn(async move { ask(&directory, &format!("known-{number}")).await });
    }
    settle().await;
    assert_eq!(bench.told.flying.lock().unwrap().1, 16);
    bench.told.hold(false);
    assert_eq!(late.join_all().await, [Ok(Active); 4]);
    assert_eq!(bench.told.flying.lock().unwrap().0, 0);
    let mut answers = strangers.join_all().await;
    answers.retain(|answer| *answer == Err(Crowded));
    assert_eq!(answers.len(), 992);
    assert_eq!(bench.ask("made-up-1000").await, Ok(Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_there_is_no_room_for_is_put_off() {
    let bench = Bench::with(Numbers { asks_in_flight: 1, ..Numbers::default() });
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
    assert_eq!(bench.ask("tenant2").await, Ok(Active));
    bench.advance(seconds(27));
    bench.told.hold(true);
    assert_eq!(bench.cached("tenant1"), Some(Active));
    assert_eq!(bench.cached("tenant2"), Some(Active));
    bench.told.hold(false);
    settle().await;
    assert_eq!(bench.cached("tenant2"), Some(Active));
    settle().await;
    assert_eq!(bench.told.asked(), 3);
    bench.advance(seconds(1));
    assert_eq!(bench.cached("tenant2"), Some(Active));
    settle().await;
    assert_eq!(bench.told.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_is_stuck_is_given_up_and_its_answer_dropped() {
    let bench = Bench::new();
    bench.told.hold(true);
    let mut first = pin!(bench.ask("tenant1"));
    assert!(poll(first.as_mut()).is_pending());
    settle().await;
    bench.told.set("tenant1", Suspended);
    // As if a blocking call kept its task from seeing the time.
    bench.advance(seconds(4));
    let mut second = pin!(bench.ask("tenant1"));
    assert!(poll(second.as_mut()).is_pending());
    settle().await;
    assert_eq!(bench.told.asked(), 2);
    bench.told.hold(false);
    assert_eq!(second.await, Ok(Suspended));
    assert_eq!(first.await, Ok(Suspended));
    settle().await;
    assert_eq!(bench.cached("tenant1"), Some(Suspended));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_no_longer_than_the_time_limit_whatever_happens_to_its_ask() {
    let bench = Bench::new();
    bench.told.hold(true);
    let before = tokio::time::Instant::now();
    let forgetting = async {
        loop {
            tokio::time::sleep(milliseconds(300)).await;
            bench.forget("tenant1");
        }
    };
    let answer = tokio::select! {
        answer = bench.ask("tenant1") => answer,
        () = forgetting => unreachable!("it goes on for ever"),
    };
    assert_eq!((answer, before.elapsed()), (Err(TimedOut), seconds(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_said_before_a_tenant_was_forgotten_is_not_heard_by_any_thread() {
    let bench = Bench::new();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let (directory, stop) = (Arc::clone(&bench.directory), Arc::clone(&stop));
        readers.spawn(async move {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(ask(&directory, "tenant1").await.is_ok());
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 0..500 {
        let standing = if round % 2 == 0 { Suspended } else { Active };
        bench.told.set("tenant1", standing);
        bench.forget("tenant1");
        assert_eq!(bench.ask("tenant1").await, Ok(standing), "in round {round}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    readers.join_all().await;
    assert_eq!(bench.in_flight(), 0);
}

#[tokio::test]
async fn there_is_room_for_one_ask_at_least() {
    let bench = Bench::with(Numbers { asks_in_flight: 0, ..Numbers::default() });
    assert_eq!(bench.ask("tenant1").await, Ok(Active));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_old_when_it_comes_is_none() {
    let numbers = Numbers { lifetime: seconds(1), ..Numbers::default() };
    let bench = Bench::with(numbers);
    bench.told.hold(true);
    let mut first = pin!(bench.ask("tenant1"));
    assert!(poll(first.as_mut()).is_pending());
    settle().await;
    bench.advance(seconds(1));
    bench.told.hold(false);
    assert_eq!(first.await, Err(TimedOut));
    assert_eq!(bench.cached("tenant1"), None);

    bench.told.weather(Weather::Hanging);
    let before = tokio::time::Instant::now();
    assert_eq!(bench.ask("tenant2").await, Err(TimedOut));
    assert!(before.elapsed() <= seconds(2));
}

#[test]
fn without_a_runtime_answers_are_used_and_nobody_is_asked() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(bench.ask("tenant1")), Ok(Active));
    bench.advance(seconds(28));
    assert_eq!(bench.cached("tenant1"), Some(Active));
    assert_eq!(poll(pin!(bench.ask("tenant2"))), Poll::Ready(Err(NoRuntime)));
    assert_eq!(bench.told.asked(), 1);
}

#[test]
fn a_runtime_that_ends_is_an_outage_of_its_asks() {
    let bench = Bench::new();
    bench.told.hold(true);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime();
    first.block_on(async {
        assert!(poll(pin!(bench.ask("tenant1"))).is_pending());
        settle().await;
    });
    drop(first);
    assert_eq!(bench.in_flight(), 0);
    bench.told.hold(false);
    bench.advance(seconds(1));
    assert_eq!(runtime().block_on(bench.ask("tenant1")), Ok(Active));
}

/// Counts by name and labels.
#[derive(Clone, Default)]
struct Figures(Arc<Mutex<BTreeMap<String, u64>>>);

struct Figure(Figures, String);

impl CounterFn for Figure {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, _: u64) {}
}

impl metrics::HistogramFn for Figure {
    fn record(&self, _: f64) {
        self.increment(1);
    }
}

impl Figures {
    fn of(&self, key: &Key) -> Arc<Figure> {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        Arc::new(Figure(self.clone(), format!("{}{}", key.name(), labels.collect::<String>())))
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.of(key))
    }
}

#[tokio::test(start_paused = true)]
async fn figures_count_asks_and_refusals_and_name_no_tenant() {
    let figures = Figures::default();
    let _recorder = metrics::set_default_local_recorder(&figures);
    let bench = Bench::with(Numbers { asks_in_flight: 1, ..Numbers::default() });
    bench.told.set("tenant2", Suspended);
    *bench.told.folds_case.lock().unwrap() = true;
    for tenant in ["tenant1", "tenant2", "stranger", "Tenant1"] {
        assert!(bench.ask(tenant).await.is_ok());
    }
    for (weather, tenant) in [
        (Weather::Down, "tenant3"),
        (Weather::Hanging, "tenant4"),
        (Weather::Panicking, "tenant5"),
        (Weather::Up, "tenant3"),
    ] {
        bench.told.weather(weather);
        assert!(bench.ask(tenant).await.is_err());
        settle().await;
    }
    bench.told.hold(true);
    assert!(poll(pin!(bench.ask("tenant6"))).is_pending());
    assert_eq!(bench.ask("tenant7").await, Err(Crowded));
    bench.forget("tenant6");
    bench.told.hold(false);
    settle().await;
    let shown: Vec<_> = figures.0.lock().unwrap().clone().into_iter().collect();
    let expected = [
        ("tenantry_directory_ask_seconds", 8),
        ("tenantry_directory_asks_total outcome=active", 1),
        ("tenantry_directory_asks_total outcome=failed", 1),
        ("tenantry_directory_asks_total outcome=interrupted", 1),
        ("tenantry_directory_asks_total outcome=late", 1),
        ("tenantry_directory_asks_total outcome=misnamed", 1),
        ("tenantry_directory_asks_total outcome=suspended", 1),
        ("tenantry_directory_asks_total outcome=timed_out", 1),
        ("tenantry_directory_asks_total outcome=unknown", 1),
        ("tenantry_directory_refusals_total reason=back_off", 1),
        ("tenantry_directory_refusals_total reason=crowded", 1),
    ];
    assert_eq!(shown, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Advance(u64),
    Ask,
    Forget,
    Hold(bool),
    Set(Standing),
    Weather(Weather),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..12_000).prop_map(Step::Advance),
        8 => Just(Step::Ask),
        1 => Just(Step::Forget),
        1 => any::<bool>().prop_map(Step::Hold),
        3 => prop::sample::select(vec![Active, Suspended, Unknown]).prop_map(Step::Set),
        1 => prop::sample::select(vec![
            Weather::Up, Weather::Up, Weather::Down, Weather::Hanging, Weather::Panicking,
        ]).prop_map(Step::Weather),
    ]
}

proptest! {
    /// INVARIANT (cache the identity): whatever happens, an answer was true less than a lifetime ago,
    /// and not before its tenant was last forgotten.
    #[test]
    fn an_answer_was_true_within_the_lifetime(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let now = || bench.clock.monotonic();
            // From when on the tenant stood how.
            let mut history = vec![(Duration::ZERO, Active)];
            let mut forgotten_at = 0;
            for step in steps {
                match step {
                    Step::Advance(by) => {
                        bench.advance(milliseconds(by));
                        tokio::time::advance(milliseconds(by)).await;
                    }
                    Step::Ask => {
                        let Ok(standing) = bench.ask("tenant1").await else { continue };
                        let oldest = now().saturating_sub(seconds(30));
                        let mut ends = history.iter().skip(1).map(|(from, _)| *from).chain([Duration::MAX]);
                        let was_true = history.iter().enumerate().any(|(at, (_, then))| {
                            let end = ends.next().unwrap();
                            *then == standing && end > oldest && at >= forgotten_at
                        });
                        prop_assert!(was_true, "{standing:?} at {:?} of {history:?}", now());
                    }
                    Step::Forget => {
                        bench.forget("tenant1");
                        forgotten_at = history.len() - 1;
                    }
                    Step::Hold(held) => bench.told.hold(held),
                    Step::Set(standing) => {
                        bench.told.set("tenant1", standing);
                        history.push((now(), standing));
                    }
                    Step::Weather(weather) => bench.told.weather(weather),
                }
                settle().await;
                let most = bench.told.flying.lock().unwrap().0;
                prop_assert!(most <= 64, "{most} asks in flight");
            }
            Ok(())
        })?;
    }
}
