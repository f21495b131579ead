//! How many fetches run at once for issuers that were found by a pattern.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::error::KeyErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, Step, URL, ask, found, keys_of, settle};

/// Starts a fetch that hangs, for so many issuers. The network lets go of them with the result.
async fn hang(bench: &Bench, count: usize) -> Vec<tokio::sync::oneshot::Sender<Step>> {
    let before = bench.script.count();
    let mut releases = Vec::new();
    for number in 0..count {
        let name = format!("hanging-{number}");
        let (release, held) = Step::held();
        bench.script.says(&Bench::url_of(&name), [held]);
        releases.push(release);
        bench.found(&name).warm();
    }
    bench.script.has_been_asked(before + count).await;
    releases
}

#[tokio::test]
async fn is_64_and_beyond_that_requests_are_unavailable_at_once() {
    let bench = Bench::new();
    let mut releases = hang(&bench, 64).await;
    let late = bench.found("late");
    bench.script.says(&Bench::url_of("late"), [keys_of(["b"]).into()]);
    let error = late.key(Some("b"), tenantry_core::Algorithm::EdDsa).await.unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(bench.script.count(), 64, "nothing was fetched for it");
    assert_eq!(late.status().failure(), None, "and nothing failed");

    let first = bench.found("hanging-0");
    assert!(releases.remove(0).send(keys_of(["a"]).into()).is_ok());
    settle(&first).await;
    tokio::task::yield_now().await;
    assert_eq!(ask(&late, "b").await, found("b"), "a place is free");
}

#[tokio::test]
async fn a_search_for_an_unknown_key_needs_a_place_too_and_is_not_charged_without_one() {
    let settings = KeySettings::default()
        .with_fetches_in_flight(1)
        .with_unknown_kid_budget(1, Duration::from_secs(30));
    let bench = Bench::with(settings, KeySource::uri(URL));
    let keys = bench.found("other");
    bench.script.says(&Bench::url_of("other"), [keys_of(["a"]).into()]);
    assert_eq!(ask(&keys, "a").await, found("a"));
    let mut releases = hang(&bench, 1).await;
    for _ in 0..3 {
        assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable));
    }
    assert_eq!(ask(&keys, "a").await, found("a"), "known keys are not touched");

    let hanging = bench.found("hanging-0");
    assert!(releases.remove(0).send(keys_of(["a"]).into()).is_ok());
    settle(&hanging).await;
    tokio::task::yield_now().await;
    bench.script.says(&Bench::url_of("other"), [keys_of(["a", "b"]).into()]);
    assert_eq!(ask(&keys, "b").await, found("b"), "the budget of one is still there");
}

#[tokio::test]
async fn refreshes_have_places_of_their_own() {
    let bench = Bench::with(KeySettings::default().with_fetches_in_flight(1), KeySource::uri(URL));
    let (one, two) = (bench.found("one"), bench.found("two"));
    for (keys, name) in [(&one, "one"), (&two, "two")] {
        bench.script.says(&Bench::url_of(name), [keys_of(["a"]).into()]);
        assert_eq!(ask(keys, "a").await, found("a"));
    }
    let _strangers = hang(&bench, 1).await;
    bench.advance(480);
    let (release, held) = Step::held();
    bench.script.says(&Bench::url_of("one"), [held]);
    assert_eq!(ask(&one, "a").await, found("a"));
    bench.script.has_been_asked(4).await;
    assert!(one.is_fetching(), "beside the stranger");

    assert_eq!(ask(&two, "a").await, found("a"));
    assert!(!two.is_fetching(), "no place for it");
    assert!(release.send(keys_of(["a"]).into()).is_ok());
    settle(&one).await;
    tokio::task::yield_now().await;
    assert_eq!(ask(&two, "a").await, found("a"));
    assert!(!two.is_fetching(), "it does not ask each time");
    bench.advance(1);
    assert_eq!(ask(&two, "a").await, found("a"));
    assert!(two.is_fetching());
    settle(&two).await;
    assert_eq!(two.status().age(), Some(Duration::ZERO));
}

#[tokio::test]
async fn pinned_issuers_neither_count_nor_wait() {
    let mut bench =
        Bench::with(KeySettings::default().with_fetches_in_flight(1), KeySource::uri(URL));
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let _hanging = hang(&bench, 1).await;
    assert_eq!(ask(&bench.keys(), "a").await, found("a"), "does not wait");

    let mut hanging = JoinSet::new();
    let mut held_open = Vec::new();
    for number in 0..3 {
        let issuer = tenantry_core::Issuer::new(format!("https://pinned-{number}.example"));
        let url = format!("https://pinned-{number}.example/jwks");
        let (release, held) = Step::held();
        held_open.push(release);
        bench.script.says(&url, [held]);
        bench.store.pin(issuer.clone(), KeySource::uri(url));
        let keys = bench.store.get(issuer.as_str()).unwrap();
        hanging.spawn(async move { ask(&keys, "a").await });
    }
    bench.script.has_been_asked(2 + 3).await;
    hanging.abort_all();
}
