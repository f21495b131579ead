//! A refused request, and the answer to it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::challenge::Challenge;
use crate::facts::RequestFacts;
use crate::pattern::TenantPattern;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::tenant::{ProvenTenant, TenantId};
use crate::verified::VerifiedToken;

/// Longer than an hour is no advice to a client.
const MAX_RETRY_AFTER: u64 = 3600;

/// Why this request was refused; becomes the response.
///
/// What the client sees is made of the [`Reason`] alone (and of the scopes needed, for a missing
/// scope, and of where the metadata is). No token, claim, path or header text is ever copied into it. The [source](Error::source)
/// is for the log.
// Boxed: a refusal is rare, and every step returns one by value.
#[derive(Debug)]
pub struct Rejection(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    reason: Reason,
    policy: Option<Policy>,
    issuer: Option<Box<str>>,
    resource_metadata: Option<String>,
    tenant: Option<TenantId>,
    scope: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Rejection {
    /// Refuses for `reason`.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self(Box::new(Refusal {
            reason,
            policy: None,
            issuer: None,
            resource_metadata: None,
            tenant: None,
            scope: None,
            retry_after: None,
            source: None,
        }))
    }

    /// Refuses because the service is not set up as its layers need; `problem` goes to the log only.
    #[must_use]
    pub fn misconfigured(problem: &'static str) -> Self {
        Self::new(Reason::Misconfigured).with_source(problem)
    }

    /// Says when to come back, for a 503. Rounded up to whole seconds, from one to an hour.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds what the log should say about the cause.
    ///
    /// # Security
    ///
    /// The text must hold no part of a token.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the policy that says how the answer looks: its realm and whether it explains itself.
    #[must_use]
    pub fn under(mut self, policy: &Policy) -> Self {
        self.0.policy = Some(policy.clone());
        // With one resource for all, the metadata is in one place, whatever was asked for.
        self.about_resource(None)
    }

    /// Adds the policy, and what the request asked for: if the policy describes a resource per tenant,
    /// the challenge says where that tenant's metadata is.
    ///
    /// It is the tenant that the *request* names, whatever a token says, and there need be no such
    /// tenant. If the request names none, or two, this adds the policy only.
    #[must_use]
    pub fn under_request(self, policy: &Policy, request: &RequestFacts<'_>) -> Self {
        if !policy.has_resource() || request.policy != policy.epoch() {
            return self.under(policy);
        }
        self.under(policy).about_resource(request.asked().as_ref())
    }

    /// Says in the challenge where the metadata of this tenant's resource is.
    pub(crate) fn about_resource(mut self, tenant: Option<&TenantId>) -> Self {
        let policy = self.0.policy.as_ref();
        self.0.resource_metadata = policy.and_then(|policy| policy.resource_metadata_url(tenant));
        self
    }

    /// Adds the issuer that the token names, as the policy writes it: for logs and figures, not for the
    /// answer.
    // INVARIANT (secrets stay in): a pattern of the policy, so no `iss` gets in by mistake.
    #[must_use]
    pub fn of_issuer(mut self, issuer: &TenantPattern) -> Self {
        self.0.issuer = Some(issuer.as_str().into());
        self
    }

    /// Adds the issuer of a verified token.
    pub(crate) fn of_token(self, token: &VerifiedToken) -> Self {
        let issuers = token.policy().issuers();
        match token.issuer_index().and_then(|at| issuers.get(at)) {
            Some(issuer) => self.of_issuer(issuer.pattern()),
            None => self,
        }
    }

    pub(crate) fn for_tenant(mut self, tenant: &ProvenTenant) -> Self {
        self.0.tenant = Some(TenantId::clone(tenant));
        self
    }

    pub(crate) fn with_scope(mut self, scope: String) -> Self {
        self.0.scope = Some(scope);
        self
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.reason.status()
    }

    /// The tenant that the token's signed parts agree on, if it came so far.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.0.tenant.as_ref()
    }

    /// The issuer that the token names, as the policy writes it, if it came so far. Whether that issuer
    /// made the token is another question: see the [reason](Self::reason).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The challenge of the answer ([RFC 9110 §11.6.1]); `None` where no credentials could help.
    ///
    /// [RFC 9110 §11.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
    #[must_use]
    pub fn challenge(&self) -> Option<Challenge<'_>> {
        let policy = self.0.policy.as_ref();
        self.0.reason.has_challenge().then(|| Challenge {
            realm: policy.map_or(crate::policy::DEFAULT_REALM, Policy::realm),
            reason: self.0.reason,
            described: self.explains(),
            scope: self.0.scope.as_deref(),
            resource_metadata: self.0.resource_metadata.as_deref(),
        })
    }

    fn explains(&self) -> bool {
        self.0.policy.as_ref().is_none_or(Policy::problem_details)
    }

    /// The answer: status, challenge, `Cache-Control: no-store`, and a problem document
    /// ([RFC 9457]) with the reason's code unless the policy turned that off.
    ///
    /// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let body = if self.explains() { self.problem() } else { Bytes::new() };
        let has_body = !body.is_empty();
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge.to_header_value());
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            let after = self.0.retry_after.unwrap_or(Duration::from_secs(5));
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.clamp(1, MAX_RETRY_AFTER)));
        }
        response
    }

    fn problem(&self) -> Bytes {
        let reason = self.0.reason;
        let mut problem = serde_json::json!({
            "type": format!("urn:tenantry:rejection:{}", reason.code()),
            "title": reason.summary(),
            "status": reason.status().as_u16(),
            "code": reason.code(),
            "detail": reason.hint(),
        });
        if let (Some(scope), Some(members)) = (&self.0.scope, problem.as_object_mut()) {
            members.insert("scope".into(), scope.as_str().into());
        }
        problem.to_string().into()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason.code(), self.0.reason.summary())
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(response: &Response<Bytes>, name: http::HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn an_answer_has_status_challenge_and_a_document_that_agree() {
        let response = Rejection::new(Reason::TokenExpired).to_response();

        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            header(&response, WWW_AUTHENTICATE),
            Some(
                r#"Bearer realm="tenantry", error="invalid_token", error_description="the access token has expired""#
            )
        );
        assert_eq!(header(&response, CACHE_CONTROL), Some("no-store"));
        assert_eq!(header(&response, CONTENT_TYPE), Some("application/problem+json"));
        assert_eq!(header(&response, RETRY_AFTER), None);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["code"], "token_expired");
        assert_eq!(body["status"], 401);
        assert_eq!(body["type"], "urn:tenantry:rejection:token_expired");
    }

    #[test]
    fn an_outage_says_when_to_come_back_and_does_not_challenge() {
        let response = Rejection::new(Reason::KeysUnavailable)
            .with_retry_after(Duration::from_millis(1500))
            .to_response();

        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&response, RETRY_AFTER), Some("2"));
        assert_eq!(header(&response, WWW_AUTHENTICATE), None);
        let soon =
            Rejection::new(Reason::KeysUnavailable).with_retry_after(Duration::ZERO).to_response();
        assert_eq!(header(&soon, RETRY_AFTER), Some("1"));
    }

    #[test]
    fn what_is_wrong_inside_stays_inside() {
        let rejection = Rejection::misconfigured("the layer is missing");
        let response = rejection.to_response();

        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(header(&response, WWW_AUTHENTICATE), None);
        assert!(!String::from_utf8_lossy(response.body()).contains("the layer is missing"));
        assert_eq!(rejection.source().unwrap().to_string(), "the layer is missing");
    }
}
