//! Which resource servers a token is for ([RFC 8707 §2], [RFC 9068 §3]).
//!
//! A client may ask for what it is registered for; registered for nothing in particular, for every
//! audience of its tenant. Without `audience` and `resource` it gets the only one there is.
//!
//! [RFC 8707 §2]: https://www.rfc-editor.org/rfc/rfc8707#section-2
//! [RFC 9068 §3]: https://www.rfc-editor.org/rfc/rfc9068#section-3

use tenantry_core::{Match, TenantId, TenantPattern};

use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// Whose audiences, and how they are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audiences<'a> {
    pub(crate) patterns: &'a [TenantPattern],
    pub(crate) tenant: &'a TenantId,
    /// In full: what the client is registered for.
    pub(crate) registered: &'a [String],
}

impl Audiences<'_> {
    /// Reads `audience` and `resource` of a new grant, and returns what it is for: never empty.
    pub(crate) fn grant(&self, form: &Form) -> Result<Vec<String>, OAuthError> {
        let own = self.own();
        let asked = self.asked(&own, form)?;
        match (asked.is_empty(), own.len()) {
            (false, _) => Ok(asked),
            (true, 0) => Err(none()),
            (true, 1) => Ok(own),
            // INVARIANT (no guessing): a token for all of them could be passed on among them.
            (true, _) => Err(OAuthError::invalid_target(
                Reason::AudienceAmbiguous,
                "the client may ask for several audiences: say which, with audience or resource",
            )),
        }
    }

    /// Reads `audience` and `resource` of a refresh: a part of what was granted, or all of it.
    pub(crate) fn renew(&self, granted: &[String], form: &Form) -> Result<Vec<String>, OAuthError> {
        let mut own = self.own();
        own.retain(|audience| granted.contains(audience));
        let asked = self.asked(&own, form)?;
        match (asked.is_empty(), own.is_empty()) {
            (false, _) => Ok(asked),
            (true, true) => Err(none()),
            (true, false) => Ok(own),
        }
    }

    fn asked(&self, own: &[String], form: &Form) -> Result<Vec<String>, OAuthError> {
        let mut granted = Vec::<String>::new();
        for (name, is_uri) in [("audience", false), ("resource", true)] {
            for asked in form.all(name) {
                let known = own.iter().any(|own| own == asked);
                if !known || (is_uri && !is_absolute_uri(asked)) {
                    return Err(self.refused(name, asked));
                }
                if !granted.contains(asked) {
                    granted.push(asked.clone());
                }
            }
        }
        Ok(granted)
    }

    /// Every audience that may be asked for.
    // INVARIANT (isolation): whatever got into a registration, it gives nobody another tenant's.
    pub(crate) fn own(&self) -> Vec<String> {
        let rendered = || self.patterns.iter().map(|pattern| pattern.render(self.tenant)).collect();
        if self.registered.is_empty() {
            return rendered();
        }
        let own = |audience: &&String| match self.found(audience) {
            Some(Match::Tenant(tenant)) => *self.tenant == tenant,
            Some(Match::Exact) => true,
            None => false,
        };
        self.registered.iter().filter(own).cloned().collect()
    }

    fn found<'t>(&self, audience: &'t str) -> Option<Match<'t>> {
        self.patterns.iter().find_map(|pattern| pattern.matches(audience))
    }

    fn named<'t>(&self, audience: &'t str) -> Option<&'t str> {
        match self.found(audience)? {
            Match::Tenant(tenant) => Some(tenant),
            Match::Exact => None,
        }
    }

    fn refused(&self, name: &str, asked: &str) -> OAuthError {
        let tenant = self.tenant;
        match self.named(asked).filter(|named| *self.tenant != *named) {
            Some(other) => OAuthError::invalid_target(
                Reason::AudienceForeign,
                format!("the {name} is of tenant {other}, but this request is for tenant {tenant}"),
            ),
            None => OAuthError::invalid_target(
                Reason::AudienceUnregistered,
                format!("the client is not registered for this {name} in tenant {tenant}"),
            ),
        }
    }
}

fn none() -> OAuthError {
    OAuthError::invalid_target(
        Reason::AudienceNone,
        "the client is registered for no audience of its tenant that it could have here",
    )
}

