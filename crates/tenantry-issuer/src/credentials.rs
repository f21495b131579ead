//! Who a request says it comes from, and by what ([RFC 6749 §2.3]).
//!
//! | method                | where                                              | reference            |
//! |-----------------------|----------------------------------------------------|----------------------|
//! | `client_secret_basic` | `Authorization: Basic`, both parts form-encoded      | [RFC 6749 §2.3.1]    |
//! | `client_secret_post`  | `client_id`, `client_secret`                         | [RFC 6749 §2.3.1]    |
//! | `private_key_jwt`     | `client_assertion`, `client_assertion_type`          | [RFC 7523 §2.2]      |
//!
//! Exactly one of them, or the request is refused: two could name two clients.
//!
//! [RFC 6749 §2.3]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3
//! [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
//! [RFC 7523 §2.2]: https://www.rfc-editor.org/rfc/rfc7523#section-2.2

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::assertion::unverified_subject;
use crate::form::{Form, form_decoded};
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::ClientId;

/// `client_assertion_type` of [RFC 7523 §2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request presents. Nothing of it is known to be true.
pub(crate) struct Credentials {
    pub(crate) client: ClientId,
    pub(crate) proof: Proof,
}

/// What is to show that the client is who it says.
pub(crate) enum Proof {
    /// A secret by `client_secret_basic`.
    Basic(String),
    /// A secret by `client_secret_post`.
    Post(String),
    /// A JWT by `private_key_jwt`.
    Assertion(String),
}

impl Credentials {
    /// Finds the credentials of a request.
    pub(crate) fn read(headers: &HeaderMap, form: &Form) -> Result<Self, OAuthError> {
        let basic = basic(headers)?;
        let secret = form.get("client_secret");
        let assertion = assertion(form)?;
        let named = form.get("client_id");
        let (client, proof) = match (basic, secret, assertion) {
            (Some((client, secret)), None, None) => (client, Proof::Basic(secret)),
            (None, Some(secret), None) => {
                let client = named.ok_or_else(|| {
                    OAuthError::invalid_request(
                        Reason::ClientIdMissing,
                        "client_secret comes with client_id",
                    )
                })?;
                (client.into(), Proof::Post(secret.into()))
            }
            (None, None, Some(assertion)) => {
                let client = unverified_subject(assertion).ok_or_else(|| {
                    OAuthError::no_credentials(
                        Reason::AssertionMalformed,
                        "client_assertion is not a JWT with a sub",
                    )
                })?;
                (client, Proof::Assertion(assertion.into()))
            }
            (None, None, None) => {
                return Err(OAuthError::no_credentials(
                    Reason::CredentialsMissing,
                    "no client credentials: send them by HTTP Basic, as client_id and \
                     client_secret, or as client_assertion",
                ));
            }
            _ => {
                return Err(OAuthError::invalid_request(
                    Reason::CredentialsMultiple,
                    "authenticate in one way: Authorization, client_secret or client_assertion",
                ));
            }
        };
        if named.is_some_and(|named| named != client) {
            return Err(OAuthError::invalid_request(
                Reason::ClientIdMismatch,
                "client_id names another client than the credentials",
            ));
        }
        // No client has such an id, so this tells nothing about those that there are.
        let client = client.parse().map_err(|_| {
            OAuthError::no_credentials(
                Reason::ClientIdMalformed,
                "the client id is not 1 to 128 letters, digits, ., _, ~ or -",
            )
        })?;
        Ok(Self { client, proof })
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The user id and password of `Authorization: Basic` ([RFC 7617 §2]), each form-decoded.
///
/// [RFC 7617 §2]: https://www.rfc-editor.org/rfc/rfc7617#section-2
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let malformed = || {
        OAuthError::invalid_request(
            Reason::AuthorizationMalformed,
            "Authorization is Basic and the base64 of client id, colon and secret, each form-encoded",
        )
    };
    if fields.next().is_some() {
        return Err(malformed());
    }
    let field = field.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = field.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(OAuthError::no_credentials(
            Reason::AuthorizationScheme,
            "Authorization is of another scheme than Basic: a client authenticates here, no user \
             and no token",
        ));
    }
    let decoded = BASE64_STANDARD.decode(rest.trim_matches(' ')).map_err(|_| malformed())?;
    let mut parts = decoded.splitn(2, |byte| *byte == b':');
    let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
        return Err(malformed());
    };
    match (form_decoded(id), form_decoded(secret)) {
        (Some(id), Some(secret)) => Ok(Some((id.into_owned(), secret.into_owned()))),
        _ => Err(malformed()),
    }
}

