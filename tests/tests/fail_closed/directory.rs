//! A directory that fails, hangs or changes its mind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenantry::{BoxFuture, Directory, IssuerSettings, Reason, Rejection, Standing, TenantId};
use tenantry_testkit::TestIssuer;
use tenantry_tests::{Answer, Refusal, Stack};

use crate::PATH;

/// A directory that does as it is told.
#[derive(Debug)]
struct Told {
    answer: std::sync::Mutex<Behaviour>,
    asked: AtomicUsize,
    remembers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Fails,
    Hangs,
    Says(Standing),
}

impl Told {
    fn new(answer: Behaviour, remembers: bool) -> Arc<Self> {
        let answer = std::sync::Mutex::new(answer);
        Arc::new(Self { answer, asked: AtomicUsize::new(0), remembers })
    }

    fn now(&self, answer: Behaviour) {
        *self.answer.lock().unwrap() = answer;
    }

    fn answer(&self) -> Behaviour {
        *self.answer.lock().unwrap()
    }
}

impl Directory for Told {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        match self.answer() {
            Behaviour::Says(standing) if self.remembers => Some(standing),
            _ => None,
        }
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer();
        Box::pin(async move {
            match answer {
                Behaviour::Fails => Err(Rejection::new(Reason::DirectoryUnavailable)),
                Behaviour::Hangs => std::future::pending().await,
                Behaviour::Says(standing) => Ok(standing),
            }
        })
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}

fn suspended() -> Refusal {
    Refusal::insufficient_scope("tenant_suspended", "the tenant of the access token is suspended")
}

#[tokio::test]
async fn a_directory_that_fails_is_503() {
    let directory = Told::new(Behaviour::Fails, false);
    let stack = Stack::with(|server| server.directory(directory.clone())).await;
    let token = stack.token("tenant1").sign();
    for asked in 1..4 {
        let answer = stack.get(PATH, &token).await;
        answer.assert_refused(&Refusal::unavailable("directory_unavailable", "5"));
        assert_eq!(directory.asked.load(Ordering::Relaxed), asked);
    }
    directory.now(Behaviour::Says(Standing::Active));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // A foreign tenant's request does not get so far as to ask.
    let before = directory.asked.load(Ordering::Relaxed);
    let answer = stack.get("/tenant2/journal-entries", &token).await;
    answer.assert_refused(&Refusal::foreign_path());
    assert_eq!(directory.asked.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_hangs_is_503_in_bounded_time() {
    let directory = Told::new(Behaviour::Hangs, false);
    let stack = Stack::with(|server| server.directory(directory.clone())).await;
    let token = stack.token("tenant1").sign();
    // Fresh, and then with a token that is known.
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_secs(60), stack.get(PATH, &token)).await;
        assert_eq!(stack.handler_calls(), 0);
        let answer: Answer = answer.expect("the request hangs with the directory");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.code(), "directory_unavailable");
    }
}

#[tokio::test]
async fn a_suspension_counts_for_tokens_that_were_accepted() {
    for remembers in [false, true] {
        let directory = Told::new(Behaviour::Says(Standing::Active), remembers);
        let stack = Stack::with(|server| server.directory(directory.clone())).await;
        let token = stack.token("tenant1").sign();
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        directory.now(Behaviour::Says(Standing::Suspended));
        stack.get(PATH, &token).await.assert_refused(&suspended());
        directory.now(Behaviour::Says(Standing::Unknown));
        stack.get(PATH, &token).await.assert_refused(&Refusal::insufficient_scope(
            "tenant_unknown",
            "the tenant of the access token is not known here",
        ));
        directory.now(Behaviour::Says(Standing::Active));
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
}

/// An issuer pattern whose tenants `directory` knows, or not.
async fn pattern(directory: Arc<Told>) -> Stack {
    let clock = Stack::clock();
    let issuer =
        TestIssuer::builder().clock(Arc::new(clock.clone())).keys_per_tenant(["tenant1"]).offline();
    let named = IssuerSettings::new(format!("{}/{{tenant}}", issuer.url()))
        .jwks_uri(issuer.jwks_uri_of("{tenant}"));
    let stack = Stack::of(issuer, clock, |server| server.issuer(named).directory(directory)).await;
    let uri = stack.issuer.jwks_uri_of("tenant1");
    stack.network.publish(uri, &stack.issuer.jwks_of("tenant1"));
    stack
}

#[tokio::test]
async fn with_an_issuer_pattern_nothing_is_fetched_while_the_directory_is_down() {
    let directory = Told::new(Behaviour::Fails, false);
    let stack = pattern(directory.clone()).await;
    let token = stack.token("tenant1").sign();
    let down = Refusal::unavailable("directory_unavailable", "5");
    stack.get(PATH, &token).await.assert_refused(&down);
    assert!(stack.network.fetched().is_empty());
    directory.now(Behaviour::Says(Standing::Active));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // What was verified counts no more when the directory cannot be asked.
    directory.now(Behaviour::Fails);
    stack.get(PATH, &token).await.assert_refused(&down);
}

#[tokio::test]
async fn with_an_issuer_pattern_a_tenant_that_is_taken_off_loses_its_tokens() {
    for remembers in [false, true] {
        let directory = Told::new(Behaviour::Says(Standing::Active), remembers);
        let stack = pattern(directory.clone()).await;
        let token = stack.token("tenant1").sign();
        for _ in 0..2 {
            stack.get(PATH, &token).await.assert_admitted("tenant1");
        }
        directory.now(Behaviour::Says(Standing::Unknown));
        stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_issuer());
        directory.now(Behaviour::Says(Standing::Suspended));
        stack.get(PATH, &token).await.assert_refused(&suspended());
    }
}
