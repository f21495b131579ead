use journal_api::demo;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};

use crate::running::{Running, answer};

fn path(tenant: &str, entry: &Value) -> String {
    format!("/{tenant}/journal-entries/{}", entry["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_reversal_takes_an_entry_back_and_both_say_so() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let entry = app.book("tenant1").await;
    let original = path("tenant1", &entry);

    let reversed = app.post(&format!("{original}/reversal"), &token).send().await.unwrap();

    assert_eq!(reversed.status(), StatusCode::CREATED);
    let location = reversed.headers()[LOCATION].to_str().unwrap().to_owned();
    let reversal: Value = reversed.json().await.unwrap();
    let id = entry["id"].as_str().unwrap();
    assert_eq!(
        reversal,
        json!({"id": reversal["id"], "date": "2026-11-21", "memo": format!("Reversal of {id}"),
            "reverses": id, "lines": [
            {"account": "6310", "credit": "1200.00", "currency": "EUR"},
            {"account": "1200", "debit": "1200.00", "currency": "EUR"}]})
    );
    assert_eq!(location, path("tenant1", &reversal));
    assert_eq!(answer(app.get(&location, &token)).await, (StatusCode::OK, reversal.clone()));
    let (_, entry) = answer(app.get(&original, &token)).await;
    assert_eq!(entry["reversed_by"], reversal["id"]);
}

#[tokio::test]
async fn a_caller_may_choose_the_date_and_the_memo_of_a_reversal() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let reversal = format!("{}/reversal", path("tenant1", &app.book("tenant1").await));
    let post = || app.post(&reversal, &token);

    for (body, status, code) in [
        (json!({"date": "2026-11-20"}), 422, "entry_invalid"),
        (json!({"date": "soon"}), 422, "entry_invalid"),
        (json!({"memo": "a\nb"}), 422, "entry_invalid"),
        (json!({"lines": []}), 422, "entry_invalid"),
        (json!([]), 422, "entry_invalid"),
        (json!(0), 422, "entry_invalid"),
    ] {
        let (answered, problem) = answer(post().json(&body)).await;
        assert_eq!((answered.as_u16(), &problem["code"]), (status, &json!(code)), "{body}");
    }
    let (status, problem) = answer(post().header(CONTENT_TYPE, "text/plain").body("{}")).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(problem["code"], "media_type_unsupported");
    assert_eq!(app.count("tenant1").await, 1);

    let (status, entry) = answer(post().json(&json!({"date": "2026-12-01", "memo": "typo"}))).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((&entry["date"], &entry["memo"]), (&json!("2026-12-01"), &json!("typo")));
}

#[tokio::test]
async fn an_entry_is_reversed_once_and_a_reversal_is_not() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let original = path("tenant1", &app.book("tenant1").await);
    let reverse = async |path: &str| answer(app.post(&format!("{path}/reversal"), &token)).await;
    let (_, reversal) = reverse(&original).await;

    let (status, problem) = reverse(&original).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("entry_reversed")));
    let (status, problem) = reverse(&path("tenant1", &reversal)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("entry_is_reversal")));
    assert_eq!(app.count("tenant1").await, 2);
}

#[tokio::test]
async fn a_retried_reversal_gets_the_first_answer() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let (one, other) = (app.book("tenant1").await, app.book("tenant1").await);
    let reverse = |entry: &Value| {
        let path = format!("{}/reversal", path("tenant1", entry));
        app.post(&path, &token).header("idempotency-key", r#""a""#)
    };
    let first = answer(reverse(&one)).await;
    assert_eq!(first.0, StatusCode::CREATED);
    assert_eq!(answer(reverse(&one)).await, first);

    // The key is of that path.
    let (status, problem) = answer(reverse(&other)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "idempotency_key_reused");
    assert_eq!(app.count("tenant1").await, 3);
}

#[tokio::test]
async fn isolation_the_entry_of_another_tenant_is_not_there_to_reverse() {
    let app = Running::start().await;
    let theirs = app.book("tenant2").await;
    let token = app.token("tenant1");
    let foreign = format!("{}/reversal", path("tenant1", &theirs));
    let nobodys = "/tenant1/journal-entries/01900000-0000-7000-8000-000000000000/reversal";

    let reverse =
        async |path: &str| answer(app.post(path, &token).header("x-request-id", "same")).await;
    let foreign = reverse(&foreign).await;

    assert_eq!((foreign.0, &foreign.1["code"]), (StatusCode::NOT_FOUND, &json!("entry_not_found")));
    assert_eq!(reverse(nobodys).await, foreign);
    assert_eq!(reverse("/tenant1/journal-entries/1/reversal").await, foreign);
    assert_eq!((app.count("tenant1").await, app.count("tenant2").await), (0, 1));
}

#[tokio::test]
async fn reversing_needs_the_scopes_of_booking() {
    let app = Running::start().await;
    let reversal = format!("{}/reversal", path("tenant1", &app.book("tenant1").await));
    for scope in ["tenant1.journal.read tenant1.journal.create", "tenant1.finance.write"] {
        let token = demo::token(&app.issuer, "tenant1").scope(scope).sign();
        let (status, problem) = answer(app.post(&reversal, &token)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));
    }
    assert_eq!(app.count("tenant1").await, 1);
}
