//! RFC 6750 and what it stands on: how credentials are read, and how a refusal is written.
//!
//! One test per requirement, named for its section. Where a standard leaves a choice, the test says
//! so and holds the choice.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use tenantry::{Reason, Rejection};
use tenantry_tests::{Answer, Refusal, Stack, bearer, get};

const PATH: &str = "/tenant1/journal-entries";

fn malformed() -> Refusal {
    let description = "the Authorization field is not the word Bearer, a space and one token";
    Refusal::invalid_request("credentials_malformed", description)
}

fn multiple() -> Refusal {
    let description = "the request has more than one set of credentials";
    Refusal::invalid_request("credentials_multiple", description)
}

fn in_query() -> Refusal {
    let description = "the request has an access token in its query";
    Refusal::invalid_request("credentials_in_query", description)
}

fn no_jwt() -> Refusal {
    let description = "the access token is not a JWT of three parts";
    Refusal::invalid_token("token_malformed", description)
}

/// Sends `GET PATH` with these `Authorization` fields.
async fn send(stack: &Stack, fields: &[&[u8]]) -> Answer {
    let mut request = get(PATH);
    for field in fields {
        let value = HeaderValue::from_bytes(field).unwrap();
        request.headers_mut().append(AUTHORIZATION, value);
    }
    let shown: Vec<_> = fields
        .iter()
        .map(|field| String::from_utf8_lossy(field))
        .map(|field| field.chars().take(40).collect::<String>())
        .collect();
    stack.send(request).await.about(format!("Authorization: {shown:?}"))
}

async fn send_one(stack: &Stack, field: &str) -> Answer {
    send(stack, &[field.as_bytes()]).await
}

#[tokio::test]
async fn s2_1_a_token_in_the_authorization_field_is_accepted() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for blanks in 1..4 {
        let field = format!("Bearer{:blanks$}{token}", "");
        send_one(&stack, &field).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn rfc9110_s11_1_the_scheme_is_compared_without_case() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let field = format!("{scheme} {token}");
        send_one(&stack, &field).await.assert_admitted("tenant1");
    }
    // And to the last letter.
    for scheme in ["Beare", "Bearerr", "Bearer2", "Bearer-"] {
        let answer = send_one(&stack, &format!("{scheme} {token}")).await;
        answer.assert_refused(&Refusal::unauthenticated());
    }
    // A letter that only looks like one is no letter of a scheme.
    let answer = send_one(&stack, &format!("Bear\u{435}r {token}")).await;
    assert!(answer.status.is_client_error() && answer.handler_calls == 0);
}

#[tokio::test]
async fn s2_1_the_separator_is_blanks_and_there_is_a_token_behind_it() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for field in [
        format!("Bearer\t{token}"),
        format!("Bearer \t{token}"),
        format!("Bearer:{token}"),
        format!("Bearer={token}"),
        format!("Bearer,{token}"),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer\t".into(),
        String::new(),
        " ".into(),
    ] {
        send_one(&stack, &field).await.assert_refused(&malformed());
    }
    // A token alone, or run together with the scheme: no scheme has dots.
    for field in [format!("Bearer{token}"), token] {
        send_one(&stack, &field).await.assert_refused(&malformed());
    }
}

#[tokio::test]
async fn rfc9110_s5_5_blanks_around_the_field_are_not_part_of_it() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for field in [format!(" \tBearer {token}"), format!("Bearer {token}\t ")] {
        send_one(&stack, &field).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn s2_1_a_byte_outside_the_token_alphabet_makes_the_request_malformed() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for byte in (0x20..=0xFF_u8).filter(|byte| *byte != 0x7F) {
        let in_alphabet = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let field = [b"Bearer ", token.as_bytes(), &[byte], b"x"].concat();
        let answer = send(&stack, &[&field]).await;
        let answer = answer.about(format!("byte {byte:#x}"));
        if in_alphabet {
            // Well-formed as a request, and no token of ours.
            assert_eq!(answer.status, 401, "{byte:#x}");
            assert_eq!(answer.handler_calls, 0);
        } else {
            answer.assert_refused(&malformed());
        }
    }
    // `=` may only stand at the end.
    for field in [format!("Bearer ={token}"), "Bearer =".into()] {
        send_one(&stack, &field).await.assert_refused(&malformed());
    }
}

