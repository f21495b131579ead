//! Refreshes run ahead of the end of a lifetime, in the background, for issuers in use.

use crate::testing::{Bench, Step, URL, ask, found, keys_of, loaded, settle};

#[tokio::test]
async fn starts_at_80_percent_of_the_lifetime_and_nobody_waits_for_it() {
    let (bench, keys) = loaded().await;
    let (release, held) = Step::held();
    bench.script.says(URL, [held]);
    bench.advance(479);
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert!(!keys.is_fetching());
    bench.advance(1);
    assert_eq!(ask(&keys, "a").await, found("a"));
    bench.script.has_been_asked(2).await;
    assert_eq!(ask(&keys, "a").await, found("a"), "while it runs");
    assert!(release.send(keys_of(["a"]).into()).is_ok());
    settle(&keys).await;
    assert_eq!(bench.script.count(), 2);
}

#[tokio::test]
async fn an_issuer_that_nobody_asks_about_is_not_fetched() {
    let (bench, keys) = loaded().await;
    let other = bench.found("other");
    bench.script.says(&Bench::url_of("other"), [keys_of(["b"]).into()]);
    assert_eq!(ask(&other, "b").await, found("b"));
    for _ in 0..100 {
        bench.advance(60);
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.script.count(), 2, "no timer");
    drop(keys);
}
