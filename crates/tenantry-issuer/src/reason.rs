//! Why an OAuth endpoint refused a request, for the audit trail: a word that stays what it is.
//!
//! It may say more than the answer does. `docs/token-endpoint.md` tells what each means.

macro_rules! reasons {
    ($($name:ident = $code:literal,)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Reason {
            $($name,)*
        }

        impl Reason {
            /// Every reason.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word in logs and in the table `audit_event`.
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

reasons! {
    Abandoned = "abandoned",
    AssertionAlgorithm = "assertion_algorithm",
    AssertionAudience = "assertion_audience",
    AssertionClaims = "assertion_claims",
    AssertionEarly = "assertion_early",
    AssertionExpired = "assertion_expired",
    AssertionIncomplete = "assertion_incomplete",
    AssertionJti = "assertion_jti",
    AssertionKey = "assertion_key",
    AssertionLifetime = "assertion_lifetime",
    AssertionMalformed = "assertion_malformed",
    AssertionReplayed = "assertion_replayed",
    AssertionSignature = "assertion_signature",
    AssertionSubject = "assertion_subject",
    AssertionTime = "assertion_time",
    AssertionType = "assertion_type",
    AudienceAmbiguous = "audience_ambiguous",
    AudienceForeign = "audience_foreign",
    AudienceNone = "audience_none",
    AudienceUnknown = "audience_unknown",
    AudienceUnregistered = "audience_unregistered",
    AuthenticationMethod = "authentication_method",
    AuthorizationMalformed = "authorization_malformed",
    AuthorizationScheme = "authorization_scheme",
    BodyTooLarge = "body_too_large",
    BodyTooSlow = "body_too_slow",
    BodyUnreadable = "body_unreadable",
    ClientAssertionType = "client_assertion_type",
    ClientDisabled = "client_disabled",
    ClientGone = "client_gone",
    ClientIdMalformed = "client_id_malformed",
    ClientIdMismatch = "client_id_mismatch",
    ClientIdMissing = "client_id_missing",
    ClientUnknown = "client_unknown",
    ContentType = "content_type",
    CredentialsMissing = "credentials_missing",
    CredentialsMultiple = "credentials_multiple",
    FormMalformed = "form_malformed",
    GrantTypeMissing = "grant_type_missing",
    GrantTypeUnsupported = "grant_type_unsupported",
    GrantUnregistered = "grant_unregistered",
    HeaderInConnection = "header_in_connection",
    Json = "json",
    Keys = "keys",
    Method = "method",
    ParameterRepeated = "parameter_repeated",
    Random = "random",
    RefreshRace = "refresh_race",
    RefreshTokenEnded = "refresh_token_ended",
    RefreshTokenForeign = "refresh_token_foreign",
    RefreshTokenMalformed = "refresh_token_malformed",
    RefreshTokenMissing = "refresh_token_missing",
    RefreshTokenReused = "refresh_token_reused",
    RefreshTokenUnknown = "refresh_token_unknown",
    ScopeAmbiguous = "scope_ambiguous",
    ScopeForeign = "scope_foreign",
    ScopeMalformed = "scope_malformed",
    ScopeUnregistered = "scope_unregistered",
    SecretInQuery = "secret_in_query",
    SecretWrong = "secret_wrong",
    Store = "store",
    TenantMalformed = "tenant_malformed",
    TenantMismatch = "tenant_mismatch",
    TenantMissing = "tenant_missing",
    TenantRepeated = "tenant_repeated",
    TenantSuspended = "tenant_suspended",
    Time = "time",
    TokenForeign = "token_foreign",
    TokenMissing = "token_missing",
    TooManyFailures = "too_many_failures",
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/token-endpoint.md");

    /// The words in code style in the first column of the tables below the heading of refusals.
    fn explained() -> Vec<&'static str> {
        let (_, refusals) = PAGE.split_once("\n## Refusals\n").unwrap();
        let rows = refusals.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.flat_map(|row| row.split(" | ").next().unwrap().split('`').step_by(2)).collect()
    }

    #[test]
    fn the_page_explains_each_reason_and_no_other() {
        let codes = || Reason::ALL.iter().map(|reason| reason.code());
        let explained = explained();
        for code in codes() {
            // Two places that disagree are refused with one of two errors.
            let times = if code == "tenant_mismatch" { 2 } else { 1 };
            let found = explained.iter().filter(|word| **word == code).count();
            assert_eq!(found, times, "{code}");
        }
        assert_eq!(explained.len(), codes().count() + 1);
    }
}
