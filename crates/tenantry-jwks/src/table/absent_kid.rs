//! Key ids that were looked for in vain.

use std::time::Duration;

use crate::absent::Absent;
use crate::error::KeyErrorKind;
use crate::settings::KeySettings;
use crate::testing::{URL, ask, found, keys_of, loaded, loaded_with, settle};

const PLENTY: u32 = 1_000_000;

/// With a budget that never runs out, so that only what is remembered saves fetches.
fn generous() -> KeySettings {
    KeySettings::default().with_unknown_kid_budget(PLENTY, Duration::from_secs(30))
}

#[tokio::test]
async fn is_answered_without_a_fetch_for_30_seconds() {
    let (bench, keys) = loaded_with(generous()).await;
    for _ in 0..10 {
        assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    }
    assert_eq!(bench.script.count(), 2);
    bench.advance(29);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    assert_eq!(bench.script.count(), 2);
    bench.advance(1);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    assert_eq!(bench.script.count(), 3);
}

#[tokio::test]
async fn is_not_charged_to_the_budget() {
    let (bench, keys) = loaded().await;
    for _ in 0..100 {
        assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    }
    bench.script.says(URL, [keys_of(["a", "c"]).into()]);
    assert_eq!(ask(&keys, "c").await, found("c"), "the second fetch of the budget");
}

#[tokio::test]
async fn is_forgotten_when_the_set_changes_and_not_before() {
    let (bench, keys) = loaded_with(generous()).await;
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    assert_eq!(ask(&keys, "c").await, Err(KeyErrorKind::Unknown));
    assert_eq!(bench.script.count(), 3);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown), "the same set came");
    assert_eq!(bench.script.count(), 3);
    bench.script.says(URL, [keys_of(["a", "d"]).into()]);
    assert_eq!(ask(&keys, "d").await, found("d"));
    bench.script.says(URL, [keys_of(["a", "b", "d"]).into()]);
    assert_eq!(ask(&keys, "b").await, found("b"));
}

#[tokio::test]
async fn is_remembered_for_128_of_an_issuer_and_the_oldest_goes_first() {
    let (bench, keys) = loaded_with(generous()).await;
    for kid in 0..=Absent::CAPACITY {
        assert_eq!(ask(&keys, &kid.to_string()).await, Err(KeyErrorKind::Unknown));
    }
    let fetches = bench.script.count();
    assert_eq!(fetches, 1 + Absent::CAPACITY + 1);
    assert_eq!(ask(&keys, "1").await, Err(KeyErrorKind::Unknown));
    assert_eq!(bench.script.count(), fetches, "remembered");
    assert_eq!(ask(&keys, "0").await, Err(KeyErrorKind::Unknown));
    assert_eq!(bench.script.count(), fetches + 1, "forgotten");
}

#[tokio::test]
async fn is_not_answered_so_while_fetching_fails() {
    let (bench, keys) = loaded().await;
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    bench.script.says(URL, [500.into()]);
    assert_eq!(ask(&keys, "c").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable), "it may be there by now");
}

#[tokio::test]
async fn a_key_that_was_asked_for_too_early_waits_no_longer_than_the_refill() {
    let (bench, keys) = loaded().await;
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    bench.advance(29);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    bench.advance(1);
    assert_eq!(ask(&keys, "b").await, found("b"));
}

#[tokio::test]
async fn a_refresh_that_is_due_starts_nevertheless() {
    let settings = generous().with_absent_time(Duration::from_secs(3600));
    let (bench, keys) = loaded_with(settings).await;
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    bench.advance(480);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown), "at once");
    settle(&keys).await;
    assert_eq!(ask(&keys, "b").await, found("b"));
}
