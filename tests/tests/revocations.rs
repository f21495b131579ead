//! What is revoked is refused from the next request on, by every server that the list was given to,
//! and nobody else's token with it.
//!
//! INVARIANT (cache the identity): a token that was verified and remembered is refused like a new one.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{Request, StatusCode};
use tenantry::{
    ClientId, Clock, Issuer, IssuerSettings, KeyLocation, ResourceServer, RevocationErrorKind,
    Revocations, Standing, StaticDirectory, Subject, TenantId, TenantPrincipal,
};
use tenantry_testkit::{TestIssuer, TokenBuilder};
use tenantry_tests::{Refusal, Stack, bearer, get};
use tower::ServiceExt;

/// As long as tokens live here.
const LIFETIME: Duration = Duration::from_secs(600);

fn whoami(tenant: &str) -> String {
    format!("/{tenant}/whoami")
}

fn revoked() -> Refusal {
    Refusal::invalid_token("token_revoked", "the access token has been revoked")
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn issuer_of(stack: &Stack) -> Issuer {
    Issuer::new(stack.issuer.url())
}

fn named(stack: &Stack, tenant: &str, jwt_id: &str, subject: &str, client: &str) -> TokenBuilder {
    stack.token(tenant).claim("jti", jwt_id).subject(subject).client_id(client)
}

async fn admitted(stack: &Stack, tenant: &str, token: &str) {
    stack.get(&whoami(tenant), token).await.assert_admitted(tenant);
}

async fn refused(stack: &Stack, tenant: &str, token: &str) {
    stack.get(&whoami(tenant), token).await.assert_refused(&revoked());
}

/// An issuer for each tenant, with keys of its own, and one directory.
async fn an_issuer_per_tenant(tenants: &[&str]) -> Stack {
    let clock = Stack::clock();
    let issuer = TestIssuer::builder()
        .clock(Arc::new(clock.clone()))
        .keys_per_tenant(tenants.iter().copied())
        .offline();
    let pattern = IssuerSettings::new(issuer.issuer_of("tenant1").replace("tenant1", "{tenant}"))
        .jwks_uri(issuer.jwks_uri_of("{tenant}"));
    let known = tenants.iter().map(|id| (tenant(id), Standing::Active));
    let known = Arc::new(StaticDirectory::new(known).unwrap());
    let stack = Stack::of(issuer, clock, |server| server.issuer(pattern).directory(known)).await;
    for tenant in tenants {
        stack.network.publish(stack.issuer.jwks_uri_of(tenant), &stack.issuer.jwks_of(tenant));
    }
    stack
}

#[tokio::test]
async fn by_jti_one_token_is_refused_whether_it_was_seen_before_or_not() {
    let stack = Stack::usual().await;
    let [seen, new, other] =
        ["j1", "j2", "j3"].map(|id| named(&stack, "tenant1", id, "s", "c").sign());
    admitted(&stack, "tenant1", &seen).await;

    for id in ["j1", "j2"] {
        let exp = Duration::from_secs(1_800_000_600);
        stack.server.revocations().revoke_token(&issuer_of(&stack), id, exp).unwrap();
    }

    for token in [&seen, &new, &seen] {
        refused(&stack, "tenant1", token).await;
    }
    admitted(&stack, "tenant1", &other).await;
    // The same `jti` from another mouth is the same token, whatever else is in it.
    let again = named(&stack, "tenant1", "j1", "another", "another").sign();
    refused(&stack, "tenant1", &again).await;
}

#[tokio::test]
async fn by_subject_and_by_client_only_the_tenants_own_are_refused() {
    for by_subject in [true, false] {
        let stack = Stack::usual().await;
        let hit = named(&stack, "tenant1", "j1", "anna", "sync").sign();
        let (subject, client) = if by_subject { ("bert", "sync") } else { ("anna", "app") };
        let spared = [
            ("tenant1", named(&stack, "tenant1", "j2", subject, client)),
            ("tenant2", named(&stack, "tenant2", "j3", "anna", "sync")),
            // One's subject may be the other's client.
            ("tenant1", named(&stack, "tenant1", "j4", "sync", "anna")),
        ]
        .map(|(tenant, token)| (tenant, token.sign()));
        admitted(&stack, "tenant1", &hit).await;

        let (list, issuer, tenant) =
            (stack.server.revocations(), issuer_of(&stack), tenant("tenant1"));
        match by_subject {
            true => list.revoke_subject(&issuer, &tenant, &Subject::new("anna"), LIFETIME),
            false => list.revoke_client(&issuer, &tenant, &ClientId::new("sync"), LIFETIME),
        }
        .unwrap();

        refused(&stack, "tenant1", &hit).await;
        for (tenant, token) in &spared {
            admitted(&stack, tenant, token).await;
        }
    }
}

#[tokio::test]
async fn by_tenant_all_its_tokens_are_refused_and_no_others() {
    let stack = an_issuer_per_tenant(&["tenant1", "tenant2", "tenant10"]).await;
    let token = |tenant: &str| named(&stack, tenant, "j1", "anna", "sync").sign();
    let tokens = ["tenant1", "tenant2", "tenant10"].map(|tenant| (tenant, token(tenant)));
    for (tenant, token) in &tokens {
        admitted(&stack, tenant, token).await;
    }
    stack.server.revocations().revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    for (tenant, token) in &tokens {
        match *tenant {
            "tenant1" => refused(&stack, tenant, token).await,
            tenant => admitted(&stack, tenant, token).await,
        }
    }
}

#[tokio::test]
async fn what_one_issuer_calls_so_is_not_what_another_does() {
    let clock = Stack::clock();
    let issuer =
        |url: &str| TestIssuer::builder().url(url).clock(Arc::new(clock.clone())).offline();
    let (a, b) = (issuer("https://a.erp.example"), issuer("https://b.erp.example"));
    let settings = |issuer: &TestIssuer| {
        IssuerSettings::new(issuer.url())
            .keys(KeyLocation::Jwks(issuer.jwks().to_string().into()))
            .tenants(["tenant1"])
            .shared_tenants(["tenant1"])
    };
    let (of_a, of_b) = (settings(&a), settings(&b));
    let stack =
        Stack::of(a.clone(), clock.clone(), |server| server.issuer(of_a).issuer(of_b)).await;
    let token = |issuer: &TestIssuer| {
        let token = issuer.token().tenant("tenant1").claim("jti", "j1");
        token.subject("anna").client_id("sync").sign()
    };
    let (from_a, from_b) = (token(&a), token(&b));

    let (list, tenant) = (stack.server.revocations(), tenant("tenant1"));
    let (at_a, exp) = (Issuer::new(a.url()), Duration::from_secs(1_800_000_600));
    list.revoke_token(&at_a, "j1", exp).unwrap();
    list.revoke_subject(&at_a, &tenant, &Subject::new("anna"), LIFETIME).unwrap();
    list.revoke_client(&at_a, &tenant, &ClientId::new("sync"), LIFETIME).unwrap();

    refused(&stack, "tenant1", &from_a).await;
    admitted(&stack, "tenant1", &from_b).await;
    // The tenant is the same for both.
    list.revoke_tenant(&tenant, LIFETIME).unwrap();
    refused(&stack, "tenant1", &from_b).await;
}

#[tokio::test]
async fn a_token_issued_later_works() {
    let stack = Stack::usual().await;
    let before = stack.token("tenant1").sign();
    stack.server.revocations().revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    refused(&stack, "tenant1", &before).await;
    // The skew of 30 s: the issuer's clock may be ahead.
    for (after, works) in [(30, false), (1, true)] {
        stack.clock.advance(Duration::from_secs(after));
        let token = stack.token("tenant1").sign();
        match works {
            true => admitted(&stack, "tenant1", &token).await,
            false => refused(&stack, "tenant1", &token).await,
        }
    }
    refused(&stack, "tenant1", &before).await;
}

#[tokio::test]
async fn a_token_without_iat_is_refused_until_the_entry_ends() {
    let stack = Stack::with_issuer(
        |issuer| issuer.required_claims(["sub", "client_id", "jti"]),
        |server| server,
    )
    .await;
    let token = || stack.token("tenant1").without("iat").sign();
    let list = stack.server.revocations();
    list.revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    stack.clock.advance(LIFETIME + Duration::from_secs(299));
    refused(&stack, "tenant1", &token()).await;
    stack.clock.advance(Duration::from_secs(1));
    admitted(&stack, "tenant1", &token()).await;
    assert!(list.is_empty());
}

/// Authentication is judged before authorization.
#[tokio::test]
async fn at_the_wrong_path_or_for_a_missing_scope_it_is_401_all_the_same() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").scope("tenant1.other").sign();
    let journal = "/tenant1/journal-entries";
    stack.get(&whoami("tenant2"), &token).await.assert_refused(&Refusal::foreign_path());
    let missing = Refusal::scope_missing("tenant1.journal.read");
    stack.get(journal, &token).await.assert_refused(&missing);

    stack.server.revocations().revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();

    let mut headers = bearer(get(&whoami("tenant1")), &token);
    headers.headers_mut().insert("x-tenant-id", "tenant2".parse().unwrap());
    stack.send(headers).await.assert_refused(&revoked());
    for path in [&whoami("tenant2"), journal, "/tenant1"] {
        stack.get(path, &token).await.assert_refused(&revoked());
    }
}

