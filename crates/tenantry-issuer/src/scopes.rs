//! Which scope a request gets: what it asked for, all of it, or nothing ([RFC 6749 §3.3]).
//!
//! A client is registered for scopes without their tenant. It may ask for them in that form or
//! qualified with its own tenant; tokens carry them as the pattern writes them.
//!
//! | asked for, by a client of `tenant1` registered for `finance.write`    | then            |
//! |-----------------------------------------------------------------------|-----------------|
//! | `tenant1.finance.write`, or `finance.write`                           | `tenant1.finance.write` |
//! | nothing                                                               | every scope it is registered for |
//! | `tenant2.finance.write`                                               | `invalid_scope`, with both tenants in the text |
//! | `tenant1.finance.read`, also beside a scope that it may have          | `invalid_scope` |
//! | `finance.write`, by tenant `finance` with `write` and `finance.write` | `invalid_scope`: it reads two ways |
//!
//! [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3

use std::collections::BTreeSet;

use tenantry_core::{Scope, ScopePattern, TenantId};

use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// How much of a scope is repeated in an answer, in bytes.
const MAX_SHOWN: usize = 128;

/// Whose scopes, and how they are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scopes<'a> {
    pub(crate) pattern: &'a ScopePattern,
    pub(crate) tenant: &'a TenantId,
    /// Without tenant: what the client is registered for, or what a refresh token was granted.
    pub(crate) registered: &'a BTreeSet<String>,
}

impl<'a> Scopes<'a> {
    /// Reads what was asked for, and returns it without tenant, in order and each once.
    ///
    /// One scope that is not the client's refuses the whole: a token with less than was asked for
    /// fails later, and somewhere else.
    pub(crate) fn grant(&self, asked: Option<&str>) -> Result<Vec<&'a str>, OAuthError> {
        let Some(asked) = asked else {
            return Ok(self.registered.iter().map(String::as_str).collect());
        };
        let asked = Scope::parse(asked).map_err(|_| {
            OAuthError::invalid_scope(
                Reason::ScopeMalformed,
                "scope is words of printable ASCII without quotes and backslashes, one blank between",
            )
        })?;
        let mut granted = Vec::with_capacity(asked.tokens().count());
        for token in asked.tokens() {
            granted.push(self.read(token)?);
        }
        granted.sort_unstable();
        granted.dedup();
        Ok(granted)
    }

    /// Writes scopes as the tokens of this tenant carry them.
    pub(crate) fn render<'s>(&self, granted: impl IntoIterator<Item = &'s str>) -> Vec<String> {
        granted.into_iter().map(|scope| self.pattern.render(self.tenant, scope)).collect()
    }

    fn read(&self, token: &str) -> Result<&'a str, OAuthError> {
        let registered = |scope| self.registered.get(scope).map(String::as_str);
        let found = self.pattern.matches(token);
        let qualified = found
            .filter(|found| found.tenant.is_some_and(|tenant| *self.tenant == tenant))
            .and_then(|found| registered(found.scope));
        match (qualified, registered(token)) {
            (Some(scope), None) | (None, Some(scope)) => Ok(scope),
            // INVARIANT (no guessing): the qualified form of each says which is meant.
            (Some(_), Some(_)) => Err(OAuthError::invalid_scope(
                Reason::ScopeAmbiguous,
                format!(
                    "the scope {} can be read with and without tenant: qualify it with the tenant",
                    shown(token)
                ),
            )),
            (None, None) => Err(self.refused(token, found.and_then(|found| found.tenant))),
        }
    }

    fn refused(&self, token: &str, named: Option<&str>) -> OAuthError {
        let (token, tenant) = (shown(token), self.tenant);
        let named = named.filter(|named| *self.tenant != *named && !self.begins_a_scope(named));
        match named {
            Some(other) => OAuthError::invalid_scope(
                Reason::ScopeForeign,
                format!(
                    "the scope {token} is of tenant {other}, but this request is for tenant \
                     {tenant}; the client is not registered for a scope of that name either"
                ),
            ),
            None => OAuthError::invalid_scope(
                Reason::ScopeUnregistered,
                format!(
                    "the client may not have the scope {token} in tenant {tenant}: it is not \
                     registered for it, or, on renewal, was not granted it"
                ),
            ),
        }
    }

    /// Whether the client is registered for a scope that begins with `word`: then a scope that begins
    /// like it was meant to be plain. It decides what a refusal says, and nothing else.
    fn begins_a_scope(&self, word: &str) -> bool {
        let scopes = self.registered.iter().map(|scope| self.pattern.matches(scope));
        scopes.flatten().any(|scope| scope.tenant == Some(word))
    }
}

