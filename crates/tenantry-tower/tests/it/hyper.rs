//! The example with a bare hyper server, over a real connection: paths come as they were sent.

use tenantry_testkit::TestIssuer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[path = "../../examples/hyper.rs"]
#[expect(dead_code, reason = "it has a `main` of its own")]
mod example;

/// Sends a request as it is written, and returns status and body.
async fn send(address: std::net::SocketAddr, line: &str, token: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.into())
}

#[tokio::test]
async fn the_example_serves_a_tenant_its_own_entries_and_nobody_elses() {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let erp = example::resource_server(&issuer).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(example::serve(listener, example::service(&erp)));

    let token = issuer.token().tenant("tenant1").scope("tenant1.journal.read").sign();
    let weak = issuer.token().tenant("tenant1").sign();
    let own = send(address, "GET /tenant1/journal-entries", &token).await;
    assert_eq!(own, (200, "the entries of tenant1\n".into()));
    for (line, token, status, code) in [
        ("GET /tenant2/journal-entries", &token, 403, "tenant_mismatch.path"),
        ("GET /tenant1/journal-entries", &weak, 403, "scope_missing"),
        ("GET /tenant1/../tenant2/journal-entries", &token, 400, "path_ambiguous"),
        ("GET /tenant1/%2e%2e/tenant2/journal-entries", &token, 400, "path_ambiguous"),
        ("GET //tenant1/journal-entries", &token, 400, "path_ambiguous"),
        ("GET /tenant1/journal-entries?access_token=x", &token, 400, "credentials_in_query"),
        ("OPTIONS *", &token, 400, "tenant_missing.path"),
        ("GET http://other.example/tenant2/x", &token, 403, "tenant_mismatch.path"),
    ] {
        let (found, body) = send(address, line, token).await;
        assert_eq!(found, status, "{line}: {body}");
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["code"], code, "{line}");
    }
    server.abort();
}
