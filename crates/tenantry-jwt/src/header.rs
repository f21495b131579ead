//! Reads the JOSE header: what it says, and what makes it unacceptable whatever it says.

use std::borrow::Cow;

use tenantry_core::{Algorithm, TokenProfile};

use crate::error::VerifyErrorKind;
use crate::json::{Object, Value};

/// The members of a header that are used.
///
/// `jwk`, `jku`, `x5u`, `x5c` and `x5t` are not among them: a token does not choose the key it is
/// judged by, and nothing is fetched because of a header ([RFC 8725 §3.10]). Members that nobody
/// knows are ignored ([RFC 7515 §4]).
///
/// [RFC 7515 §4]: https://www.rfc-editor.org/rfc/rfc7515#section-4
/// [RFC 8725 §3.10]: https://www.rfc-editor.org/rfc/rfc8725#section-3.10
pub(crate) struct Header<'a> {
    /// As it was written: nobody compared it with anything yet.
    pub(crate) alg: Cow<'a, str>,
    pub(crate) typ: Option<Cow<'a, str>>,
    pub(crate) kid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, VerifyErrorKind> {
        let object = Object::parse(json).map_err(|_| VerifyErrorKind::Malformed)?;
        // No extension is implemented. `crit` demands one, or is itself malformed (RFC 7515
        // §4.1.11); a JWT must not use `b64` (RFC 7797 §7); `zip` belongs to JWE.
        if ["crit", "b64", "zip"].iter().any(|name| object.get(name).is_some()) {
            return Err(VerifyErrorKind::Extension);
        }
        string(&object, "cty")?;
        Ok(Self {
            alg: string(&object, "alg")?.ok_or(VerifyErrorKind::Malformed)?,
            typ: string(&object, "typ")?,
            kid: string(&object, "kid")?,
        })
    }

    /// The algorithm that `alg` names, by case. `none` and the HMACs name none.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.alg.parse().ok()
    }

    /// Compares `typ` with what `profile` permits: a media type, by case-insensitive name, whose
    /// `application/` may be left out ([RFC 7515 §4.1.9]).
    ///
    /// - [`Rfc9068`](TokenProfile::Rfc9068): `at+jwt` and nothing else ([RFC 9068 §4]).
    /// - [`Jwt`](TokenProfile::Jwt): also `JWT`, or none.
    ///
    /// So a token that says it is something else is never an access token: `dpop+jwt`,
    /// `logout+jwt`, `secevent+jwt`, `token-introspection+jwt`, … ([RFC 8725 §3.11]).
    ///
    /// [RFC 7515 §4.1.9]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9
    /// [RFC 8725 §3.11]: https://www.rfc-editor.org/rfc/rfc8725#section-3.11
    /// [RFC 9068 §4]: https://www.rfc-editor.org/rfc/rfc9068#section-4
    pub(crate) fn require_type(&self, profile: TokenProfile) -> Result<(), VerifyErrorKind> {
        let named = |name: &str| self.typ.as_deref().is_some_and(|typ| names(typ, name));
        let accepted = named("at+jwt")
            || match profile {
                TokenProfile::Rfc9068 => false,
                TokenProfile::Jwt => named("jwt") || self.typ.is_none(),
            };
        if accepted { Ok(()) } else { Err(VerifyErrorKind::Type) }
    }
}

fn string<'a>(object: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>, VerifyErrorKind> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(string)) => Ok(Some(string.clone())),
        Some(_) => Err(VerifyErrorKind::Malformed),
    }
}

