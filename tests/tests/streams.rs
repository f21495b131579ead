//! A handler that answers for long learns when its request would not be admitted any more.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tenantry::{
    BoxFuture, Directory, Reason, Rejection, Standing, StaticDirectory, TenantId, TenantPrincipal,
};
use tenantry_testkit::request_of;
use tenantry_tests::Stack;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// The ends of the requests that were admitted.
type Ends = Arc<Mutex<Vec<BoxFuture<Reason>>>>;

/// Sends a request of `tenant1` and returns its end, watched for in a task of its own.
async fn stream(stack: &Stack) -> JoinHandle<Reason> {
    let ends = Ends::default();
    let kept = Arc::clone(&ends);
    let handler = get(async move |principal: TenantPrincipal| {
        kept.lock().unwrap().push(principal.ended());
    });
    let behind = stack
        .behind(|server, _| Router::new().route("/{tenant}/events", handler).layer(server.layer()));
    let token = stack.token("tenant1").expires_in(600).sign();
    assert_eq!(behind.get("/tenant1/events", &token).await.status, 200);
    let end = ends.lock().unwrap().pop().unwrap();
    tokio::spawn(end)
}

/// Lets `seconds` go by on tokio's clock, which stands still otherwise.
async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Expects the end within the second in which it is looked for.
async fn end(stream: JoinHandle<Reason>) -> Reason {
    timeout(Duration::from_secs(2), stream).await.expect("it ends").unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_token_expires() {
    let stack = Stack::usual().await;
    let stream = stream(&stack).await;
    wait(500).await;
    stack.clock.advance(Duration::from_secs(600 + 29));
    wait(5).await;
    assert!(!stream.is_finished(), "within the skew it goes on");
    stack.clock.advance(Duration::from_secs(1));
    assert_eq!(end(stream).await, Reason::TokenExpired);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_tenant_is_suspended() {
    let directory = Arc::new(Switch::default());
    let asked = Arc::clone(&directory);
    let stack = Stack::with(|server| server.directory(asked)).await;
    let stream = stream(&stack).await;
    wait(500).await;
    assert!(!stream.is_finished());
    directory.set(Ok(Standing::Suspended));
    assert_eq!(end(stream).await, Reason::TenantSuspended);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_token_is_revoked() {
    let stack = Stack::usual().await;
    let stream = stream(&stack).await;
    wait(5).await;
    let tenant = |id: &str| id.parse::<TenantId>().unwrap();
    let hour = Duration::from_secs(3600);
    stack.server.revocations().revoke_tenant(&tenant("tenant2"), hour).unwrap();
    wait(5).await;
    assert!(!stream.is_finished(), "another tenant's");
    stack.server.revocations().revoke_tenant(&tenant("tenant1"), hour).unwrap();
    assert_eq!(end(stream).await, Reason::TokenRevoked);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_another_policy_refuses_the_token() {
    let stack = Stack::usual().await;
    let stream = stream(&stack).await;
    wait(5).await;
    let keys = tenantry::KeyLocation::Jwks(stack.issuer.jwks().to_string().into());
    let issuer = tenantry::IssuerSettings::new(stack.issuer.url()).keys(keys);
    let settings = Stack::builder(&stack.clock, &stack.network).issuer(issuer);
    // The same again: the token is verified anew and holds.
    stack.server.replace(settings.clone()).await.unwrap();
    wait(5).await;
    assert!(!stream.is_finished());
    let suspended = StaticDirectory::new([("tenant1".parse().unwrap(), Standing::Suspended)]);
    stack.server.replace(settings.directory(Arc::new(suspended.unwrap()))).await.unwrap();
    assert_eq!(end(stream).await, Reason::TenantSuspended);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_its_key_is_withdrawn() {
    let stack = Stack::fetching().await;
    let stream = stream(&stack).await;
    let other = Stack::issuer(&stack.clock);
    stack.network.publish(stack.issuer.jwks_uri(), &other.jwks());
    stack.clock.advance(Duration::from_secs(599));
    let reason = timeout(Duration::from_secs(5), stream).await.unwrap().unwrap();
    assert_eq!(reason, Reason::SignatureInvalid);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_it_only_after_30_seconds() {
    let directory = Arc::new(Switch::default());
    let asked = Arc::clone(&directory);
    let stack = Stack::with(|server| server.directory(asked)).await;
    let stream = stream(&stack).await;
    wait(10).await;

    directory.set(Err(Reason::DirectoryUnavailable));
    wait(28).await;
    assert!(!stream.is_finished());
    directory.set(Ok(Standing::Active));
    wait(2).await;
    directory.set(Err(Reason::DirectoryUnavailable));
    let since = Instant::now();
    assert_eq!(stream.await.unwrap(), Reason::DirectoryUnavailable);
    let lasted = since.elapsed();
    assert!((Duration::from_secs(29)..=Duration::from_secs(31)).contains(&lasted), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_hangs_ends_it_no_later() {
    let directory = Arc::new(Switch::default());
    let asked = Arc::clone(&directory);
    let limit = Duration::from_secs(20);
    let stack = Stack::with(|server| server.directory(asked).directory_time_limit(limit)).await;
    let stream = stream(&stack).await;
    wait(10).await;

    directory.hang();
    wait(28).await;
    assert!(!stream.is_finished());
    let lasted = Instant::now();
    assert_eq!(stream.await.unwrap(), Reason::DirectoryUnavailable);
    let lasted = lasted.elapsed() + Duration::from_secs(28);
    assert!((Duration::from_secs(29)..=Duration::from_secs(31)).contains(&lasted), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ready_request_of_the_test_kit_never_ends() {
    let principal = TenantPrincipal::from(request_of("tenant1").build());
    assert!(timeout(Duration::from_secs(1 << 30), principal.ended()).await.is_err());
}

/// A directory that a test sets; with no answer it hangs.
#[derive(Debug)]
struct Switch(Mutex<Option<Result<Standing, Reason>>>);

impl Default for Switch {
    fn default() -> Self {
        Self(Mutex::new(Some(Ok(Standing::Active))))
    }
}

impl Switch {
    fn set(&self, answer: Result<Standing, Reason>) {
        *self.0.lock().unwrap() = Some(answer);
    }

    fn hang(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl Directory for Switch {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        None
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        match *self.0.lock().unwrap() {
            Some(answer) => Box::pin(std::future::ready(answer.map_err(Rejection::new))),
            None => Box::pin(std::future::pending()),
        }
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}