#[tokio::test]
async fn rfc7515_s2_what_only_other_base64_has_is_no_jwt() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for tail in ["=", "==", "+", "/", "~", "A=", "."] {
        let field = format!("Bearer {token}{tail}");
        send_one(&stack, &field).await.assert_refused(&no_jwt());
    }
}

#[tokio::test]
async fn rfc9110_s5_3_there_is_one_authorization_field_and_one_set_of_credentials_in_it() {
    let stack = Stack::usual().await;
    let good = format!("Bearer {}", stack.token("tenant1").sign());
    let good = good.as_bytes();
    for fields in [
        &[good, good][..],
        &[good, b"Basic YTpi"],
        &[b"Basic YTpi", good],
        &[good, b""],
        &[b"", good],
        &[&[good, b", ", good].concat()],
        &[&[good, b",", good].concat()],
        &[&[b"Basic YTpi, ", good].concat()],
        &[&[b"Basic YTpi,\t", good].concat()],
    ] {
        send(&stack, fields).await.assert_refused(&multiple());
    }
    send(&stack, &[&[good, b", Basic YTpi"].concat()]).await.assert_refused(&malformed());
}

#[tokio::test]
async fn s2_3_a_token_in_the_query_is_refused_also_beside_a_good_one() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for query in [
        format!("access_token={token}"),
        format!("a=b&access_token={token}"),
        format!("access%5ftoken={token}"),
        "access_token".into(),
        "access_token=".into(),
    ] {
        let request = get(&format!("{PATH}?{query}"));
        stack.send(request).await.assert_refused(&in_query());
        let request = bearer(get(&format!("{PATH}?{query}")), &token);
        stack.send(request).await.assert_refused(&in_query());
    }
    // The name, and not a part of it.
    for query in ["my_access_token=x", "access_tokens=x", "q=access_token"] {
        let request = bearer(get(&format!("{PATH}?{query}")), &token);
        stack.send(request).await.assert_admitted("tenant1");
    }
}

/// A body that fails the test when somebody reads it.
struct Unread;

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn s2_2_bodies_are_never_read() {
    let stack = Stack::usual().await;
    let post = |body: Body| {
        Request::post(PATH)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .unwrap()
    };
    let answer = stack.send(post(Body::new(Unread))).await;
    answer.assert_refused(&Refusal::unauthenticated());

    let token = stack.token("tenant1").sign();
    let form = format!("access_token={token}");
    let answer = stack.send(post(Body::from(form))).await;
    answer.assert_refused(&Refusal::unauthenticated());
    // Neither for a request that is let through.
    let answer = stack.send(bearer(post(Body::new(Unread)), &token)).await;
    answer.assert_admitted("tenant1");
}

#[tokio::test]
async fn s3_1_a_request_without_credentials_gets_no_error_code() {
    let stack = Stack::usual().await;
    let answer = stack.send(get(PATH)).await;
    answer.assert_refused(&Refusal::unauthenticated());
}

#[tokio::test]
async fn s3_1_another_scheme_is_no_credentials() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for field in [
        "Basic YTpi".into(),
        "Negotiate YTpi".into(),
        format!("DPoP {token}"),
        format!("Token {token}"),
        r#"Digest username="a", realm="b""#.into(),
        "Bearers".into(),
    ] {
        send_one(&stack, &field).await.assert_refused(&Refusal::unauthenticated());
    }
}

