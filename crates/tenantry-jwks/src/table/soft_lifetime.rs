//! How long a key set is used before the next is fetched.

use std::time::Duration;

use crate::error::{KeyErrorKind, LoadErrorKind};
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, Step, URL, ask, ed25519, found, keys_of, loaded, set, settle};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// When the refresh is due, for an issuer that says this about its set: at 80 % of the lifetime.
async fn refresh_after(settings: KeySettings, cache_control: Option<&str>) -> Duration {
    let bench = Bench::with(settings, KeySource::uri(URL));
    let answer = Step::from(keys_of(["a"]));
    bench.script.says(
        URL,
        [match cache_control {
            Some(field) => answer.with_cache_control(field),
            None => answer,
        }],
    );
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
    bench.keys().status().next_refresh().unwrap()
}

#[tokio::test]
async fn is_ten_minutes_where_the_issuer_does_not_say() {
    for silent in [None, Some("public, must-revalidate")] {
        assert_eq!(refresh_after(KeySettings::default(), silent).await, seconds(480));
    }
    let settings = KeySettings::default().with_soft_lifetime(seconds(100));
    assert_eq!(refresh_after(settings, None).await, seconds(80));
}

#[tokio::test]
async fn is_what_cache_control_says_from_60_seconds_to_an_hour() {
    for (field, after) in [
        ("max-age=600", 480),
        ("max-age=60", 48),
        ("max-age=3600", 2880),
        ("max-age=59", 48),
        ("max-age=0", 48),
        ("no-store", 48),
        ("no-cache, max-age=600", 48),
        ("max-age=3601", 2880),
        ("max-age=31536000, immutable", 2880),
    ] {
        let found = refresh_after(KeySettings::default(), Some(field)).await;
        assert_eq!(found, seconds(after), "{field}");
    }
    let settings = KeySettings::default().with_lifetime_bounds(seconds(100), seconds(200));
    for (field, after) in [("max-age=1", 80), ("max-age=150", 120), ("max-age=9999", 160)] {
        assert_eq!(refresh_after(settings.clone(), Some(field)).await, seconds(after), "{field}");
    }
}

#[tokio::test]
async fn is_renewed_by_a_304_that_changes_no_epoch_and_keeps_what_it_does_not_repeat() {
    let bench = Bench::new();
    let first = Step::from(keys_of(["a"])).with_etag("\"1\"").with_cache_control("max-age=100");
    bench.script.says(
        URL,
        [
            first,
            304.into(),
            Step::from(304).with_etag("\"2\"").with_cache_control("max-age=200"),
            304.into(),
        ],
    );
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    let epoch = keys.epoch();
    for (lifetime, tag) in [(100, "\"1\""), (200, "\"1\""), (200, "\"2\"")] {
        bench.clock.advance(keys.status().next_refresh().unwrap());
        assert_eq!(keys.epoch(), epoch, "starts the refresh");
        settle(&keys).await;
        assert_eq!(keys.status().age(), Some(Duration::ZERO), "confirmed just now");
        assert_eq!(keys.status().next_refresh(), Some(seconds(lifetime) * 8 / 10));
        assert_eq!(keys.epoch(), epoch);
        assert_eq!(bench.script.tags().pop().unwrap().as_deref(), Some(tag));
    }
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(bench.script.count(), 4);
}

#[tokio::test]
async fn a_304_revives_a_set_that_was_past_its_bound() {
    let bench = Bench::new();
    let first = Step::from(keys_of(["a"])).with_etag("\"1\"");
    bench.script.says(URL, [first, 304.into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    bench.advance(600 + 3600);
    assert_eq!(keys.epoch(), None);
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(bench.script.count(), 2);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failed_fetch() {
    let bench = Bench::new();
    bench.script.says(URL, [304.into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(keys.status().failure(), Some(LoadErrorKind::Status(304)));

    let (bench, keys) = loaded().await;
    bench.script.says(URL, [304.into()]);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable), "it came without a tag");
}

#[tokio::test]
async fn the_tag_of_a_set_that_could_not_be_used_is_not_sent() {
    let bench = Bench::new();
    let mut private = ed25519("b");
    private["d"] = "AQAB".into();
    let bad = Step::from(set([private])).with_etag("\"bad\"");
    let good = Step::from(keys_of(["a"])).with_etag("\"good\"");
    bench.script.says(URL, [bad, good, Step::from("<html>").with_etag("\"worse\""), 304.into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    bench.advance(60);
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable));
    bench.advance(60);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown), "304: the good one is current");
    let tag = Some("\"good\"".to_owned());
    assert_eq!(bench.script.tags(), [None, None, tag.clone(), tag]);
}
