//! Memory and tasks stay bounded, whoever asks for whatever.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tenantry_core::Issuer;

use crate::issuer::IssuerKeys;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, ISSUER, Step, URL, ask, found, keys_of, settle};

fn alive(issuers: &[Weak<IssuerKeys>]) -> usize {
    issuers.iter().filter(|issuer| issuer.strong_count() > 0).count()
}

#[tokio::test]
async fn a_hundred_thousand_made_up_issuers_leave_10_000_and_64_tasks() {
    let bench = Bench::new();
    let mut issuers = Vec::new();
    let mut held = Vec::new();
    for number in 0..100_000 {
        let name = format!("made-up-{number}");
        if number < 100 {
            let (release, step) = Step::held();
            held.push(release);
            bench.script.says(&Bench::url_of(&name), [step]);
        }
        let keys = bench.found(&name);
        keys.warm();
        issuers.push(Arc::downgrade(&keys));
        if number == 99 {
            bench.script.has_been_asked(64).await;
            assert_eq!(bench.script.count(), 64);
        }
    }
    assert_eq!(bench.store.kept(), 10_000);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(tasks <= 64, "{tasks} tasks");
    // Those in flight are held by their tasks until they end, and the cache frees in batches.
    assert!(alive(&issuers) <= 10_000 + 64 + 1000, "{}", alive(&issuers));
    assert!(bench.store.get(ISSUER).is_some(), "pinned");
    assert_eq!(bench.script.count(), 64);
}

#[tokio::test]
async fn an_issuer_is_dropped_after_24_hours_without_a_request() {
    let bench = Bench::new();
    for name in ["busy", "idle"] {
        bench.script.says(&Bench::url_of(name), [keys_of(["a"]).into()]);
        assert_eq!(ask(&bench.found(name), "a").await, found("a"));
    }
    let day = 24 * 60 * 60;
    for _ in 0..2 {
        bench.advance(day / 2 - 1);
        let _ = bench.found("busy").epoch();
    }
    assert!(bench.store.get("https://idle.example").is_some(), "two seconds left");
    bench.advance(2);
    bench.found("a newcomer");
    assert_eq!(bench.store.kept(), 2, "dropped, though nobody asked for it");
    assert!(bench.store.get("https://busy.example").is_some());
    assert!(bench.store.get("https://idle.example").is_none());
    bench.advance(day * 10);
    assert!(bench.store.get(ISSUER).is_some(), "a pinned one is never idle");
}

#[tokio::test]
async fn an_idle_issuer_is_not_found_before_it_is_swept_out_either() {
    let settings = KeySettings::default().with_idle_time(Duration::from_secs(100));
    let bench = Bench::with(settings, KeySource::uri(URL));
    let first = bench.found("idle");
    bench.advance(99);
    assert!(Arc::ptr_eq(&first, &bench.found("idle")));
    bench.advance(1);
    assert!(bench.store.get("https://idle.example").is_none());
    assert!(!Arc::ptr_eq(&first, &bench.found("idle")));
}

#[tokio::test]
async fn use_of_keys_that_somebody_holds_counts_as_a_request() {
    let settings = KeySettings::default().with_idle_time(Duration::from_secs(100));
    let bench = Bench::with(settings, KeySource::uri(URL));
    let keys = bench.found("held");
    for _ in 0..5 {
        bench.advance(60);
        let _ = keys.epoch();
    }
    assert!(bench.store.get("https://held.example").is_some());
}

#[tokio::test]
async fn the_answer_for_an_issuer_that_was_dropped_is_dropped_too() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(&Bench::url_of("gone"), [held, keys_of(["new"]).into()]);
    let gone = bench.found("gone");
    gone.warm();
    bench.script.has_been_asked(1).await;
    bench.store.forget(&Issuer::new("https://gone.example"));
    let back = bench.found("gone");
    assert_eq!(ask(&back, "new").await, found("new"));
    let epoch = back.epoch();
    assert!(release.send(keys_of(["old"]).into()).is_ok());
    settle(&gone).await;
    assert_eq!(ask(&gone, "old").await, found("old"), "for whoever holds on to it");
    assert_eq!(ask(&back, "new").await, found("new"));
    assert_eq!(back.epoch(), epoch);
}

#[test]
fn an_issuer_is_small() {
    // Beside its keys, and what it remembers of absent ones: 2 KiB at most.
    assert!(size_of::<IssuerKeys>() <= 1024, "{}", size_of::<IssuerKeys>());
}
