//! Which tenant a request is for: every place that names one names the same.
//!
//! | place                                             | named by                                   |
//! |---------------------------------------------------|--------------------------------------------|
//! | the path                                          | `/{tenant}/oauth/token`                    |
//! | the tenant header                                 | `X-Tenant-ID: tenant1`                     |
//! | the parameter `tenant_id`                         | `tenant_id=tenant1`                        |
//! | the parameters `audience`, `resource`, by pattern | `audience=https://api.erp.example/tenant1` |
//!
//! None of them is signed. They say where to look for the client; that the client is one of this
//! tenant is proven by its credentials, afterwards.

use std::fmt;

use http::header::{CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};

use tenantry_core::{Match, TenantId, TenantPattern};

use crate::audiences::unknown;
use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// Where a tenant is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TenantSources<'a> {
    /// The header that may name one.
    pub(crate) header: &'a HeaderName,
    /// How audiences name one.
    pub(crate) audience: &'a [TenantPattern],
}

/// A place that names a tenant, in the words of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Audience,
    Header,
    Parameter,
    Path,
    Resource,
}

impl Place {
    /// Whether it says who the token is for.
    const fn is_target(self) -> bool {
        matches!(self, Self::Audience | Self::Resource)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audience => "the audience",
            Self::Header => "the tenant header",
            Self::Parameter => "the parameter tenant_id",
            Self::Path => "the path",
            Self::Resource => "the resource",
        })
    }
}

impl TenantSources<'_> {
    /// Finds the tenant of a request; `path` is the segment in front of `/oauth/`, as it was sent.
    // INVARIANT (agreement): there is no first match. INVARIANT (no guessing): nor a default.
    pub(crate) fn tenant(
        &self,
        path: Option<&str>,
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<TenantId, OAuthError> {
        let mut named: Option<(Place, TenantId)> = None;
        for (place, text) in self.named(path, headers, form)? {
            let tenant = || text.parse().map_err(|_| malformed(place));
            match &named {
                None => named = Some((place, tenant()?)),
                Some((_, first)) if *first == text => {}
                Some((before, first)) => return Err(mismatch(*before, first, place, &tenant()?)),
            }
        }
        named.map(|(_, tenant)| tenant).ok_or_else(|| self.missing(form))
    }

    fn named<'r>(
        &self,
        path: Option<&'r str>,
        headers: &'r HeaderMap,
        form: &'r Form,
    ) -> Result<Vec<(Place, &'r str)>, OAuthError> {
        let mut named = Vec::new();
        named.extend(path.map(|tenant| (Place::Path, tenant)));
        named.extend(self.header_value(headers)?.map(|tenant| (Place::Header, tenant)));
        named.extend(form.get("tenant_id").map(|tenant| (Place::Parameter, tenant)));
        for (place, parameter) in [(Place::Audience, "audience"), (Place::Resource, "resource")] {
            let tenants = form.all(parameter).filter_map(|value| self.in_audience(value));
            named.extend(tenants.map(|tenant| (place, tenant)));
        }
        Ok(named)
    }

    fn in_audience<'r>(&self, value: &'r str) -> Option<&'r str> {
        self.audience.iter().find_map(|pattern| match pattern.matches(value)? {
            Match::Tenant(tenant) => Some(tenant),
            Match::Exact => None,
        })
    }

    fn header_value<'r>(&self, headers: &'r HeaderMap) -> Result<Option<&'r str>, OAuthError> {
        let named = |value: &HeaderValue| {
            let mut options = value.as_bytes().split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(self.header.as_ref()))
        };
        if headers.get_all(CONNECTION).iter().any(named) {
            return Err(OAuthError::invalid_request(
                Reason::HeaderInConnection,
                "Connection names the tenant header, which a proxy would then remove",
            ));
        }
        let mut values = headers.get_all(self.header).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match value.to_str() {
                Ok(tenant) => Ok(Some(tenant)),
                Err(_) => Err(malformed(Place::Header)),
            },
            (Some(_), Some(_)) => Err(OAuthError::invalid_request(
                Reason::TenantRepeated,
                "the tenant header is there more than once",
            )),
        }
    }

    /// An audience that nobody has here says more about the mistake than that no tenant is named.
    fn missing(&self, form: &Form) -> OAuthError {
        for parameter in ["audience", "resource"] {
            let matches =
                |value: &&str| self.audience.iter().any(|one| one.matches(value).is_some());
            if let Some(value) = form.all(parameter).find(|value| !matches(value)) {
                // Nobody has proven anything yet: patterns, as the other answer has one, and no name
                // of a server that is for all tenants.
                let known = self.audience.iter().filter(|pattern| pattern.has_tenant());
                let known = known.map(|pattern| pattern.as_str());
                return unknown(parameter, value, known);
            }
        }
        let audience = self.audience.iter().find(|pattern| pattern.has_tenant());
        let audience = audience
            .map(|pattern| format!("the parameter audience={}, ", pattern.as_str()))
            .unwrap_or_default();
        let header = self.header;
        OAuthError::invalid_request(
            Reason::TenantMissing,
            format!(
                "no tenant is named: send {audience}the parameter tenant_id, the header {header}, \
                 or use the path /{{tenant}}/oauth/token; a scope does not name one"
            ),
        )
    }
}

