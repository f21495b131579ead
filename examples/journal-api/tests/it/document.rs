//! What is in the document is what the service does.

use journal_api::demo;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::running::{Running, answer, client, rent};

const METHODS: [Method; 5] =
    [Method::DELETE, Method::GET, Method::PATCH, Method::POST, Method::PUT];

async fn document(app: &Running) -> Value {
    let answer = app.get_without_token("/openapi.json").send().await.unwrap();
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
    answer.json().await.unwrap()
}

/// Every operation of the document, with a request for it that needs a token yet.
async fn operations(app: &Running) -> Vec<(Value, RequestBuilder)> {
    let entry = app.book("tenant1").await;
    let mut operations = Vec::new();
    for (path, item) in document(app).await["paths"].as_object().unwrap() {
        let path =
            path.replace("{tenant}", "tenant1").replace("{id}", entry["id"].as_str().unwrap());
        for method in METHODS {
            let operation = &item[method.as_str().to_lowercase()];
            if operation.is_null() {
                continue;
            }
            let mut request = client().request(method, format!("{}{path}", app.url));
            if path.ends_with("/journal-entries") && operation.get("requestBody").is_some() {
                request = request.json(&rent());
            }
            operations.push((operation.clone(), request));
        }
    }
    assert_eq!(operations.len(), 6);
    operations
}

/// What the document says that an operation needs, as tokens of tenant1 have it.
fn scopes(operation: &Value) -> Vec<String> {
    let security = operation["security"].as_array().unwrap();
    assert!(security.iter().any(|one| one.get("pasted_token").is_some()));
    let scopes = security.iter().find_map(|one| one.get("access_token")).unwrap();
    let scopes = scopes.as_array().unwrap().iter();
    scopes.map(|scope| format!("tenant1.{}", scope.as_str().unwrap())).collect()
}

#[tokio::test]
async fn every_operation_of_the_document_is_there() {
    let app = Running::start().await;
    for (operation, request) in operations(&app).await {
        let status = request.bearer_auth(app.token("tenant1")).send().await.unwrap().status();
        let good = if status == StatusCode::CREATED { "201" } else { "200" };
        assert!(status.is_success(), "{}: {status}", operation["operationId"]);
        assert!(operation["responses"].get(good).is_some(), "{}", operation["operationId"]);
    }
}

#[tokio::test]
async fn every_operation_needs_a_token_with_the_scopes_that_the_document_says() {
    let app = Running::start().await;
    for (operation, request) in operations(&app).await {
        let send = |token: &str| request.try_clone().unwrap().bearer_auth(token).send();
        let with = |scope: &str| demo::token(&app.issuer, "tenant1").scope(scope).sign();
        let none = request.try_clone().unwrap().send().await.unwrap();
        assert_eq!(none.status(), StatusCode::UNAUTHORIZED, "{}", operation["operationId"]);

        let needed = scopes(&operation);
        for left_out in &needed {
            let rest: Vec<_> = needed.iter().filter(|scope| *scope != left_out).cloned().collect();
            let refused = send(&with(&rest.join(" "))).await.unwrap();
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{}", operation["operationId"]);
            let problem: Value = refused.json().await.unwrap();
            assert_eq!(problem["scope"], needed.join(" "), "{}", operation["operationId"]);
        }
        let status = send(&with(&needed.join(" "))).await.unwrap().status();
        assert!(status.is_success(), "{}: {status}", operation["operationId"]);
    }
}

#[tokio::test]
async fn every_answer_of_an_operation_that_is_none_is_a_problem_document() {
    let app = Running::start().await;
    for (operation, _) in operations(&app).await {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = response["content"].as_object().unwrap();
            let types: Vec<_> = content.keys().map(String::as_str).collect();
            let problem = "application/problem+json";
            let expected = if status.starts_with('2') { "application/json" } else { problem };
            assert_eq!(types, [expected], "{} {status}", operation["operationId"]);
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let app = Running::start().await;
    let document = document(&app).await;
    let text = document.to_string();
    let mut references = 0;
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 0);
    // Nothing for those who read our code is in it.
    assert!(!text.contains("crate::"), "{text}");
}

#[tokio::test]
async fn the_page_to_try_it_needs_nothing_from_elsewhere() {
    let app = Running::start().await;
    let page = app.get_without_token("/docs/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(!page.contains("http"), "{page}");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(page.contains(file), "{page}");
        let file = app.get_without_token(&format!("/docs/{file}")).send().await.unwrap();
        assert_eq!(file.status(), StatusCode::OK);
    }
    let start = app.get_without_token("/docs/swagger-initializer.js").send().await.unwrap();
    let start = start.text().await.unwrap();
    assert!(start.contains(r#""url": "/openapi.json""#), "{start}");
    assert!(start.contains(r#""validatorUrl": "none""#), "{start}");
}

#[tokio::test]
async fn what_is_not_in_the_document_is_not_there() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    for path in ["journal-entries/", "ledgers", "trial-balance/1", "docs", "openapi.json"] {
        let (status, problem) = answer(app.get(&format!("/tenant1/{path}"), &token)).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::NOT_FOUND, &"route_not_found".into()),
            "{path}"
        );
    }
}
