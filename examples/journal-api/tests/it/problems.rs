//! Whatever this service itself refuses is a problem document that says which request it was.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::running::{Running, client, rent};

async fn problem(request: RequestBuilder) -> (StatusCode, HeaderMap, Value) {
    let answer = request.header("x-request-id", "id-4711").send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.json().await.unwrap())
}

#[tokio::test]
async fn every_refusal_is_a_problem_document_with_the_id_of_the_request() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let entry = app.book("tenant1").await;
    let entries = "/tenant1/journal-entries";
    let one = format!("{entries}/{}", entry["id"].as_str().unwrap());
    let json = |body: Vec<u8>| {
        app.post(entries, &token).header(CONTENT_TYPE, "application/json").body(body)
    };
    let on = |method: Method, path: &str| client().request(method, format!("{}{path}", app.url));
    let mut refusals = vec![
        (app.get(&format!("{entries}?limit=0"), &token), 400, "query_malformed"),
        (json(b"{".into()), 400, "json_malformed"),
        (
            json(rent().to_string().into()).header("idempotency-key", "a"),
            400,
            "idempotency_key_invalid",
        ),
        (app.get("/tenant1/ledgers", &token), 404, "route_not_found"),
        (app.get(&format!("{entries}/1"), &token), 404, "entry_not_found"),
        (app.delete(&one, &token), 405, "method_not_allowed"),
        (on(Method::POST, "/healthz"), 405, "method_not_allowed"),
        (on(Method::DELETE, "/readyz"), 405, "method_not_allowed"),
        (json(vec![b' '; (1 << 20) + 1]), 413, "body_too_large"),
        (app.post(entries, &token).body("{}"), 415, "media_type_unsupported"),
        (json(b"{}".into()), 422, "entry_invalid"),
    ];
    refusals.push((app.get("/tenant1/trial-balance?to=1", &token), 400, "query_malformed"));

    for (request, status, code) in refusals {
        let (answered, headers, problem) = problem(request).await;
        assert_eq!((answered.as_u16(), &problem["code"]), (status, &code.into()));
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{code}");
        assert_eq!(headers["cache-control"], "no-store", "{code}");
        assert_eq!(headers["x-request-id"], "id-4711", "{code}");
        assert_eq!(problem["request_id"], "id-4711", "{code}");
        assert_eq!(problem["status"], status, "{code}");
        assert_eq!(problem["type"], format!("urn:journal-api:problem:{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{code}");
    }

    app.journal.close().await;
    let (status, headers, problem) = problem(app.get(entries, &token)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (500, &"internal".into()));
    assert_eq!(
        (&headers["x-request-id"], &problem["request_id"]),
        (&"id-4711".parse().unwrap(), &"id-4711".into(),)
    );
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request_and_no_two_have_the_same() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let mut ids = Vec::new();
    for request in [
        app.get("/tenant1/whoami", &token),
        app.get("/tenant2/whoami", &token),
        app.get_without_token("/tenant1/whoami"),
        app.get_without_token("/healthz"),
        app.get_without_token("/readyz"),
    ] {
        let answer = request.send().await.unwrap();
        ids.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}
