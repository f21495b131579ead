//! Why a request was refused: one stable code each.

use std::fmt;

use http::StatusCode;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident, $summary:literal, $hint:literal;)*) => {
        /// Why a request was refused.
        ///
        /// The [code](Self::code) is stable: clients and dashboards may rely on it. Each has a
        /// section in `docs/rejections.md` with its usual cause and the fix.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in the problem document, in logs and in `docs/rejections.md`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// One line that says what is wrong. The same for every request refused for this reason.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $summary,)* }
            }

            /// What to look at first.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }

            const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

#[derive(Clone, Copy)]
enum Class {
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    Misconfigured,
    Unauthenticated,
    Unavailable,
}

reasons! {
    /// `alg` is not one that this issuer signs with ([RFC 8725 §3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
    AlgorithmNotAllowed = "algorithm_not_allowed", InvalidToken,
        "the access token is signed with an algorithm that is not allowed for its issuer",
        "Compare the alg in the token's header with the issuer's algorithms in the policy.";
    /// No element of `aud` is this resource server ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)).
    AudienceMismatch = "audience_mismatch", InvalidToken,
        "the access token is for another audience",
        "Ask the authorization server for a token with this API's audience (parameter audience or resource).";
    /// A claim that must be there is not.
    ClaimMissing = "claim_missing", InvalidToken,
        "the access token lacks a claim that is required of its issuer",
        "Add the claim at the authorization server, or take it off the issuer's required_claims; the tenant claim cannot be taken off.";
    /// A claim has the wrong JSON type, or a value outside its grammar.
    ClaimMalformed = "claim_malformed", InvalidToken,
        "a claim of the access token has the wrong type or form",
        "Look at iss, aud, exp, nbf, iat, scope and the tenant claim: a wrong JSON type is not read as another.";
    /// The `Authorization` field is not `Bearer` and one token ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    CredentialsMalformed = "credentials_malformed", InvalidRequest,
        "the Authorization field is not the word Bearer, a space and one token",
        "Send exactly: Authorization: Bearer and the access token, with nothing around it.";
    /// There are no credentials, or of another scheme only.
    CredentialsMissing = "credentials_missing", Unauthenticated,
        "the request has no access token",
        "Send the access token in the Authorization field with the scheme Bearer.";
    /// There is more than one set of credentials.
    CredentialsMultiple = "credentials_multiple", InvalidRequest,
        "the request has more than one set of credentials",
        "Send one Authorization field. A proxy that adds its own has to remove the caller's.";
    /// An access token in the query ([RFC 9700 §4.3.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.3.2)).
    CredentialsInQuery = "credentials_in_query", InvalidRequest,
        "the request has an access token in its query",
        "Query strings end up in logs: send the token in the Authorization field, and treat this one as leaked.";
    /// The directory of tenants could not be asked.
    DirectoryUnavailable = "directory_unavailable", Unavailable,
        "the directory of tenants cannot be reached, so the request was not judged",
        "Retry later. Operators: look at the directory's source.";
    /// A tenant header is named in `Connection`: a proxy would remove it.
    HeaderInConnection = "header_in_connection", InvalidRequest,
        "the Connection field names the tenant header",
        "Remove the tenant header's name from Connection: it would be dropped on the way.";
    /// There are two hosts, or none that can be read.
    HostAmbiguous = "host_ambiguous", InvalidRequest,
        "the request does not name one host",
        "Send one Host field that agrees with the request target.";
    /// `iss` is not an issuer that is trusted here, or not for a tenant that is known here.
    IssuerUnknown = "issuer_unknown", InvalidToken,
        "the access token comes from an issuer that is not trusted here",
        "Compare iss with the policy byte for byte: a trailing slash makes another issuer. With an issuer per tenant, the directory has to know the tenant.";
    /// The token has no `kid` and more than one key fits, or two keys share its `kid`.
    KeyAmbiguous = "key_ambiguous", InvalidToken,
        "more than one key of the issuer fits the access token",
        "Let the issuer write a kid into its tokens, and give each key a kid of its own.";
    /// The issuer's key set is fresh and has no such key.
    KeyUnknown = "key_unknown", InvalidToken,
        "the access token is signed with a key that its issuer does not publish",
        "The key was withdrawn, or the token comes from another issuer than its iss says. Ask for a new token.";
    /// The issuer's keys could not be fetched, so the token was not judged.
    KeysUnavailable = "keys_unavailable", Unavailable,
        "the keys of the issuer cannot be had, so the access token was not judged",
        "Retry later. Operators: see readiness for the issuer and the last error.";
    /// The layers are in the wrong order, or something that a layer relies on is missing.
    Misconfigured = "misconfigured", Misconfigured,
        "the service is not set up to judge this request",
        "Operators: the log has an error event that says which layer or extension is missing.";
    /// The path can be read in more than one way.
    PathAmbiguous = "path_ambiguous", InvalidRequest,
        "the path can be read in more than one way",
        "Send the plain path: no double slash, dot segment, semicolon, backslash, control character, nor an encoded one, and no escape in the tenant's segment.";
    /// A listed plain scope that is a qualified scope of this tenant, too.
    ScopeAmbiguous = "scope_ambiguous", InvalidToken,
        "a scope of the access token can be read in two ways",
        "The tenant's id equals the first segment of a plain scope. Qualify the scope, and take it off plain_scopes.";
    /// A scope of another tenant, in strict mode.
    ScopeForeign = "scope_foreign", InvalidToken,
        "the access token holds a scope of another tenant",
        "Register the client for one tenant, and ask for scopes of that tenant only.";
    /// The tenant's scopes do not suffice.
    ScopeMissing = "scope_missing", InsufficientScope,
        "the access token lacks a scope of its tenant",
        "Ask for the scopes named in the challenge. Scopes without the tenant's prefix, or with another tenant's, do not count.";
    /// The signature does not match the key.
    SignatureInvalid = "signature_invalid", InvalidToken,
        "the signature of the access token does not match",
        "The token was changed on its way, or signed with another key than its kid names.";
    /// The tenant header's value is not a tenant id.
    TenantMalformedHeader = "tenant_malformed.header", InvalidRequest,
        "the tenant header does not hold one tenant id",
        "A tenant id is 1 to 128 letters, digits, - or _, starting with a letter or digit. Lists are not read.";
    /// The tenant header is there more than once.
    TenantRepeatedHeader = "tenant_repeated.header", InvalidRequest,
        "the tenant header is there more than once",
        "Send it once. A proxy that sets it has to remove the caller's.";
    /// The header names another tenant than the token.
    TenantMismatchHeader = "tenant_mismatch.header", InsufficientScope,
        "the tenant header names another tenant than the access token",
        "Use the token of the tenant that the request is for, or drop the header.";
    /// The host names another tenant than the token.
    TenantMismatchHost = "tenant_mismatch.host", InsufficientScope,
        "the host names another tenant than the access token",
        "Use the token of the tenant that the host belongs to.";
    /// The path names another tenant than the token.
    TenantMismatchPath = "tenant_mismatch.path", InsufficientScope,
        "the path names another tenant than the access token",
        "Use the token of the tenant that the path belongs to.";
    /// The tenant header is required and absent.
    TenantMissingHeader = "tenant_missing.header", InvalidRequest,
        "the tenant header is required and absent",
        "Send the tenant header that the policy requires.";
    /// The host names no tenant.
    TenantMissingHost = "tenant_missing.host", InvalidRequest,
        "the host names no tenant",
        "Call the API under the tenant's own host name.";
    /// The path names no tenant.
    TenantMissingPath = "tenant_missing.path", InvalidRequest,
        "the path names no tenant",
        "The path has to match the policy's path pattern, tenant included.";
    /// The issuer does not speak for the tenant that its token names.
    TenantNotOfIssuer = "tenant_not_of_issuer", InvalidToken,
        "the issuer of the access token does not speak for the tenant it names",
        "Ask the issuer that serves this tenant, or add the tenant to the issuer's tenants in the policy.";
    /// The directory has suspended the tenant.
    TenantSuspended = "tenant_suspended", InsufficientScope,
        "the tenant of the access token is suspended",
        "The tenant has to be resumed in the directory.";
    /// The directory does not know the tenant.
    TenantUnknown = "tenant_unknown", InsufficientScope,
        "the tenant of the access token is not known here",
        "Add the tenant to the directory, or look for a typing error in the token's tenant claim.";
    /// The token is bound to a key by `cnf`, and that binding was not proven ([RFC 9449 §7.2](https://www.rfc-editor.org/rfc/rfc9449#section-7.2)).
    TokenBound = "token_bound", InvalidToken,
        "the access token is bound to a key, and the binding was not proven",
        "Bound tokens (cnf) are not accepted here yet. Ask for a bearer token.";
    /// The audiences of the token name different tenants, or another than its other signed parts.
    TokenConflictAudience = "token_conflict.audience", InvalidToken,
        "the audience names another tenant than the rest of the access token",
        "The authorization server put two tenants into one token. Look at how it fills aud.";
    /// The tenant claims of the token name different tenants.
    TokenConflictClaim = "token_conflict.claim", InvalidToken,
        "two tenant claims of the access token name different tenants",
        "The authorization server put two tenants into one token. Look at its tenant claims.";
    /// The issuer belongs to another tenant than the token's other signed parts say.
    TokenConflictIssuer = "token_conflict.issuer", InvalidToken,
        "the issuer belongs to another tenant than the rest of the access token names",
        "An issuer of one tenant signed for another. Look at who may register clients there.";
    /// `exp` has passed ([RFC 7519 §4.1.4](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4)).
    TokenExpired = "token_expired", InvalidToken,
        "the access token has expired",
        "Ask for a new token. If this comes at once, compare the clocks.";
    /// `crit`, `b64` or `zip` in the header: an extension that is not understood ([RFC 7515 §4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)).
    TokenExtension = "token_extension", InvalidToken,
        "the access token uses a header extension that is not supported",
        "Tokens with crit, b64 or zip are refused.";
    /// The token is not a JWT in compact form ([RFC 7519 §7.2](https://www.rfc-editor.org/rfc/rfc7519#section-7.2)).
    TokenMalformed = "token_malformed", InvalidToken,
        "the access token is not a JWT of three parts",
        "An opaque or encrypted token cannot be judged here. Look for a cut-off or re-encoded token.";
    /// `nbf` or `iat` is in the future.
    TokenNotYetValid = "token_not_yet_valid", InvalidToken,
        "the access token is not valid yet",
        "Compare the clocks of the issuer and of this service.";
    /// The token, or its subject, client or tenant, is on the list of revocations.
    TokenRevoked = "token_revoked", InvalidToken,
        "the access token has been revoked",
        "Ask for a new token. One issued before its subject, client or tenant was revoked stays refused.";
    /// The token is longer than is read.
    TokenTooLarge = "token_too_large", InvalidToken,
        "the access token is larger than is accepted",
        "Put less into the token: at most 16 KiB are read.";
    /// `typ` says that this is no access token ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)).
    TokenType = "token_type", InvalidToken,
        "the token is not an access token",
        "ID tokens, proofs and assertions are not accepted. An issuer that writes typ JWT needs token_profile = jwt.";
}

