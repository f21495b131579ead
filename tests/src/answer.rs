//! An answer, and what a refusal has to be.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What came back, and what happened on the way.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request, for messages.
    pub what: String,
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How often a handler ran for this request.
    pub handler_calls: usize,
}

impl Answer {
    /// Says what this request was about, for messages.
    #[must_use]
    pub fn about(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// Every value of a field, so that one sent twice is not taken for one.
    #[must_use]
    pub fn all(&self, name: HeaderName) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// The challenge.
    ///
    /// # Panics
    ///
    /// If there is not exactly one.
    #[track_caller]
    #[must_use]
    pub fn challenge(&self) -> &str {
        match self.all(WWW_AUTHENTICATE).as_slice() {
            [one] => one,
            others => panic!("{}: the challenges are {others:?}", self.what),
        }
    }

    /// The body, as the problem document that it has to be.
    ///
    /// # Panics
    ///
    /// If it is not one.
    #[track_caller]
    #[must_use]
    pub fn problem(&self) -> Value {
        let kind = self.all(CONTENT_TYPE);
        assert_eq!(kind, ["application/problem+json"], "{}", self.what);
        serde_json::from_slice(&self.body).expect("a problem document is JSON")
    }

    /// The reason code of a refusal.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> String {
        let code = self.problem().get("code").cloned();
        code.as_ref().and_then(Value::as_str).expect("a code").into()
    }

    /// The body, as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that this is the whole of `refusal`: status, exact challenge, code, retry, no caching,
    /// and that no handler ran.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn assert_refused(&self, refusal: &Refusal) {
        let what = &self.what;
        assert_eq!(self.status.as_u16(), refusal.status, "{what}: {self:?}");
        assert_eq!(
            self.all(WWW_AUTHENTICATE),
            Vec::from_iter(refusal.challenge.as_deref()),
            "{what}"
        );
        assert_eq!(self.all(RETRY_AFTER), Vec::from_iter(refusal.retry_after), "{what}");
        assert_eq!(self.all(CACHE_CONTROL), ["no-store"], "{what}");
        let problem = self.problem();
        assert_eq!(problem["code"], refusal.code, "{what}");
        assert_eq!(problem["status"], refusal.status, "{what}");
        assert_eq!(self.handler_calls, 0, "{what}: a handler ran");
    }

    /// Asserts that one handler ran, and for `tenant`.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn assert_admitted(&self, tenant: &str) {
        let what = &self.what;
        assert_eq!(self.status, StatusCode::OK, "{what}: {self:?}");
        assert_eq!(self.text(), tenant, "{what}");
        assert_eq!(self.handler_calls, 1, "{what}");
        assert!(self.all(WWW_AUTHENTICATE).is_empty(), "{what}");
        assert!(self.all(CACHE_CONTROL).is_empty(), "{what}");
    }
}

/// What a refused request gets.
///
/// The texts of challenges are written out in the tests, not taken from the code under test.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: u16,
    challenge: Option<String>,
    code: &'static str,
    retry_after: Option<&'static str>,
}

impl Refusal {
    const fn bare(status: u16, code: &'static str) -> Self {
        Self { status, challenge: None, code, retry_after: None }
    }

    fn error(status: u16, error: &str, code: &'static str, description: &str) -> Self {
        Self {
            challenge: Some(format!(
                r#"Bearer realm="journal", error="{error}", error_description="{description}""#
            )),
            ..Self::bare(status, code)
        }
    }

    /// 401 and a challenge without an error code: there were no credentials.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self {
            challenge: Some(r#"Bearer realm="journal""#.into()),
            ..Self::bare(401, "credentials_missing")
        }
    }

    /// 400 `invalid_request`.
    #[must_use]
    pub fn invalid_request(code: &'static str, description: &str) -> Self {
        Self::error(400, "invalid_request", code, description)
    }

    /// 401 `invalid_token`.
    #[must_use]
    pub fn invalid_token(code: &'static str, description: &str) -> Self {
        Self::error(401, "invalid_token", code, description)
    }

    /// 403 `insufficient_scope`.
    #[must_use]
    pub fn insufficient_scope(code: &'static str, description: &str) -> Self {
        Self::error(403, "insufficient_scope", code, description)
    }

    /// 403 `insufficient_scope`, with the scopes that are needed.
    #[must_use]
    pub fn scope_missing(scope: &str) -> Self {
        let mut refusal = Self::insufficient_scope(
            "scope_missing",
            "the access token lacks a scope of its tenant",
        );
        if let Some(challenge) = &mut refusal.challenge {
            challenge.push_str(&format!(r#", scope="{scope}""#));
        }
        refusal
    }

    /// The same, and the challenge says where the metadata of the resource is.
    #[must_use]
    pub fn with_metadata(mut self, url: &str) -> Self {
        if let Some(challenge) = &mut self.challenge {
            challenge.push_str(&format!(r#", resource_metadata="{url}""#));
        }
        self
    }

    /// 503: no challenge, but when to come back.
    #[must_use]
    pub fn unavailable(code: &'static str, retry_after: &'static str) -> Self {
        Self { retry_after: Some(retry_after), ..Self::bare(503, code) }
    }

    /// 500: nothing that a caller could do about it.
    #[must_use]
    pub const fn misconfigured() -> Self {
        Self::bare(500, "misconfigured")
    }

    /// 400: the path can be read in two ways.
    #[must_use]
    pub fn ambiguous_path() -> Self {
        let description = "the path can be read in more than one way";
        Self::invalid_request("path_ambiguous", description)
    }

    /// 403: the path is of another tenant.
    #[must_use]
    pub fn foreign_path() -> Self {
        let description = "the path names another tenant than the access token";
        Self::insufficient_scope("tenant_mismatch.path", description)
    }

    /// 401: the signature.
    #[must_use]
    pub fn bad_signature() -> Self {
        let description = "the signature of the access token does not match";
        Self::invalid_token("signature_invalid", description)
    }

    /// 401: the issuer.
    #[must_use]
    pub fn unknown_issuer() -> Self {
        let description = "the access token comes from an issuer that is not trusted here";
        Self::invalid_token("issuer_unknown", description)
    }

    /// 401: the key.
    #[must_use]
    pub fn unknown_key() -> Self {
        let description = "the access token is signed with a key that its issuer does not publish";
        Self::invalid_token("key_unknown", description)
    }

    /// 401: the algorithm.
    #[must_use]
    pub fn algorithm_not_allowed() -> Self {
        let description =
            "the access token is signed with an algorithm that is not allowed for its issuer";
        Self::invalid_token("algorithm_not_allowed", description)
    }

    /// 401: the time.
    #[must_use]
    pub fn expired() -> Self {
        Self::invalid_token("token_expired", "the access token has expired")
    }
}
