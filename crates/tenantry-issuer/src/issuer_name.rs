//! What the authorization server calls itself, and where its endpoints are.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use tenantry_core::{InvalidPattern, Issuer, TenantId, TenantPattern};
use url::Url;

/// The issuer of the tokens: a URL, or one with `{tenant}` as its last segment for an issuer per
/// tenant.
///
/// It has one spelling, because `iss` is compared byte for byte ([RFC 9068 §4]): lower-case host, no
/// default port, no slash at its end. The endpoints are below it.
///
/// ```
/// use tenantry_issuer::IssuerName;
///
/// let issuer: IssuerName = "https://erp.example/auth/{tenant}".parse()?;
/// assert_eq!(issuer.base(), "https://erp.example/auth");
/// assert_eq!(issuer.base_path(), "/auth");
/// assert_eq!(issuer.of(&"tenant1".parse()?).as_str(), "https://erp.example/auth/tenant1");
/// assert!("https://ERP.example".parse::<IssuerName>().is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 9068 §4]: https://www.rfc-editor.org/rfc/rfc9068#section-4
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerName {
    pattern: TenantPattern,
    /// How much of the text is the scheme and the authority.
    origin: usize,
    /// How much of it is in front of `/{tenant}`: all of it, if there is no hole.
    base: usize,
}

impl IssuerName {
    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.pattern.as_str()
    }

    /// Whether every tenant has an issuer, and keys, of its own.
    #[must_use]
    pub const fn has_tenant(&self) -> bool {
        self.pattern.has_tenant()
    }

    /// The name as a pattern.
    #[must_use]
    pub const fn pattern(&self) -> &TenantPattern {
        &self.pattern
    }

    /// The `iss` of the tokens of `tenant`.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> Issuer {
        Issuer::new(self.pattern.render(tenant))
    }

    /// Scheme, host and port: `https://erp.example`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.as_str().get(..self.origin).unwrap_or_default()
    }

    /// The URL without `/{tenant}`: `https://erp.example/auth`.
    #[must_use]
    pub fn base(&self) -> &str {
        self.as_str().get(..self.base).unwrap_or_default()
    }

    /// The path of [`base`](Self::base): empty, or `/auth`.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.as_str().get(self.origin..self.base).unwrap_or_default()
    }
}

impl FromStr for IssuerName {
    type Err = InvalidIssuerName;

    /// # Errors
    ///
    /// If it is not an `https` URL (plain `http` is for loopback), has a query, a fragment or a user,
    /// is not written plainly, or has `{tenant}` elsewhere than in its last segment.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |problem: &str| Err(InvalidIssuerName(problem.into()));
        let pattern: TenantPattern =
            text.parse().map_err(|error: InvalidPattern| InvalidIssuerName(error.to_string()))?;
        let base = text.strip_suffix("/{tenant}").unwrap_or(text);
        if base.contains('{') {
            return refuse("`{tenant}` is the last segment: `https://auth.erp.example/{tenant}`");
        }
        let Ok(url) = Url::parse(base) else {
            return refuse("this is not an https URL");
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return refuse("plain http is for loopback only: use https"),
            _ => return refuse("this is not an https URL"),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("an issuer has no query and no fragment (RFC 8414, section 2)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("an issuer has no user name and no password");
        }
        let written = url.as_str();
        let plain = written.strip_suffix('/').unwrap_or(written);
        // One `//` is behind the scheme.
        if plain != base || base.contains('%') || base.matches("//").count() > 1 {
            return refuse(
                "write it plainly: a host in lower case, no port where it is the scheme's own, no slash at the end, no escapes",
            );
        }
        let authority = base.split_once("://").map_or("", |(_, rest)| rest);
        let path = authority.find('/').map_or(0, |at| authority.len() - at);
        Ok(Self { origin: base.len() - path, base: base.len(), pattern })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text cannot be the name of an authorization server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidIssuerName(String);

impl fmt::Display for InvalidIssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidIssuerName {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, String, bool) {
        let name: IssuerName = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        (name.origin().into(), name.base_path().into(), name.base().into(), name.has_tenant())
    }

    #[test]
    fn an_issuer_is_taken_apart() {
        for (text, origin, path, per_tenant) in [
            ("https://auth.erp.example", "https://auth.erp.example", "", false),
            ("https://auth.erp.example/{tenant}", "https://auth.erp.example", "", true),
            ("https://erp.example:8443/a/b", "https://erp.example:8443", "/a/b", false),
            ("http://127.0.0.1:9000/{tenant}", "http://127.0.0.1:9000", "", true),
            ("http://[::1]:9000/auth/{tenant}", "http://[::1]:9000", "/auth", true),
            ("http://localhost:9000", "http://localhost:9000", "", false),
        ] {
            let expected = (origin.into(), path.into(), format!("{origin}{path}"), per_tenant);
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_the_one_spelling_of_an_https_url_is_refused() {
        for text in [
            "",
            "auth.erp.example",
            "http://auth.erp.example",
            "http://localhost.erp.example",
            "http://192.0.2.1",
            "http://[2001:db8::1]",
            "ftp://auth.erp.example",
            "https://AUTH.erp.example",
            "https://auth.erp.example/",
            "https://auth.erp.example:443",
            "https://auth.erp.example//a",
            "https://auth.erp.example///a",
            "https://auth.erp.example/a//b",
            "https:///auth.erp.example",
            "https:auth.erp.example",
            "https://auth.erp.example/a/../b",
            "https://auth.erp.example/a%20b",
            "https://auth.erp.example/a b",
            "https://auth.erp.example?x=1",
            "https://auth.erp.example/a?x=1",
            "https://auth.erp.example#x",
            "https://auth.erp.example/a#x",
            "https://me@auth.erp.example",
            "https://me@auth.erp.example/a",
            "https://:secret@auth.erp.example/a",
            "https://{tenant}.erp.example",
            "https://auth.erp.example/{tenant}/",
            "https://auth.erp.example/{tenant}/v2",
            "https://auth.erp.example/v{tenant}",
            "https://auth.erp.example/{other}",
            "HTTPS://auth.erp.example",
            " https://auth.erp.example",
        ] {
            assert!(text.parse::<IssuerName>().is_err(), "{text} was accepted");
        }
    }
}
