//! A source of tenants under load: what a suspension, an outage and made-up tenants do to requests.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenantry::{
    BoxError, IssuerSettings, ResourceServerBuilder, Standing, Tenant, TenantId, TenantSource,
};
use tenantry_testkit::{RuntimeClock, TestIssuer};
use tenantry_tests::{Log, Refusal, Stack};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::Level;

const LIFETIME: Duration = Duration::from_secs(30);
const TENANTS: [&str; 6] = ["tenant1", "tenant2", "tenant3", "tenant4", "tenant5", "tenant6"];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Weather {
    Hanging,
    Up,
}

/// Stands for a table of tenants, which takes a while to read.
struct Table {
    tenants: Mutex<BTreeMap<String, Standing>>,
    weather: Mutex<Weather>,
    /// Compares as many databases do by default.
    folds_case: bool,
    asked: Mutex<BTreeMap<String, usize>>,
    flying: Mutex<(usize, usize)>,
}

impl Table {
    fn new() -> Arc<Self> {
        Arc::new(Self::of(TENANTS))
    }

    fn of<const N: usize>(tenants: [&str; N]) -> Self {
        let tenants = tenants.map(|tenant| (tenant.to_owned(), Standing::Active));
        Self {
            tenants: Mutex::new(tenants.into()),
            weather: Mutex::new(Weather::Up),
            folds_case: false,
            asked: Mutex::default(),
            flying: Mutex::default(),
        }
    }

    fn set(&self, tenant: &str, standing: Standing) {
        self.tenants.lock().unwrap().insert(tenant.into(), standing);
    }

    fn remove(&self, tenant: &str) {
        self.tenants.lock().unwrap().remove(tenant);
    }

    fn weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn asked_for(&self, tenant: &str) -> usize {
        self.asked.lock().unwrap().get(tenant).copied().unwrap_or_default()
    }

    /// The most asks there were at the same time.
    fn most(&self) -> usize {
        self.flying.lock().unwrap().1
    }

    fn find(&self, id: &TenantId) -> Option<Tenant> {
        let tenants = self.tenants.lock().unwrap();
        let same = |kept: &str| match self.folds_case {
            true => kept.eq_ignore_ascii_case(id.as_str()),
            false => kept == id.as_str(),
        };
        let (id, standing) = tenants.iter().find(|(kept, _)| same(kept))?;
        Some(Tenant::new(id, *standing))
    }
}

struct Flying<'a>(&'a Table);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.flying.lock().unwrap().0 -= 1;
    }
}

impl TenantSource for Table {
    async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, BoxError> {
        *self.asked.lock().unwrap().entry(id.to_string()).or_default() += 1;
        let _flying = {
            let mut flying = self.flying.lock().unwrap();
            flying.0 += 1;
            flying.1 = flying.1.max(flying.0);
            Flying(self)
        };
        if *self.weather.lock().unwrap() == Weather::Hanging {
            return std::future::pending().await;
        }
        let found = self.find(id);
        sleep(Duration::from_millis(150)).await;
        Ok(found)
    }
}

/// A stack that lives by the runtime's time, which is virtual.
async fn stack(table: &Arc<Table>) -> Stack {
    Stack::with(|server| lives_by_virtual_time(server).tenant_source(Arc::clone(table))).await
}

fn lives_by_virtual_time(server: ResourceServerBuilder) -> ResourceServerBuilder {
    server.clock(Arc::new(RuntimeClock::new(Duration::from_secs(1_800_000_000))))
}

