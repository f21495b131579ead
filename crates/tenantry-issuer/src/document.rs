//! A public document: a key set or metadata, with what caches need to know.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::Value;

/// A JSON document that anyone may read, from any web page too.
///
/// | request                             | answer                                           |
/// |-------------------------------------|--------------------------------------------------|
/// | `GET`, `HEAD`                       | 200 and the document                             |
/// | the same, the asker has it already  | 304 ([RFC 9110 §13.1.2])                         |
/// | `OPTIONS`                           | 204: a page may ask, of whatever origin          |
/// | another method                      | 405                                              |
///
/// ```
/// use std::time::Duration;
///
/// use http::{HeaderMap, Method, StatusCode};
/// use serde_json::json;
/// use tenantry_issuer::Document;
///
/// let document = Document::new(&json!({ "keys": [] }), Duration::from_secs(600));
///
/// let answer = document.answer(&Method::GET, &HeaderMap::new());
/// assert_eq!(answer.status(), StatusCode::OK);
/// assert_eq!(answer.headers()["cache-control"], "public, max-age=600");
/// assert_eq!(answer.body(), r#"{"keys":[]}"#);
/// ```
///
/// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
#[derive(Clone, Debug)]
pub struct Document {
    body: Bytes,
    etag: HeaderValue,
    cache_control: HeaderValue,
}

impl Document {
    /// Writes `json` down; caches may keep it for `max_age`, in whole seconds.
    #[must_use]
    pub fn new(json: &Value, max_age: Duration) -> Self {
        let body = Bytes::from(json.to_string());
        let etag = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &body).as_ref());
        Self { body, etag: header(format!("\"{etag}\"")), cache_control: cached_for(max_age) }
    }

    /// Returns the document.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Answers a request for the document.
    #[must_use]
    pub fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<Bytes> {
        match *method {
            // The server leaves out the body of an answer to `HEAD`, and keeps its length.
            Method::GET | Method::HEAD if self.is_held(headers) => {
                self.of(StatusCode::NOT_MODIFIED, Bytes::new())
            }
            Method::GET | Method::HEAD => {
                let mut answer = self.of(StatusCode::OK, self.body.clone());
                let json = HeaderValue::from_static("application/json");
                answer.headers_mut().insert(CONTENT_TYPE, json);
                answer
            }
            Method::OPTIONS => preflight(),
            _ => not_allowed(),
        }
    }

    fn of(&self, status: StatusCode, body: Bytes) -> Response<Bytes> {
        let mut answer = respond(status, body);
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        headers.insert(ETAG, self.etag.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
        answer
    }

    /// `If-None-Match` names this document. The comparison is the weak one: a proxy that compresses
    /// makes a weak tag of ours ([RFC 9110 §8.8.3.2]). No comma stands in a tag of ours.
    ///
    /// [RFC 9110 §8.8.3.2]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2
    fn is_held(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || self.etag == tag.strip_prefix(b"W/").unwrap_or(tag))
    }
}

/// The answer where there is no document: the same for a tenant that does not exist and for an
/// address that never existed, byte for byte.
///
/// ```
/// assert_eq!(tenantry_issuer::no_document().status(), http::StatusCode::NOT_FOUND);
/// ```
#[must_use]
pub fn no_document() -> Response<Bytes> {
    let mut answer = respond(StatusCode::NOT_FOUND, Bytes::new());
    // Whoever adds a tenant does not have to wait for caches.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What a browser asks first for a page that sends `If-None-Match` itself.
fn preflight() -> Response<Bytes> {
    let mut answer = respond(StatusCode::NO_CONTENT, Bytes::new());
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("if-none-match"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    answer
}

fn not_allowed() -> Response<Bytes> {
    let mut answer = respond(StatusCode::METHOD_NOT_ALLOWED, Bytes::new());
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    answer
}

fn respond(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    // Any page may read it: there are no credentials, and it says the same to everyone.
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

fn cached_for(max_age: Duration) -> HeaderValue {
    header(format!("public, max-age={}", max_age.as_secs()))
}

/// Base64url, digits and words of ours: all of them may stand in a header.
fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("no-store"))
}
