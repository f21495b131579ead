//! Answers that are not entries: `application/problem+json` ([RFC 9457]) with a stable `code`.
//!
//! Only this service's own. A request without a tenant, or without the scope it needs, is answered
//! by Tenantry's layers before a handler runs.
//!
//! | code | status | when |
//! |---|---|---|
//! | `json_malformed` | 400 | the body is not JSON |
//! | `body_incomplete` | 400 | the body ended before its time |
//! | `idempotency_key_invalid` | 400 | the `Idempotency-Key` is none |
//! | `query_malformed` | 400 | the query has a part that the route does not know or cannot read |
//! | `entry_not_found` | 404 | this tenant has no such entry |
//! | `route_not_found` | 404 | there is nothing at this path |
//! | `method_not_allowed` | 405 | not with this method |
//! | `body_too_slow` | 408 | the body did not arrive in time |
//! | `entry_is_reversal` | 409 | a reversal is not reversed |
//! | `entry_reversed` | 409 | the entry was reversed before |
//! | `idempotency_key_in_progress` | 409 | a request with this key is being worked on |
//! | `body_too_large` | 413 | more than 1 MiB |
//! | `media_type_unsupported` | 415 | the body does not say it is JSON |
//! | `entry_invalid` | 422 | JSON, but not a journal entry |
//! | `entry_unbalanced` | 422 | debits and credits differ; `difference` says by how much |
//! | `idempotency_key_reused` | 422 | this key was of another request |
//! | `period_invalid` | 422 | `to` is a day before `from` |
//! | `trial_balance_too_large` | 422 | too many accounts, or sums with too many digits |
//! | `tenant_busy` | 429 | the tenant has too many requests under way |
//! | `internal` | 500 | the log says why |
//! | `busy` | 503 | too many requests are being worked on |
//! | `timed_out` | 503 | there was no answer in time |
//!
//! `request_id` is that of the request, as in the answer's `x-request-id` and in the log.
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

mod causes;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::request_id;