fn assertion(form: &Form) -> Result<Option<&str>, OAuthError> {
    match (form.get("client_assertion"), form.get("client_assertion_type")) {
        (None, None) => Ok(None),
        (Some(assertion), Some(JWT_BEARER)) => Ok(Some(assertion)),
        (Some(_), Some(_)) => Err(OAuthError::no_credentials(
            Reason::ClientAssertionType,
            "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )),
        _ => Err(OAuthError::invalid_request(
            Reason::AssertionIncomplete,
            "client_assertion and client_assertion_type come together",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Uri};
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(http::header::CONTENT_TYPE, form);
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        headers
    }

    fn read(fields: &[&str], body: &str) -> Result<(String, &'static str, String), &'static str> {
        let headers = headers(fields);
        let form = Form::read(&Uri::from_static("/"), &headers, body.as_bytes()).unwrap();
        let read = Credentials::read(&headers, &form).map_err(|error| error.reason())?;
        let (method, proof) = match read.proof {
            Proof::Basic(secret) => ("basic", secret),
            Proof::Post(secret) => ("post", secret),
            Proof::Assertion(assertion) => ("assertion", assertion),
        };
        Ok((read.client.as_str().into(), method, proof))
    }

    fn basic_field(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    const TYPE: &str =
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    /// The subject is `erp-sync`.
    const ASSERTION: &str = "client_assertion=e30.eyJzdWIiOiJlcnAtc3luYyJ9.c2ln";

    #[test]
    fn each_method_is_found() {
        let found = |client: &str, method, proof: &str| Ok((client.into(), method, proof.into()));
        assert_eq!(read(&[&basic_field("a:s")], ""), found("a", "basic", "s"));
        assert_eq!(read(&[], "client_id=a&client_secret=s"), found("a", "post", "s"));
        let assertion = found("erp-sync", "assertion", "e30.eyJzdWIiOiJlcnAtc3luYyJ9.c2ln");
        assert_eq!(read(&[], &format!("{ASSERTION}&{TYPE}")), assertion);
        assert_eq!(read(&[], &format!("client_id=erp-sync&{ASSERTION}&{TYPE}")), assertion);
    }

    #[test]
    fn basic_is_split_at_the_first_colon_then_decoded() {
        let client =
            |text: &str| read(&[&basic_field(text)], "").map(|(id, _, secret)| (id, secret));
        assert_eq!(client("erp%2Dsync:a%3Ab"), Ok(("erp-sync".into(), "a:b".into())));
        assert_eq!(client("a:b:c"), Ok(("a".into(), "b:c".into())));
        assert_eq!(client("a:%C3%A9+"), Ok(("a".into(), "é ".into())));
        assert_eq!(client("a:"), Ok(("a".into(), String::new())));
        // Decoded after the split: an id cannot hold a colon, however it is written.
        assert_eq!(client("a%3Ab:c"), Err("client_id_malformed"));
        for text in ["a", "a%:b", "a:%zz", "a:%FF"] {
            assert_eq!(client(text), Err("authorization_malformed"), "{text}");
        }
    }

    #[test]
    fn the_scheme_is_read_whatever_its_case_and_another_is_no_client() {
        let encoded = BASE64_STANDARD.encode("a:s");
        for scheme in ["basic", "BASIC", "bAsIc"] {
            assert!(read(&[&format!("{scheme} {encoded}")], "").is_ok());
        }
        assert!(read(&[&format!("Basic  {encoded} ")], "").is_ok());
        assert_eq!(read(&["Bearer abc"], ""), Err("authorization_scheme"));
        for field in ["Basic", "Basic ", "Basic !", "Basic\tYTpz", "YTpz", "é a"] {
            assert_eq!(read(&[field], ""), Err("authorization_malformed"), "{field}");
        }
    }

    #[test]
    fn two_methods_are_refused_whatever_they_say() {
        let basic = basic_field("a:s");
        let assertion = format!("{ASSERTION}&{TYPE}");
        for (fields, body) in [
            (&[basic.as_str()][..], "client_id=a&client_secret=s".to_owned()),
            (&[&basic], "client_secret=s".into()),
            (&[&basic], assertion.clone()),
            (&[], format!("client_id=a&client_secret=s&{assertion}")),
            (&[&basic], format!("client_secret=s&{assertion}")),
        ] {
            assert_eq!(read(fields, &body), Err("credentials_multiple"), "{body}");
        }
        assert_eq!(read(&[&basic, &basic], ""), Err("authorization_malformed"));
    }

    #[test]
    fn a_client_id_in_the_body_is_that_of_the_credentials() {
        assert!(read(&[&basic_field("a:s")], "client_id=a").is_ok());
        for body in ["client_id=b", "client_id=A"] {
            assert_eq!(read(&[&basic_field("a:s")], body), Err("client_id_mismatch"));
        }
        let body = format!("client_id=b&{ASSERTION}&{TYPE}");
        assert_eq!(read(&[], &body), Err("client_id_mismatch"));
    }

    #[test]
    fn half_a_method_is_none() {
        for (body, reason) in [
            ("", "credentials_missing"),
            ("client_id=a", "credentials_missing"),
            ("client_secret=s", "client_id_missing"),
            (ASSERTION, "assertion_incomplete"),
            (TYPE, "assertion_incomplete"),
        ] {
            assert_eq!(read(&[], body), Err(reason), "{body}");
        }
        let saml = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Asaml2-bearer";
        assert_eq!(read(&[], &format!("{ASSERTION}&{saml}")), Err("client_assertion_type"));
        assert_eq!(read(&[], &format!("client_assertion=x&{TYPE}")), Err("assertion_malformed"));
    }

    proptest! {
        #[test]
        fn an_encoded_id_and_secret_come_back(id in "[A-Za-z0-9._~-]{1,20}", secret in any::<String>()) {
            let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
            let field = basic_field(&format!("{}:{}", encode(&id), encode(&secret)));

            prop_assert_eq!(read(&[&field], ""), Ok((id, "basic", secret)));
        }

        #[test]
        fn no_field_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&[&format!("Basic {}", BASE64_STANDARD.encode(bytes))], "");
        }
    }
}