fn malformed(place: Place) -> OAuthError {
    OAuthError::invalid_request(
        Reason::TenantMalformed,
        format!(
            "{place} does not hold a tenant id: 1 to 128 letters, digits, - or _, starting with a \
             letter or digit"
        ),
    )
}

/// With a target in it, it is the target that is not the tenant's: so clients of [RFC 8707 §2] expect.
///
/// [RFC 8707 §2]: https://www.rfc-editor.org/rfc/rfc8707#section-2
fn mismatch(before: Place, first: &TenantId, place: Place, second: &TenantId) -> OAuthError {
    let description = format!("{before} names tenant {first}, but {place} names tenant {second}");
    if before.is_target() || place.is_target() {
        OAuthError::invalid_target(Reason::TenantMismatch, description)
    } else {
        OAuthError::invalid_request(Reason::TenantMismatch, description)
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use proptest::prelude::*;

    use super::*;

    const HEADER: HeaderName = HeaderName::from_static("x-tenant-id");

    struct Sent<'a> {
        path: Option<&'a str>,
        headers: &'a [(&'a str, &'a str)],
        body: &'a str,
    }

    fn tenant(sent: &Sent<'_>) -> Result<String, OAuthError> {
        let patterns = ["https://api.erp.example/{tenant}", "https://reports.example"]
            .map(|pattern| pattern.parse::<TenantPattern>().unwrap());
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(http::header::CONTENT_TYPE, form);
        for (name, value) in sent.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let form = Form::read(&Uri::from_static("/"), &headers, sent.body.as_bytes()).unwrap();
        TenantSources { header: &HEADER, audience: &patterns }
            .tenant(sent.path, &headers, &form)
            .map(|tenant| tenant.to_string())
    }

    fn reason(sent: &Sent<'_>) -> &'static str {
        tenant(sent).unwrap_err().reason()
    }

    const NOTHING: Sent<'_> = Sent { path: None, headers: &[], body: "" };

    #[test]
    fn each_place_names_the_tenant_on_its_own() {
        for sent in [
            Sent { path: Some("tenant1"), ..NOTHING },
            Sent { headers: &[("x-tenant-id", "tenant1")], ..NOTHING },
            Sent { body: "tenant_id=tenant1", ..NOTHING },
            Sent { body: "audience=https://api.erp.example/tenant1", ..NOTHING },
            Sent { body: "resource=https://api.erp.example/tenant1", ..NOTHING },
        ] {
            assert_eq!(tenant(&sent).unwrap(), "tenant1");
        }
    }

    const TARGETS: [&str; 2] = ["audience", "resource"];

    #[test]
    fn each_pair_of_places_that_disagrees_is_refused_and_both_tenants_are_named() {
        let places = ["path", "header", "tenant_id", "audience", "resource"];
        for (at, one) in places.into_iter().enumerate() {
            for other in places.into_iter().skip(at + 1) {
                for (first, second) in [("tenant1", "tenant2"), ("tenant2", "tenant1")] {
                    let value = |place: &str| match place {
                        _ if place == one => first,
                        _ if place == other => second,
                        _ => "",
                    };
                    let path = Some(value("path")).filter(|tenant| !tenant.is_empty());
                    let header = [("x-tenant-id", value("header"))];
                    let has_header = one == "header" || other == "header";
                    let mut body = Vec::new();
                    for place in [one, other] {
                        match place {
                            "tenant_id" => body.push(format!("tenant_id={}", value(place))),
                            "audience" | "resource" => body
                                .push(format!("{place}=https://api.erp.example/{}", value(place))),
                            _ => {}
                        }
                    }
                    let sent = Sent {
                        path,
                        headers: if has_header { &header } else { &[] },
                        body: &body.join("&"),
                    };
                    let error = tenant(&sent).unwrap_err();
                    assert_eq!(error.reason(), "tenant_mismatch", "{one} and {other}");
                    let text = error.description();
                    assert!(text.contains("tenant1") && text.contains("tenant2"), "{text}");
                    let has_target = [one, other].iter().any(|place| TARGETS.contains(place));
                    let target = OAuthError::invalid_target(Reason::TenantMismatch, text);
                    assert_eq!(error == target, has_target, "{one} and {other}");
                }
            }
        }
    }

    #[test]
    fn two_audiences_of_two_tenants_disagree_too() {
        for body in [
            "audience=https://api.erp.example/tenant1&audience=https://api.erp.example/tenant2",
            "resource=https://api.erp.example/tenant1&resource=https://api.erp.example/tenant2",
        ] {
            assert_eq!(reason(&Sent { body, ..NOTHING }), "tenant_mismatch");
        }
    }

    #[test]
    fn ids_are_compared_by_their_bytes() {
        let sent = Sent { path: Some("tenant1"), body: "tenant_id=Tenant1", ..NOTHING };
        assert_eq!(reason(&sent), "tenant_mismatch");
        let sent = Sent { path: Some("tenant1"), body: "tenant_id=tenant10", ..NOTHING };
        assert_eq!(reason(&sent), "tenant_mismatch");
    }

    #[test]
    fn whoever_names_no_tenant_is_told_how() {
        for body in ["", "scope=tenant1.a", "audience=https://reports.example"] {
            let error = tenant(&Sent { body, ..NOTHING }).unwrap_err();
            assert_eq!(error.reason(), "tenant_missing", "{body}");
            assert_eq!(
                error.description(),
                "no tenant is named: send the parameter audience=https://api.erp.example/{tenant}, \
                 the parameter tenant_id, the header x-tenant-id, or use the path \
                 /{tenant}/oauth/token; a scope does not name one"
            );
        }
    }

    #[test]
    fn whoever_names_an_audience_that_nobody_has_is_told_how_they_are_written() {
        for body in ["audience=tenant1", "audience=https://reports.example&audience=tenant1"] {
            let error = tenant(&Sent { body, ..NOTHING }).unwrap_err();
            assert_eq!(error.reason(), "audience_unknown", "{body}");
            assert_eq!(
                error.description(),
                "the audience tenant1 is none of this issuer, which has \
                 https://api.erp.example/{tenant}"
            );
        }
        let slash = "resource=https://api.erp.example/tenant1/";
        assert_eq!(reason(&Sent { body: slash, ..NOTHING }), "audience_unknown");
    }

    #[test]
    fn what_is_no_tenant_id_is_refused_wherever_it_stands() {
        for sent in [
            Sent { path: Some("tenant%31"), ..NOTHING },
            Sent { path: Some(""), ..NOTHING },
            Sent { headers: &[("x-tenant-id", "")], ..NOTHING },
            Sent { headers: &[("x-tenant-id", "tenant1, tenant1")], ..NOTHING },
            Sent { headers: &[("x-tenant-id", "é")], ..NOTHING },
            Sent { body: "tenant_id=tenant%201", ..NOTHING },
            Sent { body: "tenant_id=-a", ..NOTHING },
        ] {
            assert_eq!(reason(&sent), "tenant_malformed");
        }
    }

    #[test]
    fn a_header_is_there_once_and_not_in_connection() {
        let twice = [("x-tenant-id", "tenant1"), ("x-tenant-id", "tenant1")];
        assert_eq!(reason(&Sent { headers: &twice, ..NOTHING }), "tenant_repeated");
        let dropped = [("x-tenant-id", "tenant1"), ("connection", "close, X-Tenant-ID")];
        assert_eq!(reason(&Sent { headers: &dropped, ..NOTHING }), "header_in_connection");
    }

    proptest! {
        #[test]
        fn a_tenant_is_found_only_if_every_place_that_names_one_names_it(
            named in proptest::collection::vec(proptest::option::of("tenant[12]"), 5)
        ) {
            let model: std::collections::BTreeSet<_> = named.iter().flatten().collect();
            let header = named[1].as_deref().map(|tenant| ("x-tenant-id", tenant));
            let parameter = |at: usize, text: &str| named[at].as_ref().map(|tenant| format!("{text}{tenant}"));
            let body = [
                parameter(2, "tenant_id="),
                parameter(3, "audience=https://api.erp.example/"),
                parameter(4, "resource=https://api.erp.example/"),
            ];
            let body = body.into_iter().flatten().collect::<Vec<_>>().join("&");
            let sent = Sent { path: named[0].as_deref(), headers: header.as_slice(), body: &body };

            let found = tenant(&sent).ok();

            prop_assert_eq!(found.as_ref(), model.first().copied().filter(|_| model.len() == 1));
        }
    }
}
