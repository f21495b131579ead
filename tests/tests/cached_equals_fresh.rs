//! INVARIANT (cache the identity, not the decision): for any sequence of tokens, rotations,
//! suspensions, revocations, reloads, outages and steps of the clock, the answer that a remembered token gets is
//! the answer that it would get if it were verified anew.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tenantry::{
    Algorithm, BoxFuture, ClientId, Clock, Directory, Issuer, IssuerSettings, KeySettings, Policy,
    Rejection, Revocations, Standing, TenantExtractorLayer, TenantId, TenantPrincipal, Verifier,
};
use tenantry_jwks::KeyStore;
use tenantry_jwt::JwtVerifier;
use tenantry_testkit::{ManualClock, TestIssuer};
use tenantry_tests::{Network, Stack, bearer};
use tenantry_tower::LivePolicy;
use tower::ServiceExt;

const TENANTS: [&str; 3] = ["tenant1", "tenant2", "tenant3"];
const ISSUERS: [&str; 2] = ["https://one.example", "https://two.example"];

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A token is issued: by which issuer, for whom, good for how many seconds, with which algorithm.
    Issue(usize, usize, i64, bool),
    /// A request with one of the tokens, for its tenant or, sometimes, for another.
    Send(usize, Option<usize>),
    /// Time goes by.
    Wait(u64),
    /// The system's clock is set.
    SetClock(i64),
    /// An issuer withdraws its keys and publishes others.
    Rotate(usize),
    /// The network goes down or comes back.
    Network(bool),
    /// A tenant's standing changes.
    Stand(usize, Standing),
    /// What a token speaks for is revoked: the token, its client, or its tenant.
    Revoke(usize, Revoked),
    /// A policy comes into force.
    Reload(usize),
}

#[derive(Clone, Copy, Debug)]
enum Revoked {
    Client,
    Tenant,
    Token,
}

fn step() -> impl Strategy<Value = Step> {
    let tenant = || 0..TENANTS.len();
    let issuer = || 0..ISSUERS.len();
    let standing =
        prop::sample::select(vec![Standing::Active, Standing::Suspended, Standing::Unknown]);
    prop_oneof![
        3 => (prop::bool::weighted(0.1), tenant(), 1..10_000_i64, any::<bool>()).prop_map(
            |(wrong, tenant, lifetime, es256)| {
                // The last tenant is the second issuer's.
                let by = usize::from(tenant == TENANTS.len() - 1) ^ usize::from(wrong);
                Step::Issue(by, tenant, lifetime, es256)
            },
        ),
        12 => (0..1000_usize, prop::option::weighted(0.1, tenant()))
            .prop_map(|(token, other)| Step::Send(token, other)),
        3 => prop_oneof![3 => 1..40_u64, 2 => 40..700_u64, 1 => 700..8000_u64].prop_map(Step::Wait),
        1 => (-200..200_i64).prop_map(Step::SetClock),
        1 => issuer().prop_map(Step::Rotate),
        1 => any::<bool>().prop_map(Step::Network),
        1 => (tenant(), standing).prop_map(|(tenant, standing)| Step::Stand(tenant, standing)),
        1 => (0..1000_usize, prop::sample::select(vec![Revoked::Client, Revoked::Tenant, Revoked::Token]))
            .prop_map(|(token, what)| Step::Revoke(token, what)),
        1 => (0..POLICIES).prop_map(Step::Reload),
    ]
}

const POLICIES: usize = 6;

/// The policies that come into force. The first is the usual one.
fn policy(which: usize, revocations: &Revocations) -> Policy {
    let issuer = |at: usize| {
        let tenants: &[&str] = match (at, which) {
            (0, 1) => &TENANTS[..1],
            (0, _) => &TENANTS[..2],
            _ => &TENANTS[2..],
        };
        let algorithms: &[Algorithm] = match which {
            2 => &[Algorithm::EdDsa],
            _ => &[Algorithm::Es256, Algorithm::EdDsa],
        };
        IssuerSettings::new(ISSUERS[at])
            .jwks_uri(format!("{}/jwks.json", ISSUERS[at]))
            .tenants(tenants.iter().copied())
            .algorithms(algorithms.iter().copied())
    };
    let mut policy = Policy::builder()
        .revocations(revocations.clone())
        .audience(match which {
            3 => "https://other.example/{tenant}",
            _ => "https://api.erp.example/{tenant}",
        })
        .clock_skew(Duration::from_secs(if which == 4 { 0 } else { 30 }))
        .tenant_path("/{tenant}/{*rest}")
        .issuer(issuer(0));
    if which != 5 {
        policy = policy.issuer(issuer(1));
    }
    policy.build().expect("the policies of the test hold")
}

