//! The access token in a request's `Authorization` field ([RFC 6750 §2.1]).
//!
//! Bodies are never read, and a token in the query is refused ([RFC 9700 §4.3.2]).
//!
//! [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
//! [RFC 9700 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9700#section-4.3.2

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use tenantry_core::Reason;

/// The text after `Bearer`, not yet known to be one token.
///
/// A token that was verified before is found by its text alone, so only one that was not needs its
/// form looked at: [`token`](Self::token).
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Bearer<'a>(&'a str);

// INVARIANT (secrets stay in)
impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

impl<'a> Bearer<'a> {
    /// Finds the credentials. `None`: there are none, or of another scheme.
    pub(crate) fn read(uri: &Uri, headers: &'a HeaderMap) -> Result<Option<Self>, Reason> {
        if uri.query().is_some_and(has_access_token) {
            return Err(Reason::CredentialsInQuery);
        }
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else {
            return Ok(None);
        };
        if fields.next().is_some() {
            return Err(Reason::CredentialsMultiple);
        }
        let field =
            std::str::from_utf8(field.as_bytes()).map_err(|_| Reason::CredentialsMalformed)?;
        scheme(field.trim_matches([' ', '\t']))
    }

    /// The text, to look it up by.
    pub(crate) const fn text(self) -> &'a str {
        self.0
    }

    /// The text, if it is one token.
    pub(crate) fn token(self) -> Result<&'a str, Reason> {
        if self.0.split(',').skip(1).any(starts_with_bearer) {
            return Err(Reason::CredentialsMultiple);
        }
        if !is_token68(self.0) {
            return Err(Reason::CredentialsMalformed);
        }
        Ok(self.0)
    }
}

/// Takes the scheme off: `"Bearer" 1*SP b64token` of RFC 6750.
fn scheme(field: &str) -> Result<Option<Bearer<'_>>, Reason> {
    // As nearly everybody writes it.
    if let Some(text) = field.strip_prefix("Bearer ").filter(|text| !text.starts_with(' ')) {
        return if text.is_empty() {
            Err(Reason::CredentialsMalformed)
        } else {
            Ok(Some(Bearer(text)))
        };
    }
    let end = field.find(|c: char| !is_scheme_char(c)).unwrap_or(field.len());
    let Some((scheme, rest)) = field.split_at_checked(end).filter(|(scheme, _)| !scheme.is_empty())
    else {
        return Err(Reason::CredentialsMalformed);
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        let text = rest.trim_start_matches(' ');
        return match text.is_empty() || text.len() == rest.len() {
            true => Err(Reason::CredentialsMalformed),
            false => Ok(Some(Bearer(text))),
        };
    }
    if field.split(',').skip(1).any(starts_with_bearer) {
        return Err(Reason::CredentialsMultiple);
    }
    // A token without its scheme: no scheme is written with dots.
    if rest.is_empty() && scheme.contains('.') {
        return Err(Reason::CredentialsMalformed);
    }
    Ok(None)
}

fn starts_with_bearer(part: &str) -> bool {
    let part = part.trim_start_matches([' ', '\t']);
    let scheme = part.split([' ', '\t']).next().unwrap_or(part);
    scheme.len() < part.len() && scheme.eq_ignore_ascii_case("bearer")
}

/// `tchar` of [RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
const fn is_scheme_char(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '!' | '#'..='\'' | '*' | '+' | '-' | '.' | '^'..='`' | '|' | '~')
}

/// `token68` of [RFC 9110 §11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2).
fn is_token68(text: &str) -> bool {
    let start = text.trim_end_matches('=');
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    !start.is_empty() && start.bytes().all(plain)
}

/// Whether a parameter of the query is called `access_token`, however it is spelled.
fn has_access_token(query: &str) -> bool {
    query.split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or(parameter);
        decoded(name).eq("access_token".bytes())
    })
}

fn decoded(name: &str) -> impl Iterator<Item = u8> {
    let mut bytes = name.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        if byte != b'%' {
            return Some(byte);
        }
        let mut ahead = bytes.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        match (digit(), digit()) {
            (Some(high), Some(low)) => {
                bytes = ahead;
                u8::try_from(high * 16 + low).ok()
            }
            _ => Some(byte),
        }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(fields: &[&str]) -> Result<Option<String>, Reason> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        let Some(bearer) = Bearer::read(&Uri::from_static("/"), &headers)? else { return Ok(None) };
        bearer.token().map(|token| Some(token.into()))
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_the_scheme() {
        for field in [
            "Bearer a.b-c_~+/==",
            "bearer a.b-c_~+/==",
            "BEARER  a.b-c_~+/==",
            " bEaReR a.b-c_~+/== ",
        ] {
            assert_eq!(read(&[field]), Ok(Some("a.b-c_~+/==".into())), "{field}");
        }
    }

    #[test]
    fn another_scheme_or_none_is_no_credentials() {
        assert_eq!(read(&[]), Ok(None));
        for field in ["Basic YTpi", "DPoP a.b.c", "Bearerx a", "Digest username=\"a\", realm=\"b\""]
        {
            assert_eq!(read(&[field]), Ok(None), "{field}");
        }
    }

    #[test]
    fn what_only_looks_like_a_token_is_another_scheme() {
        for field in ["Negotiate", "Digest a=b, c d", "Basic YTpi,bearer", "Bearers a.b.c"] {
            assert_eq!(read(&[field]), Ok(None), "{field}");
        }
    }

    #[test]
    fn the_scheme_alone_is_malformed_in_any_case() {
        for field in ["bearer", "BEARER", "bearer\ta", "Bearer,a", "Bearer=a"] {
            assert_eq!(read(&[field]), Err(Reason::CredentialsMalformed), "{field:?}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        assert_eq!(format!("{:?}", Bearer("secret")), "Bearer(..)");
    }

    #[test]
    fn what_is_not_one_token_is_malformed() {
        for field in [
            "Bearer",
            "Bearer ",
            "Bearer\ta",
            "Bearer a b",
            "Bearer a,b",
            "Bearer =",
            "Bearer \"a\"",
            "",
            "Bearer é",
            "\"Bearer a\"",
            "=Bearer a",
            ":a",
            "eyJ0.eyJ0.c2ln",
        ] {
            assert_eq!(read(&[field]), Err(Reason::CredentialsMalformed), "{field:?}");
        }
    }

    #[test]
    fn two_sets_of_credentials_are_too_many() {
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(Reason::CredentialsMultiple));
        assert_eq!(read(&["Basic YTpi", "Bearer a"]), Err(Reason::CredentialsMultiple));
        assert_eq!(read(&["Bearer a, Bearer b"]), Err(Reason::CredentialsMultiple));
        assert_eq!(read(&["Basic YTpi,bearer\tb"]), Err(Reason::CredentialsMultiple));
        assert_eq!(read(&["Basic YTpi, bearer b"]), Err(Reason::CredentialsMultiple));
    }

    #[test]
    fn a_token_in_the_query_is_refused_however_it_is_spelled() {
        let headers = HeaderMap::new();
        for uri in
            ["/?access_token=a", "/?a=b&access_token=c", "/?access%5Ftoken=a", "/?%61ccess_token"]
        {
            assert_eq!(
                Bearer::read(&uri.parse().unwrap(), &headers),
                Err(Reason::CredentialsInQuery),
                "{uri}"
            );
        }
        for uri in
            ["/?a=access_token", "/?access_tokens=a", "/access_token", "/?access%token=a", "/?%6"]
        {
            assert_eq!(Bearer::read(&uri.parse().unwrap(), &headers), Ok(None), "{uri}");
        }
    }
}
