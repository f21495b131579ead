//! The time of day decides nothing about keys in memory.

use std::time::Duration;

use crate::testing::{ask, found, loaded, settle};

#[tokio::test]
async fn a_jump_of_the_time_of_day_changes_nothing() {
    let (bench, keys) = loaded().await;
    let (epoch, status) = (keys.epoch(), keys.status());
    for unix in [0, 1, u64::from(u32::MAX), 253_402_300_799] {
        bench.clock.set_unix(Duration::from_secs(unix));
        assert_eq!(ask(&keys, "a").await, found("a"));
        assert_eq!((keys.epoch(), keys.status()), (epoch, status.clone()));
    }
    assert_eq!(bench.script.count(), 1);
    bench.advance(480);
    keys.warm();
    settle(&keys).await;
    assert_eq!(bench.script.count(), 2, "by the clock that does not jump");
}

#[tokio::test]
async fn a_jump_of_the_monotonic_clock_by_a_day_is_an_old_set_and_heals() {
    let (bench, keys) = loaded().await;
    bench.advance(24 * 60 * 60);
    assert_eq!(keys.epoch(), None);
    assert_eq!(ask(&keys, "a").await, found("a"), "after a fetch");
    assert_eq!(bench.script.count(), 2);
}
