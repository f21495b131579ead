//! Tokens from the token endpoint, by the program's own clients.

use journal_api::demo::{self, JOURNAL_SYNC, audience};
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::running::{Running, answer, client};

#[tokio::test]
async fn a_token_of_the_token_endpoint_is_good_for_its_tenant_and_no_other() {
    let app = Running::start().await;
    let (http, audience) = (client(), audience("tenant1"));
    let token = app.server.token(&http, "tenant1", JOURNAL_SYNC, &audience).await.unwrap();

    let (status, caller) = answer(app.get("/tenant1/whoami", &token)).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "tenant": "tenant1", "issuer": app.server.url(), "subject": "journal-sync",
        "client_id": "journal-sync", "scopes": ["finance.write", "journal.create", "journal.read"],
    });
    assert_eq!(caller, expected);
    let (status, problem) = answer(app.get("/tenant2/whoami", &token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(problem["code"], "tenant_mismatch.path");
}

#[tokio::test]
async fn the_page_to_try_it_gets_a_token_where_the_document_says() {
    let app = Running::start().await;
    let (_, document) = answer(app.get_without_token("/openapi.json")).await;
    let flow = &document["components"]["securitySchemes"]["access_token"]["flows"];
    let flow = &flow["clientCredentials"];
    let url = flow["tokenUrl"].as_str().unwrap();
    assert!(url.starts_with(app.server.url()), "{url}");

    // What a browser asks before the page may, and then what Swagger UI sends.
    let preflight = client()
        .request(Method::OPTIONS, url)
        .header(ORIGIN, &app.url)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,x-requested-with")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    assert_eq!(preflight.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let allowed = preflight.headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_owned();
    let sent = client().post(url).header(ORIGIN, &app.url);
    let sent = sent.header("x-requested-with", "XMLHttpRequest");
    for name in ["authorization", "content-type", "x-requested-with"] {
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{allowed}");
    }
    let by = app.server.client("tenant1", JOURNAL_SYNC).unwrap();
    let scopes: Vec<_> = flow["scopes"].as_object().unwrap().keys().cloned().collect();
    let form = [("grant_type", "client_credentials"), ("scope", &scopes.join(" "))];
    let granted = sent.basic_auth(by.id, Some(by.secret.expose())).form(&form);
    let granted = granted.send().await.unwrap();
    assert_eq!(granted.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let granted: Value = granted.json().await.unwrap();

    let token = granted["access_token"].as_str().unwrap();
    let (status, caller) = answer(app.get("/tenant1/whoami", token)).await;
    assert_eq!((status, &caller["scopes"]), (StatusCode::OK, &json!(scopes)));
}

#[tokio::test]
async fn the_printed_lines_have_credentials_that_work_and_a_token_for_each_tenant() {
    let app = Running::start().await;
    let lines = demo::curl_lines(&app.url, &app.server).await.unwrap();
    let by = app.server.client("tenant1", JOURNAL_SYNC).unwrap();
    let credentials = format!("-u '{}:{}'", by.id, by.secret.expose());
    assert!(lines.lines().next().unwrap().contains(&credentials), "no credentials first");
    assert!(lines.contains(&app.server.token_url()));

    for tenant in ["tenant1", "tenant2"] {
        let begin = format!("{}=", tenant.to_uppercase());
        let token = lines.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        let (status, caller) = answer(app.get(&format!("/{tenant}/whoami"), token)).await;
        assert_eq!((status, &caller["tenant"]), (StatusCode::OK, &json!(tenant)));
    }
}
