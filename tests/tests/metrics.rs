//! What is counted, by which labels, and that `docs/metrics.md` says so.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tenantry::{
    BoxError, BoxFuture, Directory, FetchError, FetchRequest, FetchResponse, IssuerSettings,
    Reason, Rejection, RequireScopeLayer, RequiredScope, ScopeNeed, Scoped, Standing,
    StaticDirectory, Tenant, TenantId, TenantPrincipal, Transport,
};
use tenantry_testkit::{ManualClock, TestIssuer};
use tenantry_tests::{Log, Network, Stack, get};

const PAGE: &str = include_str!("../../docs/metrics.md");
const PATH: &str = "/tenant1/journal-entries";
const ISSUER: &str = "https://auth.erp.example";

/// A counter's value by its labels, or how often a histogram was used.
type Series = BTreeMap<String, u64>;

/// One figure.
struct Figure {
    name: String,
    kind: &'static str,
    labels: Vec<(String, String)>,
    value: DebugValue,
}

/// All that was recorded since the last time.
fn recorded(figures: &Snapshotter) -> Vec<Figure> {
    let figures = figures.snapshot().into_vec().into_iter();
    let figures = figures.map(|(key, _, _, value)| {
        let kind = match value {
            DebugValue::Counter(_) => "counter",
            DebugValue::Gauge(_) => "gauge",
            DebugValue::Histogram(_) => "histogram",
        };
        let labels = key.key().labels();
        let labels = labels.map(|label| (label.key().into(), label.value().into())).collect();
        Figure { name: key.key().name().into(), kind, labels, value }
    });
    figures.collect()
}

/// The series of one name that changed since the last time any were asked for.
fn series(figures: &Snapshotter, name: &str) -> Series {
    all_series(figures).remove(name).unwrap_or_default()
}

fn all_series(figures: &Snapshotter) -> BTreeMap<String, Series> {
    let mut all = BTreeMap::<String, Series>::new();
    for Figure { name, labels, value, .. } in recorded(figures) {
        let count = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Gauge(_) => continue,
            DebugValue::Histogram(values) => values.len() as u64,
        };
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if count > 0 {
            all.entry(name).or_default().insert(labels.join(" "), count);
        }
    }
    all
}

fn counted<const N: usize>(series: [(&str, u64); N]) -> Series {
    series.map(|(labels, count)| (labels.into(), count)).into()
}

struct Book;

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(&["finance.write"]);
}

/// Routes that refuse after the extractor, which lets requests without credentials through.
fn late(stack: &Stack) -> Stack {
    stack.behind(|server, calls| {
        let layer = RequireScopeLayer::all(["finance.write"]);
        let (one, two) = (calls.clone(), calls.clone());
        Router::new()
            .route("/{tenant}/scoped", on_get(async move |_: Scoped<Book>| one.hit()))
            .route("/{tenant}/principal", on_get(async move |_: TenantPrincipal| two.hit()))
            .route("/{tenant}/layer", calls.route().layer(layer))
            .route("/{tenant}/open", calls.route())
            .layer(server.layer().optional())
    })
}

#[tokio::test]
async fn a_request_is_counted_once_whether_its_token_is_remembered_or_not() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for _ in 0..3 {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
    assert_eq!(
        all_series(&figures),
        BTreeMap::from([
            (
                "tenantry_requests_total".into(),
                counted([(&*format!("outcome=admitted reason= issuer={ISSUER}"), 3)])
            ),
            // Two came from memory.
            ("tenantry_verification_seconds".into(), counted([(&*format!("issuer={ISSUER}"), 1)])),
        ])
    );
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_reason_and_the_issuer_of_the_policy() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let directory = StaticDirectory::new([
        ("tenant1".parse().unwrap(), Standing::Active),
        ("tenant3".parse().unwrap(), Standing::Suspended),
    ]);
    let stack = Stack::with(|server| server.directory(Arc::new(directory.unwrap()))).await;
    let right = stack.token("tenant1").sign();
    let stranger = TestIssuer::offline("https://stranger.example");
    let forger = TestIssuer::offline(ISSUER);
    for (path, token, reason, issuer) in [
        (PATH, None, "credentials_missing", ""),
        (PATH, Some("x".into()), "token_malformed", ""),
        (PATH, Some("a,b".into()), "credentials_malformed", ""),
        ("/tenant1//x", Some(right.clone()), "path_ambiguous", ""),
        (PATH, Some(stranger.token().tenant("tenant1").sign()), "issuer_unknown", ""),
        (PATH, Some(forger.token().tenant("tenant1").sign()), "signature_invalid", ISSUER),
        ("/tenant2/whoami", Some(right), "tenant_mismatch.path", ISSUER),
        ("/tenant3/whoami", Some(stack.token("tenant3").sign()), "tenant_suspended", ISSUER),
        ("/tenant4/whoami", Some(stack.token("tenant4").sign()), "tenant_unknown", ISSUER),
        (
            "/tenant1/whoami",
            Some(stack.token("tenant1").audience("https://api.erp.example/tenant2").sign()),
            "token_conflict.audience",
            ISSUER,
        ),
    ] {
        for _ in 0..2 {
            let answer = match &token {
                Some(token) => stack.get(path, token).await,
                None => stack.send(get(path)).await,
            };
            assert_eq!(answer.code(), reason);
        }
        let mut all = all_series(&figures);
        let labels = format!("reason={reason} issuer={issuer}");
        let refusals = all.remove("tenantry_refusals_total").unwrap();
        assert_eq!(refusals, counted([(&*labels, 2)]));
        let requests = all.remove("tenantry_requests_total").unwrap();
        assert_eq!(requests, counted([(&*format!("outcome=refused {labels}"), 2)]));
    }
}