impl Reason {
    /// The status of the answer (DESIGN: a bad token is 401, a wrong tenant 403, an outage 503).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self.class() {
            Class::InsufficientScope => StatusCode::FORBIDDEN,
            Class::InvalidRequest => StatusCode::BAD_REQUEST,
            Class::InvalidToken | Class::Unauthenticated => StatusCode::UNAUTHORIZED,
            Class::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `error` of the challenge ([RFC 6750 §3.1]), if the challenge has one.
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    #[must_use]
    pub const fn error(self) -> Option<&'static str> {
        match self.class() {
            Class::InsufficientScope => Some("insufficient_scope"),
            Class::InvalidRequest => Some("invalid_request"),
            Class::InvalidToken => Some("invalid_token"),
            Class::Misconfigured | Class::Unauthenticated | Class::Unavailable => None,
        }
    }

    /// Whether the answer carries a challenge: not where no credentials could help.
    pub(crate) const fn has_challenge(self) -> bool {
        !matches!(self.class(), Class::Misconfigured | Class::Unavailable)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_texts_fit_a_quoted_string() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            // RFC 6750, section 3: %x20-21 / %x23-5B / %x5D-7E
            let fits = |text: &str| {
                text.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
            };
            assert!(fits(reason.summary()) && fits(reason.hint()), "{reason}");
        }
    }
}
