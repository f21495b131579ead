//! Reads the claims of an access token and judges them by the policy of their issuer.
//!
//! The payload is read once. What was read before the signature was checked, to find the issuer, is
//! what is judged after it.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use tenantry_core::{
    ClientId, Issuer, IssuerPolicy, Policy, Scope, Subject, TenantClaim, TokenFacts, TokenProfile,
};

use crate::error::{VerifyError, VerifyErrorKind};
use crate::json::{Object, Value};

/// The claims of a token that is not verified.
pub(crate) struct Claims<'a>(Object<'a>);

/// The claims of a token, found to be in order.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Without the payload, which the claims borrow from.
    pub(crate) facts: TokenFacts,
    /// When the token may be accepted, skew included: at the start, no longer at the end.
    pub(crate) valid: Range<Duration>,
}

impl<'a> Claims<'a> {
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, VerifyErrorKind> {
        Object::parse(payload).map(Self).map_err(|_| VerifyErrorKind::Malformed)
    }

    /// `iss`. Before the signature is checked it serves for nothing but to find the policy.
    pub(crate) fn issuer(&self) -> Result<&str, VerifyError> {
        self.string("iss")?.ok_or_else(|| VerifyError::missing("iss"))
    }

    /// Judges the claims of a token whose signature was checked with a key of its issuer.
    pub(crate) fn judge(
        &self,
        policy: &Policy,
        issuer: &IssuerPolicy,
        now: Duration,
    ) -> Result<Judged, VerifyError> {
        // INVARIANT (a bound token needs its proof): whatever `cnf` says. A member that nobody
        // knows may be ignored by RFC 7800 §3.1, which would make a bearer token of it.
        if self.0.get("cnf").is_some() {
            return Err(VerifyErrorKind::Bound.into());
        }
        self.require_access_token(issuer.profile())?;
        let audience = self.audience(policy)?;
        let (expires_at, valid) = self.lifetime(policy.clock_skew())?;
        if now >= valid.end {
            return Err(VerifyErrorKind::Expired.into());
        }
        if now < valid.start {
            return Err(VerifyErrorKind::NotYetValid.into());
        }
        self.require_present(issuer)?;
        Ok(Judged {
            facts: TokenFacts {
                issuer: Issuer::new(self.issuer()?),
                subject: self.string("sub")?.map(Subject::new),
                client_id: self.string(issuer.client_id_claim())?.map(ClientId::new),
                audience,
                tenant_claims: self.tenant_claims(issuer)?,
                scope: self.scope(issuer.scope_claim())?,
                expires_at,
                issued_at: self.date("iat")?,
                jwt_id: self.string("jti")?.map(Into::into),
                claims: Box::default(),
            },
            valid,
        })
    }

