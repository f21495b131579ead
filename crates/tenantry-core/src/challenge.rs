//! The `WWW-Authenticate` value of a refusal ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).

use std::fmt;

use http::HeaderValue;

use crate::reason::Reason;

/// A challenge for the scheme `Bearer`; `Display` writes it.
///
/// Every part is a constant, a configured realm, a scope, or a configured URL with a tenant's id in it:
/// nothing in it needs escaping.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    pub(crate) realm: &'a str,
    pub(crate) reason: Reason,
    pub(crate) described: bool,
    pub(crate) scope: Option<&'a str>,
    pub(crate) resource_metadata: Option<&'a str>,
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
        if let Some(error) = self.reason.error() {
            write!(f, r#", error="{error}""#)?;
            if self.described {
                write!(f, r#", error_description="{}""#, self.reason.summary())?;
            }
            if let Some(scope) = self.scope {
                write!(f, r#", scope="{scope}""#)?;
            }
        }
        match self.resource_metadata {
            Some(url) => write!(f, r#", resource_metadata="{url}""#),
            None => Ok(()),
        }
    }
}
