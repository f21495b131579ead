//! Time and numbers that callers cannot use up.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use journal_api::connections::HEAD_TIME;
use journal_api::demo::Demo;
use journal_api::sent::BODY_TIME;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::running::{ANY_PORT, Running, rent};

/// Reads until the service closes the connection. Time passes as soon as there is nothing to do.
async fn wait_for_the_end(stream: &mut TcpStream) -> (String, Duration) {
    tokio::time::pause();
    let start = Instant::now();
    let mut answer = String::new();
    let ended = stream.read_to_string(&mut answer);
    timeout(Duration::from_secs(3600), ended).await.unwrap().unwrap();
    (answer, start.elapsed())
}

async fn connect(app: &Running) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Sends a request and reads its answer, so that the connection is in use on both sides.
async fn use_once(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_the_connection() {
    let app = Running::start().await;
    let mut stream = connect(&app).await;
    use_once(&mut stream).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").await.unwrap();

    let (_, took) = wait_for_the_end(&mut stream).await;
    assert!(took <= HEAD_TIME + Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed() {
    let app = Running::start().await;
    for requests in [0, 2] {
        let mut stream = connect(&app).await;
        for _ in 0..requests {
            use_once(&mut stream).await;
        }
        let (answer, took) = wait_for_the_end(&mut stream).await;
        assert_eq!(answer, "");
        assert!(took <= HEAD_TIME + Duration::from_secs(1), "{took:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_answered_and_the_connection_closed() {
    let app = Running::start().await;
    let mut stream = crate::shutdown::begin_booking(&app).await;
    stream.write_all(b"{\"date\":").await.unwrap();

    let (answer, took) = wait_for_the_end(&mut stream).await;

    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"body_too_slow\""), "{answer}");
    assert!(took <= BODY_TIME + Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_tenant_that_sends_too_much_is_refused_and_the_others_are_not() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("journal.db");
    let app = Running::of(Demo::start(ANY_PORT, ANY_PORT, Some(&file)).await.unwrap());
    let token = app.token("tenant1");
    app.book("tenant2").await;
    // Somebody else writes, so that no booking ends.
    let mut writer = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    let writing = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let send = || app.post("/tenant1/journal-entries", &token).json(&rent()).send();
    let mut sent: FuturesUnordered<_> = (0..70).map(|_| send()).collect();
    for _ in 0..6 {
        let refused = sent.next().await.unwrap().unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        let problem: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "tenant_busy");
    }
    assert_eq!(app.count("tenant2").await, 1);

    writing.rollback().await.unwrap();
    while let Some(answered) = sent.next().await {
        assert_eq!(answered.unwrap().status(), StatusCode::CREATED);
    }
    assert_eq!(app.count("tenant1").await, 64);
}