#[tokio::test]
async fn what_is_refused_after_the_extractor_is_a_refusal_and_no_second_request() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let stack = late(&Stack::usual().await);
    let poor = stack.issuer.token().tenant("tenant1").scope("tenant1.nothing").sign();
    let admitted = format!("outcome=admitted reason= issuer={ISSUER}");
    let missing = format!("reason=scope_missing issuer={ISSUER}");
    for path in ["/tenant1/scoped", "/tenant1/layer"] {
        assert_eq!(stack.get(path, &poor).await.code(), "scope_missing");
        let all = all_series(&figures);
        assert_eq!(all["tenantry_requests_total"], counted([(&admitted, 1)]), "{path}");
        assert_eq!(all["tenantry_refusals_total"], counted([(&missing, 1)]), "{path}");
    }
    let anonymous = "outcome=anonymous reason= issuer=";
    for path in ["/tenant1/scoped", "/tenant1/principal", "/tenant1/layer"] {
        assert_eq!(stack.send(get(path)).await.code(), "credentials_missing");
        let all = all_series(&figures);
        assert_eq!(all["tenantry_requests_total"], counted([(anonymous, 1)]), "{path}");
        let refused = counted([("reason=credentials_missing issuer=", 1)]);
        assert_eq!(all["tenantry_refusals_total"], refused, "{path}");
    }
    assert_eq!(stack.send(get("/tenant1/open")).await.status, 200);
    let all = all_series(&figures);
    assert_eq!(all["tenantry_requests_total"], counted([(anonymous, 1)]));
    assert_eq!(all.get("tenantry_refusals_total"), None);
}

#[tokio::test]
async fn an_issuer_pattern_is_one_label_for_all_its_tenants() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let (clock, network) = (Stack::clock(), Network::default());
    let known = ["tenant1", "tenant2"].map(|id| (id.parse().unwrap(), Standing::Active));
    let issuer = |tenant: &str| {
        let url = format!("https://login.example/{tenant}");
        let issuer = TestIssuer::builder().clock(Arc::new(clock.clone())).url(&url).offline();
        network.publish(issuer.jwks_uri(), &issuer.jwks());
        issuer
    };
    let issuers = ["tenant1", "tenant2", "tenant3"].map(issuer);
    let uri = issuers[0].jwks_uri().replace("tenant1", "{tenant}");
    let server = Stack::builder(&clock, &network)
        .issuer(IssuerSettings::new("https://login.example/{tenant}").jwks_uri(uri))
        .directory(Arc::new(StaticDirectory::new(known).unwrap()));
    let stack = Stack::around(server, issuers[0].clone(), clock.clone(), network.clone()).await;
    for (issuer, tenant) in issuers.iter().zip(["tenant1", "tenant2", "tenant3"]) {
        let token = issuer.token().tenant(tenant).sign();
        let _ = stack.get(&format!("/{tenant}/whoami"), &token).await;
    }
    let all = all_series(&figures);
    let pattern = "issuer=https://login.example/{tenant}";
    let verified = counted([(pattern, 3)]);
    assert_eq!(all["tenantry_verification_seconds"], verified);
    let admitted = format!("outcome=admitted reason= {pattern}");
    let refused = format!("outcome=refused reason=issuer_unknown {pattern}");
    let requests = counted([(&*admitted, 2), (&*refused, 1)]);
    assert_eq!(all["tenantry_requests_total"], requests);

    // Also where the directory has the last word.
    let server = Stack::builder(&clock, &network)
        .issuer(IssuerSettings::new("https://login.example/{tenant}"))
        .directory(Arc::new(Unreachable));
    let stack = Stack::around(server, issuers[0].clone(), clock, network).await;
    let token = issuers[0].token().tenant("tenant1").sign();
    let _ = stack.get("/tenant1/whoami", &token).await;
    let refused = format!("outcome=refused reason=directory_unavailable {pattern}");
    assert_eq!(series(&figures, "tenantry_requests_total"), counted([(&*refused, 1)]));
}