/// A scope token is ASCII, so every index is a character boundary.
fn shown(token: &str) -> &str {
    token.get(..MAX_SHOWN).unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(
        pattern: &str,
        tenant: &str,
        registered: &[&str],
        asked: Option<&str>,
    ) -> Result<String, OAuthError> {
        let registered = registered.iter().copied().map(String::from).collect();
        let (pattern, tenant) = (pattern.parse().unwrap(), tenant.parse().unwrap());
        let scopes = Scopes { pattern: &pattern, tenant: &tenant, registered: &registered };
        scopes.grant(asked).map(|granted| scopes.render(granted).join(" "))
    }

    const QUALIFIED: &str = "{tenant}.{scope}";
    const REGISTERED: [&str; 2] = ["finance.write", "journal.create"];

    fn asked(scope: &str) -> Result<String, OAuthError> {
        grant(QUALIFIED, "tenant1", &REGISTERED, Some(scope))
    }

    fn reason(scope: &str) -> &'static str {
        asked(scope).unwrap_err().reason()
    }

    #[test]
    fn qualified_and_plain_scopes_are_granted_qualified() {
        for scope in [
            "tenant1.finance.write tenant1.journal.create",
            "finance.write journal.create",
            "journal.create tenant1.finance.write",
            "finance.write tenant1.finance.write journal.create",
        ] {
            assert_eq!(asked(scope).unwrap(), "tenant1.finance.write tenant1.journal.create");
        }
        assert_eq!(asked("finance.write").unwrap(), "tenant1.finance.write");
    }

    #[test]
    fn without_a_scope_the_client_gets_what_it_is_registered_for() {
        assert_eq!(
            grant(QUALIFIED, "tenant1", &REGISTERED, None).unwrap(),
            "tenant1.finance.write tenant1.journal.create"
        );
        assert_eq!(grant(QUALIFIED, "tenant1", &[], None).unwrap(), "");
    }

    #[test]
    fn a_scope_of_another_tenant_is_refused_and_both_are_named() {
        let error = asked("tenant1.finance.write tenant2.finance.write").unwrap_err();

        assert_eq!(error.reason(), "scope_foreign");
        assert_eq!(
            error.description(),
            "the scope tenant2.finance.write is of tenant tenant2, but this request is for tenant \
             tenant1; the client is not registered for a scope of that name either"
        );
        for scope in ["tenant10.finance.write", "Tenant1.finance.write", "tenant.finance.write"] {
            assert_eq!(reason(scope), "scope_foreign");
        }
    }

    #[test]
    fn a_scope_that_begins_like_one_of_the_clients_is_taken_for_a_plain_one() {
        let error = asked("finance.read").unwrap_err();
        assert_eq!(error.reason(), "scope_unregistered");
        assert_eq!(
            error.description(),
            "the client may not have the scope finance.read in tenant tenant1: it is not registered \
             for it, or, on renewal, was not granted it"
        );
        // Nothing says that this one is.
        assert_eq!(reason("billing.read"), "scope_foreign");
    }

    #[test]
    fn one_scope_that_is_not_registered_refuses_the_whole() {
        assert_eq!(reason("tenant1.finance.write tenant1.finance.read"), "scope_unregistered");
        assert_eq!(reason("finance.write admin"), "scope_unregistered");
        for scope in
            ["tenant1.", "tenant1.finance", "tenant1.finance.writes", "tenant1.FINANCE.write"]
        {
            assert_eq!(reason(scope), "scope_unregistered", "{scope}");
        }
    }

    #[test]
    fn a_scope_that_reads_two_ways_is_refused() {
        let registered = ["write", "finance.write"];
        let of_finance = |scope| grant(QUALIFIED, "finance", &registered, Some(scope));

        assert_eq!(of_finance("finance.write").unwrap_err().reason(), "scope_ambiguous");
        assert_eq!(of_finance("finance.finance.write").unwrap(), "finance.finance.write");
        assert_eq!(of_finance("write").unwrap(), "finance.write");
    }

    #[test]
    fn a_pattern_without_tenant_writes_scopes_as_they_are() {
        let plain = |scope| grant("{scope}", "tenant1", &REGISTERED, Some(scope));

        assert_eq!(plain("finance.write").unwrap(), "finance.write");
        assert_eq!(plain("tenant1.finance.write").unwrap_err().reason(), "scope_unregistered");
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for scope in [" ", "a  b", " finance.write", "finance.write ", "a\"b", "a\\b", "a\tb", "é"]
        {
            assert_eq!(reason(scope), "scope_malformed", "{scope:?}");
        }
    }

    #[test]
    fn a_long_scope_is_not_repeated_in_full() {
        assert!(asked(&"a".repeat(10_000)).unwrap_err().description().len() < 300);
    }

    proptest! {
        #[test]
        fn a_grant_is_exactly_the_registered_scopes_that_were_asked_for(
            registered in proptest::collection::btree_set("[ab]", 0..3),
            asked in proptest::collection::vec(("(t1\\.|t2\\.|)", "[abc]"), 1..4)
        ) {
            let text = asked.iter().map(|(by, scope)| format!("{by}{scope}")).collect::<Vec<_>>().join(" ");
            let all = asked.iter().all(|(by, scope)| by != "t2." && registered.contains(scope));
            let model: BTreeSet<_> = asked.iter().map(|(_, scope)| format!("t1.{scope}")).collect();
            let registered: Vec<_> = registered.iter().map(String::as_str).collect();

            let granted = grant(QUALIFIED, "t1", &registered, Some(&text)).ok();

            prop_assert_eq!(granted, all.then(|| Vec::from_iter(model).join(" ")));
        }
    }
}
