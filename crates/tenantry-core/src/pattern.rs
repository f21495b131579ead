//! Text with a `{tenant}` hole: it finds the tenant in a string, and writes the string for a tenant.
//!
//! Matching is anchored at both ends and every match is unique: the byte after a hole lies outside
//! the id alphabet, so there is one place where the hole can end. No pattern ever compares a
//! suffix or a prefix only (`corp` does not match `https://login.example/megacorp`).

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::tenant::{TenantId, is_tenant_byte, split_tenant_id};

const TENANT: &str = "{tenant}";

/// An issuer, an audience or a key set's URL, with at most one `{tenant}` hole.
///
/// ```
/// use tenantry_core::{Match, TenantPattern};
///
/// let audience: TenantPattern = "https://api.erp.example/{tenant}".parse()?;
/// assert_eq!(audience.matches("https://api.erp.example/tenant1"), Some(Match::Tenant("tenant1")));
/// assert_eq!(audience.matches("https://api.erp.example/tenant1/x"), None);
/// assert_eq!(audience.render(&"tenant1".parse()?), "https://api.erp.example/tenant1");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantPattern {
    shape: Shape,
    text: Box<str>,
}

/// What a [`TenantPattern`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Match<'a> {
    /// The pattern has no hole, and the string is the pattern.
    Exact,
    /// The hole holds this tenant id.
    Tenant(&'a str),
}

impl TenantPattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is a `{tenant}` hole.
    #[must_use]
    pub const fn has_tenant(&self) -> bool {
        self.shape.after_tenant.is_some()
    }

    /// Compares the whole of `text`, byte for byte.
    #[must_use]
    pub fn matches<'a>(&self, text: &'a str) -> Option<Match<'a>> {
        let found = self.shape.find(text)?;
        Some(found.tenant.map_or(Match::Exact, Match::Tenant))
    }

    /// Writes the string for `tenant`: the inverse of [`matches`](Self::matches).
    #[must_use]
    pub fn render(&self, tenant: &TenantId) -> String {
        self.shape.render(tenant.as_str(), "")
    }

    /// Whether some string matches both patterns, whatever the tenants.
    #[must_use]
    pub fn may_overlap(&self, other: &Self) -> bool {
        let (Some(after), Some(other_after)) =
            (&self.shape.after_tenant, &other.shape.after_tenant)
        else {
            return match (self.has_tenant(), other.has_tenant()) {
                (false, _) => other.matches(&self.text).is_some(),
                (true, _) => self.matches(&other.text).is_some(),
            };
        };
        let (before, other_before) = (&*self.shape.before, &*other.shape.before);
        (before.starts_with(other_before) || other_before.starts_with(before))
            && (after.ends_with(&**other_after) || other_after.ends_with(&**after))
    }
}

impl FromStr for TenantPattern {
    type Err = InvalidPattern;

    /// # Errors
    ///
    /// If the pattern is empty, has another hole than `{tenant}` or two of them, if the byte after
    /// the hole could belong to an id, or if the hole is in the last two labels of a URL's host.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = Shape::parse(text, None)?;
        if text == TENANT {
            return Err(InvalidPattern::new(
                "`{tenant}` alone would take any word for a tenant: write something around it",
            ));
        }
        if let Some((_, rest)) = text.split_once("://") {
            if text.contains('\\') {
                return Err(InvalidPattern::new("a URL has no backslash: some read it as `/`"));
            }
            let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            refuse_wide_host(authority)?;
        }
        Ok(Self { shape, text: text.into() })
    }
}

/// A host such as `{tenant}.api.erp.example`: lower case, one `{tenant}` hole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPattern {
    shape: Shape,
    text: Box<str>,
}

impl HostPattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Finds the tenant in `host`, which is lower case and has neither port nor trailing dot.
    #[must_use]
    pub fn tenant<'a>(&self, host: &'a str) -> Option<&'a str> {
        self.shape.find(host)?.tenant.filter(|tenant| is_host_tenant(tenant))
    }

    /// Writes the host of `tenant`.
    #[must_use]
    pub fn render(&self, tenant: &TenantId) -> String {
        self.shape.render(tenant.as_str(), "")
    }
}

