//! Metadata is kept and renewed like key sets, and looked for again when keys may have moved.

use std::time::Duration;

use serde_json::json;

use crate::error::KeyErrorKind;
use crate::fetch_error::FetchErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, ISSUER, Step, URL, ask, found, keys_of, settle};

const RFC8414: &str = "https://auth.example/.well-known/oauth-authorization-server/tenant1";
const OPENID: &str = "https://auth.example/tenant1/.well-known/openid-configuration";
const MOVED: &str = "https://auth.example/moved.json";

fn metadata(jwks_uri: &str) -> Step {
    json!({ "issuer": ISSUER, "jwks_uri": jwks_uri }).into()
}

/// An issuer whose key `a` was found through its metadata, which may be kept for an hour.
async fn discovered(place: &str) -> Bench {
    let bench = Bench::with(KeySettings::default(), KeySource::discovery());
    bench.script.says(place, [metadata(URL).with_cache_control("max-age=3600").with_etag("\"m\"")]);
    bench.script.says(URL, [keys_of(["a"]).into()]);
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
    bench
}

/// The requests from here on.
fn since(bench: &Bench, before: usize) -> Vec<String> {
    bench.script.asked().split_off(before)
}

async fn refresh(bench: &Bench) -> Vec<String> {
    let before = bench.script.count();
    let keys = bench.keys();
    bench.clock.advance(keys.status().next_refresh().unwrap());
    keys.warm();
    settle(&keys).await;
    since(bench, before)
}

#[tokio::test]
async fn is_looked_for_by_rfc_8414_then_by_openid_connect_and_then_where_it_was() {
    let bench = discovered(OPENID).await;
    assert_eq!(bench.script.asked(), [RFC8414, OPENID, URL]);
    bench.advance(3600);
    assert_eq!(refresh(&bench).await, [OPENID, URL]);
}

#[tokio::test]
async fn is_kept_as_long_as_it_says() {
    let bench = discovered(RFC8414).await;
    for _ in 0..7 {
        assert_eq!(refresh(&bench).await, [URL], "480 s later");
    }
    assert_eq!(refresh(&bench).await, [RFC8414, URL], "3840 s old");
}

#[tokio::test]
async fn is_renewed_by_a_304() {
    let bench = discovered(RFC8414).await;
    bench.script.says(RFC8414, [304.into()]);
    bench.advance(3600);
    assert_eq!(refresh(&bench).await, [RFC8414, URL]);
    assert_eq!(bench.script.tags()[2].as_deref(), Some("\"m\""));
    for _ in 0..7 {
        assert_eq!(refresh(&bench).await, [URL], "as long as it said at first");
    }
}

#[tokio::test]
async fn is_looked_for_again_when_the_keys_are_not_there_any_more() {
    let bench = discovered(RFC8414).await;
    bench.script.says(URL, [404.into()]);
    bench.script.says(RFC8414, [metadata(MOVED)]);
    bench.script.says(MOVED, [keys_of(["a", "b"]).into()]);
    assert_eq!(refresh(&bench).await, [URL], "fails");
    assert_eq!(refresh(&bench).await, [RFC8414, MOVED]);
    assert_eq!(ask(&bench.keys(), "b").await, found("b"));
}

#[tokio::test]
async fn is_looked_for_again_when_a_key_is_missing_but_not_each_time() {
    let bench = discovered(RFC8414).await;
    bench.script.says(RFC8414, [metadata(MOVED)]);
    bench.script.says(MOVED, [keys_of(["a", "b"]).into()]);
    let before = bench.script.count();
    assert_eq!(ask(&bench.keys(), "b").await, Err(KeyErrorKind::Unknown));
    assert_eq!(since(&bench, before), [URL], "the metadata is new");
    bench.advance(60);
    let before = bench.script.count();
    assert_eq!(ask(&bench.keys(), "b").await, found("b"));
    assert_eq!(since(&bench, before), [RFC8414, MOVED], "it is a minute old");
}

#[tokio::test]
async fn does_not_take_the_keys_along_when_it_cannot_be_had() {
    for outage in [Step::from(500), FetchErrorKind::Connect.into(), Step::from("<html>")] {
        let bench = discovered(RFC8414).await;
        bench.script.says(RFC8414, [outage]);
        bench.script.says(URL, [keys_of(["a", "b"]).into()]);
        bench.advance(3600);
        assert_eq!(refresh(&bench).await.last().unwrap(), URL);
        assert_eq!(bench.keys().status().failure(), None);
        assert_eq!(ask(&bench.keys(), "b").await, found("b"));
    }
}

#[tokio::test(start_paused = true)]
async fn has_half_of_the_time_when_it_hangs_and_is_known() {
    let bench = discovered(RFC8414).await;
    let (_never, held) = Step::held();
    bench.script.says(RFC8414, [held]);
    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    bench.advance(3600);
    let before = tokio::time::Instant::now();
    assert_eq!(ask(&bench.keys(), "b").await, found("b"));
    assert_eq!(before.elapsed(), Duration::from_millis(2500));
}

#[tokio::test]
async fn is_not_used_past_the_bound_of_staleness() {
    let bench = discovered(RFC8414).await;
    bench.script.says(RFC8414, [FetchErrorKind::Connect.into()]);
    bench.advance(3600 + 3600);
    let before = bench.script.count();
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(since(&bench, before), [RFC8414]);
}

#[tokio::test]
async fn the_tag_of_a_key_set_is_for_its_own_url() {
    let bench = discovered(RFC8414).await;
    bench.script.says(URL, [Step::from(keys_of(["a"])).with_etag("\"k\"")]);
    refresh(&bench).await;
    bench.script.says(RFC8414, [metadata(MOVED)]);
    bench.script.says(MOVED, [keys_of(["b"]).into()]);
    bench.advance(3600);
    assert_eq!(refresh(&bench).await, [RFC8414, MOVED]);
    assert_eq!(bench.script.tags().pop(), Some(None));
}