/// Why a request that the tenant layers let through was not carried out; becomes the response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Box<str>,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, minimum = 400, maximum = 599)]
    status: StatusCode,
    /// What a caller may branch on.
    code: &'static str,
    #[schema(value_type = String)]
    detail: Box<str>,
    /// Debits less credits, as text, by currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, String>>, nullable = false)]
    difference: Option<Map<String, Value>>,
    /// Of the request that is being answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    request_id: Option<Box<str>>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<Box<str>>,
    ) -> Self {
        let kind = format!("urn:journal-api:problem:{code}").into();
        Self {
            kind,
            title,
            status,
            code,
            detail: detail.into(),
            difference: None,
            request_id: None,
        }
    }

    /// This tenant has no such entry. The same whether or not another tenant has it.
    #[must_use]
    pub fn entry_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "entry_not_found",
            "there is no such journal entry",
            "Look at the id: entries are found only by the tenant that booked them.",
        )
    }

    /// There is nothing at this path.
    #[must_use]
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            "there is nothing at this path",
            "/docs lists what there is.",
        )
    }

    /// Not with this method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "there is something at this path, but not for this method",
            "The Allow field lists the methods. Entries are immutable: no PUT, no DELETE.",
        )
    }

    /// `limit` is not a number from 1 to 100.
    #[must_use]
    pub fn limit_out_of_range() -> Self {
        Self::query("limit is a number from 1 to 100")
    }

    /// A period ends before it begins.
    #[must_use]
    pub fn period_invalid() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "period_invalid",
            "the period ends before it begins",
            "Choose a day for `to` that is not before `from`.",
        )
    }

    /// The query cannot be read.
    pub(crate) fn query(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query_malformed", "the query cannot be read", detail)
    }

    /// The body did not arrive in time.
    #[must_use]
    pub fn body_too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "the body did not arrive in time",
            "Nothing was booked. Send the body without pauses.",
        )
    }

    /// Something went wrong on our side; the log says what.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on our side",
            "Whether an entry was booked can be seen in the list of entries, or by sending the \
             request again with the same Idempotency-Key.",
        )
    }

    /// There was no answer in time.
    #[must_use]
    pub fn timed_out() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timed_out",
            "there was no answer in time",
            "Whether an entry was booked can be seen in the list of entries, or by sending the \
             request again with the same Idempotency-Key.",
        )
    }

    fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is too large",
            "An entry has at most 1 MiB.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry =
            matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
                || self.code == "idempotency_key_in_progress";
        let problem = Self { request_id: request_id::current(), ..self };
        let mut response = (problem.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if retry {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if response.status() == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::{FromRequest, Request};
    use serde_json::json;

    use super::causes::MAX_DETAIL;
    use super::*;
    use crate::ledger::JournalEntry;
    use crate::sent::Sent;
    use crate::store_error::StoreError;
    use crate::wire::NewEntry;

    async fn answer(problem: Problem) -> (StatusCode, Value) {
        let response = problem.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn sent(content_type: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request =
            Request::builder().header(CONTENT_TYPE, content_type).body(body.into()).unwrap();
        let problem = async { Sent::from_request(request, &()).await?.json::<NewEntry>().await };
        answer(problem.await.unwrap_err()).await
    }

    #[tokio::test]
    async fn an_unbalanced_entry_is_answered_with_the_difference_of_each_currency() {
        let new: NewEntry =
            serde_json::from_value(json!({"date": "2026-11-21", "memo": "", "lines": [
            {"account": "1", "debit": "1200", "currency": "EUR"},
            {"account": "2", "credit": "1199.5", "currency": "EUR"},
            {"account": "2", "credit": "3", "currency": "JPY"}]}))
            .unwrap();
        let (status, body) = answer(JournalEntry::try_from(new).unwrap_err().into()).await;

        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            body,
            json!({
                "type": "urn:journal-api:problem:entry_unbalanced",
                "title": "the entry does not balance",
                "status": 422,
                "code": "entry_unbalanced",
                "detail": "debits and credits differ by 0.50 EUR, -3 JPY",
                "difference": {"EUR": "0.50", "JPY": "-3"},
            })
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_apart() {
        for (content_type, body, status, code) in [
            ("application/json", "{", 400, "json_malformed"),
            ("application/json", "", 400, "json_malformed"),
            ("application/json", "{}", 422, "entry_invalid"),
            ("application/json", r#"{"date":"","memo":"","lines":[],"x":1}"#, 422, "entry_invalid"),
            ("application/json", r#"{"date":"","memo":"","lines":[]} {}"#, 400, "json_malformed"),
            ("text/plain", "{}", 415, "media_type_unsupported"),
        ] {
            let (answered, problem) = sent(content_type, body).await;
            assert_eq!((answered.as_u16(), &problem["code"]), (status, &code.into()), "{body}");
            assert_eq!(problem["status"], status);
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_too_large() {
        // Without a limit of ours, axum's own of 2 MB holds.
        let (status, problem) = sent("application/json", vec![b' '; 3 << 20]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(problem["code"], "body_too_large");
    }

    #[tokio::test]
    async fn a_detail_says_where_but_does_not_repeat_a_long_request() {
        let (_, problem) = sent("application/json", r#"{"date": 1}"#).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("line 1"), "{detail}");

        let body = format!(r#"{{"{}": 1}}"#, "ä".repeat(100_000));
        let (_, problem) = sent("application/json", body).await;
        assert!(problem["detail"].as_str().unwrap().len() <= MAX_DETAIL);
    }

    #[tokio::test]
    async fn an_error_of_the_database_stays_inside() {
        let (status, problem) = answer(StoreError::from(sqlx::Error::PoolClosed).into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem.to_string().contains("pool"), "{problem}");
    }

    #[tokio::test]
    async fn a_database_that_is_busy_is_no_fault_and_says_when_to_come_back() {
        let problem = Problem::from(StoreError::from(sqlx::Error::PoolTimedOut));
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