fn names(typ: &str, name: &str) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => typ.get(PREFIX.len()..),
        _ => Some(typ),
    };
    subtype.is_some_and(|subtype| subtype.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> Option<VerifyErrorKind> {
        Header::parse(json.as_bytes()).err()
    }

    #[test]
    fn the_members_that_are_used_are_read_and_unknown_ones_ignored() {
        let header =
            Header::parse(br#"{"alg":"ES256","typ":"at+jwt","kid":"k","x":{"y":[1]}}"#).unwrap();

        assert_eq!(header.alg, "ES256");
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(header.kid.as_deref(), Some("k"));

        let header = Header::parse(br#"{"alg":"ES256"}"#).unwrap();
        assert_eq!((header.typ, header.kid), (None, None));
    }

    #[test]
    fn keys_in_the_header_are_ignored() {
        let header = br#"{"alg":"ES256","jwk":{"kty":"RSA"},"jku":"https://evil.example","x5u":1,"x5c":[],"x5t":""}"#;
        assert_eq!(Header::parse(header).unwrap().kid, None);
    }

    #[test]
    fn a_header_that_is_no_object_or_ambiguous_is_malformed() {
        for json in [
            "",
            "[]",
            "null",
            r#"{"alg":"ES256"}x"#,
            r#"{"alg":"none","alg":"ES256"}"#,
            r#"{"alg":"ES256","\ud800":1}"#,
        ] {
            assert_eq!(kind(json), Some(VerifyErrorKind::Malformed), "{json}");
        }
    }

    #[test]
    fn members_of_another_type_are_malformed() {
        for json in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":1}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","kid":["k"]}"#,
            r#"{"alg":"ES256","typ":123}"#,
            r#"{"alg":"ES256","typ":["at+jwt"]}"#,
            r#"{"alg":"ES256","cty":{}}"#,
        ] {
            assert_eq!(kind(json), Some(VerifyErrorKind::Malformed), "{json}");
        }
    }

    #[test]
    fn crit_b64_and_zip_are_refused_by_their_presence() {
        for member in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""crit":null"#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":true"#,
            r#""b64":false"#,
            r#""b64":null"#,
            r#""zip":"DEF""#,
            r#""zip":null"#,
        ] {
            let json = format!(r#"{{"alg":"ES256",{member}}}"#);
            assert_eq!(kind(&json), Some(VerifyErrorKind::Extension), "{json}");
        }
    }

    #[test]
    fn none_and_hmac_name_no_algorithm() {
        let algorithm =
            |alg: &'static str| Header { alg: alg.into(), typ: None, kid: None }.algorithm();

        assert_eq!(algorithm("ES256"), Some(Algorithm::Es256));
        assert_eq!(algorithm("EdDSA"), Some(Algorithm::EdDsa));
        assert_eq!(algorithm("Ed25519"), Some(Algorithm::EdDsa));
        for alg in ["none", "None", "NONE", "nOnE", "none ", "", "HS256", "es256", "Ed448"] {
            assert_eq!(algorithm(alg), None, "{alg}");
        }
    }

    #[test]
    fn typ_is_compared_as_a_media_type() {
        use TokenProfile::{Jwt, Rfc9068};
        for (typ, rfc9068, jwt) in [
            (Some("at+jwt"), true, true),
            (Some("AT+JWT"), true, true),
            (Some("application/at+jwt"), true, true),
            (Some("Application/AT+jwt"), true, true),
            (Some("JWT"), false, true),
            (Some("jwt"), false, true),
            (Some("application/jwt"), false, true),
            (None, false, true),
            (Some(""), false, false),
            (Some("application/"), false, false),
            (Some("application/application/jwt"), false, false),
            (Some("text/at+jwt"), false, false),
            (Some("at+jwt "), false, false),
            (Some("at+jwt; v=1"), false, false),
            (Some("dpop+jwt"), false, false),
            (Some("logout+jwt"), false, false),
            (Some("secevent+jwt"), false, false),
            (Some("client-authentication+jwt"), false, false),
            (Some("token-introspection+jwt"), false, false),
            (Some("oauth-authz-req+jwt"), false, false),
            (Some("id_token+jwt"), false, false),
            (Some("JOSE"), false, false),
            (Some("åååååååååååååå"), false, false),
        ] {
            let header = Header { alg: "ES256".into(), typ: typ.map(Cow::Borrowed), kid: None };
            let result = |accepted| {
                if accepted { Ok(()) } else { Err(VerifyErrorKind::Type) }
            };
            assert_eq!(header.require_type(Rfc9068), result(rfc9068), "{typ:?}");
            assert_eq!(header.require_type(Jwt), result(jwt), "{typ:?}");
        }
    }
}
