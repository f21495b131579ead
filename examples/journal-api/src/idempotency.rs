//! `Idempotency-Key`: what makes a request one that may be sent again.
//!
//! After [the draft of the HTTP API group]; the field is optional.
//!
//! | a request with a key | answer |
//! |---|---|
//! | the first | as without one |
//! | again, after the first booked | the first one's answer, with `Idempotent-Replayed: true` |
//! | again, after the first was refused | judged anew: nothing was booked |
//! | again, while the first is under way | 409 `idempotency_key_in_progress` |
//! | again, with another path or body | 422 `idempotency_key_reused` |
//! | not a string in quotes, or too long | 400 `idempotency_key_invalid` |
//!
//! Only bookings are kept. A refusal depends on the request alone or on what is in the journal, so
//! asking again is safe, and a corrected body may go under the same key.
//!
//! A key is one client's of one tenant: of the issuer and client id of the token, or its subject if
//! it names no client. It is kept for [`KEPT`].
//!
//! [the draft of the HTTP API group]: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::http::{HeaderMap, HeaderName, Method};

use tenantry::TenantAwareRequest;

/// The request's field.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The answer's field that says that it is not the first of its kind.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The most characters of a key.
pub const MAX_KEY: usize = 255;

/// How long a key is kept after its booking.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that may be sent again: whose it is, under which key, and what it asks for.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) caller: Caller,
    pub(crate) key: IdempotencyKey,
    pub(crate) request: RequestDigest,
}

impl Attempt {
    /// Returns the attempt that a request is; `None` if it has no `Idempotency-Key`.
    ///
    /// # Errors
    ///
    /// If the key is malformed, or the token names nobody whose key it could be.
    pub fn of(
        by: &TenantAwareRequest,
        headers: &HeaderMap,
        request: RequestDigest,
    ) -> Result<Option<Self>, InvalidKey> {
        let Some(key) = IdempotencyKey::of(headers)? else { return Ok(None) };
        let caller = Caller::of(by).ok_or(InvalidKey::NoCaller)?;
        Ok(Some(Self { caller, key, request }))
    }
}

/// Whose keys they are, within one tenant.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct Caller {
    pub(crate) issuer: Box<str>,
    pub(crate) is: &'static str,
    pub(crate) name: Box<str>,
}

impl Caller {
    fn of(by: &TenantAwareRequest) -> Option<Self> {
        let client = by.client_id().map(|client| ("client", client.to_string()));
        let subject = || by.subject().map(|subject| ("subject", subject.to_string()));
        let (is, name) = client.or_else(subject)?;
        Some(Self { issuer: by.issuer().to_string().into(), is, name: name.into() })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("is", &self.is).finish_non_exhaustive()
    }
}

/// The key, without its quotes: 1 to [`MAX_KEY`] printable ASCII characters.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Reads the field: a string of [RFC 8941 §3.3.3], in quotes.
    ///
    /// # Errors
    ///
    /// If there are several fields, or it is not such a string, is empty, or too long.
    ///
    /// [RFC 8941 §3.3.3]: https://www.rfc-editor.org/rfc/rfc8941#section-3.3.3
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, InvalidKey> {
        let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(InvalidKey::Repeated);
        }
        let key = string(field.as_bytes()).ok_or(InvalidKey::Malformed)?;
        if !(1..=MAX_KEY).contains(&key.len()) {
            return Err(InvalidKey::Length);
        }
        Ok(Some(Self(key.into())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Clients choose them, perhaps of what is nobody else's business.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

/// What is inside the quotes of an `sf-string`.
fn string(field: &[u8]) -> Option<String> {
    let quoted = field.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut bytes = quoted.iter();
    let mut text = String::new();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'"' => return None,
            b'\\' => bytes.next().filter(|escaped| b"\"\\".contains(escaped))?,
            b' '..=b'~' => byte,
            _ => return None,
        };
        text.push(char::from(*byte));
    }
    Some(text)
}

/// SHA-256 of method, path and body: two requests that differ in one of them are not retries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestDigest(pub(crate) [u8; 32]);

