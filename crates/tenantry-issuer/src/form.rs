//! The parameters of a request, from a form in its body ([RFC 6749 §3.2], appendix B).
//!
//! | the form has                                  | then                                       |
//! |-----------------------------------------------|--------------------------------------------|
//! | a parameter without a value                   | as if it were not there                    |
//! | a parameter that nobody knows                 | ignored                                    |
//! | a parameter twice, also without a value        | `invalid_request`                          |
//! | `audience` or `resource` more than once        | all of them ([RFC 8707 §2], [RFC 8693 §2.1]) |
//! | `%` without two digits, or bytes beyond UTF-8 | `invalid_request`                          |
//!
//! The query is not read. A secret in it has been logged on the way, so that is an error which the
//! sender should hear about ([RFC 6749 §2.3.1]).
//!
//! [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
//! [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2
//! [RFC 8693 §2.1]: https://www.rfc-editor.org/rfc/rfc8693#section-2.1
//! [RFC 8707 §2]: https://www.rfc-editor.org/rfc/rfc8707#section-2

use std::borrow::Cow;
use std::fmt;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};

use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// The longest body, in bytes: 64 KiB. Real requests are below 4 KiB.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// How many parameters there is room for from the start.
const USUAL: usize = 8;

/// Parameters that may come more than once.
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// Parameters that must not be in a URL, where logs and histories keep them.
const SECRETS: [&str; 5] =
    ["client_secret", "client_assertion", "refresh_token", "token", "access_token"];

/// The parameters of one request. None is empty.
pub(crate) struct Form {
    /// In the order of their names; those of one name in the order in which they came.
    parameters: Vec<(String, String)>,
}

impl Form {
    /// Reads the body of a request.
    pub(crate) fn read(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        refuse_secrets_in_query(uri)?;
        if !is_form(headers) {
            return Err(OAuthError::invalid_request(
                Reason::ContentType,
                "send the parameters as application/x-www-form-urlencoded, in UTF-8",
            ));
        }
        if body.len() > MAX_BODY {
            return Err(OAuthError::too_large());
        }
        let malformed = || {
            OAuthError::invalid_request(
                Reason::FormMalformed,
                "the body is not a form: a % without two digits, or bytes that are not UTF-8",
            )
        };
        let mut parameters = Vec::with_capacity(USUAL);
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut part = || form_decoded(parts.next().unwrap_or_default()).map(Cow::into_owned);
            parameters.push((part().ok_or_else(malformed)?, part().ok_or_else(malformed)?));
        }
        parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
        let names = parameters.iter().map(|(name, _)| name.as_str());
        let mut repeated = names.clone().zip(names.skip(1)).filter(|(one, next)| one == next);
        if repeated.any(|(name, _)| !REPEATABLE.contains(&name)) {
            return Err(OAuthError::invalid_request(
                Reason::ParameterRepeated,
                "a parameter is there more than once; only audience and resource may be",
            ));
        }
        parameters.retain(|(_, value)| !value.is_empty());
        Ok(Self { parameters })
    }

    /// The value of a parameter that comes once at most.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let first = self.parameters.partition_point(|(other, _)| other.as_str() < name);
        let parameters = self.parameters.iter().skip(first);
        parameters.take_while(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

// INVARIANT (secrets stay in): values are passwords and tokens.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("parameters", &self.parameters.len()).finish_non_exhaustive()
    }
}

