//! One fetch at a time per issuer, in a task of its own, in order.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::testing::{Bench, Step, URL, ask, found, keys_of, loaded};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_first_requests_from_many_threads_make_one_fetch() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::Panic]);
    let keys = bench.keys();
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let keys = Arc::clone(&keys);
        callers.spawn(async move { ask(&keys, "a").await });
    }
    bench.script.has_been_asked(1).await;
    assert!(release.send(keys_of(["a"]).into()).is_ok());
    for verdict in callers.join_all().await {
        assert_eq!(verdict, found("a"));
    }
    assert_eq!(bench.script.count(), 1);
}

#[tokio::test]
async fn a_caller_that_disconnects_leaves_the_fetch_to_the_next() {
    let (bench, keys) = loaded().await;
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::Panic]);
    for kid in 0..100 {
        let kid = kid.to_string();
        let mut asked = Box::pin(ask(&keys, &kid));
        let polled =
            std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    assert!(release.send(keys_of(["a", "b"]).into()).is_ok());
    assert_eq!(ask(&keys, "b").await, found("b"));
    assert_eq!(bench.script.count(), 2);
}

#[tokio::test]
async fn an_answer_that_comes_after_a_later_one_is_dropped() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::from(keys_of(["new"])).with_etag("\"new\"")]);
    let keys = bench.keys();
    keys.warm();
    bench.script.has_been_asked(1).await;
    bench.advance(10);
    assert_eq!(ask(&keys, "new").await, found("new"));
    let (epoch, status) = (keys.epoch(), keys.status());
    let late = Step::from(keys_of(["old"])).with_cache_control("max-age=60");
    assert!(release.send(late).is_ok());
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!((keys.epoch(), keys.status()), (epoch, status));
    assert_eq!(ask(&keys, "new").await, found("new"));
}
