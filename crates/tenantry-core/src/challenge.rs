//! The `WWW-Authenticate` value of a refusal ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).

use std::fmt;

use http::HeaderValue;

use crate::reason::Reason;

/// A challenge for the scheme `Bearer`; `Display` writes it.
///
/// Every part is a constant, a configured realm or a scope: nothing in it needs escaping.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    pub(crate) realm: &'a str,
    pub(crate) reason: Reason,
    pub(crate) described: bool,
    pub(crate) scope: Option<&'a str>,
}

impl Challenge<'_> {
    pub(crate) fn to_header_value(self) -> HeaderValue {
        // The parts are printable ASCII by construction; a challenge is never left out.
        HeaderValue::try_from(self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static(r#"Bearer realm="tenantry""#))
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"Bearer realm="{}""#, self.realm)?;
        let Some(error) = self.reason.error() else {
            return Ok(());
        };
        write!(f, r#", error="{error}""#)?;
        if self.described {
            write!(f, r#", error_description="{}""#, self.reason.summary())?;
        }
        match self.scope {
            Some(scope) => write!(f, r#", scope="{scope}""#),
            None => Ok(()),
        }
    }
}
