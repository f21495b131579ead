//! What a store says of any series of uses is what a model says that is too simple to be wrong.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tenantry_issuer::{RefreshAttempt, RefreshToken, RefreshUse};

use crate::fixture::{Fixture, GRACE, NOW, SECOND, a_family, attempt, successor};
use crate::on_both;

on_both! {
    any_series_of_uses_comes_to_what_the_model_says,
}

/// Time passes, and the token that was issued so many tokens ago is used.
#[derive(Clone, Debug)]
struct Use {
    passes: Duration,
    back: usize,
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    // Mostly well within the grace, sometimes at its very end or past it.
    let passes = prop_oneof![
        6 => (0_u32..20).prop_map(|seconds| SECOND * seconds),
        1 => Just(GRACE - Duration::from_millis(1)),
        1 => Just(GRACE),
        1 => Just(IDLE),
    ];
    let back = prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => 2..4_usize];
    let step = (passes, back).prop_map(|(passes, back)| Use { passes, back });
    proptest::collection::vec(step, 1..12)
}

const IDLE: Duration = Duration::from_secs(900);

/// A family, by the places of its tokens among all that were issued.
struct Model {
    live: usize,
    predecessor: Option<(usize, Duration)>,
    used_at: Duration,
    ended: bool,
}

impl Model {
    fn accepts(&self, token: usize, now: Duration) -> bool {
        token == self.live
            || self.predecessor.is_some_and(|(place, at)| place == token && now - at < GRACE)
    }

    fn has_ended(&self, now: Duration) -> bool {
        self.ended || now - self.used_at >= IDLE || now - NOW >= SECOND * 3600
    }

    fn use_token(&mut self, token: usize, next: usize, now: Duration) -> &'static str {
        if self.has_ended(now) {
            return "gone";
        }
        if !self.accepts(token, now) {
            self.ended = true;
            return "reused";
        }
        if token == self.live {
            self.predecessor = Some((token, now));
        }
        self.live = next;
        self.used_at = now;
        "rotated"
    }
}

async fn any_series_of_uses_comes_to_what_the_model_says(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<_, u32>::new();
    for _ in 0..100 {
        let series = uses().new_tree(&mut runner).unwrap().current();
        let (new, first) = a_family(&fixture.store, &client).await;
        assert!(fixture.store.open_family(&new).await.unwrap());
        let mut tokens: Vec<RefreshToken> = vec![first];
        let mut model = Model { live: 0, predecessor: None, used_at: NOW, ended: false };
        let mut now = NOW;
        for Use { passes, back } in &series {
            now += *passes;
            let family = fixture.store.family(new.id).await.unwrap().unwrap();
            assert_eq!(family.has_ended(now, Some(IDLE)), model.has_ended(now), "{series:?}");
            for (place, token) in tokens.iter().enumerate() {
                let accepted = family.accepts(&token.hash(), now, GRACE);
                assert_eq!(accepted, model.accepts(place, now), "{series:?}");
            }

            let presented = tokens.len().saturating_sub(1 + back);
            let next = successor(&tokens[0]);
            let attempt = RefreshAttempt {
                now,
                idle: Some(IDLE),
                ..attempt(&client, &tokens[presented], &next)
            };
            let came_to = match fixture.store.use_refresh_token(&attempt).await.unwrap() {
                RefreshUse::Gone => "gone",
                RefreshUse::Reused(_) => "reused",
                RefreshUse::Rotated(_) => "rotated",
            };
            tokens.push(next);
            let expected = model.use_token(presented, tokens.len() - 1, now);
            assert_eq!(came_to, expected, "{series:?}");
            *seen.entry(came_to).or_default() += 1;
        }
    }
    // The series reach every outcome.
    for outcome in ["gone", "reused", "rotated"] {
        assert!(seen[outcome] > 20, "{seen:?}");
    }
}
