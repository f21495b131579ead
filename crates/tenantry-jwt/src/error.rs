//! Why an access token was not accepted, and what the client is told of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tenantry_core::{Reason, Rejection, TenantPattern};

/// Why an access token was not accepted.
///
/// For the log of the resource server: the client sees only the [`Rejection`] that it becomes.
/// Match on [`kind`](Self::kind). It names claims and never quotes them.
#[derive(Debug)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    /// The name of a claim, from the configuration or an RFC, never from the token.
    claim: Option<Box<str>>,
    /// The issuer as the policy writes it, once it is known whose token this says it is.
    issuer: Option<Box<TenantPattern>>,
    retry_after: Option<Duration>,
    /// The directory's own answer, which is handed on as it is.
    directory: Option<Rejection>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The category of a [`VerifyError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum VerifyErrorKind {
    /// `alg` is not one of the issuer's algorithms ([RFC 8725 §3.1]).
    ///
    /// [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
    Algorithm,
    /// `aud` names other resource servers only ([RFC 9068 §4]).
    ///
    /// [RFC 9068 §4]: https://www.rfc-editor.org/rfc/rfc9068#section-4
    Audience,
    /// The token has `cnf`: it is bound to a key that nobody proved to hold ([RFC 7800 §3.1]).
    ///
    /// [RFC 7800 §3.1]: https://www.rfc-editor.org/rfc/rfc7800#section-3.1
    Bound,
    /// A claim has the wrong JSON type, is empty, or is outside its grammar.
    ClaimMalformed,
    /// A claim that is required is absent.
    ClaimMissing,
    /// The directory could not say whether it knows the issuer's tenant.
    Directory,
    /// `exp` is past, or now, beyond the permitted skew ([RFC 7519 §4.1.4]).
    ///
    /// [RFC 7519 §4.1.4]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4
    Expired,
    /// The header has `crit`, `b64` or `zip` ([RFC 7515 §4.1.11], [RFC 7797 §7]).
    ///
    /// [RFC 7515 §4.1.11]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    /// [RFC 7797 §7]: https://www.rfc-editor.org/rfc/rfc7797#section-7
    Extension,
    /// `iss` is no issuer of the policy, or that of a tenant which the directory does not know.
    Issuer,
    /// Several keys of the issuer fit, and `kid` does not choose one of them.
    KeyAmbiguous,
    /// The issuer's keys are fresh and none of them fits `kid` and `alg`.
    KeyUnknown,
    /// The issuer's keys could not be had, so the token was not judged.
    KeysUnavailable,
    /// Not a JWS in compact serialization over JSON that every reader reads alike.
    Malformed,
    /// `nbf` or `iat` is in the future, beyond the permitted skew ([RFC 7519 §4.1.5]).
    ///
    /// [RFC 7519 §4.1.5]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.5
    NotYetValid,
    /// The signature does not match.
    Signature,
    /// The token is longer than the policy permits.
    TooLarge,
    /// The token says it is something else than an access token ([RFC 8725 §3.11]).
    ///
    /// [RFC 8725 §3.11]: https://www.rfc-editor.org/rfc/rfc8725#section-3.11
    Type,
}

impl VerifyError {
    pub(crate) const fn new(kind: VerifyErrorKind) -> Self {
        Self { kind, claim: None, issuer: None, retry_after: None, directory: None, source: None }
    }

    pub(crate) fn missing(claim: &str) -> Self {
        Self { claim: Some(claim.into()), ..Self::new(VerifyErrorKind::ClaimMissing) }
    }

    pub(crate) fn malformed(claim: &str) -> Self {
        Self { claim: Some(claim.into()), ..Self::new(VerifyErrorKind::ClaimMalformed) }
    }

    pub(crate) fn directory(rejection: Rejection) -> Self {
        Self { directory: Some(rejection), ..Self::new(VerifyErrorKind::Directory) }
    }

    pub(crate) fn at_issuer(mut self, issuer: &TenantPattern) -> Self {
        self.issuer = Some(Box::new(issuer.clone()));
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Returns the category.
    #[must_use]
    pub const fn kind(&self) -> VerifyErrorKind {
        self.kind
    }

    /// Returns the issuer as the policy writes it, if the token named one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref().map(TenantPattern::as_str)
    }

    /// Returns the name of the claim at fault, where it is about one that has a name of its own.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }
}

impl From<VerifyErrorKind> for VerifyError {
    fn from(kind: VerifyErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            VerifyErrorKind::Algorithm => "`alg` is not one of the issuer's algorithms",
            VerifyErrorKind::Audience => "`aud` names other resource servers only",
            VerifyErrorKind::Bound => "the token is bound to a key, which was not proven",
            VerifyErrorKind::ClaimMalformed => "a claim is malformed",
            VerifyErrorKind::ClaimMissing => "a required claim is missing",
            VerifyErrorKind::Directory => {
                "the directory could not be asked for the issuer's tenant"
            }
            VerifyErrorKind::Expired => "the token has expired",
            VerifyErrorKind::Extension => "the header has `crit`, `b64` or `zip`",
            VerifyErrorKind::Issuer => "the issuer is not trusted",
            VerifyErrorKind::KeyAmbiguous => "several keys of the issuer fit",
            VerifyErrorKind::KeyUnknown => "no key of the issuer fits",
            VerifyErrorKind::KeysUnavailable => "the issuer's keys are unavailable",
            VerifyErrorKind::Malformed => "not a well-formed token",
            VerifyErrorKind::NotYetValid => "the token is not valid yet",
            VerifyErrorKind::Signature => "the signature does not match",
            VerifyErrorKind::TooLarge => "the token is too large",
            VerifyErrorKind::Type => "not an access token by its type",
        })?;
        if let Some(claim) = &self.claim {
            write!(f, ": `{claim}`")?;
        }
        match self.issuer() {
            Some(issuer) => write!(f, " (issuer {issuer})"),
            None => Ok(()),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

impl From<VerifyError> for Rejection {
    fn from(mut error: VerifyError) -> Self {
        let issuer = error.issuer.clone();
        let of_issuer = |rejection: Self| match &issuer {
            Some(issuer) => rejection.of_issuer(issuer),
            None => rejection,
        };
        if let Some(rejection) = error.directory.take() {
            return of_issuer(rejection);
        }
        // No wildcard: a new kind must choose its reason here.
        let reason = match error.kind {
            VerifyErrorKind::Algorithm => Reason::AlgorithmNotAllowed,
            VerifyErrorKind::Audience => Reason::AudienceMismatch,
            VerifyErrorKind::Bound => Reason::TokenBound,
            VerifyErrorKind::ClaimMalformed => Reason::ClaimMalformed,
            VerifyErrorKind::ClaimMissing => Reason::ClaimMissing,
            VerifyErrorKind::Directory => Reason::DirectoryUnavailable,
            VerifyErrorKind::Expired => Reason::TokenExpired,
            VerifyErrorKind::Extension => Reason::TokenExtension,
            VerifyErrorKind::Issuer => Reason::IssuerUnknown,
            VerifyErrorKind::KeyAmbiguous => Reason::KeyAmbiguous,
            VerifyErrorKind::KeyUnknown => Reason::KeyUnknown,
            VerifyErrorKind::KeysUnavailable => Reason::KeysUnavailable,
            VerifyErrorKind::Malformed => Reason::TokenMalformed,
            VerifyErrorKind::NotYetValid => Reason::TokenNotYetValid,
            VerifyErrorKind::Signature => Reason::SignatureInvalid,
            VerifyErrorKind::TooLarge => Reason::TokenTooLarge,
            VerifyErrorKind::Type => Reason::TokenType,
        };
        let rejection = of_issuer(Self::new(reason));
        match error.retry_after {
            Some(retry_after) => rejection.with_retry_after(retry_after),
            None => rejection,
        }
        .with_source(error)
    }
}
