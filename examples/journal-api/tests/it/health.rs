use journal_api::demo;
use journal_api::document::TOKEN_URL;
use journal_api::serve::{Service, listen};
use journal_api::store::Journal;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use tenantry::ResourceServer;
use tenantry_testkit::TestIssuer;

use crate::running::{ANY_PORT, Running, client};

async fn text(url: &str, path: &str) -> (StatusCode, String) {
    let answer = client().get(format!("{url}{path}")).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_service_with_keys_and_a_database_is_healthy_and_ready_without_a_token() {
    let app = Running::start().await;
    app.ask_for_keys().await;

    assert_eq!(text(&app.url, "/healthz").await, (StatusCode::OK, "ok\n".into()));
    let ready = (StatusCode::OK, "keys: ready\ndatabase: ready\n".into());
    assert_eq!(text(&app.url, "/readyz").await, ready);
}

#[tokio::test]
async fn a_service_whose_database_does_not_answer_is_healthy_but_not_ready() {
    let app = Running::start().await;
    app.ask_for_keys().await;
    app.journal.close().await;

    assert_eq!(text(&app.url, "/healthz").await.0, StatusCode::OK);
    let words = "keys: ready\ndatabase: not ready\n".into();
    assert_eq!(text(&app.url, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, words));
}

#[tokio::test]
async fn a_service_whose_issuer_is_down_starts_and_says_so() {
    let signer = TestIssuer::start().await;
    signer.set_unavailable(true);
    let issuer = signer.url();
    let folder = tempfile::TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(
        &policy,
        format!(
            r#"
            [resource_server]
            audience = "https://api.erp.example/{{tenant}}"
            scope = "{{tenant}}.{{scope}}"

            [[issuer]]
            issuer = "{issuer}"
            jwks_uri = "{issuer}/jwks.json"
            allow_http = true

            [tenant]
            path = "/{{tenant}}/{{*rest}}"
            "#
        ),
    )
    .unwrap();
    let erp = ResourceServer::from_policy_file(&policy).await.unwrap();
    let journal = Journal::open_temporary().await.unwrap();
    let service = Service::new(listen(ANY_PORT).await.unwrap(), &erp, journal, TOKEN_URL).unwrap();
    let url = format!("http://{}", service.address());
    let serving = tokio::spawn(service.run(std::future::pending()));

    assert_eq!(text(&url, "/healthz").await.0, StatusCode::OK);
    // Not which: whoever asks has no token.
    let words = "keys: not ready\ndatabase: ready\n".into();
    assert_eq!(text(&url, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, words));

    let token = demo::token(&signer, "tenant1").sign();
    let whoami = client().get(format!("{url}/tenant1/whoami")).bearer_auth(token);
    let answer = whoami.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    serving.abort();
}