/// What is wrong with a token by itself comes first: the list is about good ones.
#[tokio::test]
async fn an_expired_or_forged_token_is_not_looked_up() {
    let stack = Stack::usual().await;
    stack.server.revocations().revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    let token = stack.token("tenant1").expires_in(-60).sign();
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&Refusal::expired());
    let token = stack.token("tenant1").tampered().sign();
    stack.get(&whoami("tenant1"), &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn a_full_list_says_so_and_refuses_what_it_held_before() {
    let list = Revocations::with_capacity(Arc::new(Stack::clock()), 1);
    let stack = Stack::with(|server| server.revocations(list.clone())).await;
    let token = |id: &str| named(&stack, "tenant1", id, "s", "c").sign();
    let (issuer, exp) = (issuer_of(&stack), Duration::from_secs(1_800_000_600));
    list.revoke_token(&issuer, "j1", exp).unwrap();
    let error = list.revoke_token(&issuer, "j2", exp).unwrap_err();
    assert_eq!(error.kind(), RevocationErrorKind::Full);
    refused(&stack, "tenant1", &token("j1")).await;
    admitted(&stack, "tenant1", &token("j2")).await;
}

#[tokio::test]
async fn servers_share_a_list_that_they_are_given_and_no_other() {
    let list = Revocations::new(Arc::new(Stack::clock()));
    let by_server = Stack::with(|server| server.revocations(list.clone())).await;
    let by_policy =
        Stack::with(|server| server.policy(|policy| policy.revocations(list.clone()))).await;
    let apart = Stack::usual().await;
    list.revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    for stack in [&by_server, &by_policy] {
        assert_eq!(stack.server.revocations().len(), 1);
        refused(stack, "tenant1", &stack.token("tenant1").sign()).await;
    }
    admitted(&apart, "tenant1", &apart.token("tenant1").sign()).await;
}

#[tokio::test]
async fn a_handler_logs_its_caller_out() {
    async fn log_out(State(erp): State<ResourceServer>, caller: TenantPrincipal) -> StatusCode {
        match erp.revocations().revoke_request(&caller) {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new()
            .route("/{tenant}/log-out", post(log_out).with_state(server.clone()))
            .route("/{tenant}/whoami", calls.route())
            .layer(server.layer())
    });
    let (token, other) = (stack.token("tenant1").sign(), stack.token("tenant1").sign());
    let request = || Request::post("/tenant1/log-out").body(Default::default()).unwrap();
    admitted(&stack, "tenant1", &token).await;
    assert_eq!(stack.send(bearer(request(), &token)).await.status, StatusCode::NO_CONTENT);
    stack.send(bearer(request(), &token)).await.assert_refused(&revoked());
    refused(&stack, "tenant1", &token).await;
    admitted(&stack, "tenant1", &other).await;
}

/// How often the tasks of one tenant were answered with which status.
#[derive(Default)]
struct Tally {
    admitted: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_no_request_that_starts_after_the_call_returned_is_admitted() {
    const TASKS: usize = 8;
    let stack = an_issuer_per_tenant(&["tenant1", "tenant2"]).await;
    for round in 0..40 {
        let token =
            |tenant: &str| named(&stack, tenant, &format!("j{round}"), "anna", "sync").sign();
        let issuer = Issuer::new(stack.issuer.issuer_of("tenant1"));
        let returned = Arc::new(AtomicBool::new(false));
        let tallies = [Arc::new(Tally::default()), Arc::new(Tally::default())];
        let mut tasks = Vec::new();
        for (at, tenant) in ["tenant1", "tenant2"].into_iter().enumerate() {
            let token = token(tenant);
            for _ in 0..TASKS {
                let (app, returned, tally) =
                    (stack.app.clone(), Arc::clone(&returned), Arc::clone(&tallies[at]));
                let token = token.clone();
                tasks.push(tokio::spawn(async move {
                    let mut after = 0;
                    while after < 20 {
                        let is_after = returned.load(Ordering::Acquire);
                        let request = bearer(get(&whoami(tenant)), &token);
                        let status = app.clone().oneshot(request).await.unwrap().status();
                        match status {
                            StatusCode::OK => {
                                assert!(!is_after || tenant == "tenant2", "a revoked token");
                                tally.admitted.fetch_add(1, Ordering::Relaxed);
                            }
                            StatusCode::UNAUTHORIZED => {
                                assert_eq!(tenant, "tenant1", "another tenant's token");
                                tally.refused.fetch_add(1, Ordering::Relaxed);
                            }
                            other => unreachable!("{other}"),
                        }
                        after += usize::from(is_after);
                        tokio::task::yield_now().await;
                    }
                }));
            }
        }
        while tallies.iter().any(|tally| tally.admitted.load(Ordering::Relaxed) < 100) {
            tokio::task::yield_now().await;
        }
        let (list, tenant) = (stack.server.revocations(), tenant("tenant1"));
        let exp = stack.clock.unix() + LIFETIME;
        match round % 4 {
            0 => list.revoke_token(&issuer, &format!("j{round}"), exp),
            1 => list.revoke_subject(&issuer, &tenant, &Subject::new("anna"), LIFETIME),
            2 => list.revoke_client(&issuer, &tenant, &ClientId::new("sync"), LIFETIME),
            _ => list.revoke_tenant(&tenant, LIFETIME),
        }
        .unwrap();
        returned.store(true, Ordering::Release);
        for task in tasks {
            task.await.unwrap();
        }
        assert!(tallies[0].refused.load(Ordering::Relaxed) >= TASKS * 20);
        assert_eq!(tallies[1].refused.load(Ordering::Relaxed), 0);
        // The next round's tokens are issued later, or the entries are past.
        stack.clock.advance(LIFETIME + Duration::from_secs(300));
        assert!(list.is_empty());
    }
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_under_another_policy() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    stack.server.revocations().revoke_tenant(&tenant("tenant1"), LIFETIME).unwrap();
    let keys = KeyLocation::Jwks(stack.issuer.jwks().to_string().into());
    let issuer = IssuerSettings::new(stack.issuer.url()).keys(keys);
    // Also if the new settings come with a list of their own.
    let other = Revocations::new(Arc::new(stack.clock.clone()));
    let settings = Stack::builder(&stack.clock, &stack.network).issuer(issuer).revocations(other);
    stack.server.replace(settings).await.unwrap();
    refused(&stack, "tenant1", &token).await;
}