impl FromStr for HostPattern {
    type Err = InvalidPattern;

    /// # Errors
    ///
    /// As for a [`TenantPattern`]; also if there is no hole, if the hole is not a whole label, or
    /// if a literal is not lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = Shape::parse(text, None)?;
        let Some(after) = &shape.after_tenant else {
            return Err(InvalidPattern::new("a host pattern needs a `{tenant}` hole"));
        };
        if !after.starts_with('.') || !(shape.before.is_empty() || shape.before.ends_with('.')) {
            return Err(InvalidPattern::new("in a host, `{tenant}` must be a whole label"));
        }
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if !shape.before.bytes().chain(after.bytes()).all(plain) {
            return Err(InvalidPattern::new(
                "a host pattern is lower case: letters, digits, `-` and `.`, without port",
            ));
        }
        refuse_wide_host(text)?;
        Ok(Self { shape, text: text.into() })
    }
}

/// A path such as `/{tenant}/{*rest}`; `{*rest}` stands for one byte or more, and stands last.
///
/// It is compared with the raw path: nothing is decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPattern {
    shape: Shape,
    text: Box<str>,
}

impl PathPattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Finds the tenant in a raw path.
    #[must_use]
    pub fn tenant<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.shape.find(path)?.tenant
    }

    /// Returns what stands where the tenant would, up to the next `/`, whether it is an id or not.
    pub(crate) fn tenant_segment<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&*self.shape.before)?.split('/').next()
    }

    /// Writes the path of `tenant`; `rest` fills `{*rest}` and is ignored without one.
    #[must_use]
    pub fn render(&self, tenant: &TenantId, rest: &str) -> String {
        self.shape.render(tenant.as_str(), rest)
    }
}

impl FromStr for PathPattern {
    type Err = InvalidPattern;

    /// # Errors
    ///
    /// If it does not start with `/`, has no `{tenant}` hole, if a hole is not a whole segment, or
    /// if a literal part could never match a path that is let through.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = Shape::parse(text, Some("{*rest}"))?;
        let Some(after) = &shape.after_tenant else {
            return Err(InvalidPattern::new("a path pattern needs a `{tenant}` hole"));
        };
        let whole_segments = shape.before.starts_with('/')
            && shape.before.ends_with('/')
            && (after.is_empty() || after.starts_with('/'))
            && (!shape.open || after.ends_with('/'));
        if !whole_segments {
            return Err(InvalidPattern::new(
                "a path starts with `/`, and each hole is a whole segment: `/{tenant}/{*rest}`",
            ));
        }
        let literal = format!("{}x{after}{}", shape.before, if shape.open { "x" } else { "" });
        if literal.contains(['%', '?', '#', ' ']) || crate::path::is_ambiguous(&literal) {
            return Err(InvalidPattern::new(
                "no path that is let through has `//`, dot segments, `%`, `?`, `#`, `;`, `\\` or blanks here",
            ));
        }
        if literal.split('/').any(|segment| segment.starts_with(['*', ':'])) {
            return Err(InvalidPattern::new(
                "`*` and `:name` stand for themselves: write `{*rest}` at the end for all that follows",
            ));
        }
        Ok(Self { shape, text: text.into() })
    }
}

/// How a scope of one tenant is written: `{tenant}.{scope}`, or `{scope}` when the tenant claim
/// alone binds. `{scope}` stands for one byte or more, and stands last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScopePattern {
    shape: Shape,
    text: Box<str>,
}

/// What a [`ScopePattern`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QualifiedScope<'a> {
    /// The tenant, when the pattern has a hole for it.
    pub tenant: Option<&'a str>,
    /// The scope without what qualifies it.
    pub scope: &'a str,
}