#[tokio::test]
async fn a_token_over_the_limit_is_refused_before_anything_is_done_with_it() {
    let stack = Stack::fetching().await;
    let before = stack.network.fetched().len();
    let padding = "x".repeat(16 * 1024);
    let token = stack.token("tenant1").claim("padding", padding).sign();
    let too_large =
        Refusal::invalid_token("token_too_large", "the access token is larger than is accepted");
    stack.get(PATH, &token).await.assert_refused(&too_large);
    assert_eq!(stack.network.fetched().len(), before);

    // Up to the limit, by the byte: what is one longer is not looked into.
    let token = |length: usize| {
        let claims = format!(r#"{{"padding":"{}"}}"#, "x".repeat(length));
        stack.issuer.token().raw_claims(claims).sign()
    };
    let longest =
        (11_000..13_000).map(token).take_while(|token| token.len() <= 16 * 1024).last().unwrap();
    let answer = stack.get(PATH, &longest).await;
    assert_eq!(answer.code(), "claim_missing", "{} bytes", longest.len());
    let answer = stack.get(PATH, &format!("{longest:A<0$}", 16 * 1024 + 1)).await;
    answer.assert_refused(&too_large);
}

/// One refusal of each kind of the table of RFC 6750 section 3.1, and those beyond it.
async fn one_of_each(stack: &Stack) -> Vec<Answer> {
    let token = stack.token("tenant1").sign();
    let weak = stack.token("tenant1").scope("tenant1.profile").sign();
    let expired = stack.token("tenant1").expires_in(-60).sign();
    vec![
        stack.send(get(PATH)).await,
        stack.send(get(&format!("{PATH}?access_token=x"))).await,
        send_one(stack, "Bearer").await,
        stack.get(PATH, &expired).await,
        stack.get(PATH, &weak).await,
        stack.get("/tenant2/journal-entries", &token).await,
    ]
}

#[tokio::test]
async fn s3_1_malformed_is_400_invalid_is_401_and_too_weak_is_403() {
    let answers = one_of_each(&Stack::usual().await).await;
    let found: Vec<_> =
        answers.iter().map(|answer| (answer.status.as_u16(), parameter(answer, "error"))).collect();
    let expected = [
        (401, None),
        (400, Some("invalid_request")),
        (400, Some("invalid_request")),
        (401, Some("invalid_token")),
        (403, Some("insufficient_scope")),
        (403, Some("insufficient_scope")),
    ];
    assert_eq!(found, expected.map(|(status, error)| (status, error.map(Into::into))));
}

#[tokio::test]
async fn rfc9110_s11_6_1_every_refusal_of_credentials_has_one_challenge_with_a_realm() {
    for answer in one_of_each(&Stack::usual().await).await {
        assert!(answer.challenge().starts_with(r#"Bearer realm="journal""#), "{answer:?}");
    }
}

fn parameter(answer: &Answer, name: &str) -> Option<String> {
    parse(answer.challenge())
        .into_iter()
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Reads a challenge by the letter: `Bearer 1*SP name="value" *(", " name="value")`.
fn parse(challenge: &str) -> Vec<(String, String)> {
    let rest = challenge.strip_prefix("Bearer ").unwrap();
    // No value has a quote in it, so every second piece is one.
    let pieces: Vec<_> = rest.split('"').collect();
    let (pairs, end) = pieces.split_at(pieces.len() - 1);
    assert_eq!(end, [""], "{challenge}");
    let mut parameters = Vec::new();
    for (at, pair) in pairs.chunks(2).enumerate() {
        let name = pair[0].strip_suffix('=').unwrap();
        let name = match at {
            0 => name,
            _ => name.strip_prefix(", ").unwrap(),
        };
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{challenge}"
        );
        parameters.push((name.into(), pair[1].into()));
    }
    parameters
}

#[test]
fn s3_each_parameter_is_there_once_and_keeps_its_alphabet() {
    for reason in Reason::ALL {
        let response = Rejection::new(*reason).to_response();
        let Some(challenge) = response.headers().get(WWW_AUTHENTICATE) else {
            let status = response.status().as_u16();
            assert!([500, 503].contains(&status), "{reason} has no challenge");
            continue;
        };
        let parameters = parse(challenge.to_str().unwrap());
        let names: BTreeSet<_> = parameters.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), parameters.len(), "{reason}");
        for (name, value) in &parameters {
            assert!(
                ["realm", "error", "error_description", "scope"].contains(&name.as_str()),
                "{reason}: {name}"
            );
            // %x20-21 / %x23-5B / %x5D-7E
            assert!(
                value.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
                "{reason}: {value}"
            );
        }
    }
}

#[tokio::test]
async fn s3_nothing_that_the_caller_wrote_is_copied_into_the_answer() {
    const MARK: &str = "zzMARKzz";
    let stack = Stack::usual().await;
    let hostile = format!(r#"{MARK}", error="x"#);
    let token = |name: &str| stack.token("tenant1").claim(name, hostile.as_str());
    let header = |name: &str| stack.token("tenant1").header(name, hostile.as_str());
    let mut answers = Vec::new();
    for name in ["iss", "aud", "sub", "scope", "tenant_id", "exp", "cnf", "client_id"] {
        answers.push(stack.get(PATH, &token(name).sign()).await.about(name));
    }
    for name in ["alg", "typ", "kid", "crit"] {
        answers.push(stack.get(PATH, &header(name).sign()).await.about(name));
    }
    let scope = stack.token("tenant1").scope(format!("tenant1.{MARK}")).sign();
    answers.push(stack.get(PATH, &scope).await.about("scope"));
    let good = stack.token("tenant1").sign();
    for path in
        [format!("/{MARK}/journal-entries"), format!("/tenant1/{MARK};x/y"), format!("/{MARK}")]
    {
        answers.push(stack.get(&path, &good).await);
    }
    for value in [MARK, &hostile, "zzMARKzz\\", "zzMARKzz,tenant1"] {
        let mut request = bearer(get(PATH), &good);
        request.headers_mut().insert("x-tenant-id", value.parse().unwrap());
        answers.push(stack.send(request).await.about("x-tenant-id"));
    }
    for value in [MARK, "Bearer zzMARKzz\"", "Bearer zzMARKzz"] {
        answers.push(send_one(&stack, value).await);
    }
    for answer in answers {
        // `sub` and `client_id` may be any string: those two are let through, to a handler that does
        // not show them.
        if ["sub", "client_id"].contains(&answer.what.as_str()) {
            answer.assert_admitted("tenant1");
            continue;
        }
        assert_eq!(answer.handler_calls, 0, "{}", answer.what);
        parse(answer.challenge());
        let seen = format!("{:?} {}", answer.headers, answer.text());
        assert!(!seen.contains("MARK"), "{}: {seen}", answer.what);
    }
}

#[tokio::test]
async fn authentication_is_judged_before_authorization() {
    let stack = Stack::usual().await;
    let expired = stack.token("tenant1").expires_in(-60).sign();
    // Wrong tenant, wrong scope, outside the pattern: none of it is said to whoever cannot prove a thing.
    for path in ["/tenant2/journal-entries", "/tenant1", "/"] {
        stack.get(path, &expired).await.assert_refused(&Refusal::expired());
        stack.send(get(path)).await.assert_refused(&Refusal::unauthenticated());
    }
    let weak = stack.token("tenant1").scope("tenant1.profile").tampered().sign();
    stack.get("/tenant2/journal-entries", &weak).await.assert_refused(&Refusal::bad_signature());
}

/// All of an answer that a caller sees.
fn seen(answer: &Answer) -> (u16, String, String) {
    let headers = format!("{:?}", answer.headers);
    (answer.status.as_u16(), headers, answer.text().into())
}

#[tokio::test]
async fn answers_do_not_tell_whether_another_tenant_exists() {
    use tenantry::{Standing, StaticDirectory};
    let known = [
        ("tenant1", Standing::Active),
        ("tenant2", Standing::Active),
        ("tenant3", Standing::Suspended),
    ];
    let known = known.map(|(id, standing)| (id.parse().unwrap(), standing));
    let directory = StaticDirectory::new(known).unwrap();
    let stack = Stack::with(|server| server.directory(std::sync::Arc::new(directory))).await;
    let token = stack.token("tenant1").sign();

    let foreign = stack.get("/tenant2/journal-entries", &token).await;
    foreign.assert_refused(&Refusal::foreign_path());
    let suspended = stack.get("/tenant3/journal-entries", &token).await;
    let unknown = stack.get("/tenant99/journal-entries", &token).await;
    assert_eq!(seen(&foreign), seen(&suspended));
    assert_eq!(seen(&foreign), seen(&unknown));

    let foreign = stack.send(get("/tenant2/journal-entries")).await;
    foreign.assert_refused(&Refusal::unauthenticated());
    for path in ["/tenant1/journal-entries", "/tenant99/journal-entries"] {
        assert_eq!(seen(&foreign), seen(&stack.send(get(path)).await));
    }
}

#[tokio::test]
async fn rfc9457_s3_a_refusal_is_a_problem_document_that_agrees_with_the_status() {
    for answer in one_of_each(&Stack::usual().await).await {
        let problem = answer.problem();
        let text = |name: &str| problem[name].as_str().unwrap().to_owned();
        assert_eq!(problem["status"], answer.status.as_u16());
        assert_eq!(text("type"), format!("urn:tenantry:rejection:{}", text("code")));
        assert!(!text("title").is_empty() && !text("detail").is_empty());
        if let Some(description) = parameter(&answer, "error_description") {
            assert_eq!(text("title"), description);
        }
    }
}

#[tokio::test]
async fn a_policy_can_keep_the_explanations_to_itself() {
    let stack = Stack::with(|server| server.policy(|policy| policy.problem_details(false))).await;
    let challenges: Vec<_> = one_of_each(&stack)
        .await
        .iter()
        .map(|answer| {
            assert_eq!(answer.body.len(), 0, "{}", answer.what);
            assert!(answer.all(CONTENT_TYPE).is_empty());
            assert_eq!(answer.all(CACHE_CONTROL), ["no-store"]);
            answer.challenge().to_owned()
        })
        .collect();
    assert_eq!(
        challenges,
        [
            r#"Bearer realm="journal""#,
            r#"Bearer realm="journal", error="invalid_request""#,
            r#"Bearer realm="journal", error="invalid_request""#,
            r#"Bearer realm="journal", error="invalid_token""#,
            r#"Bearer realm="journal", error="insufficient_scope", scope="tenant1.journal.read""#,
            r#"Bearer realm="journal", error="insufficient_scope""#,
        ]
    );
}

#[tokio::test]
async fn rfc9111_s3_5_a_refusal_is_not_stored_and_a_success_is_not_made_public() {
    let stack = Stack::usual().await;
    for answer in one_of_each(&stack).await {
        assert_eq!(answer.all(CACHE_CONTROL), ["no-store"], "{}", answer.what);
    }
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    answer.assert_admitted("tenant1");
    assert!(answer.all(CACHE_CONTROL).is_empty());
}

#[tokio::test]
async fn rfc9110_s15_6_4_an_outage_has_no_challenge_and_says_when_to_come_back() {
    let stack = Stack::fetching().await;
    stack.network.fail();
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::unavailable("keys_unavailable", "1"));
}

#[tokio::test]
async fn every_method_is_judged() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
        Method::from_bytes(b"PURGE").unwrap(),
    ] {
        let request = || {
            let mut request = get("/tenant1/whoami");
            *request.method_mut() = method.clone();
            request
        };
        let answer = stack.send(request()).await;
        assert_eq!(answer.status, 401, "{method}");
        assert_eq!(answer.handler_calls, 0, "{method}");
        let answer = stack.send(bearer(request(), &token)).await;
        assert_eq!((answer.status.as_u16(), answer.handler_calls), (200, 1));
    }
}

#[tokio::test]
async fn the_body_of_a_refusal_has_its_length() {
    let stack = Stack::usual().await;
    let response = tower::ServiceExt::oneshot(stack.app.clone(), get(PATH)).await.unwrap();
    let length = response.body().size_hint().exact();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(length, Some(body.len() as u64));
    assert!(!body.is_empty());
}
