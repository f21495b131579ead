//! `tenantry serve issuer`: health, figures, reload and the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::StatusCode;
use serde_json::Value;

use crate::place::{Place, Serving};

async fn get(serving: &Serving, path: &str) -> (StatusCode, String) {
    let answer = reqwest::get(serving.url(path)).await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn settings(more: &str) -> String {
    format!(
        "audience = \"https://api.erp.example/{{tenant}}\"\nissuer = \"https://auth.erp.example\"\nlisten = \"127.0.0.1:0\"\n{more}"
    )
}

#[tokio::test]
async fn it_is_alive_ready_and_counts() {
    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    for path in ["/healthz", "/readyz"] {
        let answer = get(&serving, path).await;
        assert_eq!(answer, (StatusCode::OK, r#"{"status":"ok"}"#.into()), "{path}");
    }
    assert_eq!(get(&serving, "/jwks.json").await.0, StatusCode::OK);
    let (status, figures) = get(&serving, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let line = r#"tenantry_issuer_requests_total{route="/jwks.json",status="200"} 1"#;
    assert!(figures.contains(line), "{figures}");
    for name in ["tenantry_issuer_requests_total", "tenantry_issuer_request_seconds"] {
        assert!(figures.contains(&format!("# HELP {name} ")), "{figures}");
    }
}

#[tokio::test]
async fn figures_can_have_an_address_of_their_own() {
    let place = Place::new();
    place.write("issuer.toml", &settings("metrics_listen = \"127.0.0.1:0\""));
    for more in [&[][..], &["--metrics-listen", "127.0.0.1:0"]] {
        let serving = place.serve(more);
        assert_eq!(get(&serving, "/metrics").await.0, StatusCode::NOT_FOUND);
        assert_eq!(get(&serving, "/jwks.json").await.0, StatusCode::OK);

        let metrics = serving.metrics.clone().unwrap();
        let ask = async |path: &str| reqwest::get(format!("http://{metrics}{path}")).await.unwrap();
        let figures = ask("/metrics").await;
        assert_eq!(figures.status(), StatusCode::OK);
        assert_eq!(figures.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let figures = figures.text().await.unwrap();
        assert!(figures.contains(r#"{route="/jwks.json",status="200"} 1"#), "{figures}");
        // Nothing else is there.
        for path in ["/jwks.json", "/healthz", "/oauth/token"] {
            assert_eq!(ask(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert!(serving.end().success());
    }
}

/// A label is a series in whatever collects the figures, and shown to whoever reads them.
#[tokio::test]
async fn figures_name_no_tenant_no_client_and_no_address() {
    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let client = reqwest::Client::new();
    let form = [("grant_type", "client_credentials"), ("scope", "hidden-scope")];
    for path in ["/hidden-tenant/oauth/token", "/hidden-tenant/oauth/introspect", "/hidden-path"] {
        let request = client.post(serving.url(path)).basic_auth("hidden-client", Some("hidden"));
        request.header("x-tenant-id", "hidden-tenant").form(&form).send().await.unwrap();
    }
    let (_, figures) = get(&serving, "/metrics").await;
    assert!(figures.contains(r#"{route="/{tenant}/oauth/token",status="401"} 1"#), "{figures}");
    assert!(!figures.contains("hidden") && !figures.contains("127.0.0.1"), "{figures}");
}

#[tokio::test]
async fn its_metadata_names_it_as_the_settings_do() {
    let place = Place::new();
    place.write("issuer.toml", &settings(""));
    let serving = place.serve(&[]);
    assert_eq!(serving.issuer, "https://auth.erp.example");
    let (_, text) = get(&serving, "/.well-known/oauth-authorization-server").await;
    let metadata: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(metadata["issuer"], "https://auth.erp.example");
    assert_eq!(metadata["token_endpoint"], "https://auth.erp.example/oauth/token");
    let (_, text) = get(&serving, "/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn a_hangup_puts_a_changed_file_in_force() {
    let place = Place::new();
    place.write("issuer.toml", &settings(""));
    let mut serving = place.serve(&[]);
    let openid = "/.well-known/openid-configuration";
    assert_eq!(get(&serving, openid).await.0, StatusCode::NOT_FOUND);
    place.write("issuer.toml", &settings("openid_configuration = true"));
    serving.signal("-HUP");
    serving.says("the issuer's file was read again and is in force").await;
    assert_eq!(get(&serving, openid).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let place = Place::new();
    place.write("issuer.toml", &settings("openid_configuration = true"));
    let mut serving = place.serve(&[]);
    let openid = "/.well-known/openid-configuration";
    for (text, problem) in [
        (
            settings("openid_configuration = 1"),
            "issuer.toml:4: openid_configuration: invalid type: integer `1`, expected a boolean",
        ),
        (
            settings("").replace("auth.erp", "login.erp"),
            "issuer.toml:2: issuer: a server that runs keeps the one that it has: restart it to change this",
        ),
        (
            settings("algorithm = \"EdDSA\""),
            "issuer.toml:4: algorithm: a server that runs keeps the one that it has: restart it to change this",
        ),
        (
            settings("key_rotation = \"7d\""),
            "issuer.toml:4: key_rotation: a server that runs keeps the one that it has: restart it to change this",
        ),
        (
            settings("").replace("127.0.0.1:0", "127.0.0.1:9"),
            "issuer.toml:3: listen: a server that runs keeps the one that it has: restart it to change this",
        ),
        (
            settings("metrics_listen = \"127.0.0.1:0\""),
            "issuer.toml:4: metrics_listen: a server that runs keeps the one that it has: restart it to change this",
        ),
        (
            settings("database = \"sqlite://other.db\""),
            "issuer.toml:4: database: a server that runs keeps the one that it has: restart it to change this",
        ),
    ] {
        place.write("issuer.toml", &text);
        serving.signal("-HUP");
        serving.says(problem).await;
        assert_eq!(get(&serving, openid).await.0, StatusCode::OK, "{problem}");
    }
    assert!(!place.files().contains(&"other.db".into()));
}

#[tokio::test]
async fn it_ends_with_exit_code_0_and_what_it_did_is_written_down() {
    let place = Place::new();
    place.write("issuer.toml", &settings(""));
    let serving = place.serve(&[]);
    // Refused, which is an event too.
    let client = reqwest::Client::new();
    let form = [("grant_type", "client_credentials"), ("tenant_id", "tenant1")];
    let request = client.post(serving.url("/oauth/token")).basic_auth("js", Some("x")).form(&form);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(serving.end().success());
    // The log is closed into the database, so there is one file.
    assert_eq!(place.files(), ["issuer.toml", "log", "tenantry.db"]);
    let database = fs::read(place.path().join("tenantry.db")).unwrap();
    let written = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(written("token.issue"));
}

#[tokio::test]
async fn signing_keys_are_encrypted_with_the_key_of_the_environment() {
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let place = Place::new();
    let listen = ["--listen", "127.0.0.1:0"];
    let serving = place.serve_with(&listen, &[("TENANTRY_KEY_ENCRYPTION_KEY", KEY)]);
    assert!(!serving.log().contains("without encryption"), "{}", serving.log());
    assert!(serving.end().success());
    // Without it the keys cannot be read.
    let ran = place.run("serve issuer --listen 127.0.0.1:0");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("is encrypted: set the key encryption key"), "{ran:?}");
}

#[tokio::test]
async fn without_a_key_the_log_says_that_signing_keys_are_in_clear() {
    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    assert!(serving.log().contains("signing keys are stored without encryption"));
}

/// `100 Continue` says that the request is under way: its head was read, and its body is waited for.
#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let place = Place::new();
    let mut serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    let body = "grant_type=client_credentials&tenant_id=tenant1&client_id=js&client_secret=x";
    write!(
        stream,
        "POST /oauth/token HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len(),
    )
    .unwrap();
    let mut going_on = [0; 25];
    stream.read_exact(&mut going_on).unwrap();
    assert_eq!(&going_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    serving.signal("-TERM");
    serving.says("stopping").await;
    // It is said before the port is given back: from some moment on nobody gets in.
    while TcpStream::connect(&serving.address).is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(serving.end_of().success());
}