impl ScopePattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether scopes are qualified with their tenant.
    #[must_use]
    pub const fn has_tenant(&self) -> bool {
        self.shape.after_tenant.is_some()
    }

    /// Takes a whole scope token apart.
    #[must_use]
    pub fn matches<'a>(&self, token: &'a str) -> Option<QualifiedScope<'a>> {
        let found = self.shape.find(token)?;
        Some(QualifiedScope { tenant: found.tenant, scope: found.rest })
    }

    /// Writes `scope` as `tenant` has it in a token.
    #[must_use]
    pub fn render(&self, tenant: &TenantId, scope: &str) -> String {
        self.shape.render(tenant.as_str(), scope)
    }
}

impl FromStr for ScopePattern {
    type Err = InvalidPattern;

    /// # Errors
    ///
    /// If it does not end with `{scope}`, or if a literal part is outside the scope-token grammar
    /// of [RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = Shape::parse(text, Some("{scope}"))?;
        if !shape.open {
            return Err(InvalidPattern::new("a scope pattern ends with `{scope}`"));
        }
        let after = shape.after_tenant.as_deref().unwrap_or_default();
        if !shape.before.bytes().chain(after.bytes()).all(crate::scope::is_scope_byte) {
            return Err(InvalidPattern::new("a scope has no blank, quote or backslash"));
        }
        Ok(Self { shape, text: text.into() })
    }
}

/// `before`, then perhaps a tenant and `after_tenant`, then perhaps an open end.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Shape {
    before: Box<str>,
    after_tenant: Option<Box<str>>,
    open: bool,
}

struct Found<'a> {
    tenant: Option<&'a str>,
    rest: &'a str,
}

impl Shape {
    /// Reads a pattern; `last` is the hole that may end it.
    fn parse(text: &str, last: Option<&str>) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::new("it is empty"));
        }
        let (text, open) = match last.and_then(|hole| text.strip_suffix(hole)) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (before, after) = match text.split_once(TENANT) {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        if before.contains(['{', '}']) || after.is_some_and(|after| after.contains(['{', '}'])) {
            return Err(InvalidPattern::unexpected_brace(last));
        }
        match after.map(|after| after.bytes().next()) {
            Some(Some(byte)) if is_tenant_byte(byte) => Err(InvalidPattern::new(
                "the character after `{tenant}` could belong to a tenant id, so the id would have no end",
            )),
            Some(None) if open => Err(InvalidPattern::new(
                "between `{tenant}` and the next hole there must be a character that no tenant id has",
            )),
            _ => Ok(Self { before: before.into(), after_tenant: after.map(Into::into), open }),
        }
    }

    fn find<'a>(&self, text: &'a str) -> Option<Found<'a>> {
        let mut rest = text.strip_prefix(&*self.before)?;
        let mut tenant = None;
        if let Some(after) = &self.after_tenant {
            let (id, tail) = split_tenant_id(rest)?;
            tenant = Some(id);
            rest = tail.strip_prefix(&**after)?;
        }
        // An open end holds one byte or more; a closed one nothing.
        (self.open != rest.is_empty()).then_some(Found { tenant, rest })
    }

    fn render(&self, tenant: &str, rest: &str) -> String {
        let after = self.after_tenant.as_deref().unwrap_or_default();
        let mut text =
            String::with_capacity(self.before.len() + tenant.len() + after.len() + rest.len());
        text.push_str(&self.before);
        if self.after_tenant.is_some() {
            text.push_str(tenant);
            text.push_str(after);
        }
        if self.open {
            text.push_str(rest);
        }
        text
    }
}

/// Refuses a hole in the last two labels: a tenant could name somebody else's host.
fn refuse_wide_host(authority: &str) -> Result<(), InvalidPattern> {
    if !authority.contains(TENANT) {
        return Ok(());
    }
    // A port is no label; one that is a hole stays, and is refused.
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    if host.split('.').any(str::is_empty) {
        return Err(InvalidPattern::new("the host has an empty label: two dots, or one at an end"));
    }
    if host.rsplit('.').take(2).any(|label| label.contains(TENANT)) {
        return Err(InvalidPattern::new(
            "`{tenant}` must not stand in the last two labels of a host: it could name anybody's",
        ));
    }
    Ok(())
}