#[derive(Debug)]
struct Unreachable;

impl Directory for Unreachable {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        None
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        let rejection = Rejection::new(Reason::DirectoryUnavailable);
        Box::pin(std::future::ready(Err(rejection)))
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn scopes_of_other_tenants_are_counted_and_traced_when_a_token_is_verified() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let log = Log::start();
    let stack = Stack::usual().await;
    let scope = "tenant1.journal.read tenant2.journal.read openid tenant3.finance.write";
    let token = stack.issuer.token().tenant("tenant1").scope(scope).sign();
    for foreign in [Some(2), None] {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        let expected = foreign.map(|count| (format!("issuer={ISSUER}"), count));
        let shown = series(&figures, "tenantry_foreign_scopes_total");
        assert_eq!(shown, expected.into_iter().collect());
        let message = Some("scopes of other tenants ignored");
        let events: Vec<_> =
            log.events().into_iter().filter(|event| event.field("message") == message).collect();
        assert_eq!(events.len(), usize::from(foreign.is_some()));
        for event in events {
            let fields: Vec<_> = event.fields.iter().map(|(k, v)| (&**k, &**v)).collect();
            let expected = [
                ("count", "2"),
                ("issuer", ISSUER),
                ("message", "scopes of other tenants ignored"),
                ("tenant", "tenant1"),
            ];
            assert_eq!(fields, expected);
        }
    }
    // Its own, and what is nobody's, is not news.
    let own = stack.issuer.token().tenant("tenant1").scope("tenant1.journal.read openid").sign();
    stack.get(PATH, &own).await.assert_admitted("tenant1");
    assert!(!log.events().iter().any(|event| event.fields.contains_key("count")));
    // A request that is refused has ignored nothing.
    let other = stack.issuer.token().tenant("tenant1").scope("tenant2.journal.read").sign();
    let _ = stack.get("/tenant2/whoami", &other).await;
    assert_eq!(series(&figures, "tenantry_foreign_scopes_total"), Series::new());
}

/// A network on which every answer takes its time.
#[derive(Clone, Debug)]
struct Slow(Network, ManualClock);

impl Transport for Slow {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        self.1.advance(Duration::from_millis(1500));
        self.0.get(request)
    }
}

#[tokio::test]
async fn a_verification_takes_as_long_as_the_clock_that_was_passed_in_says() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let (clock, network) = (Stack::clock(), Network::default());
    let issuer = Stack::issuer(&clock);
    network.publish(issuer.jwks_uri(), &issuer.jwks());
    let server = Stack::builder(&clock, &network)
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri()))
        .transport(Arc::new(Slow(network.clone(), clock.clone())));
    let stack = Stack::around(server, issuer, clock, network).await;
    let took = || -> Vec<f64> {
        let all = recorded(&figures).into_iter();
        let values = all.filter_map(|Figure { name, value, .. }| match value {
            DebugValue::Histogram(values) if name == "tenantry_verification_seconds" => {
                Some(values.into_iter().map(|value| value.into_inner()))
            }
            _ => None,
        });
        values.flatten().collect()
    };
    // Its keys are on their way, or still to be asked for; the next needs none.
    let [one, two] = ["one", "two"].map(|subject| stack.token("tenant1").subject(subject).sign());
    stack.get(PATH, &one).await.assert_admitted("tenant1");
    assert_eq!(took(), [1.5]);
    stack.get(PATH, &two).await.assert_admitted("tenant1");
    assert_eq!(took(), [0.0]);
    stack.get(PATH, &two).await.assert_admitted("tenant1");
    assert!(took().is_empty());
}

#[tokio::test]
async fn tenants_have_labels_only_when_asked_for_and_only_the_first() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let figures = recorder.snapshotter();
    let stack = Stack::with(|server| server.tenant_metrics(2)).await;
    let again = stack.behind(|server, calls| {
        Router::new().route("/{tenant}/whoami", calls.route()).layer(server.layer())
    });
    let ask = async |stack: &Stack, path: &str, tenant: &str| {
        let token = stack.token(tenant).sign();
        let _ = stack.get(&format!("/{path}/whoami"), &token).await;
        let series = series(&figures, "tenantry_requests_total");
        let labels: Vec<_> = series.keys().cloned().collect();
        let [labels] = labels.as_slice() else { panic!("{series:?}") };
        labels.split_once(&format!("issuer={ISSUER}")).unwrap().1.trim().to_owned()
    };
    // A refused request gets no label for its tenant, and takes none.
    assert_eq!(ask(&stack, "tenant9", "tenant8").await, "tenant=_other");
    for _ in 0..2 {
        assert_eq!(ask(&stack, "tenant1", "tenant1").await, "tenant=tenant1");
        assert_eq!(ask(&stack, "tenant2", "tenant2").await, "tenant=tenant2");
        for tenant in ["tenant3", "tenant4", "other"] {
            assert_eq!(ask(&stack, tenant, tenant).await, "tenant=_other");
        }
        // Another layer of the same server shares the bound.
        assert_eq!(ask(&again, "tenant2", "tenant2").await, "tenant=tenant2");
        assert_eq!(ask(&again, "tenant5", "tenant5").await, "tenant=_other");
    }
    // One that has its label keeps it where it is refused.
    assert_eq!(ask(&stack, "tenant9", "tenant1").await, "tenant=tenant1");
    stack.send(get(PATH)).await;
    let refused = counted([("outcome=refused reason=credentials_missing issuer= tenant=", 1)]);
    assert_eq!(series(&figures, "tenantry_requests_total"), refused);
}

