//! One issuer of a policy: whom it speaks for, where its keys are, how its tokens look.

use std::collections::BTreeSet;

use crate::algorithm::Algorithm;
use crate::key_location::KeyLocation;
use crate::pattern::TenantPattern;
use crate::tenant::TenantId;

/// Which rules the tokens of an issuer keep.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenProfile {
    /// `typ` is `JWT` or absent. ID tokens are refused where they can be told apart, which is not
    /// everywhere.
    Jwt,
    /// `typ` is `at+jwt` ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)).
    #[default]
    Rfc9068,
}

/// One issuer of a [`Policy`](crate::Policy), checked.
#[derive(Clone, Debug)]
pub struct IssuerPolicy {
    pub(crate) algorithms: Box<[Algorithm]>,
    pub(crate) allow_http: bool,
    pub(crate) client_id_claim: Box<str>,
    pub(crate) keys: KeyLocation,
    pub(crate) pattern: TenantPattern,
    pub(crate) profile: TokenProfile,
    pub(crate) required_claims: Box<[Box<str>]>,
    pub(crate) scope_claim: Box<str>,
    pub(crate) shared_keys: bool,
    pub(crate) shared_tenants: BTreeSet<TenantId>,
    pub(crate) tenant_claims: Box<[Box<str>]>,
    pub(crate) tenants: Option<BTreeSet<TenantId>>,
}

impl IssuerPolicy {
    /// The issuer, as its tokens name it in `iss`.
    #[must_use]
    pub const fn pattern(&self) -> &TenantPattern {
        &self.pattern
    }

    /// Where its keys come from.
    #[must_use]
    pub const fn key_location(&self) -> &KeyLocation {
        &self.keys
    }

    /// The algorithms that its tokens may be signed with.
    #[must_use]
    pub const fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The claims that name the tenant. Those present must agree; unless this is empty, one must be there.
    #[must_use]
    pub const fn tenant_claims(&self) -> &[Box<str>] {
        &self.tenant_claims
    }

    /// The claim that holds the scope.
    #[must_use]
    pub const fn scope_claim(&self) -> &str {
        &self.scope_claim
    }

    /// The claims that must be there beside `iss`, `aud`, `exp` and the tenant claim.
    #[must_use]
    pub const fn required_claims(&self) -> &[Box<str>] {
        &self.required_claims
    }

    /// The claim that holds the client's id.
    #[must_use]
    pub const fn client_id_claim(&self) -> &str {
        &self.client_id_claim
    }

    /// Which rules its tokens keep.
    #[must_use]
    pub const fn profile(&self) -> TokenProfile {
        self.profile
    }

    /// Whether its keys may be fetched over plain http, from loopback.
    #[must_use]
    pub const fn allow_http(&self) -> bool {
        self.allow_http
    }

    /// Whether one key set may sign for all tenants of the pattern.
    #[must_use]
    pub const fn shared_keys(&self) -> bool {
        self.shared_keys
    }

    /// The tenants that it may speak for; `None`: all.
    #[must_use]
    pub const fn tenants(&self) -> Option<&BTreeSet<TenantId>> {
        self.tenants.as_ref()
    }

    /// Whether it may speak for the tenant with this id.
    #[must_use]
    pub fn speaks_for(&self, tenant: &str) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Why both may not be configured together, if one tenant would have two issuers.
    pub(crate) fn competes_with(&self, other: &Self) -> Option<String> {
        let unshared = |tenants: &BTreeSet<TenantId>| {
            let both = |tenant: &&TenantId| {
                self.shared_tenants.contains(*tenant) && other.shared_tenants.contains(*tenant)
            };
            tenants.iter().find(|tenant| !both(tenant)).cloned()
        };
        let (mine, others) = (self.tenants.as_ref(), other.tenants.as_ref());
        let tenant = match (mine, others) {
            (None, None) => return Some("two issuer patterns without lists of tenants speak for the same tenants; list them, see".into()),
            (Some(mine), Some(others)) => unshared(&mine.intersection(others).cloned().collect()),
            (Some(list), None) | (None, Some(list)) => unshared(list),
        }?;
        Some(format!(
            "`{tenant}` would have two issuers; if that is meant, list it under shared_tenants here and at"
        ))
    }
}
