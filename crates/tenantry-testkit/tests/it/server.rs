//! The loopback server, asked over a plain connection.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_core::Algorithm;
use tenantry_testkit::{SigningKey, TestIssuer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const JWKS: &str = "/jwks.json";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

fn address(issuer: &TestIssuer) -> SocketAddr {
    let base = issuer.jwks_uri();
    base.strip_prefix("http://").unwrap().strip_suffix(JWKS).unwrap().parse().unwrap()
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, Value) {
    let (status, body) = ask_with(address, method, path).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn ask_for_bytes(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    ask_with(address, "GET", path).await
}

async fn ask_with(address: SocketAddr, method: &str, path: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();

    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (head, body) = response.split_at(end);
    let head = str::from_utf8(head).unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    (status, body[4..].to_vec())
}

async fn get(issuer: &TestIssuer, path: &str) -> (u16, Value) {
    ask(address(issuer), "GET", path).await
}

#[tokio::test]
async fn it_listens_on_loopback_and_is_named_after_its_address() {
    let issuer = TestIssuer::start().await;
    assert!(issuer.url().starts_with("http://127.0.0.1:"), "{}", issuer.url());
    assert_eq!(issuer.url(), format!("http://{}", address(&issuer)));
    assert_eq!(issuer.issuer_of("tenant1"), issuer.url());
}

#[tokio::test]
async fn it_serves_its_keys() {
    let issuer = TestIssuer::builder().keys_per_tenant(["tenant1"]).start().await;
    issuer.publish(SigningKey::generate(Algorithm::Es256, "second"));

    let (status, jwks) = get(&issuer, JWKS).await;
    assert_eq!((status, &jwks), (200, &issuer.jwks()));
    assert_eq!(jwks["keys"][0]["kid"], "es256-1");
    assert_eq!(jwks["keys"][1]["kid"], "second");
    let (status, of_tenant) = get(&issuer, "/tenant1/jwks.json").await;
    assert_eq!((status, &of_tenant), (200, &issuer.jwks_of("tenant1")));
    assert_eq!(of_tenant["keys"][0]["kid"], "tenant1-es256-1");
    assert_ne!(jwks, of_tenant);

    issuer.rotate();
    assert_eq!(get(&issuer, JWKS).await, (200, issuer.jwks()));
    assert_ne!(issuer.jwks(), jwks);
}

#[tokio::test]
async fn its_metadata_lead_to_its_keys() {
    let issuer = TestIssuer::builder().keys_per_tenant(["tenant1"]).start().await;
    let (url, tenant1) = (issuer.url().to_owned(), format!("{}/tenant1", issuer.url()));
    let inserted = format!("{OAUTH}/tenant1");
    let appended = format!("/tenant1{OPENID}");

    for (path, iss) in [(OAUTH, &url), (OPENID, &url), (&inserted, &tenant1), (&appended, &tenant1)]
    {
        let (status, metadata) = get(&issuer, path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(metadata["issuer"], **iss, "{path}");
        assert_eq!(metadata["jwks_uri"], format!("{iss}/jwks.json"), "{path}");
        // Required by RFC 8414 §2, and by OpenID Connect Discovery §3.
        assert!(metadata["response_types_supported"].is_array());
        if path.ends_with(OPENID) {
            assert_eq!(metadata["subject_types_supported"], json!(["public"]));
            assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["ES256"]));
        }
    }
    assert_eq!(issuer.issuer_of("tenant1"), tenant1);
    assert_eq!(issuer.jwks_uri_of("tenant1"), format!("{tenant1}/jwks.json"));
}

#[tokio::test]
async fn another_iss_moves_no_document() {
    let issuer = TestIssuer::builder().url("https://auth.erp.example").start().await;
    let (_, metadata) = get(&issuer, OAUTH).await;

    assert_eq!(metadata["issuer"], "https://auth.erp.example");
    assert_eq!(metadata["jwks_uri"], issuer.jwks_uri());
    assert!(issuer.jwks_uri().starts_with("http://127.0.0.1:"));
    assert_eq!(get(&issuer, JWKS).await.0, 200);
}

#[tokio::test]
async fn openid_metadata_alone_are_served_when_asked_for() {
    let issuer = TestIssuer::builder().openid_only().start().await;
    assert_eq!(get(&issuer, OAUTH).await.0, 404);
    assert_eq!(get(&issuer, OPENID).await.0, 200);
}

#[tokio::test]
async fn anything_else_is_not_found() {
    let issuer = TestIssuer::builder().keys_per_tenant(["tenant1"]).start().await;
    for path in ["/", "/tenant2/jwks.json", "/jwks", "/tenant1", "/oauth/token", "//jwks.json"] {
        assert_eq!(get(&issuer, path).await.0, 404, "{path}");
    }
    assert_eq!(ask(address(&issuer), "POST", JWKS).await.0, 404);
    // Tenants without keys of their own have no documents either.
    let issuer = TestIssuer::start().await;
    assert_eq!(get(&issuer, "/tenant1/jwks.json").await.0, 404);
}

#[tokio::test]
async fn it_counts_what_was_asked_for_whatever_it_answered() {
    let issuer = TestIssuer::start().await;
    assert!(issuer.fetches().is_empty());

    get(&issuer, JWKS).await;
    get(&issuer, "/jwks.json?again").await;
    get(&issuer, "/none").await;
    issuer.set_unavailable(true);
    get(&issuer, OAUTH).await;

    assert_eq!(issuer.fetches_of(JWKS), 2);
    assert_eq!(issuer.fetches_of(OPENID), 0);
    let fetches: Vec<_> = issuer.fetches().into_iter().collect();
    assert_eq!(fetches, [(OAUTH.into(), 1), (JWKS.into(), 2), ("/none".into(), 1)]);
}

#[tokio::test]
async fn it_is_unavailable_for_as_long_as_it_was_told() {
    let issuer = TestIssuer::start().await;
    issuer.set_unavailable(true);
    assert_eq!(get(&issuer, JWKS).await.0, 503);
    assert_eq!(get(&issuer, "/none").await.0, 503);
    issuer.set_unavailable(false);
    assert_eq!(get(&issuer, JWKS).await.0, 200);
}

#[tokio::test]
async fn it_fails_until_it_recovers() {
    let issuer = TestIssuer::start().await;
    issuer.fail();
    for path in [JWKS, OAUTH, OPENID, "/none"] {
        assert_eq!(get(&issuer, path).await.0, 500, "{path}");
    }
    issuer.recover();
    assert_eq!(get(&issuer, JWKS).await, (200, issuer.jwks()));
}

#[tokio::test]
async fn what_it_garbles_is_no_json_and_comes_as_if_it_were() {
    let issuer = TestIssuer::start().await;
    issuer.garble();
    for path in [JWKS, OAUTH, "/none"] {
        let (status, body) = ask_for_bytes(address(&issuer), path).await;
        assert_eq!(status, 200, "{path}");
        assert!(serde_json::from_slice::<Value>(&body).is_err() && !body.is_empty(), "{path}");
    }
    issuer.recover();
    assert_eq!(get(&issuer, JWKS).await, (200, issuer.jwks()));
}

#[tokio::test]
async fn while_it_is_paused_nothing_is_answered_and_afterwards_all_is() {
    let issuer = TestIssuer::start().await;
    issuer.pause();
    let mut waiting = Box::pin(get(&issuer, JWKS));
    // Until the request has arrived; it would have been answered in the same turn.
    while issuer.fetches_of(JWKS) == 0 {
        assert!(timeout(Duration::from_millis(1), &mut waiting).await.is_err());
    }
    for _ in 0..100 {
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        tokio::task::yield_now().await;
    }
    // Keys are those of when the answer comes.
    issuer.rotate();
    issuer.recover();
    assert_eq!(waiting.await, (200, issuer.jwks()));
}

#[tokio::test]
async fn one_mood_takes_the_place_of_another() {
    let issuer = TestIssuer::start().await;
    issuer.pause();
    issuer.fail();
    assert_eq!(get(&issuer, JWKS).await.0, 500);
    issuer.set_unavailable(true);
    assert_eq!(get(&issuer, JWKS).await.0, 503);
    issuer.recover();
    assert_eq!(get(&issuer, JWKS).await.0, 200);
    assert_eq!(issuer.fetches_of(JWKS), 3);
}

#[tokio::test]
async fn it_can_stop_and_another_can_take_its_place() {
    let issuer = TestIssuer::start().await;
    let address = address(&issuer);
    // A connection that is kept open ends, too.
    let mut idle = TcpStream::connect(address).await.unwrap();
    get(&issuer, JWKS).await;

    issuer.stop().await;

    assert!(TcpStream::connect(address).await.is_err());
    let mut byte = [0];
    let end = timeout(Duration::from_secs(10), idle.read(&mut byte)).await;
    assert_eq!(end.expect("the connection was left open").unwrap_or(0), 0);
    assert_eq!(issuer.token().tenant("tenant1").sign().split('.').count(), 3);

    let next = TestIssuer::builder().listen(address).start().await;
    assert_eq!(next.url(), issuer.url());
    assert_eq!(get(&next, JWKS).await, (200, next.jwks()));
}

#[tokio::test]
async fn it_stops_when_the_last_clone_is_dropped() {
    let issuer = TestIssuer::start().await;
    let (address, clone) = (address(&issuer), issuer.clone());

    drop(issuer);
    assert_eq!(get(&clone, JWKS).await.0, 200);

    drop(clone);
    // The runtime of this test has one thread: it drops the listener at one of the next turns.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_an_error_for_who_asks() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = TestIssuer::builder().listen(address).try_start().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