/// A token that was issued.
struct Token {
    text: String,
    issuer: usize,
    tenant: usize,
    number: usize,
}

/// A service that remembers tokens, and one that does not: same policy, keys, directory and clock.
struct World {
    clock: ManualClock,
    network: Network,
    issuers: Vec<TestIssuer>,
    directory: Arc<Tenants>,
    revocations: Revocations,
    verifier: Arc<JwtVerifier>,
    live: [LivePolicy; 2],
    services: [Router; 2],
    tokens: Vec<Token>,
}

impl World {
    fn new() -> Self {
        let clock = Stack::clock();
        let network = Network::default();
        let issuers: Vec<_> = ISSUERS
            .iter()
            .map(|url| {
                let issuer = TestIssuer::builder()
                    .url(*url)
                    .algorithms([Algorithm::Es256, Algorithm::EdDsa])
                    .clock(Arc::new(clock.clone()))
                    .offline();
                network.publish(format!("{url}/jwks.json"), &issuer.jwks());
                issuer
            })
            .collect();
        let directory = Arc::new(Tenants::default());
        let time = Arc::new(clock.clone());
        let transport = Arc::new(network.clone());
        let revocations = Revocations::new(time.clone());
        let keys = KeyStore::new(KeySettings::default(), transport, time.clone());
        let rules = policy(0, &revocations);
        let verifier = JwtVerifier::builder(rules, keys, directory.clone(), time);
        let verifier = Arc::new(verifier.build().unwrap());
        let live = both(&verifier, &directory).map(|verifier| {
            LivePolicy::new(verifier.policy().clone(), verifier, directory.clone())
        });
        let services = live.clone().map(|live| service(TenantExtractorLayer::live(live)));
        let tokens = Vec::new();
        Self { clock, network, issuers, directory, revocations, verifier, live, services, tokens }
    }

    fn reload(&mut self, which: usize) {
        let next =
            self.verifier.successor(policy(which, &self.revocations), self.directory.clone());
        self.verifier = Arc::new(next.build().unwrap());
        for (live, verifier) in self.live.iter().zip(both(&self.verifier, &self.directory)) {
            live.replace(verifier.policy().clone(), verifier, self.directory.clone());
        }
    }

    fn publish(&self, issuer: usize) {
        let url = format!("{}/jwks.json", ISSUERS[issuer]);
        self.network.publish(url, &self.issuers[issuer].jwks());
    }

    /// Revokes what a token speaks for; later tokens of the same client and tenant are good.
    fn revoke(&self, token: usize, what: Revoked) {
        let Some(token) = self.tokens.get(token % self.tokens.len().max(1)) else {
            return;
        };
        let issuer = Issuer::new(ISSUERS[token.issuer]);
        let tenant: TenantId = TENANTS[token.tenant].parse().unwrap();
        let client = ClientId::new(format!("client-{}", token.number % 3));
        let keep = Duration::from_secs(3000);
        let revoked = match what {
            Revoked::Client => self.revocations.revoke_client(&issuer, &tenant, &client, keep),
            Revoked::Tenant => self.revocations.revoke_tenant(&tenant, keep),
            Revoked::Token => self.revocations.revoke_token(
                &issuer,
                &format!("token-{}", token.number),
                Clock::unix(&self.clock) + keep,
            ),
        };
        revoked.unwrap();
    }

    /// What each service answers, if the one that remembers does remember this token.
    async fn ask(&self, token: usize, other: Option<usize>) -> Option<[Answer; 2]> {
        let Token { text, tenant, .. } = self.tokens.get(token % self.tokens.len().max(1))?;
        // Whatever is due is done first, so that both are asked in the same state of the world.
        for (_, keys) in self.verifier.keys().pinned() {
            let _ = keys.epoch();
        }
        settle().await;
        let remembered = self.verifier.cached(text).is_some();
        let path = format!("/{}/entries", TENANTS[other.unwrap_or(*tenant)]);
        let mut answers = Vec::new();
        for service in &self.services {
            let request = Request::get(&path).body(Body::empty()).unwrap();
            let answer = service.clone().oneshot(bearer(request, text)).await.unwrap();
            answers.push(Answer::read(answer).await);
        }
        remembered.then(|| answers.try_into().unwrap())
    }
}