/// A host is not case-sensitive, so an id in a host has one spelling.
pub(crate) fn is_host_tenant(tenant: &str) -> bool {
    tenant.bytes().all(|byte| !byte.is_ascii_uppercase() && byte != b'_')
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidPattern {
    problem: String,
}

impl InvalidPattern {
    fn new(problem: &str) -> Self {
        Self { problem: problem.into() }
    }

    fn unexpected_brace(last: Option<&str>) -> Self {
        let mut problem = String::from("it has at most one `{tenant}` hole");
        if let Some(last) = last {
            problem.push_str(&format!(", `{last}` at its end"));
        }
        problem.push_str(" and no other brace");
        Self { problem }
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for InvalidPattern {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> TenantPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_match_is_anchored_at_both_ends() {
        let issuer = pattern("https://login.example/{tenant}/v2.0");
        assert_eq!(issuer.matches("https://login.example/corp/v2.0"), Some(Match::Tenant("corp")));
        for other in [
            "https://login.example/corp/v2.0/",
            "xhttps://login.example/corp/v2.0",
            "https://login.example/mega/corp/v2.0",
            "https://login.example//v2.0",
            "https://login.example/co.rp/v2.0",
            "https://login.example/-corp/v2.0",
            "https://LOGIN.example/corp/v2.0",
        ] {
            assert_eq!(issuer.matches(other), None, "{other}");
        }
        let plain = pattern("https://api.erp.example");
        assert_eq!(plain.matches("https://api.erp.example"), Some(Match::Exact));
        assert_eq!(plain.matches("https://api.erp.example/"), None);
    }

    #[test]
    fn patterns_without_one_reading_are_refused() {
        for text in [
            "",
            "{tenant}{tenant}",
            "{tenant}-x",
            "https://api/{tenant}x",
            "{org}",
            "{tenant",
            "{tenant}",
            "https://{tenant}.example",
            "https://{tenant}.example./",
            "https://{tenant}..example.com/",
            "https://login.{tenant}",
            "https://{tenant}",
            "https://{tenant}:443/x",
            "https://a.{tenant}.example/x",
        ] {
            assert!(text.parse::<TenantPattern>().is_err(), "{text} was accepted");
        }
        for text in
            ["{tenant}-{scope}", "{tenant}{scope}", "{scope}.{tenant}", "{tenant}", "a b{scope}"]
        {
            assert!(text.parse::<ScopePattern>().is_err(), "{text} was accepted");
        }
        for text in [
            "{tenant}/x",
            "/x{tenant}/",
            "/{tenant}.x",
            "/{tenant}{*rest}",
            "/x",
            "//{tenant}",
            "/%20/{tenant}",
            "/../{tenant}",
            "/{tenant}/..",
            "/{tenant}/{*rest}/x",
        ] {
            assert!(text.parse::<PathPattern>().is_err(), "{text} was accepted");
        }
        for text in [
            "api.example",
            "{tenant}.example",
            "{tenant}.example.",
            "{tenant}.API.example.com",
            "x{tenant}.a.b",
            "{tenant}.a.b:1",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn a_host_names_ids_of_lower_case_only() {
        let host: HostPattern = "{tenant}.api.erp.example".parse().unwrap();
        assert_eq!(host.tenant("tenant1.api.erp.example"), Some("tenant1"));
        assert_eq!(host.tenant("Tenant1.api.erp.example"), None);
        assert_eq!(host.tenant("tenant_1.api.erp.example"), None);
        assert_eq!(host.tenant("a.tenant1.api.erp.example"), None);
        assert_eq!(host.render(&"tenant1".parse().unwrap()), "tenant1.api.erp.example");
    }

    #[test]
    fn patterns_that_one_string_can_match_overlap() {
        let overlap = |a: &str, b: &str| {
            assert_eq!(pattern(a).may_overlap(&pattern(b)), pattern(b).may_overlap(&pattern(a)));
            pattern(a).may_overlap(&pattern(b))
        };
        assert!(overlap("https://a/{tenant}", "https://a/x"));
        assert!(overlap("https://a/x", "https://a/x"));
        assert!(overlap("https://a/{tenant}/v2", "https://a/{tenant}/v2"));
        assert!(!overlap("https://a/{tenant}/v2", "https://a/{tenant}/v1"));
        assert!(!overlap("https://a/{tenant}", "https://b/{tenant}"));
        assert!(!overlap("https://a/x", "https://a/y"));
        // `https://a/x-y` is tenant `y` of the one and tenant `x-y` of the other.
        assert!(overlap("https://a/x-{tenant}", "https://a/{tenant}"));
        assert!(overlap("https://a/x-{tenant}/v2", "https://a/{tenant}/v2"));
        assert!(overlap("urn:{tenant}", "{tenant}:x"));
    }

    fn tenant() -> impl Strategy<Value = String> {
        "[A-Za-z0-9][A-Za-z0-9_-]{0,20}"
    }

    fn literal() -> impl Strategy<Value = String> {
        "[a-z0-9:/._~-]{0,8}"
    }

    /// What may follow a hole.
    fn after() -> impl Strategy<Value = String> {
        "([:/.~][a-z0-9:/._~-]{0,7})?"
    }

    proptest! {
        #[test]
        fn match_and_render_are_inverse(before in literal(), after in after(), id in tenant()) {
            let text = format!("{before}{{tenant}}{after}");
            let Ok(pattern) = text.parse::<TenantPattern>() else { return Ok(()) };

            let rendered = pattern.render(&id.parse().unwrap());

            prop_assert_eq!(pattern.matches(&rendered), Some(Match::Tenant(id.as_str())));
        }

        #[test]
        fn whatever_matches_is_what_would_be_rendered(
            before in literal(), after in after(), middle in "[a-z0-9:/._~-]{0,12}"
        ) {
            let text = format!("{before}{middle}{after}");
            let Ok(pattern) = format!("{before}{{tenant}}{after}").parse::<TenantPattern>() else {
                return Ok(());
            };
            if let Some(Match::Tenant(tenant)) = pattern.matches(&text) {
                prop_assert_eq!(pattern.render(&tenant.parse().unwrap()), text);
            }
        }

        #[test]
        fn two_patterns_that_match_one_string_overlap(
            text in "[ab:/-]{1,6}", one in (0..6_usize, 1..6_usize), two in (0..6_usize, 1..6_usize)
        ) {
            // Puts a hole in place of a part of the string.
            let cut = |(start, len): (usize, usize)| -> Option<TenantPattern> {
                let id = text.get(start..start + len)?;
                let after = text.get(start + len..)?;
                let pattern = format!("{}{{tenant}}{after}", text.get(..start)?);
                pattern.parse().ok().filter(|_| crate::tenant::is_tenant_id(id))
            };
            let whole = pattern(&text);
            for one in [cut(one).as_ref(), Some(&whole)].into_iter().flatten() {
                for two in [cut(two).as_ref(), Some(&whole)].into_iter().flatten() {
                    prop_assert!(one.matches(&text).is_some() && two.matches(&text).is_some());
                    prop_assert!(one.may_overlap(two), "{} {}", one.as_str(), two.as_str());
                }
            }
        }

        #[test]
        fn scopes_and_paths_too(id in tenant(), scope in "[!#-\\[\\]-~]{1,20}", rest in "[a-z/]{1,20}") {
            let id: TenantId = id.parse().unwrap();
            let qualified: ScopePattern = "{tenant}.{scope}".parse().unwrap();
            let token = qualified.render(&id, &scope);
            let found = qualified.matches(&token).unwrap();
            prop_assert_eq!((found.tenant, found.scope), (Some(id.as_str()), scope.as_str()));

            let path: PathPattern = "/v1/{tenant}/{*rest}".parse().unwrap();
            let rendered = path.render(&id, &rest);
            prop_assert_eq!(path.tenant(&rendered), Some(id.as_str()));
        }
    }
}
