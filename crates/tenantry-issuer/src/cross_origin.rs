//! The token endpoint for pages of other origins ([Fetch §3.3]), such as one that tries an API.
//!
//! | request   | answer                                                                           |
//! |-----------|----------------------------------------------------------------------------------|
//! | `OPTIONS` | 204: a page may post a form, with credentials and the tenant in header fields     |
//! | any other | the endpoint's answer, which a page of any origin may read                        |
//!
//! Introspection and revocation have none of this: they are for servers ([RFC 9700 §2.6]).
//!
//! [Fetch §3.3]: https://fetch.spec.whatwg.org/#http-cors-protocol
//! [RFC 9700 §2.6]: https://www.rfc-editor.org/rfc/rfc9700#section-2.6

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderName,
};
use http::{HeaderValue, StatusCode};

/// What a page may send: `*` would not cover `Authorization` ([Fetch §4.9]). Swagger UI says in
/// `X-Requested-With` that it is a script.
///
/// [Fetch §4.9]: https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
const SENT: &str = "authorization, content-type, x-requested-with";

/// Tells a browser what a page may send, before it does.
pub(crate) fn preflight(tenant_header: &HeaderName) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    // Its name is a token of RFC 9110, so it always is a value, too.
    let sent = HeaderValue::try_from(format!("{SENT}, {tenant_header}"))
        .unwrap_or_else(|_| HeaderValue::from_static(SENT));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, sent);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}

/// Lets a page read an answer of the token endpoint, refusals included.
// INVARIANT (no ambient authority): without `Access-Control-Allow-Credentials` a browser adds nothing
// of its own, so a page gets no more than the credentials it brings are good for.
pub(crate) fn readable(mut answer: Response) -> Response {
    let is_method = answer.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("retry-after, www-authenticate"),
    );
    if is_method {
        headers.insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    }
    answer
}