/// Decodes one name or value: `+` is a blank, `%XX` a byte. `None` if a `%` stands alone or the
/// bytes are not UTF-8, so that one text has one reading.
pub(crate) fn form_decoded(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let mut bytes = text.iter().copied();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// Whether there is one content type, it is a form, and its characters are UTF-8.
fn is_form(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return false;
    };
    let Ok(field) = field.to_str() else {
        return false;
    };
    let mut parts = field.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn refuse_secrets_in_query(uri: &Uri) -> Result<(), OAuthError> {
    let is_secret = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or(parameter);
        form_decoded(name.as_bytes()).is_some_and(|name| SECRETS.contains(&&*name))
    };
    if uri.query().is_some_and(|query| query.split('&').any(is_secret)) {
        return Err(OAuthError::invalid_request(
            Reason::SecretInQuery,
            "a secret is in the URL, where logs keep it: send it in the body, and replace it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn read_as(kind: &str, uri: &'static str, body: &[u8]) -> Result<Form, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        Form::read(&Uri::from_static(uri), &headers, body).map_err(|error| error.reason())
    }

    fn read(body: &str) -> Result<Form, &'static str> {
        read_as(FORM, "/", body.as_bytes())
    }

    #[test]
    fn names_and_values_are_decoded() {
        let form = read("a=1+2&%62=%C3%A9%3d%26&c=x=y&&d").unwrap();

        assert_eq!(form.get("a"), Some("1 2"));
        assert_eq!(form.get("b"), Some("é=&"));
        assert_eq!(form.get("c"), Some("x=y"));
        assert_eq!(form.get("d"), None);
        assert_eq!(form.get("e"), None);
    }

    #[test]
    fn an_empty_value_is_an_absent_parameter() {
        let form = read("scope=&audience=&audience=x").unwrap();

        assert_eq!(form.get("scope"), None);
        assert_eq!(form.all("audience").collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_repeated_parameter_is_refused_also_when_unknown_empty_or_spelled_differently() {
        for body in [
            "a=1&a=1",
            "a=&a=1",
            "a=1&a=",
            "a&a",
            "b=1&a=1&b=1",
            "scope=a&sc%6Fpe=b",
            "unknown=1&unknown=2",
        ] {
            assert_eq!(read(body).err(), Some("parameter_repeated"), "{body}");
        }
        let form = read("resource=b&audience=c&resource=a&a=d").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for body in ["a=%", "a=%4", "a=%zz", "%=a", "a=%FF", "a=%+1"] {
            assert_eq!(read(body).err(), Some("form_malformed"), "{body}");
        }
        assert_eq!(read_as(FORM, "/", b"a=\xff").err(), Some("form_malformed"));
    }

    #[test]
    fn a_body_is_a_form_by_its_content_type_alone() {
        for kind in [
            FORM,
            "Application/X-WWW-Form-Urlencoded",
            "application/x-www-form-urlencoded;charset=UTF-8",
            "application/x-www-form-urlencoded; charset=\"utf-8\"",
            "application/x-www-form-urlencoded; boundary=x",
        ] {
            assert!(read_as(kind, "/", b"a=b").is_ok(), "{kind}");
        }
        for kind in [
            "",
            "application/json",
            "multipart/form-data",
            "application/x-www-form-urlencodedx",
            "application/x-www-form-urlencoded; charset=iso-8859-1",
        ] {
            assert_eq!(read_as(kind, "/", b"a=b").err(), Some("content_type"), "{kind}");
        }
        let uri = Uri::from_static("/");
        assert!(Form::read(&uri, &HeaderMap::new(), b"a=b").is_err());
        let mut twice = HeaderMap::new();
        twice.append(CONTENT_TYPE, HeaderValue::from_static(FORM));
        twice.append(CONTENT_TYPE, HeaderValue::from_static(FORM));
        assert!(Form::read(&uri, &twice, b"a=b").is_err());
    }

    #[test]
    fn a_secret_in_the_query_is_an_error_and_the_rest_of_the_query_is_not_read() {
        for uri in ["/?client_secret=s", "/?a=b&client%5Fsecret=s", "/?token", "/?refresh_token=r"]
        {
            assert_eq!(read_as(FORM, uri, b"a=b").err(), Some("secret_in_query"), "{uri}");
        }
        let form = read_as(FORM, "/?grant_type=x&%=client_secret", b"a=b").unwrap();
        assert_eq!(form.get("grant_type"), None);
    }

    #[test]
    fn a_body_beyond_the_bound_is_refused() {
        assert!(read(&"a".repeat(MAX_BODY)).is_ok());
        assert_eq!(read(&"a".repeat(MAX_BODY + 1)).err(), Some("body_too_large"));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", read("password=hush").unwrap()), "Form { parameters: 1, .. }");
    }

    proptest! {
        #[test]
        fn what_was_encoded_byte_by_byte_is_decoded(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();

            prop_assert_eq!(form_decoded(encoded.as_bytes()), Some(text.into()));
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_as(FORM, "/", &body);
        }
    }
}
