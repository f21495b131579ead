//! The pause after a failed fetch.

use std::time::Duration;

use crate::error::KeyErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, URL, ask, found, keys_of};

/// Chance gives half of the longest pause.
#[tokio::test]
async fn doubles_from_1_second_to_60_and_no_crowd_makes_it_shorter() {
    let bench = Bench::new();
    bench.script.says(URL, [500.into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    for (failures, pause) in
        [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].iter().enumerate()
    {
        bench.clock.advance(Duration::from_millis(pause - 1));
        for _ in 0..100 {
            assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
        }
        assert_eq!(bench.script.count(), failures + 1);
        bench.clock.advance(Duration::from_millis(1));
        assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
        assert_eq!(bench.script.count(), failures + 2, "after {pause} ms");
    }
    bench.script.says(URL, [keys_of(["a"]).into()]);
    bench.advance(60);
    assert_eq!(ask(&keys, "a").await, found("a"));
}

#[tokio::test]
async fn is_a_setting() {
    let seconds = Duration::from_secs;
    let settings = KeySettings::default().with_back_off(seconds(10), seconds(15));
    let bench = Bench::with(settings, KeySource::uri(URL));
    bench.script.says(URL, [500.into()]);
    for retry_after in [5, 8] {
        let keys = bench.keys();
        let error = keys.key(None, tenantry_core::Algorithm::EdDsa).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(seconds(retry_after)));
        bench.advance(10);
    }
}
