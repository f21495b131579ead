//! Refusals as OAuth writes them ([RFC 6749 §5.2]).
//!
//! | the request                                  | status | `error`                                       |
//! |----------------------------------------------|--------|-----------------------------------------------|
//! | cannot be read, or names no tenant, or two    | 400    | `invalid_request`                             |
//! | has an audience or resource of another tenant | 400    | `invalid_target`                              |
//! | has no credentials, or none that can be used  | 401    | `invalid_client`                              |
//! | does not prove a client of this tenant        | 401    | `invalid_client`, one text for every cause    |
//! | is not what this client may ask for           | 400    | `unauthorized_client`, `unsupported_grant_type` |
//! | asks for a scope or an audience beyond it     | 400    | `invalid_scope`, `invalid_target`             |
//! | has a refresh token that does not count       | 400    | `invalid_grant`, one text for every cause     |
//! | comes after too many failures                 | 429    | `temporarily_unavailable`, `Retry-After`      |
//! | cannot be judged now                          | 503    | `temporarily_unavailable`, `Retry-After`      |
//!
//! Never a problem document: clients of these endpoints know the form above and no other.
//! `temporarily_unavailable` is the code that RFC 6749 has for this elsewhere (§4.1.2.1).
//!
//! [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::keys::KeyRingError;
use crate::no_store::no_store;
use crate::reason::Reason;
use crate::store::StoreError;

/// A refusal by an OAuth endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    reason: Reason,
    description: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl OAuthError {
    fn new(error: &'static str, reason: Reason, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            reason,
            description: description.into(),
            retry_after: None,
        }
    }

    /// The request is malformed, names no tenant, or names two.
    pub(crate) fn invalid_request(
        reason: Reason,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new("invalid_request", reason, description)
    }

    /// Whoever asks is not known as this client of this tenant.
    ///
    /// `reason` is for the audit log. The client sees the same answer whatever it is, so that nobody
    /// learns which tenants and clients there are.
    // INVARIANT (secrets stay in): the text has no argument.
    pub(crate) fn invalid_client(reason: Reason) -> Self {
        let description = "client authentication failed: check the tenant, the client id, its \
                           credentials and how the client is registered to send them";
        Self {
            status: StatusCode::UNAUTHORIZED,
            ..Self::new("invalid_client", reason, description)
        }
    }

    /// The request proves no client, whichever clients there are: nothing was looked up, so the
    /// text may say what is wrong.
    pub(crate) fn no_credentials(reason: Reason, description: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            ..Self::new("invalid_client", reason, description)
        }
    }

    /// The refresh token does not count, here and for this client.
    pub(crate) fn invalid_grant(reason: Reason) -> Self {
        let description = "the refresh token is not one of this client, or was used, revoked or \
                           has expired: start again with the client's credentials";
        Self::new("invalid_grant", reason, description)
    }

    /// The token to revoke is not one of this client: the same text for each that is not.
    pub(crate) fn foreign_token() -> Self {
        Self::new("invalid_grant", Reason::TokenForeign, "the token was not issued to this client")
    }

    /// The client is known, but may not do this.
    pub(crate) fn unauthorized_client(reason: Reason, description: &'static str) -> Self {
        Self::new("unauthorized_client", reason, description)
    }

    /// The grant type is none of those that exist here.
    pub(crate) fn unsupported_grant_type() -> Self {
        Self::new(
            "unsupported_grant_type",
            Reason::GrantTypeUnsupported,
            "grant_type is client_credentials or refresh_token",
        )
    }

    /// A scope is not one that this client of this tenant may have.
    pub(crate) fn invalid_scope(reason: Reason, description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_scope", reason, description)
    }

    /// An audience or a resource is not one of this client and tenant ([RFC 8707 §2]).
    ///
    /// [RFC 8707 §2]: https://www.rfc-editor.org/rfc/rfc8707#section-2
    pub(crate) fn invalid_target(
        reason: Reason,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new("invalid_target", reason, description)
    }

    /// Another method than POST.
    pub(crate) fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..Self::invalid_request(Reason::Method, "use POST with a form in the body")
        }
    }

    /// The body is longer than any request that could be answered.
    pub(crate) fn too_large() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::invalid_request(Reason::BodyTooLarge, "the body is longer than 64 KiB")
        }
    }

    /// The body did not arrive in time.
    pub(crate) fn too_slow() -> Self {
        Self {
            status: StatusCode::REQUEST_TIMEOUT,
            ..Self::invalid_request(Reason::BodyTooSlow, "the body took longer than 10 seconds")
        }
    }

    /// Too many failures before this one.
    pub(crate) fn too_many_failures(retry_after: Duration) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(retry_after),
            ..Self::new(
                "temporarily_unavailable",
                Reason::TooManyFailures,
                "too many failed attempts: wait as long as Retry-After says",
            )
        }
    }

    /// The store or the keys cannot be had, so nothing was judged.
    // INVARIANT (cannot judge is not invalid)
    pub(crate) fn unavailable(reason: Reason) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(Duration::from_secs(5)),
            ..Self::new(
                "temporarily_unavailable",
                reason,
                "the authorization server cannot judge this now: try again",
            )
        }
    }

    /// Why, for the audit log: a stable word that may say more than the answer does.
    pub(crate) const fn reason(&self) -> &'static str {
        self.reason.code()
    }

    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The text for a person, in the characters that [RFC 6749 §5.2] permits.
    ///
    /// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    pub(crate) fn description(&self) -> String {
        let permitted = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        self.description.chars().map(|c| if permitted(c) { c } else { '?' }).collect()
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be asked");
        Self::unavailable(Reason::Store)
    }
}

impl From<KeyRingError> for OAuthError {
    fn from(error: KeyRingError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "no token can be signed or read");
        Self::unavailable(Reason::Keys)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description() });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        no_store(headers);
        if self.status == StatusCode::UNAUTHORIZED {
            // On every 401, also without an `Authorization` field (RFC 9110 §15.5.2).
            let challenge = HeaderValue::from_static(r#"Basic realm="oauth", charset="UTF-8""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: whoever comes back then is not too early.
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_only_the_characters_that_the_rfc_permits() {
        let error =
            OAuthError::invalid_request(Reason::Method, "a \"b\" \\ c\r\nd \u{e9} {e} `f`~");

        assert_eq!(error.description(), "a ?b? ? c??d ? {e} `f`~");
    }

    #[test]
    fn whoever_comes_back_after_retry_after_is_not_too_early() {
        for (millis, seconds) in [(2_500, "3"), (2_001, "3"), (2_000, "2"), (1, "1")] {
            let error = OAuthError::too_many_failures(Duration::from_millis(millis));
            let response = error.into_response();

            assert_eq!(response.headers()[RETRY_AFTER], seconds);
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        }
    }
}