impl RequestDigest {
    /// Hashes a request.
    #[must_use]
    pub fn of(method: &Method, path: &str, body: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        // Neither has a NUL, so no method and path run into each other.
        for part in [method.as_str().as_bytes(), b"\0", path.as_bytes(), b"\0", body] {
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}

/// Why an `Idempotency-Key` cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidKey {
    /// Empty, or longer than [`MAX_KEY`].
    Length,
    /// Not a string in quotes.
    Malformed,
    /// The token names neither a client nor a subject.
    NoCaller,
    /// More than one field.
    Repeated,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a key has 1 to {MAX_KEY} characters"),
            Self::Malformed => f.write_str(
                "a key is printable ASCII in double quotes: Idempotency-Key: \"8e03978e-40d5\"",
            ),
            Self::NoCaller => f.write_str("the token names neither a client nor a subject"),
            Self::Repeated => f.write_str("there is more than one Idempotency-Key field"),
        }
    }
}

impl std::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn key(field: &[u8]) -> Result<Option<String>, InvalidKey> {
        let mut headers = HeaderMap::new();
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(field).unwrap());
        IdempotencyKey::of(&headers).map(|key| key.map(|key| key.0.into()))
    }

    #[test]
    fn a_key_is_a_string_in_quotes() {
        assert_eq!(key(br#""8e03978e-40d5""#), Ok(Some("8e03978e-40d5".into())));
        assert_eq!(key(br#""a \"b\" \\ ~""#), Ok(Some(r#"a "b" \ ~"#.into())));
        for field in [
            &br#"8e03978e"#[..],
            b"",
            br#"""#,
            br#""a"#,
            br#"a""#,
            br#""a"b""#,
            br#""a\b""#,
            br#""a\""#,
            br#""a";b=1"#,
            br#" "a""#,
            b"\"\xc3\xa4\"",
            b"\"\t\"",
        ] {
            assert_eq!(key(field), Err(InvalidKey::Malformed), "{}", field.escape_ascii());
        }
    }

    #[test]
    fn a_key_has_1_to_255_characters() {
        assert_eq!(key(b"\"\""), Err(InvalidKey::Length));
        for (length, fits) in [(1, true), (255, true), (256, false), (1 << 16, false)] {
            let read = key(format!("\"{}\"", "k".repeat(length)).as_bytes());
            assert_eq!(read.is_ok(), fits, "{length}");
        }
        // It is counted without what escapes.
        assert!(key(format!("\"{}\"", r#"\""#.repeat(255)).as_bytes()).is_ok());
    }

    #[test]
    fn no_field_is_no_key_and_two_are_none_either() {
        let mut headers = HeaderMap::new();
        assert_eq!(IdempotencyKey::of(&headers), Ok(None));
        for _ in 0..2 {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("\"a\""));
        }
        assert_eq!(IdempotencyKey::of(&headers), Err(InvalidKey::Repeated));
    }

    #[test]
    fn requests_that_differ_in_method_path_or_body_have_different_digests() {
        let digest = |method, path, body: &str| RequestDigest::of(&method, path, body.as_bytes());
        let first = digest(Method::POST, "/a", "b");
        assert_eq!(first, digest(Method::POST, "/a", "b"));
        for other in [
            digest(Method::PUT, "/a", "b"),
            digest(Method::POST, "/ab", ""),
            digest(Method::POST, "/a", "B"),
            digest(Method::POST, "/a", ""),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_caller_is_the_client_whatever_the_subject() {
        let of = |request: tenantry_testkit::ReadyRequest| Caller::of(&request.build());
        let ready = || tenantry_testkit::request_of("tenant1");
        let client = of(ready().with_client_id("sync").with_subject("alice"));
        assert_eq!(client, of(ready().with_client_id("sync").with_subject("bob")));
        assert_ne!(client, of(ready().with_client_id("import").with_subject("alice")));
        assert!(client.is_some_and(|caller| caller.is == "client" && &*caller.name == "sync"));
    }

    #[test]
    fn secrets_stay_in_neither_key_nor_caller_is_in_a_debug_text() {
        let mut headers = HeaderMap::new();
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("\"invoice-4711\""));
        let by = tenantry_testkit::request_of("tenant1").with_client_id("sync").build();
        let digest = RequestDigest::of(&Method::POST, "/a", b"");
        let attempt = Attempt::of(&by, &headers, digest).unwrap().unwrap();
        let debug = format!("{attempt:?}");
        assert!(!debug.contains("4711") && !debug.contains("sync"), "{debug}");
    }
}
