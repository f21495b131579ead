use journal_api::demo;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::json;

use crate::running::{Running, answer, rent};

const OURS: &str = "/tenant1/journal-entries";
const THEIRS: &str = "/tenant2/journal-entries";

#[tokio::test]
async fn a_booked_entry_is_at_its_location_and_in_the_list() {
    let app = Running::start().await;
    let token = app.token("tenant1");

    let booked = app.post(OURS, &token).json(&rent()).send().await.unwrap();
    assert_eq!(booked.status(), StatusCode::CREATED);
    let location = booked.headers()[LOCATION].to_str().unwrap().to_owned();
    let entry: serde_json::Value = booked.json().await.unwrap();

    let mut expected = rent();
    expected["id"] = entry["id"].clone();
    assert_eq!(entry, expected);
    assert_eq!(location, format!("{OURS}/{}", entry["id"].as_str().unwrap()));
    assert_eq!(answer(app.get(&location, &token)).await, (StatusCode::OK, entry.clone()));
    assert_eq!(answer(app.get(OURS, &token)).await, (StatusCode::OK, json!({"entries": [entry]})));
}

#[tokio::test]
async fn isolation_the_id_of_another_tenants_entry_is_answered_like_one_that_nobody_has() {
    let app = Running::start().await;
    let theirs = app.book("tenant2").await;
    let token = app.token("tenant1");

    let mut answers = Vec::new();
    for id in
        [theirs["id"].as_str().unwrap(), "01900000-0000-7000-8000-000000000000", "not-an-id", "1"]
    {
        let request = app.get(&format!("{OURS}/{id}"), &token).header("x-request-id", "same");
        let answer = request.send().await.unwrap();
        let mut headers = answer.headers().clone();
        headers.remove("date");
        answers.push((answer.status(), headers, answer.bytes().await.unwrap()));
    }

    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(app.count("tenant1").await, 0);
    assert_eq!(app.count("tenant2").await, 1);
}

#[tokio::test]
async fn agreement_a_token_books_and_reads_for_its_own_tenant_only() {
    let app = Running::start().await;
    let theirs = app.book("tenant2").await;
    let token = app.token("tenant1");
    let entry = format!("{THEIRS}/{}", theirs["id"].as_str().unwrap());

    for request in [
        app.post(THEIRS, &token).json(&rent()),
        app.get(THEIRS, &token),
        app.get(&entry, &token),
        app.get("/tenant2/whoami", &token),
    ] {
        let (status, problem) = answer(request).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(problem["code"], "tenant_mismatch.path");
    }
    assert_eq!(app.count("tenant2").await, 1);
}

#[tokio::test]
async fn booking_needs_both_of_its_scopes_and_reading_its_one() {
    let app = Running::start().await;
    let entry = app.book("tenant1").await;
    let entry = format!("{OURS}/{}", entry["id"].as_str().unwrap());
    let with = |scope: &str| demo::token(&app.issuer, "tenant1").scope(scope).sign();

    for scope in [
        "tenant1.finance.write",
        "tenant1.journal.create",
        "tenant1.journal.read",
        "tenant1.finance.write tenant2.journal.create",
        "tenant1.finance.write journal.create",
    ] {
        let (status, problem) = answer(app.post(OURS, &with(scope)).json(&rent())).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));
    }
    assert_eq!(app.count("tenant1").await, 1);
    for path in [OURS, &entry] {
        let token = with("tenant1.finance.write tenant1.journal.create");
        let (status, problem) = answer(app.get(path, &token)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));

        let (status, _) = answer(app.get(path, &with("tenant1.journal.read"))).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn whoami_tells_what_the_token_says_and_needs_no_scope() {
    let app = Running::start().await;
    let token = demo::token(&app.issuer, "tenant1")
        .subject("alice")
        .client_id("sync")
        .scope("tenant1.finance.write tenant2.journal.read");

    assert_eq!(
        answer(app.get("/tenant1/whoami", &token.sign())).await,
        (
            StatusCode::OK,
            json!({
                "tenant": "tenant1", "issuer": app.issuer.url(), "subject": "alice",
                "client_id": "sync", "scopes": ["finance.write"],
            })
        )
    );
    let bare = app.issuer.token().tenant("tenant1").sign();
    let (status, caller) = answer(app.get("/tenant1/whoami", &bare)).await;
    assert_eq!((status, &caller["scopes"]), (StatusCode::OK, &json!([])));
}