/// The verifier, and one with the same keys that remembers nothing.
fn both(verifier: &Arc<JwtVerifier>, directory: &Arc<Tenants>) -> [Arc<JwtVerifier>; 2] {
    let forgetful = verifier.successor(verifier.policy().clone(), directory.clone());
    let forgetful = forgetful.with_cache_bytes(0).build().unwrap();
    [Arc::clone(verifier), Arc::new(forgetful)]
}

fn service(layer: TenantExtractorLayer) -> Router {
    let handler = get(async |principal: TenantPrincipal| principal.tenant().to_string());
    Router::new().route("/{tenant}/entries", handler).layer(layer.uri_is_whole())
}

/// Lets what was started in the background end.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    body: String,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
        let challenge = parts.headers.get("www-authenticate");
        Self {
            status: parts.status,
            challenge: challenge.map(|value| value.to_str().unwrap().into()),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

/// Knows the tenants; all are active until something else is said.
#[derive(Debug, Default)]
struct Tenants(Mutex<HashMap<String, Standing>>);

impl Directory for Tenants {
    fn cached(&self, tenant: &TenantId) -> Option<Standing> {
        Some(*self.0.lock().unwrap().get(tenant.as_str()).unwrap_or(&Standing::Active))
    }

    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        Box::pin(async move { Ok(self.cached(&tenant).expect("it is at hand")) })
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}

/// How often the two were compared, and how the answers were spread.
#[derive(Debug, Default)]
struct Tally {
    admitted: Cell<usize>,
    refused: Cell<usize>,
}

impl Tally {
    fn count(&self, answer: &Answer) {
        let count = match answer.status {
            StatusCode::OK => &self.admitted,
            _ => &self.refused,
        };
        count.set(count.get() + 1);
    }
}

async fn play(steps: Vec<Step>, tally: &Tally) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for step in steps {
        match step {
            Step::Issue(by, tenant, lifetime, es256) => {
                let algorithm = if es256 { Algorithm::Es256 } else { Algorithm::EdDsa };
                let token = world.issuers[by].token().tenant(TENANTS[tenant]);
                let number = world.tokens.len();
                let token = token
                    .algorithm(algorithm)
                    .expires_in(lifetime)
                    .client_id(format!("client-{}", number % 3))
                    .claim("jti", format!("token-{number}"));
                world.tokens.push(Token { text: token.sign(), issuer: by, tenant, number });
            }
            Step::Send(token, other) => {
                // What was remembered before all that happened since, and what is remembered now.
                for _ in 0..2 {
                    if let Some([remembered, fresh]) = world.ask(token, other).await {
                        tally.count(&remembered);
                        prop_assert_eq!(remembered, fresh);
                    }
                }
            }
            Step::Wait(seconds) => world.clock.advance(Duration::from_secs(seconds)),
            Step::SetClock(by) => {
                let now = Clock::unix(&world.clock);
                let step = Duration::from_secs(by.unsigned_abs());
                world.clock.set_unix(if by < 0 { now - step } else { now + step });
            }
            Step::Rotate(issuer) => {
                world.issuers[issuer].rotate();
                world.publish(issuer);
            }
            Step::Network(true) => world.network.recover(),
            Step::Network(false) => world.network.fail(),
            Step::Stand(tenant, standing) => {
                world.directory.0.lock().unwrap().insert(TENANTS[tenant].into(), standing);
            }
            Step::Revoke(token, what) => world.revoke(token, what),
            Step::Reload(which) => world.reload(which),
        }
    }
    Ok(())
}

#[test]
fn the_answer_to_a_remembered_token_equals_the_answer_to_a_fresh_one() {
    let tally = Tally::default();
    let mut runner = TestRunner::new(Config { cases: 256, ..Config::default() });
    let played = runner.run(&prop::collection::vec(step(), 1..80), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(steps, &tally))
    });
    played.unwrap();
    // The comparison is about something: many of both kinds were made.
    let (admitted, refused) = (tally.admitted.get(), tally.refused.get());
    assert!(admitted > 200 && refused > 200, "{admitted} admitted, {refused} refused");
}
