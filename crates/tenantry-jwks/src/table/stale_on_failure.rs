//! Known keys serve on while fetching fails, for a bounded time.

use std::time::Duration;

use crate::error::KeyErrorKind;
use crate::fetch_error::FetchErrorKind;
use crate::settings::KeySettings;
use crate::testing::{Step, URL, ask, found, loaded_with, settle};

/// Whether the key still works when this time has passed since it was loaded, all in outage.
async fn serves_after(settings: KeySettings, seconds: u64) -> bool {
    let (bench, keys) = loaded_with(settings).await;
    bench.script.says(URL, [FetchErrorKind::Connect.into()]);
    let mut left = seconds;
    while left > 0 {
        let step = left.min(60);
        bench.advance(step);
        left -= step;
        keys.warm();
        settle(&keys).await;
    }
    let verdict = ask(&keys, "a").await;
    assert_eq!(verdict.is_ok(), keys.epoch().is_some());
    if verdict.is_err() {
        assert_eq!(verdict, Err(KeyErrorKind::Unavailable));
    }
    verdict == found("a")
}

#[tokio::test]
async fn is_one_hour_past_the_lifetime() {
    assert!(serves_after(KeySettings::default(), 600 + 3600 - 1).await);
    assert!(!serves_after(KeySettings::default(), 600 + 3600).await);
}

#[tokio::test]
async fn is_from_nothing_to_24_hours() {
    let never = KeySettings::default().with_max_stale(Duration::ZERO);
    assert!(serves_after(never.clone(), 599).await);
    assert!(!serves_after(never, 600).await);
    let days = KeySettings::default().with_max_stale(Duration::from_secs(999_999));
    assert!(serves_after(days.clone(), 600 + 86_400 - 1).await);
    assert!(!serves_after(days, 600 + 86_400).await);
}

#[tokio::test]
async fn follows_the_lifetime_that_the_issuer_gives() {
    let (bench, keys) = loaded_with(KeySettings::default()).await;
    let answer = Step::from(crate::testing::keys_of(["a"])).with_cache_control("max-age=60");
    bench.script.says(URL, [answer, 500.into()]);
    bench.advance(480);
    keys.warm();
    settle(&keys).await;
    bench.advance(60 + 3600 - 1);
    assert_eq!(ask(&keys, "a").await, found("a"));
    settle(&keys).await;
    assert_eq!(keys.status().staleness(), Duration::from_secs(3599));
    bench.advance(1);
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
}