    /// A claim that is a string with something in it, wherever it is present.
    fn string(&self, name: &str) -> Result<Option<&str>, VerifyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(string)) if !string.is_empty() => Ok(Some(string)),
            Some(_) => Err(VerifyError::malformed(name)),
        }
    }

    /// Under [`Jwt`](TokenProfile::Jwt) `typ` tells nothing, so tokens for other purposes are told
    /// apart by the claims that only they have ([RFC 8725 §3.12]):
    ///
    /// - ID tokens ([OpenID Connect Core §2, §3.3.2.11]) by `nonce`, `at_hash`, `c_hash`, `s_hash`;
    /// - logout tokens and security events ([RFC 8417 §2.2]) by `events`;
    /// - introspection responses ([RFC 9701 §5]) by `token_introspection`;
    /// - DPoP proofs ([RFC 9449 §4.2]) by `htm`;
    /// - Keycloak's and Amazon Cognito's by the claims `typ` and `token_use`, which name the use.
    ///
    /// An ID token with none of these cannot be told apart, except by its audience, which is the
    /// client and not the resource server.
    ///
    /// [OpenID Connect Core §2, §3.3.2.11]: https://openid.net/specs/openid-connect-core-1_0.html
    /// [RFC 8417 §2.2]: https://www.rfc-editor.org/rfc/rfc8417#section-2.2
    /// [RFC 8725 §3.12]: https://www.rfc-editor.org/rfc/rfc8725#section-3.12
    /// [RFC 9449 §4.2]: https://www.rfc-editor.org/rfc/rfc9449#section-4.2
    /// [RFC 9701 §5]: https://www.rfc-editor.org/rfc/rfc9701#section-5
    fn require_access_token(&self, profile: TokenProfile) -> Result<(), VerifyErrorKind> {
        const OTHERS: [&str; 7] =
            ["at_hash", "c_hash", "events", "htm", "nonce", "s_hash", "token_introspection"];
        const OTHER_TYPES: [&str; 4] = ["ID", "Logout", "Offline", "Refresh"];
        if profile == TokenProfile::Rfc9068 {
            return Ok(());
        }
        let marked = OTHERS.iter().any(|name| self.0.get(name).is_some());
        let typ = matches!(self.0.get("typ"), Some(Value::String(typ))
            if OTHER_TYPES.iter().any(|other| typ.eq_ignore_ascii_case(other)));
        let token_use = match self.0.get("token_use") {
            None => false,
            Some(Value::String(token_use)) => token_use != "access",
            Some(_) => true,
        };
        if marked || typ || token_use { Err(VerifyErrorKind::Type) } else { Ok(()) }
    }

    /// `aud`: a string or an array of strings, of which one is ours ([RFC 7519 §4.1.3]).
    ///
    /// [RFC 7519 §4.1.3]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3
    fn audience(&self, policy: &Policy) -> Result<Vec<Box<str>>, VerifyError> {
        let audience: &[Cow<'_, str>] = match self.0.get("aud") {
            None => return Err(VerifyError::missing("aud")),
            Some(Value::String(one)) => std::slice::from_ref(one),
            Some(Value::Strings(several)) if !several.is_empty() => several,
            Some(_) => return Err(VerifyError::malformed("aud")),
        };
        if audience.iter().any(|one| one.is_empty()) {
            return Err(VerifyError::malformed("aud"));
        }
        if !audience.iter().any(|one| policy.accepts_audience(one)) {
            return Err(VerifyErrorKind::Audience.into());
        }
        Ok(audience.iter().map(|one| one.as_ref().into()).collect())
    }

    /// `exp`, and the time between `nbf` or `iat`, whichever is later, and `exp`, both widened by
    /// the skew ([RFC 7519 §4.1.4 to §4.1.6]).
    ///
    /// [RFC 7519 §4.1.4 to §4.1.6]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4
    fn lifetime(&self, skew: Duration) -> Result<(Duration, Range<Duration>), VerifyError> {
        let expires_at = self.date("exp")?.ok_or_else(|| VerifyError::missing("exp"))?;
        let end = expires_at.checked_add(skew).ok_or_else(|| VerifyError::malformed("exp"))?;
        let not_before = self.date("nbf")?.max(self.date("iat")?).unwrap_or_default();
        Ok((expires_at, not_before.saturating_sub(skew)..end))
    }

    /// A NumericDate: a JSON number, fractions allowed ([RFC 7519 §2]).
    ///
    /// What a [`Duration`] cannot hold is malformed, a moment before 1970 too: nothing wraps and
    /// nothing is moved to where it would be valid.
    ///
    /// [RFC 7519 §2]: https://www.rfc-editor.org/rfc/rfc7519#section-2
    fn date(&self, name: &str) -> Result<Option<Duration>, VerifyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => Duration::try_from_secs_f64(*seconds)
                .map(Some)
                .map_err(|_| VerifyError::malformed(name)),
            Some(_) => Err(VerifyError::malformed(name)),
        }
    }

    /// INVARIANT (configured means required): each is there and, if it is a string, says something.
    fn require_present(&self, issuer: &IssuerPolicy) -> Result<(), VerifyError> {
        for name in issuer.required_claims() {
            let name = if &**name == "client_id" { issuer.client_id_claim() } else { name };
            match self.0.get(name) {
                None => return Err(VerifyError::missing(name)),
                Some(Value::Null) => return Err(VerifyError::malformed(name)),
                Some(Value::String(string)) if string.is_empty() => {
                    return Err(VerifyError::malformed(name));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Every configured claim that is present. Whether they agree is for the decision to say.
    ///
    /// A claim is a string, or an array of exactly one: that is how issuers write a membership that
    /// could be of several. Of two, none is picked.
    fn tenant_claims(&self, issuer: &IssuerPolicy) -> Result<Vec<TenantClaim>, VerifyError> {
        let mut present = Vec::new();
        for name in issuer.tenant_claims() {
            let value = match self.0.get(name) {
                None => continue,
                Some(Value::String(value)) => value,
                // INVARIANT (no guessing): a list of several names no tenant.
                Some(Value::Strings(values)) => match values.as_slice() {
                    [only] => only,
                    _ => return Err(VerifyError::malformed(name)),
                },
                Some(_) => return Err(VerifyError::malformed(name)),
            };
            if value.is_empty() {
                return Err(VerifyError::malformed(name));
            }
            present.push(TenantClaim { name: name.clone(), value: value.as_ref().into() });
        }
        match issuer.tenant_claims() {
            [first, ..] if present.is_empty() => Err(VerifyError::missing(first)),
            _ => Ok(present),
        }
    }

    /// `scope` is one string ([RFC 9068 §2.2.3]). Where the issuer is set to another claim, that
    /// may be an array too, and `scope` is not read: two claims are never merged.
    ///
    /// [RFC 9068 §2.2.3]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3
    fn scope(&self, claim: &str) -> Result<Scope, VerifyError> {
        let scope = match self.0.get(claim) {
            None => return Ok(Scope::default()),
            Some(Value::String(scope)) => Scope::parse(scope),
            Some(Value::Strings(tokens)) if claim != "scope" => {
                Scope::from_tokens(tokens.iter().map(Cow::as_ref))
            }
            Some(_) => return Err(VerifyError::malformed(claim)),
        };
        scope.map_err(|_| VerifyError::malformed(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use VerifyErrorKind::{
        Audience, Bound, ClaimMalformed, ClaimMissing, Expired, NotYetValid, Type,
    };
    use tenantry_core::IssuerSettings;

    use crate::testing::{self, claims as with};

    const NOW: Duration = Duration::from_secs(testing::NOW);

    fn policy(issuer: IssuerSettings) -> Policy {
        Policy::builder()
            .issuer(issuer)
            .audience("https://api.example")
            .audience("https://api.example/v2")
            .scope("{scope}")
            .clock_skew(Duration::from_secs(30))
            .build()
            .unwrap()
    }

    fn strict() -> IssuerSettings {
        IssuerSettings::new("https://as.example")
    }

    fn judge_at(
        now: Duration,
        issuer: IssuerSettings,
        payload: &str,
    ) -> Result<Judged, VerifyError> {
        let policy = policy(issuer);
        let claims = Claims::parse(payload.as_bytes())?;
        claims.judge(&policy, &policy.issuers()[0], now)
    }

    fn judge(issuer: IssuerSettings, payload: &str) -> Result<Judged, VerifyError> {
        judge_at(NOW, issuer, payload)
    }

    fn outcome(
        result: Result<Judged, VerifyError>,
    ) -> Result<(), (VerifyErrorKind, Option<String>)> {
        result.map(drop).map_err(|error| (error.kind(), error.claim().map(Into::into)))
    }

    fn malformed(claim: &str) -> Result<(), (VerifyErrorKind, Option<String>)> {
        Err((ClaimMalformed, Some(claim.into())))
    }

    fn missing(claim: &str) -> Result<(), (VerifyErrorKind, Option<String>)> {
        Err((ClaimMissing, Some(claim.into())))
    }

    #[test]
    fn a_good_token_gives_its_facts() {
        let payload = with(&[
            ("aud", r#"["https://other.example","https://api.example"]"#),
            ("scope", r#""a b""#),
        ]);
        let Judged { facts, valid } = judge(strict(), &payload).unwrap();

        assert_eq!(facts.issuer.as_str(), "https://as.example");
        assert_eq!(facts.subject.unwrap().as_str(), "client-1");
        assert_eq!(facts.client_id.unwrap().as_str(), "client-1");
        assert_eq!(facts.audience, ["https://other.example".into(), "https://api.example".into()]);
        assert_eq!(facts.tenant_claims.len(), 1);
        assert_eq!(&*facts.tenant_claims[0].name, "tenant_id");
        assert_eq!(&*facts.tenant_claims[0].value, "tenant1");
        assert_eq!(facts.scope.tokens().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(facts.expires_at, Duration::from_secs(1_790_000_300));
        assert_eq!(facts.issued_at, Some(Duration::from_secs(1_789_999_990)));
        assert_eq!(facts.jwt_id.as_deref(), Some("j-1"));
        assert_eq!(valid, Duration::from_secs(1_789_999_960)..Duration::from_secs(1_790_000_330));
    }

    #[test]
    fn claims_are_an_object_that_every_reader_reads_alike() {
        for payload in
            ["", "[]", "null", "1", "{}x", r#"{"iss":"a","iss":"b"}"#, r#"{"a":"\ud800"}"#]
        {
            assert_eq!(
                Claims::parse(payload.as_bytes()).err(),
                Some(VerifyErrorKind::Malformed),
                "{payload}"
            );
        }
    }

    #[test]
    fn iss_is_a_string_that_says_something() {
        for (iss, expected) in [
            ("", missing("iss")),
            (r#""""#, malformed("iss")),
            ("null", malformed("iss")),
            (r#"["https://as.example"]"#, malformed("iss")),
            (r#"{"https://as.example":1}"#, malformed("iss")),
            ("1", malformed("iss")),
        ] {
            let payload = with(&[("iss", iss)]);
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            let error = claims.issuer().unwrap_err();
            assert_eq!(Err((error.kind(), error.claim().map(Into::into))), expected, "{iss}");
        }
    }

    #[test]
    fn aud_names_us_in_a_string_or_in_an_array_of_strings() {
        let other = Err((Audience, None));
        for (aud, expected) in [
            (r#""https://api.example""#, Ok(())),
            (r#""https://api.example/v2""#, Ok(())),
            (r#"["https://api.example"]"#, Ok(())),
            (r#"["https://other.example","https://api.example"]"#, Ok(())),
            (r#""https://other.example""#, other.clone()),
            (r#"["https://other.example"]"#, other.clone()),
            (r#""https://api.example/""#, other.clone()),
            (r#""https://api.exampl""#, other.clone()),
            (r#""HTTPS://api.example""#, other),
            ("", missing("aud")),
            (r#""""#, malformed("aud")),
            ("[]", malformed("aud")),
            ("null", malformed("aud")),
            ("1", malformed("aud")),
            (r#"["https://api.example",1]"#, malformed("aud")),
            (r#"["https://api.example",""]"#, malformed("aud")),
            (r#"["https://api.example",["x"]]"#, malformed("aud")),
            (r#"{"a":"https://api.example"}"#, malformed("aud")),
        ] {
            assert_eq!(outcome(judge(strict(), &with(&[("aud", aud)]))), expected, "{aud}");
        }
    }

    #[test]
    fn exp_is_required_and_equality_is_expired() {
        let expired = Err((Expired, None));
        for (exp, expected) in [
            // The skew is 30 s.
            ("1789999971", Ok(())),
            ("1789999970.001", Ok(())),
            ("1789999970", expired.clone()),
            ("1789999969", expired.clone()),
            ("0", expired.clone()),
            ("-0.0", expired.clone()),
            ("1e-400", expired),
            ("1.79e10", Ok(())),
            ("253402300800", Ok(())),
            ("", missing("exp")),
        ] {
            assert_eq!(outcome(judge(strict(), &with(&[("exp", exp)]))), expected, "{exp}");
        }
    }

    #[test]
    fn without_skew_a_token_expires_at_exp() {
        let policy = Policy::builder()
            .issuer(strict())
            .audience("https://api.example")
            .clock_skew(Duration::ZERO)
            .build()
            .unwrap();
        let payload = with(&[("iat", "1000"), ("exp", "1234")]);
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        let at =
            |now| outcome(claims.judge(&policy, &policy.issuers()[0], Duration::from_secs(now)));

        assert_eq!(at(1233), Ok(()));
        assert_eq!(at(1234), Err((Expired, None)));
        assert_eq!(at(1000), Ok(()));
        assert_eq!(at(999), Err((NotYetValid, None)));
    }

    #[test]
    fn nbf_and_iat_are_not_in_the_future() {
        let future = Err((NotYetValid, None));
        for name in ["nbf", "iat"] {
            for (date, expected) in [
                ("1790000000", Ok(())),
                ("1790000030", Ok(())),
                ("1790000030.001", future.clone()),
                ("1790000031", future.clone()),
                ("1e18", future.clone()),
                ("0", Ok(())),
            ] {
                assert_eq!(
                    outcome(judge(strict(), &with(&[(name, date)]))),
                    expected,
                    "{name} {date}"
                );
            }
        }
        // The one that is later counts.
        assert_eq!(outcome(judge(strict(), &with(&[("nbf", "1790000031"), ("iat", "1")]))), future);
        assert_eq!(outcome(judge(strict(), &with(&[("iat", "1790000031"), ("nbf", "1")]))), future);
        assert_eq!(outcome(judge(strict(), &with(&[("nbf", "")]))), Ok(()));
    }

    #[test]
    fn a_date_is_a_number_that_a_duration_holds() {
        for name in ["exp", "nbf", "iat"] {
            for date in [
                r#""1790000300""#,
                "true",
                "null",
                "[]",
                "{}",
                "[1790000300]",
                "-1",
                "-1e300",
                "1e300",
                "1e400",
                "18446744073709551616",
                "99999999999999999999999999999999",
            ] {
                let result = outcome(judge(strict(), &with(&[(name, date)])));
                assert_eq!(result, malformed(name), "{name} {date}");
            }
        }
        // Fits, but not with the skew.
        let close = outcome(judge(strict(), &with(&[("exp", "18446744073709549568")])));
        assert_eq!(close, Ok(()));
        let claims = r#"{"exp":18446744073709549568}"#;
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let error = claims.lifetime(Duration::from_secs(2048)).unwrap_err();
        assert_eq!(error.kind(), ClaimMalformed);
    }

    #[test]
    fn a_token_with_cnf_is_bound_whatever_it_says() {
        for cnf in [
            r#"{"jkt":"x"}"#,
            r#"{"x5t#S256":"x"}"#,
            r#"{"unknown":1}"#,
            "{}",
            "null",
            r#""x""#,
            "[]",
        ] {
            for profile in [TokenProfile::Rfc9068, TokenProfile::Jwt] {
                let result = judge(strict().profile(profile), &with(&[("cnf", cnf)]));
                assert_eq!(outcome(result), Err((Bound, None)), "{cnf}");
            }
        }
    }

    #[test]
    fn required_claims_are_there_and_say_something() {
        for name in ["sub", "client_id", "iat", "jti"] {
            assert_eq!(outcome(judge(strict(), &with(&[(name, "")]))), missing(name));
            let relaxed = strict().required_claims(Vec::<String>::new());
            assert_eq!(outcome(judge(relaxed, &with(&[(name, "")]))), Ok(()));
        }
        for name in ["sub", "client_id", "jti"] {
            for value in [r#""""#, "1", "null", "true", r#"["a"]"#, "{}"] {
                assert_eq!(
                    outcome(judge(strict(), &with(&[(name, value)]))),
                    malformed(name),
                    "{name}"
                );
                let relaxed = strict().required_claims(Vec::<String>::new());
                assert_eq!(
                    outcome(judge(relaxed, &with(&[(name, value)]))),
                    malformed(name),
                    "{name}"
                );
            }
        }
        // A claim of the issuer's own may be of any type but null.
        for (value, expected) in [
            (r#""x""#, Ok(())),
            ("false", Ok(())),
            ("0", Ok(())),
            ("{}", Ok(())),
            ("[]", Ok(())),
            ("", missing("acr")),
            ("null", malformed("acr")),
            (r#""""#, malformed("acr")),
        ] {
            let result = judge(strict().required_claims(["acr"]), &with(&[("acr", value)]));
            assert_eq!(outcome(result), expected, "{value}");
        }
    }

    #[test]
    fn iss_aud_and_exp_are_required_whatever_the_list_says() {
        for name in ["aud", "exp"] {
            let relaxed = strict().required_claims(Vec::<String>::new());
            assert_eq!(outcome(judge(relaxed, &with(&[(name, "")]))), missing(name));
        }
    }

    #[test]
    fn the_client_is_read_from_the_configured_claim_only() {
        let azp = || strict().client_id_claim("azp");

        let judged = judge(azp(), &with(&[("azp", r#""client-2""#)])).unwrap();
        assert_eq!(judged.facts.client_id.unwrap().as_str(), "client-2");
        assert_eq!(outcome(judge(azp(), &with(&[]))), missing("azp"));
        assert_eq!(outcome(judge(azp(), &with(&[("azp", "1")]))), malformed("azp"));
    }

    #[test]
    fn every_configured_tenant_claim_is_collected_and_one_must_be_there() {
        let both = || strict().tenant_claims(["tenant_id", "tenant"]);

        let judged = judge(both(), &with(&[("tenant", r#""tenant2""#)])).unwrap();
        let claims = judged.facts.tenant_claims;
        let claims: Vec<_> = claims.iter().map(|claim| (&*claim.name, &*claim.value)).collect();
        assert_eq!(claims, [("tenant_id", "tenant1"), ("tenant", "tenant2")]);

        assert_eq!(outcome(judge(both(), &with(&[("tenant_id", "")]))), missing("tenant_id"));
        let one = judge(both(), &with(&[("tenant_id", ""), ("tenant", r#""tenant2""#)])).unwrap();
        assert_eq!(one.facts.tenant_claims.len(), 1);

        for value in ["1", "null", "{}", r#""""#] {
            assert_eq!(
                outcome(judge(both(), &with(&[("tenant_id", value)]))),
                malformed("tenant_id")
            );
            assert_eq!(outcome(judge(both(), &with(&[("tenant", value)]))), malformed("tenant"));
        }
        // One that is not configured is not read.
        assert_eq!(outcome(judge(strict(), &with(&[("tenant", "1")]))), Ok(()));
    }

    #[test]
    fn a_tenant_claim_may_be_an_array_of_exactly_one_string() {
        let judged = judge(strict(), &with(&[("tenant_id", r#"["tenant2"]"#)])).unwrap();
        assert_eq!(&*judged.facts.tenant_claims[0].value, "tenant2");
        assert_eq!(judged.facts.tenant_claims.len(), 1);

        for value in [
            "[]",
            r#"[""]"#,
            r#"["tenant1","tenant2"]"#,
            r#"["tenant1","tenant1"]"#,
            r#"["tenant1",""]"#,
            r#"["tenant1",1]"#,
            r#"["tenant1",null]"#,
            "[1]",
            "[null]",
            r#"[["tenant1"]]"#,
            r#"{"tenant1":{}}"#,
        ] {
            let result = judge(strict(), &with(&[("tenant_id", value)]));
            assert_eq!(outcome(result), malformed("tenant_id"), "{value}");
        }
        // Other claims that are strings stay strings.
        for name in ["sub", "client_id", "jti", "iss"] {
            let result = judge(strict(), &with(&[(name, r#"["x"]"#)]));
            assert_eq!(outcome(result), malformed(name), "{name}");
        }
    }

    fn scope(
        issuer: IssuerSettings,
        changes: &[(&str, &str)],
    ) -> Result<Vec<String>, Option<String>> {
        match judge(issuer, &with(changes)) {
            Ok(judged) => Ok(judged.facts.scope.tokens().map(Into::into).collect()),
            Err(error) => {
                assert_eq!(error.kind(), ClaimMalformed);
                Err(error.claim().map(Into::into))
            }
        }
    }

    #[test]
    fn scope_is_one_string() {
        let tokens = |tokens: &[&str]| Ok(tokens.iter().map(|token| (*token).into()).collect());
        for (value, expected) in [
            ("", tokens(&[])),
            (r#""""#, tokens(&[])),
            (r#""a""#, tokens(&["a"])),
            (r#""a b.c""#, tokens(&["a", "b.c"])),
            (r#""a  b""#, Err(Some("scope".into()))),
            (r#"" a""#, Err(Some("scope".into()))),
            (r#""a\tb""#, Err(Some("scope".into()))),
            (r#""a\"b""#, Err(Some("scope".into()))),
            (r#"["a"]"#, Err(Some("scope".into()))),
            ("null", Err(Some("scope".into()))),
            ("1", Err(Some("scope".into()))),
        ] {
            assert_eq!(scope(strict(), &[("scope", value)]), expected, "{value}");
        }
        assert_eq!(scope(strict(), &[("scp", r#"["a"]"#)]), tokens(&[]));
    }

    #[test]
    fn another_scope_claim_may_be_an_array_and_is_never_merged_with_scope() {
        let tokens = |tokens: &[&str]| Ok(tokens.iter().map(|token| (*token).into()).collect());
        for name in ["scp", "roles"] {
            let other = || strict().scope_claim(name);
            for (value, expected) in [
                ("", tokens(&[])),
                (r#""a b""#, tokens(&["a", "b"])),
                (r#"["a","b"]"#, tokens(&["a", "b"])),
                ("[]", tokens(&[])),
                (r#"["a b"]"#, Err(Some(name.into()))),
                (r#"["a",""]"#, Err(Some(name.into()))),
                (r#"["a",1]"#, Err(Some(name.into()))),
                ("{}", Err(Some(name.into()))),
                ("null", Err(Some(name.into()))),
            ] {
                assert_eq!(
                    scope(other(), &[(name, value), ("scope", r#""c""#)]),
                    expected,
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn under_the_jwt_profile_tokens_for_other_purposes_are_told_apart() {
        let jwt = || strict().profile(TokenProfile::Jwt);
        for (name, value) in [
            ("nonce", r#""n""#),
            ("at_hash", r#""h""#),
            ("c_hash", r#""h""#),
            ("s_hash", r#""h""#),
            ("events", "{}"),
            ("htm", r#""GET""#),
            ("token_introspection", "{}"),
            ("typ", r#""ID""#),
            ("typ", r#""Refresh""#),
            ("typ", r#""Offline""#),
            ("typ", r#""Logout""#),
            ("token_use", r#""id""#),
            ("token_use", "null"),
        ] {
            assert_eq!(outcome(judge(jwt(), &with(&[(name, value)]))), Err((Type, None)), "{name}");
        }
        for (name, value) in
            [("typ", r#""Bearer""#), ("typ", "1"), ("token_use", r#""access""#), ("acr", r#""1""#)]
        {
            assert_eq!(outcome(judge(jwt(), &with(&[(name, value)]))), Ok(()), "{name}");
        }
        // Where `typ` of the header says what it is, such a claim is the issuer's own business.
        assert_eq!(outcome(judge(strict(), &with(&[("nonce", r#""n""#)]))), Ok(()));
    }
}