/// Whether `text` is an absolute URI: a scheme, a colon, and no fragment ([RFC 8707 §2]).
///
/// [RFC 8707 §2]: https://www.rfc-editor.org/rfc/rfc8707#section-2
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && scheme.bytes().all(scheme_byte)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Uri};

    use super::*;

    fn grant(
        patterns: &[&str],
        registered: &[&str],
        body: &str,
    ) -> Result<Vec<String>, OAuthError> {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let registered: Vec<_> = registered.iter().copied().map(String::from).collect();
        let tenant = "tenant1".parse().unwrap();
        let audiences = Audiences { patterns: &patterns, tenant: &tenant, registered: &registered };
        audiences.grant(&form(body))
    }

    fn form(body: &str) -> Form {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        Form::read(&Uri::from_static("/"), &headers, body.as_bytes()).unwrap()
    }

    fn reason(patterns: &[&str], registered: &[&str], body: &str) -> &'static str {
        grant(patterns, registered, body).unwrap_err().reason()
    }

    const API: &str = "https://api.erp.example/{tenant}";
    const HR: &str = "https://hr.erp.example/{tenant}";
    const OWN: &str = "https://api.erp.example/tenant1";

    #[test]
    fn a_client_may_ask_for_its_own_audience_by_either_name() {
        for registered in [&[][..], &[OWN]] {
            for body in [
                format!("audience={OWN}"),
                format!("resource={OWN}"),
                format!("audience={OWN}&resource={OWN}"),
                String::new(),
            ] {
                assert_eq!(grant(&[API], registered, &body).unwrap(), [OWN], "{body}");
            }
        }
    }

    #[test]
    fn several_may_be_asked_for_but_are_never_given_unasked() {
        let hr = "https://hr.erp.example/tenant1";

        let both = grant(&[API, HR], &[], &format!("audience={OWN}&resource={hr}"));

        assert_eq!(both.unwrap(), [OWN, hr]);
        assert_eq!(reason(&[API, HR], &[], ""), "audience_ambiguous");
        assert_eq!(grant(&[API, HR], &[hr], "").unwrap(), [hr]);
        assert_eq!(reason(&[API, HR], &[hr], &format!("audience={OWN}")), "audience_unregistered");
    }

    #[test]
    fn another_tenants_audience_is_refused_also_beside_ones_own_and_both_are_named() {
        let body = format!("audience={OWN}&audience=https://api.erp.example/tenant2");
        let error = grant(&[API], &[], &body).unwrap_err();

        assert_eq!(error.reason(), "audience_foreign");
        assert_eq!(
            error.description(),
            "the audience is of tenant tenant2, but this request is for tenant tenant1"
        );
        // Whatever got into the registration.
        let foreign = "https://api.erp.example/tenant2";
        assert_eq!(reason(&[API], &[foreign], &format!("audience={foreign}")), "audience_foreign");
        assert_eq!(reason(&[API], &[foreign], ""), "audience_none");
        // Nor does it outlive the settings that it was made under.
        let body = format!("audience={OWN}");
        assert_eq!(reason(&[HR], &[OWN], &body), "audience_unregistered");
        assert_eq!(
            grant(&["https://a.example"], &["https://a.example"], "").unwrap(),
            ["https://a.example"]
        );
    }

    #[test]
    fn an_audience_that_nobody_registered_is_refused() {
        for asked in ["x", "https://api.erp.example/tenant1/", "https://API.erp.example/tenant1"] {
            assert_eq!(reason(&[API], &[], &format!("audience={asked}")), "audience_unregistered");
        }
    }

    #[test]
    fn a_refresh_keeps_or_narrows_what_was_granted_and_what_is_still_registered() {
        let hr = "https://hr.erp.example/tenant1";
        let renew = |registered: &[&str], granted: &[&str], body: &str| {
            let strings =
                |list: &[&str]| list.iter().copied().map(String::from).collect::<Vec<_>>();
            let (patterns, tenant) =
                ([API, HR].map(|text| text.parse().unwrap()), "tenant1".parse().unwrap());
            let audiences = Audiences {
                patterns: &patterns,
                tenant: &tenant,
                registered: &strings(registered),
            };
            audiences.renew(&strings(granted), &form(body)).map_err(|error| error.reason())
        };

        assert_eq!(renew(&[], &[OWN, hr], "").unwrap(), [OWN, hr]);
        assert_eq!(renew(&[], &[OWN, hr], &format!("resource={hr}")).unwrap(), [hr]);
        assert_eq!(renew(&[], &[OWN], &format!("resource={hr}")), Err("audience_unregistered"));
        assert_eq!(renew(&[OWN], &[OWN, hr], "").unwrap(), [OWN]);
        assert_eq!(renew(&[hr], &[OWN], ""), Err("audience_none"));
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        assert_eq!(grant(&["api-{tenant}"], &[], "audience=api-tenant1").unwrap(), ["api-tenant1"]);
        assert_eq!(reason(&["api-{tenant}"], &[], "resource=api-tenant1"), "audience_unregistered");
        assert!(grant(&["urn:{tenant}"], &[], "resource=urn:tenant1").is_ok());
        for uri in ["a:b", "a+b:c", "a-b:c", "a.b:c", "a1:b", "https://a?b=c"] {
            assert!(is_absolute_uri(uri), "{uri:?}");
        }
        for uri in ["", ":", ":a", "a:", "1a:b", "a b:c", "https://a#b", "https://a b", "/a:b"] {
            assert!(!is_absolute_uri(uri), "{uri:?}");
        }
    }
}