/// Counts how often a series is asked for.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Recorder for Asked {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        self.0.fetch_add(1, Ordering::Relaxed);
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.0.fetch_add(1, Ordering::Relaxed);
        Histogram::noop()
    }
}

#[tokio::test]
async fn the_usual_request_asks_for_no_series() {
    let asked = Asked::default();
    let _guard = set_default_local_recorder(&asked);
    let tenants = ["tenant1", "tenant2", "tenant3"];
    for max in [None, Some(2)] {
        let stack = late(
            &Stack::with(|server| match max {
                None => server,
                Some(max) => server.tenant_metrics(max),
            })
            .await,
        );
        let tokens = tenants.map(|tenant| (tenant, stack.token(tenant).sign()));
        let round = async || {
            for (tenant, token) in &tokens {
                assert_eq!(stack.get(&format!("/{tenant}/open"), token).await.status, 200);
            }
            assert_eq!(stack.send(get("/tenant1/open")).await.status, 200);
        };
        round().await;
        let before = asked.0.load(Ordering::Relaxed);
        assert!(before > 0);
        for _ in 0..10 {
            round().await;
        }
        assert_eq!(asked.0.load(Ordering::Relaxed), before, "{max:?}");
    }
}

/// The table of the page: name, type and labels.
fn table() -> BTreeSet<(String, String, BTreeSet<String>)> {
    let quoted = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(Into::into).collect()
    };
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = quoted(cells[1]).into_iter().next().unwrap();
        (name, cells[2].to_owned(), quoted(cells[3]))
    });
    rows.collect()
}

/// Lets every crate record all that it can.
async fn everything(figures: &Snapshotter) -> BTreeSet<(String, String, BTreeSet<String>)> {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let settings = IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri());
    let source = async |id: TenantId| match id.as_str() {
        "tenant1" => Ok(Some(Tenant::new("tenant1", Standing::Active))),
        _ => Err(BoxError::from("the source knows one tenant only")),
    };
    let stack = Stack::of(issuer, clock, |server| {
        server.issuer(settings).tenant_metrics(1).tenant_source(source)
    })
    .await;
    let token = stack.token("tenant1").scope("tenant1.journal.read tenant2.journal.read").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    stack.send(get(PATH)).await;
    // The source fails, and is not asked again at once.
    let other = stack.token("tenant2").sign();
    for _ in 0..2 {
        assert_eq!(stack.get("/tenant2/journal-entries", &other).await.status, 503);
    }
    stack.network.fail();
    stack.clock.advance(Duration::from_secs(700));
    let _ = stack.server.readiness();
    let unknown = stack.token("tenant1").header("kid", "none-such").sign();
    for _ in 0..3 {
        assert_eq!(stack.get(PATH, &unknown).await.status, 503);
    }
    let _ = stack.server.readiness();
    let all = recorded(figures).into_iter();
    let all = all.map(|Figure { name, kind, labels, .. }| {
        (name, kind.to_owned(), labels.into_iter().map(|(key, _)| key).collect())
    });
    all.collect()
}

#[tokio::test]
async fn the_page_lists_what_is_recorded_and_nothing_else() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let recorded = everything(&recorder.snapshotter()).await;
    // Here no authorization server runs.
    let listed = table().into_iter().filter(|(name, ..)| !name.starts_with("tenantry_issuer_"));
    assert_eq!(recorded, listed.collect());
}

#[test]
fn the_page_has_every_name_in_the_sources() {
    let mut found = BTreeSet::new();
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let mut folders = vec![std::path::PathBuf::from(crates)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let names = text.split('"').filter(|text| {
                    text.starts_with("tenantry_")
                        && (text.ends_with("_total") || text.ends_with("_seconds"))
                });
                found.extend(names.map(str::to_owned));
            }
        }
    }
    let listed: BTreeSet<_> = table().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(found, listed);
}
