//! What strangers may have us fetch by making up key ids.

use std::time::Duration;

use crate::error::KeyErrorKind;
use crate::settings::KeySettings;
use crate::testing::{Step, URL, ask, found, keys_of, loaded, loaded_with, settle};

#[tokio::test]
async fn ten_thousand_make_at_most_3_fetches_in_any_30_seconds() {
    let (bench, keys) = loaded().await;
    let mut fetched_at = Vec::new();
    for request in 0..10_000_u64 {
        // 100 a second.
        bench.clock.advance(Duration::from_millis(10));
        assert_eq!(ask(&keys, &format!("{request}")).await, Err(KeyErrorKind::Unknown));
        assert_eq!(ask(&keys, "a").await, found("a"));
        fetched_at.resize(bench.script.count() - 1, request / 100);
    }
    for (at, start) in fetched_at.iter().enumerate() {
        let within = fetched_at[at..].iter().take_while(|time| **time < start + 30).count();
        assert!(within <= 3, "{within} from {start} s on: {fetched_at:?}");
    }
    // The burst, and the refills of 100 seconds.
    assert_eq!(fetched_at.len(), 2 + 3);
}

#[tokio::test]
async fn is_charged_before_the_fetch_and_not_given_back_when_it_fails() {
    let (bench, keys) = loaded().await;
    let good = || Step::from(keys_of(["a"]));
    bench.script.says(URL, [500.into(), good(), 500.into(), good(), 500.into()]);
    for round in 0..2 {
        assert_eq!(ask(&keys, &format!("x{round}")).await, Err(KeyErrorKind::Unavailable));
        bench.advance(1);
        keys.warm();
        settle(&keys).await;
    }
    assert_eq!(bench.script.count(), 5);
    assert_eq!(ask(&keys, "x2").await, Err(KeyErrorKind::Unknown), "nothing is left");
    assert_eq!(bench.script.count(), 5);
}

#[tokio::test]
async fn over_budget_is_answered_at_once() {
    let (bench, keys) =
        loaded_with(KeySettings::default().with_unknown_kid_budget(0, Duration::from_secs(30)))
            .await;
    bench.script.says(URL, [Step::Panic]);
    // Polled once, it is ready: nothing is waited for.
    let mut asked = std::pin::pin!(ask(&keys, "b"));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await;
    assert_eq!(polled, std::task::Poll::Ready(Err(KeyErrorKind::Unknown)));
}

#[tokio::test]
async fn a_flood_that_goes_away_at_once_delays_a_rotation_by_one_refill() {
    let (bench, keys) = loaded().await;
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let mut taken_up = None;
    for second in 0..60_u64 {
        bench.advance(1);
        for request in 0..100 {
            // Asks, and disconnects before there is an answer.
            let kid = format!("{second}.{request}");
            let mut asked = Box::pin(ask(&keys, &kid));
            let _ =
                std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await;
        }
        settle(&keys).await;
        if second == 20 {
            bench.script.says(URL, [keys_of(["a", "new"]).into()]);
        }
        if second >= 20 && taken_up.is_none() && ask(&keys, "new").await == found("new") {
            taken_up = Some(second - 20);
        }
        assert_eq!(ask(&keys, "a").await, found("a"));
    }
    assert!(taken_up.is_some_and(|after| after <= 30), "{taken_up:?}");
    assert!(bench.script.count() <= 1 + 2 + 2, "{}", bench.script.count());
}
