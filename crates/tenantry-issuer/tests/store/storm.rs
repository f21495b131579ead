//! A process that is killed in the middle of a storm of refreshes.
//!
//! The process is this test program again, running [`the_storm`]. It says each token before it asks
//! for it, and again when it has it. Then it is killed, and whatever had happened by then, each
//! family has one live token, and the token that the client had last leads on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use tenantry_issuer::{
    Client, FamilyId, PresentedToken, RefreshAttempt, RefreshToken, RefreshUse, Store,
    StoreErrorKind, TokenHash,
};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, GRACE, NOW, a_client, a_family, successor};
use crate::on_both;

on_both! {
    a30_no_family_has_two_live_tokens_or_none_after_a_kill,
}

const URL: &str = "TENANTRY_TEST_STORM";

/// How many families are renewed at the same time.
const FAMILIES: usize = 12;

/// What was said of a family.
#[derive(Default)]
struct Said {
    /// Every token that there may be, in the order in which they were asked for.
    asked: Vec<TokenHash>,
    /// The tokens that the client had, in order.
    had: Vec<PresentedToken>,
}

async fn a30_no_family_has_two_live_tokens_or_none_after_a_kill(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let mut had = 0;
    for answers in [1, 40, 150, 300, 500] {
        let families = storm(&fixture.url, answers);
        // The next process opens what the one before left.
        let store = fixture.another_store().await;
        for (family, said) in families {
            let Some(last) = said.had.last() else { continue };
            had += said.had.len();

            let stored = store.family(family).await.unwrap().expect("it was answered");
            assert!(!stored.revoked);
            let is_live = |token: &&TokenHash| stored.accepts(token, NOW + GRACE, GRACE);
            assert_eq!(said.asked.iter().filter(is_live).count(), 1);

            // A way forward: the last token that the client had.
            let next = RefreshToken::generate(family).unwrap();
            let renew = |presented| renewal(&client, family, presented, next.hash());
            let used = store.use_refresh_token(&renew(last.hash)).await.unwrap();
            assert!(matches!(used, RefreshUse::Rotated(_)), "{used:?}");
            // And no other: neither an earlier one nor one whose answer was lost.
            let stored = store.family(family).await.unwrap().unwrap();
            for token in said.asked.iter().filter(|token| **token != last.hash) {
                assert!(!stored.accepts(token, NOW, GRACE));
            }
            if let Some(other) = said.asked.iter().rfind(|token| **token != last.hash) {
                let used = store.use_refresh_token(&renew(*other)).await.unwrap();
                assert!(matches!(used, RefreshUse::Reused(_)), "{used:?}");
            }
        }
        store.close().await;
    }
    assert!(had > 900, "only {had} answers");
}

fn renewal(
    client: &Client,
    family: FamilyId,
    presented: TokenHash,
    next: TokenHash,
) -> RefreshAttempt<'_> {
    RefreshAttempt {
        tenant: &client.tenant,
        client: &client.id,
        family,
        presented,
        next,
        now: NOW,
        grace: GRACE,
        idle: None,
    }
}

/// Runs the storm until it has said `answers` tokens, kills it, and returns what it said of each
/// family until then.
fn storm(url: &str, answers: usize) -> BTreeMap<FamilyId, Said> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "storm::the_storm", "--ignored", "--nocapture"])
        .env(URL, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let mut families = BTreeMap::<_, Said>::new();
    let mut seen = 0;
    let mut line = String::new();
    // A line that was cut off was not said.
    while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some((what, token)) = line.trim_end().split_once(' ')
            && let Ok(token) = token.parse::<PresentedToken>()
        {
            let said = families.entry(token.family).or_default();
            match what {
                "ask" => said.asked.push(token.hash),
                "have" => {
                    said.had.push(token);
                    seen += 1;
                    if seen == answers {
                        // SIGKILL, on this system and every other with that name.
                        process.kill().unwrap();
                    }
                }
                other => panic!("said {other}"),
            }
        }
        line.clear();
    }
    let ended = process.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{ended}");
    assert!(seen >= answers);
    families
}

/// Says one line. The pipe has it when this returns, whatever becomes of this process.
fn say(what: &str, token: &RefreshToken) {
    let line = format!("{what} {}\n", token.expose());
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "never ends: run and killed by the test above"]
async fn the_storm() {
    let store = Store::open(&std::env::var(URL).unwrap()).await.unwrap();
    let mut families = JoinSet::new();
    for number in 0..FAMILIES {
        let store = store.clone();
        families.spawn(async move {
            let client = a_client("acme", "sync");
            let (family, mut token) = a_family(&store, &client).await;
            say("ask", &token);
            assert!(store.open_family(&family).await.unwrap());
            say("have", &token);
            loop {
                // Every third client asks twice at the same moment, and keeps what came later.
                let times = if number % 3 == 0 { 2 } else { 1 };
                let nexts: Vec<_> = (0..times).map(|_| successor(&token)).collect();
                let mut uses = JoinSet::new();
                for next in &nexts {
                    say("ask", next);
                    let (store, client) = (store.clone(), client.clone());
                    let (presented, next) = (token.hash(), next.hash());
                    uses.spawn(async move {
                        let attempt = renewal(&client, family.id, presented, next);
                        store.use_refresh_token(&attempt).await
                    });
                }
                for used in uses.join_all().await {
                    match used {
                        Ok(used) => assert!(matches!(used, RefreshUse::Rotated(_)), "{used:?}"),
                        // On a slow disk the queue is long. Nothing changed, so it asks again.
                        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Busy),
                    }
                }
                let current = store.family(family.id).await.unwrap().unwrap().current;
                if let Some(next) = nexts.into_iter().find(|next| next.hash() == current) {
                    say("have", &next);
                    token = next;
                }
            }
        });
    }
    families.join_all().await;
}
