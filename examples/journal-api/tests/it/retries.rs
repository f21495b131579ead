use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::future::{Either, join_all, select};
use journal_api::demo::{self, Demo};
use journal_api::document::TOKEN_URL;
use journal_api::store::Journal;
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tenantry::{IssuerSettings, KeyLocation, ResourceServer};
use tenantry_testkit::{TestIssuer, TokenBuilder};
use tower::ServiceExt;

use crate::running::{ANY_PORT, Running, answer, rent};

const OURS: &str = "/tenant1/journal-entries";

/// What a retry has to repeat, and whether it says that it does.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    location: Option<String>,
    body: Value,
    replayed: bool,
}

async fn see(request: RequestBuilder) -> Seen {
    let answer = request.send().await.unwrap();
    let field =
        |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let replayed = field("idempotent-replayed").is_some_and(|value| value == "true");
    let (status, location) = (answer.status(), field(LOCATION.as_str()));
    Seen { status, location, body: answer.json().await.unwrap(), replayed }
}

fn keyed(app: &Running, token: &str, key: &str) -> RequestBuilder {
    app.post(OURS, token).header("idempotency-key", key).json(&rent())
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_books_nothing() {
    let app = Running::start().await;
    let token = app.token("tenant1");

    let first = see(keyed(&app, &token, r#""rent-11""#)).await;
    // The token may be another one: the key is the client's.
    let again = see(keyed(&app, &app.token("tenant1"), r#""rent-11""#)).await;

    assert_eq!((first.status, first.replayed), (StatusCode::CREATED, false));
    assert_eq!(again, Seen { replayed: true, ..first });
    assert_eq!(app.count("tenant1").await, 1);
}

#[tokio::test]
async fn requests_without_a_key_or_with_different_ones_are_different() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let mut locations = vec![];
    for request in [
        app.post(OURS, &token).json(&rent()),
        app.post(OURS, &token).json(&rent()),
        keyed(&app, &token, r#""a""#),
        keyed(&app, &token, r#""A""#),
    ] {
        let seen = see(request).await;
        assert!(!seen.replayed);
        locations.push(seen.location.unwrap());
    }
    locations.sort_unstable();
    locations.dedup();
    assert_eq!(locations.len(), 4);
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    see(keyed(&app, &token, r#""a""#)).await;

    let mut other = rent();
    other["memo"] = "Parking".into();
    let (status, problem) = answer(keyed(&app, &token, r#""a""#).json(&other)).await;

    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "idempotency_key_reused");
    assert_eq!(app.count("tenant1").await, 1);
}

#[tokio::test]
async fn what_was_refused_may_be_corrected_under_the_same_key() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let mut wrong = rent();
    wrong["lines"][0]["debit"] = "1".into();
    for _ in 0..2 {
        let (status, problem) = answer(keyed(&app, &token, r#""a""#).json(&wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["code"], "entry_unbalanced");
    }
    let right = see(keyed(&app, &token, r#""a""#)).await;
    assert_eq!((right.status, right.replayed), (StatusCode::CREATED, false));
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_nothing_is_booked() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let long = format!("\"{}\"", "k".repeat(256));
    for key in ["rent-11", "\"", "\"\"", "\"a\", \"b\"", "'a'", &long] {
        let (status, problem) = answer(keyed(&app, &token, key)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{key}");
        assert_eq!(problem["code"], "idempotency_key_invalid");
    }
    let twice = keyed(&app, &token, r#""a""#).header("idempotency-key", r#""a""#);
    let (status, problem) = answer(twice).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["code"], "idempotency_key_invalid");
    assert_eq!(app.count("tenant1").await, 0);
}

#[tokio::test]
async fn isolation_the_keys_of_two_tenants_do_not_meet() {
    let app = Running::start().await;
    let mut memo = rent();
    for tenant in ["tenant1", "tenant2"] {
        memo["memo"] = tenant.into();
        let path = format!("/{tenant}/journal-entries");
        let request = app.post(&path, &app.token(tenant)).header("idempotency-key", r#""a""#);
        let seen = see(request.json(&memo)).await;
        assert_eq!((seen.status, seen.replayed), (StatusCode::CREATED, false));
        assert_eq!(seen.body["memo"], tenant);
        assert_eq!(app.count(tenant).await, 1);
    }
}

#[tokio::test]
async fn isolation_the_keys_of_two_clients_of_a_tenant_do_not_meet() {
    let app = Running::start().await;
    let token = |client: &str| demo::token(&app.issuer, "tenant1").client_id(client).sign();
    let first = see(keyed(&app, &token("sync"), r#""a""#)).await;
    let second = see(keyed(&app, &token("import"), r#""a""#)).await;
    assert_eq!((first.replayed, second.replayed), (false, false));
    assert_ne!(first.body["id"], second.body["id"]);

    let again = see(keyed(&app, &token("sync"), r#""a""#)).await;
    assert_eq!(again.body, first.body);
    assert_eq!(app.count("tenant1").await, 2);
}

#[tokio::test]
async fn isolation_the_keys_of_two_subjects_or_issuers_of_a_tenant_do_not_meet() {
    let issuers = ["https://one.example", "https://two.example"].map(TestIssuer::offline);
    let mut settings = ResourceServer::builder()
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}");
    for issuer in &issuers {
        let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
        let named = IssuerSettings::new(issuer.url()).keys(keys).required_claims(["sub"]);
        settings = settings.issuer(named.tenants(["tenant1"]).shared_tenants(["tenant1"]));
    }
    let erp = settings.build().await.unwrap();
    let journal = Journal::open_temporary().await.unwrap();
    let app = journal_api::api::router(&erp, journal, TOKEN_URL).0;
    let replayed = async |token: TokenBuilder| {
        let request = Request::post(OURS)
            .header("authorization", format!("Bearer {}", token.sign()))
            .header("content-type", "application/json")
            .header("idempotency-key", "\"k\"")
            .body(Body::from(rent().to_string()));
        let answer = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.headers().contains_key("idempotent-replayed")
    };
    let token = |issuer: &TestIssuer| demo::token(issuer, "tenant1");
    let callers: [&dyn Fn() -> TokenBuilder; 5] = [
        &|| token(&issuers[0]).client_id("anna").subject("anna"),
        &|| token(&issuers[1]).client_id("anna").subject("anna"),
        // Without a client it is the subject, which may be called like one.
        &|| token(&issuers[0]).without("client_id").subject("anna"),
        &|| token(&issuers[0]).without("client_id").subject("bert"),
        &|| token(&issuers[1]).without("client_id").subject("anna"),
    ];
    for again in [false, true] {
        for (at, caller) in callers.iter().enumerate() {
            assert_eq!(replayed(caller()).await, again, "caller {at}");
        }
    }
    // With a client, the subject does not matter.
    assert!(replayed(token(&issuers[0]).client_id("anna").subject("bert")).await);
}

#[tokio::test]
async fn twenty_requests_at_once_with_one_key_book_one_entry() {
    let app = Running::start().await;
    let token = app.token("tenant1");

    let seen = join_all((0..20).map(|_| see(keyed(&app, &token, r#""a""#)))).await;

    let (booked, refused): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|seen| seen.status == StatusCode::CREATED);
    assert_eq!(booked.iter().filter(|seen| !seen.replayed).count(), 1, "{booked:?}");
    for seen in &booked {
        assert_eq!(seen.body, booked[0].body);
    }
    for seen in refused {
        assert_eq!(seen.status, StatusCode::CONFLICT);
        assert_eq!(seen.body["code"], "idempotency_key_in_progress");
    }
    assert_eq!(app.count("tenant1").await, 1);
}

#[tokio::test]
async fn a_retry_while_the_first_is_under_way_is_told_to_wait() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("journal.db");
    let app = Running::of(Demo::start(ANY_PORT, ANY_PORT, Some(&file)).await.unwrap());
    let token = app.token("tenant1");
    // Somebody else writes: the first to book waits.
    let options = SqliteConnectOptions::new().filename(&file).busy_timeout(Duration::ZERO);
    let mut writer = options.connect().await.unwrap();
    let writing = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let send = || Box::pin(keyed(&app, &token, r#""a""#).send());
    let (refused, first) = match select(send(), send()).await {
        Either::Left(answered) | Either::Right(answered) => answered,
    };
    let refused = refused.unwrap();
    writing.rollback().await.unwrap();
    let first = first.await.unwrap();

    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], json!("idempotency_key_in_progress"));
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(app.count("tenant1").await, 1);
}
