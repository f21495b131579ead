//! What readiness is told.

use std::time::Duration;

use crate::error::LoadErrorKind;
use crate::testing::{Bench, URL, loaded, settle};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn says_everything_about_a_set_in_use() {
    let (bench, keys) = loaded().await;
    bench.advance(40);
    let status = keys.status();
    assert!(status.is_ready());
    assert_eq!((status.keys(), status.failure()), (1, None));
    assert_eq!(status.age(), Some(seconds(40)));
    assert_eq!(status.last_success(), Some(seconds(40)));
    assert_eq!(status.next_refresh(), Some(seconds(440)));
    assert_eq!(status.staleness(), Duration::ZERO);
    assert_eq!(status.epoch(), keys.epoch());
    assert_eq!(status.to_string(), "ready, 1 key, 40 s old, next fetch in 440 s");
}

#[tokio::test]
async fn tells_the_truth_in_an_outage() {
    let (bench, keys) = loaded().await;
    bench.script.says(URL, [500.into()]);
    bench.advance(700);
    keys.warm();
    settle(&keys).await;
    let status = keys.status();
    assert_eq!(status.failure(), Some(LoadErrorKind::Status(500)));
    assert_eq!(status.staleness(), seconds(100));
    assert_eq!(
        status.to_string(),
        "ready, 1 key, 700 s old, 100 s past their lifetime, next fetch in 0 s, \
         last fetch failed: status 500 instead of 200"
    );
    bench.advance(3500);
    let status = keys.status();
    assert!(!status.is_ready());
    assert!(status.to_string().starts_with("not ready, 1 key, 4200 s old, "), "{status}");
}

#[tokio::test]
async fn says_that_there_is_nothing_yet() {
    let status = Bench::new().keys().status();
    assert_eq!((status.age(), status.last_success(), status.epoch()), (None, None, None));
    assert_eq!(status.to_string(), "not ready, 0 keys, next fetch in 0 s");
}

#[test]
fn keys_in_the_configuration_have_no_next_fetch() {
    let source = crate::KeySource::jwks(&crate::testing::keys_of(["a"]).to_string()).unwrap();
    let status = Bench::with(crate::KeySettings::default(), source).keys().status();
    assert!(status.is_ready());
    assert_eq!(status.next_refresh(), None);
}
