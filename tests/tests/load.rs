//! What changes while many requests are under way takes effect in its time, and nobody else notices.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use tenantry::{
    IssuerSettings, KeyLocation, ResourceServerBuilder, Standing, StaticDirectory, TenantId,
};
use tenantry_tests::Stack;
use tokio::task::JoinSet;

/// How many clients each tenant has.
const CLIENTS: usize = 8;

const TENANTS: [&str; 4] = ["tenant1", "tenant2", "tenant3", "tenant4"];

/// What the requests of one tenant were answered, once something had happened and before.
#[derive(Debug, Default)]
struct Answers {
    before: BTreeMap<StatusCode, usize>,
    after: BTreeMap<StatusCode, usize>,
}

impl Answers {
    fn count(&mut self, after: bool, status: StatusCode) {
        let counts = if after { &mut self.after } else { &mut self.before };
        *counts.entry(status).or_default() += 1;
    }
}

/// Sends requests of all tenants from many tasks, on several threads; makes `happen` meanwhile.
///
/// A request counts as *after* only if it was begun when `happen` had returned.
async fn under_load<F>(stack: &Stack, happen: F) -> BTreeMap<&'static str, Answers>
where
    F: Future<Output = ()>,
{
    let happened = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(Mutex::new(BTreeMap::<_, Answers>::new()));
    let mut clients = JoinSet::new();
    for tenant in TENANTS {
        for client in 0..CLIENTS {
            let token = stack.token(tenant).client_id(format!("client-{client}")).sign();
            let (stack, answers) = (stack.clone(), Arc::clone(&answers));
            let happened = Arc::clone(&happened);
            clients.spawn(async move {
                let path = format!("/{tenant}/journal-entries");
                let mut left = 200;
                // So many after it happened; before, for as long as it takes.
                while left > 0 {
                    let after = happened.load(Ordering::SeqCst);
                    let status = stack.get(&path, &token).await.status;
                    answers.lock().unwrap().entry(tenant).or_default().count(after, status);
                    left -= usize::from(after);
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    while answers.lock().unwrap().len() < TENANTS.len() {
        tokio::task::yield_now().await;
    }
    happen.await;
    happened.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client of the test does not fail");
    }
    Arc::try_unwrap(answers).expect("all clients have ended").into_inner().unwrap()
}

/// The usual settings, with a directory that lists the tenants; `suspended` is.
fn settings(stack: &Stack, suspended: Option<&str>) -> ResourceServerBuilder {
    let keys = KeyLocation::Jwks(stack.issuer.jwks().to_string().into());
    let issuer = IssuerSettings::new(stack.issuer.url()).keys(keys);
    let standings = TENANTS.map(|tenant| {
        let standing = match suspended == Some(tenant) {
            true => Standing::Suspended,
            false => Standing::Active,
        };
        (tenant.parse::<TenantId>().unwrap(), standing)
    });
    let directory = StaticDirectory::new(standings).unwrap();
    Stack::builder(&stack.clock, &stack.network).issuer(issuer).directory(Arc::new(directory))
}

fn only(status: StatusCode, answers: &BTreeMap<StatusCode, usize>) {
    assert!(answers.keys().eq([&status]), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reload_that_suspends_a_tenant_holds_from_the_next_request_and_others_notice_nothing() {
    let stack = Stack::usual().await;
    stack.server.replace(settings(&stack, None)).await.unwrap();
    let answers = under_load(&stack, async {
        stack.server.replace(settings(&stack, Some("tenant2"))).await.unwrap();
    })
    .await;
    for (tenant, answers) in &answers {
        if *tenant == "tenant2" {
            only(StatusCode::FORBIDDEN, &answers.after);
        } else {
            only(StatusCode::OK, &answers.before);
            only(StatusCode::OK, &answers.after);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_reloads_in_a_row_refuse_nobody() {
    let stack = Stack::usual().await;
    let answers = under_load(&stack, async {
        for _ in 0..50 {
            stack.server.replace(settings(&stack, None)).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    for answers in answers.values() {
        only(StatusCode::OK, &answers.before);
        only(StatusCode::OK, &answers.after);
    }
}