/// When an answer came, for which tenant, and what it was: `admitted`, or the code of a refusal.
type Seen = (Duration, &'static str, String);

/// Requests over virtual time, and the answers to them.
#[derive(Clone)]
struct Load {
    started: Instant,
    seen: Arc<Mutex<Vec<Seen>>>,
    loops: Arc<Mutex<JoinSet<()>>>,
}

impl Load {
    /// Sends requests of each tenant until `end`, over several connections each.
    fn start(stack: &Stack, tenants: &[&'static str], end: Duration) -> Self {
        let load = Self { started: Instant::now(), seen: Arc::default(), loops: Arc::default() };
        for (at, tenant) in tenants.iter().copied().enumerate() {
            let token = stack.token(tenant).sign();
            for connection in 0..4 {
                let (stack, token, load) = (stack.clone(), token.clone(), load.clone());
                let pause = Duration::from_millis(90 + 7 * connection + at as u64);
                let loops = Arc::clone(&load.loops);
                loops.lock().unwrap().spawn(async move {
                    while load.elapsed() < end {
                        load.request(&stack, tenant, &token).await;
                        sleep(pause).await;
                    }
                });
            }
        }
        load
    }

    async fn request(&self, stack: &Stack, tenant: &'static str, token: &str) {
        let answer = stack.get(&format!("/{tenant}/journal-entries"), token).await;
        let outcome = match answer.status.is_success() {
            true => "admitted".to_owned(),
            false => answer.code(),
        };
        self.seen.lock().unwrap().push((self.elapsed(), tenant, outcome));
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.started + at).await;
    }

    /// Waits for the end, and returns all that was seen.
    async fn end(self) -> Vec<Seen> {
        let mut loops = std::mem::take(&mut *self.loops.lock().unwrap());
        while let Some(ended) = loops.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_suspended_or_removed_is_served_no_longer_than_the_lifetime() {
    type Change = fn(&Table);
    let changes: [(Change, &str); 2] = [
        (|table| table.set("tenant1", Standing::Suspended), "tenant_suspended"),
        (|table| table.remove("tenant1"), "tenant_unknown"),
    ];
    for (change, code) in changes {
        // Early, and late in the life of the answer.
        for at in [seconds(3), seconds(23), seconds(26)] {
            let table = Table::new();
            let stack = stack(&table).await;
            let load = Load::start(&stack, &TENANTS, seconds(70));
            load.until(at).await;
            change(&table);
            let seen = load.end().await;

            let last = seen
                .iter()
                .rfind(|(_, tenant, outcome)| *tenant == "tenant1" && outcome == "admitted");
            let (last, ..) = last.unwrap();
            assert!(*last >= at && *last < at + LIFETIME, "{code}: served at {last:?}");
            let refused = seen.iter().filter(|(_, _, outcome)| outcome != "admitted");
            let mut count = 0;
            for (when, tenant, outcome) in refused {
                assert_eq!((*tenant, outcome.as_str()), ("tenant1", code), "at {when:?}");
                count += 1;
            }
            assert!(count > 500, "{code}: {count} refusals");
            assert_eq!(stack.handler_calls(), seen.len() - count);
            for tenant in TENANTS {
                let asked = table.asked_for(tenant);
                assert!((3..=4).contains(&asked), "{tenant} was asked for {asked} times in 70 s");
            }
            assert!(table.most() <= TENANTS.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_forgotten_is_refused_at_once() {
    let table = Table::new();
    let stack = stack(&table).await;
    let load = Load::start(&stack, &TENANTS, seconds(10));
    load.until(seconds(5)).await;
    table.set("tenant1", Standing::Suspended);
    stack.server.forget_tenant(&"tenant1".parse().unwrap());
    let seen = load.end().await;
    for (when, tenant, outcome) in seen {
        let suspended = tenant == "tenant1" && when > seconds(5);
        let expected = if suspended { "tenant_suspended" } else { "admitted" };
        assert_eq!(outcome, expected, "{tenant} at {when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_refuses_no_known_tenant_before_the_lifetime_ends_and_heals() {
    let table = Table::new();
    let stack = stack(&table).await;
    let known = Load::start(&stack, &TENANTS[..5], seconds(80));
    known.until(seconds(20)).await;
    table.weather(Weather::Hanging);
    let stranger = Load::start(&stack, &TENANTS[5..], seconds(60));
    known.until(seconds(45)).await;
    table.weather(Weather::Up);

    let (known, stranger) = (known.end().await, stranger.end().await);
    let all = known.iter().chain(&stranger);
    let admitted = all.filter(|(_, _, outcome)| outcome == "admitted").count();
    assert_eq!(stack.handler_calls(), admitted);
    for (when, tenant, outcome) in known {
        // Asked for in the first moment. After the outage a pause may be left, and an ask takes 2 s.
        match when.as_secs_f64() {
            ..30.0 | 56.0.. => assert_eq!(outcome, "admitted", "{tenant} at {when:?}"),
            32.0..45.0 => assert_eq!(outcome, "directory_unavailable", "{tenant} at {when:?}"),
            _ => assert!(["admitted", "directory_unavailable"].contains(&&*outcome)),
        }
    }
    for (when, _, outcome) in stranger {
        match when.as_secs_f64() {
            ..25.0 => assert_eq!(outcome, "directory_unavailable", "at {when:?}"),
            36.0.. => assert_eq!(outcome, "admitted", "at {when:?}"),
            _ => {}
        }
    }
    // In 25 s of outage, with pauses of up to 8 s.
    let asked = table.asked_for("tenant6");
    assert!((4..=12).contains(&asked), "{asked} asks");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_an_outage_is_503_and_says_when_to_come_back() {
    let table = Table::new();
    let stack = stack(&table).await;
    table.weather(Weather::Hanging);
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        let answer = stack.get("/tenant1/journal-entries", &token).await;
        answer.assert_refused(&Refusal::unavailable("directory_unavailable", "1"));
    }
    assert_eq!(table.asked_for("tenant1"), 1);
    table.weather(Weather::Up);
    sleep(seconds(1)).await;
    stack.get("/tenant1/journal-entries", &token).await.assert_admitted("tenant1");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_compares_without_case_is_found_out() {
    let table = Arc::new(Table { folds_case: true, ..Table::of(["tenant1"]) });
    let stack = stack(&table).await;
    let log = Log::start();
    let misnamed = || {
        let events = log.events().into_iter();
        let events = events.filter(|event| {
            event.level == Level::ERROR
                && event.field("message").is_some_and(|text| text.contains("another tenant"))
        });
        events.count()
    };
    let unknown = Refusal::insufficient_scope(
        "tenant_unknown",
        "the tenant of the access token is not known here",
    );
    for other in ["Tenant1", "TENANT1", "tenanT1"] {
        let token = stack.token(other).sign();
        let answer = stack.get(&format!("/{other}/journal-entries"), &token).await;
        answer.assert_refused(&unknown);
        let token = stack.token("tenant1").sign();
        stack.get("/tenant1/journal-entries", &token).await.assert_admitted("tenant1");
    }
    assert_eq!(misnamed(), 1, "one event for all within 10 s");
    sleep(LIFETIME).await;
    let token = stack.token("Tenant1").sign();
    stack.get("/Tenant1/journal-entries", &token).await.assert_refused(&unknown);
    assert_eq!(misnamed(), 1);
}

/// Anybody can name a tenant in the `iss` of a token that nobody has signed.
#[tokio::test(start_paused = true)]
async fn made_up_tenants_of_an_issuer_pattern_are_bounded_and_refuse_no_known_one() {
    let clock = Stack::clock();
    let issuer =
        TestIssuer::builder().clock(Arc::new(clock.clone())).keys_per_tenant(TENANTS).offline();
    let named = IssuerSettings::new(format!("{}/{{tenant}}", issuer.url()))
        .jwks_uri(issuer.jwks_uri_of("{tenant}"));
    let table = Table::new();
    let stack = Stack::of(issuer, clock, |server| {
        lives_by_virtual_time(server)
            .issuer(named)
            .tenant_source(Arc::clone(&table))
            .directory_asks_in_flight(16)
            .directory_unknown_capacity(64)
    })
    .await;
    for tenant in TENANTS {
        let uri = stack.issuer.jwks_uri_of(tenant);
        stack.network.publish(uri, &stack.issuer.jwks_of(tenant));
        let token = stack.token(tenant).sign();
        stack.get(&format!("/{tenant}/journal-entries"), &token).await.assert_admitted(tenant);
    }
    let load = Load::start(&stack, &TENANTS, seconds(70));
    let forger = TestIssuer::builder().clock(Arc::new(Stack::clock())).offline();
    let mut number = 0;
    let mut codes = BTreeMap::<String, usize>::new();
    while load.elapsed() < seconds(70) {
        let mut flood = JoinSet::new();
        for _ in 0..40 {
            number += 1;
            let iss = format!("{}/made-up-{number}", stack.issuer.url());
            let token = forger.token().tenant("tenant1").claim("iss", iss).sign();
            let stack = stack.clone();
            flood.spawn(async move { stack.get("/tenant1/journal-entries", &token).await.code() });
        }
        for code in flood.join_all().await {
            *codes.entry(code).or_default() += 1;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(number > 5000, "{number}");
    let codes: Vec<_> = codes.keys().map(String::as_str).collect();
    assert_eq!(codes, ["directory_unavailable", "issuer_unknown"]);
    assert!(table.most() <= 16 + TENANTS.len(), "{} asks", table.most());
    let seen = load.end().await;
    assert_eq!(stack.handler_calls(), TENANTS.len() + seen.len());
    for (_, tenant, outcome) in seen {
        assert_eq!(outcome, "admitted", "{tenant}");
    }
    for tenant in TENANTS {
        let asked = table.asked_for(tenant);
        assert!((3..=4).contains(&asked), "{tenant} was asked for {asked} times in 70 s");
    }
    let fetched = stack.network.fetched();
    assert!(!fetched.iter().any(|url| url.contains("made-up")), "{fetched:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_the_settings_were_replaced_is_forgotten_too() {
    let table = Table::new();
    let stack = stack(&table).await;
    let token = stack.token("tenant1").sign();
    let request = tokio::spawn({
        let (stack, token) = (stack.clone(), token.clone());
        async move { stack.get("/tenant1/whoami", &token).await }
    });
    sleep(Duration::from_millis(50)).await;
    assert_eq!(table.asked_for("tenant1"), 1);

    let keys = tenantry::KeyLocation::Jwks(stack.issuer.jwks().to_string().into());
    let issuer = IssuerSettings::new(stack.issuer.url()).keys(keys);
    let settings = Stack::builder(&stack.clock, &stack.network).issuer(issuer);
    stack.server.replace(settings.tenant_source(Arc::clone(&table))).await.unwrap();
    table.set("tenant1", Standing::Suspended);
    stack.server.forget_tenant(&"tenant1".parse().unwrap());

    let suspended = Refusal::insufficient_scope(
        "tenant_suspended",
        "the tenant of the access token is suspended",
    );
    request.await.unwrap().assert_refused(&suspended);
}