#[tokio::test]
async fn a_list_has_the_newest_entries_first_and_as_many_as_asked_for() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let (first, second) = (app.book("tenant1").await, app.book("tenant1").await);

    let list = async |query: &str| answer(app.get(&format!("{OURS}{query}"), &token)).await;

    assert_eq!(list("").await.1, json!({"entries": [second, first]}));
    let (_, page) = list("?limit=1").await;
    assert_eq!(page, json!({"entries": [second], "next": page["next"]}));
    assert_eq!(list("?limit=100").await.0, StatusCode::OK);
    for query in [
        "?limit=0",
        "?limit=101",
        "?limit=-1",
        "?limit=all",
        "?limit=",
        "?limit=1&limit=2",
        "?page=2",
        "?cursor=",
        "?cursor=2",
        "?cursor=%00",
        "?cursor=AAAAAAAAAAAAAAAAAAAAAB",
    ] {
        let (status, problem) = list(query).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &json!("query_malformed")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_list_has_fifty_entries_if_the_caller_does_not_say() {
    let app = Running::start().await;
    for _ in 0..51 {
        app.book("tenant1").await;
    }
    let (_, list) = answer(app.get(OURS, &app.token("tenant1"))).await;
    assert_eq!(list["entries"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn an_entry_that_is_none_is_refused_and_not_booked() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let mut unbalanced = rent();
    unbalanced["lines"][1]["credit"] = "1199.99".into();
    let mut number = rent();
    number["lines"][0]["debit"] = 1200.into();
    let mut unknown = rent();
    unknown["tenant"] = "tenant2".into();
    let as_array = json!([rent()["date"], rent()["memo"], rent()["lines"]]);
    let mut lines_as_arrays = rent();
    lines_as_arrays["lines"] =
        json!([["6310", "1200.00", null, "EUR"], ["1200", null, "1200.00", "EUR"]]);

    for (entry, code, difference) in [
        (unbalanced, "entry_unbalanced", json!({"EUR": "0.01"})),
        (number, "entry_invalid", json!(null)),
        (unknown, "entry_invalid", json!(null)),
        (json!([]), "entry_invalid", json!(null)),
        (as_array, "entry_invalid", json!(null)),
        (lines_as_arrays, "entry_invalid", json!(null)),
    ] {
        let (status, problem) = answer(app.post(OURS, &token).json(&entry)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{entry}");
        assert_eq!((&problem["code"], &problem["difference"]), (&json!(code), &difference));
    }
    let broken = app.post(OURS, &token).header(CONTENT_TYPE, "application/json").body("{");
    let (status, problem) = answer(broken).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("json_malformed")));
    let (status, problem) = answer(app.post(OURS, &token).body(rent().to_string())).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(problem["code"], "media_type_unsupported");
    assert_eq!(app.count("tenant1").await, 0);
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let sent = async |size: usize| {
        let mut body = rent().to_string().into_bytes();
        body.resize(size, b' ');
        let request = app.post(OURS, &token).header(CONTENT_TYPE, "application/json");
        answer(request.body(body)).await
    };

    assert_eq!(sent(1 << 20).await.0, StatusCode::CREATED);
    let (status, problem) = sent((1 << 20) + 1).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem["code"], "body_too_large");
}

#[tokio::test]
async fn there_is_nothing_at_other_paths_and_no_way_to_change_an_entry() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let entry = app.book("tenant1").await;

    let (status, problem) = answer(app.get("/tenant1/ledgers", &token)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("route_not_found")));

    // Escaped, and escaped to no UTF-8: the answer is a problem document like any other.
    let (status, problem) = answer(app.get(&format!("{OURS}/%41%42"), &token)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("entry_not_found")));
    let (status, problem) = answer(app.get(&format!("{OURS}/%80"), &token)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("path_ambiguous")));

    let entry = format!("{OURS}/{}", entry["id"].as_str().unwrap());
    let refused = app.delete(&entry, &token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET,HEAD");
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "method_not_allowed");
    assert_eq!(app.count("tenant1").await, 1);
}

#[tokio::test]
async fn fail_closed_no_path_of_a_tenant_is_answered_without_a_token() {
    let app = Running::start().await;
    for path in [OURS, "/tenant1/whoami", "/tenant1/ledgers", "/tenant1/journal-entries/1"] {
        let answer = app.get_without_token(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], r#"Bearer realm="journal""#);
    }
}
