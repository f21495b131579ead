//! Keeps issuers apart: what a policy with several of them must not allow.

use std::collections::{BTreeSet, HashMap};

use crate::issuer_policy::IssuerPolicy;
use crate::key_location::KeyLocation;
use crate::pattern::{Match, TenantPattern};
use crate::policy_error::PolicyError;
use crate::tenant::TenantId;

// INVARIANT (isolation): no issuer speaks for a tenant of another, no token has two judges, and no
// key signs for two issuers or tenants unless the operator says so.
pub(crate) fn isolate(issuers: &[IssuerPolicy]) -> Result<(), PolicyError> {
    refuse_case_twins(issuers)?;
    for (at, issuer) in issuers.iter().enumerate() {
        let refuse = |name: &str, problem: String| {
            Err(PolicyError::new(format!("issuer[{at}].{name}"), problem))
        };
        if issuers.len() > 1 && issuer.tenants().is_none() && !issuer.pattern().has_tenant() {
            let problem = "with two or more issuers, list the tenants that this one may speak for";
            return refuse("tenants", problem.into());
        }
        if issuer.pools_keys() && !issuer.shared_keys() {
            let problem = "one key set for every tenant of a pattern lets one tenant's key sign for another: put `{tenant}` into it, leave it to discovery, or set shared_keys = true";
            return refuse(issuer.key_location().setting(), problem.into());
        }
        for (before, other) in issuers.iter().enumerate().take(at) {
            if issuer.overlaps(other) {
                let problem = format!(
                    "issuer[{before}] matches the same `iss`; give patterns that overlap disjoint lists of tenants"
                );
                return refuse("issuer", problem);
            }
            if let Some(problem) = issuer.competes_with(other) {
                return refuse("tenants", format!("{problem} issuer[{before}]"));
            }
            let shared = issuer.shared_keys() && other.shared_keys();
            if !shared && issuer.may_have_keys_of(other) {
                let problem = format!(
                    "issuer[{before}] has the same keys, so each could sign for the other: give them keys of their own, or set shared_keys = true on both"
                );
                return refuse(issuer.key_location().setting(), problem);
            }
        }
    }
    Ok(())
}

/// A store that compares without case would take two such tenants for one.
fn refuse_case_twins(issuers: &[IssuerPolicy]) -> Result<(), PolicyError> {
    let mut seen = HashMap::new();
    for (at, issuer) in issuers.iter().enumerate() {
        for tenant in issuer.tenants().into_iter().flatten() {
            let twin = seen.entry(tenant.as_str().to_ascii_lowercase()).or_insert(tenant);
            if *twin != tenant {
                return Err(PolicyError::new(
                    format!("issuer[{at}].tenants"),
                    format!("`{tenant}` differs from `{twin}` only in case"),
                ));
            }
        }
    }
    Ok(())
}

impl IssuerPolicy {
    /// Whether all tenants of a pattern have one key set.
    fn pools_keys(&self) -> bool {
        self.pattern().has_tenant()
            && match self.key_location() {
                KeyLocation::Discovery => false,
                KeyLocation::File(_) | KeyLocation::Jwks(_) | KeyLocation::Pem(_) => true,
                KeyLocation::Uri(uri) => !uri.contains("{tenant}"),
            }
    }

    /// Whether some `iss` would be matched by both.
    fn overlaps(&self, other: &Self) -> bool {
        Strings { pattern: self.pattern(), tenants: self.tenants() }
            .meet(Strings { pattern: other.pattern(), tenants: other.tenants() })
    }

    /// Whether both may be signed for by one key. What is discovered, the issuer alone knows.
    fn may_have_keys_of(&self, other: &Self) -> bool {
        let (uri, other_uri) = match (self.key_location(), other.key_location()) {
            (KeyLocation::Discovery, _) | (_, KeyLocation::Discovery) => return false,
            (KeyLocation::Uri(uri), KeyLocation::Uri(other)) => (uri, other),
            (KeyLocation::Jwks(set), KeyLocation::Jwks(other)) => return same_json(set, other),
            (location, other) => return location == other,
        };
        let (Ok(uri), Ok(other_uri)) = (uri.parse(), other_uri.parse()) else {
            return uri == other_uri;
        };
        Strings { pattern: &uri, tenants: self.tenants() }
            .meet(Strings { pattern: &other_uri, tenants: other.tenants() })
    }
}

fn same_json(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || parse(one).is_some_and(|one| parse(other) == Some(one))
}

/// All strings that a pattern makes of a list of tenants, or of any.
#[derive(Clone, Copy)]
struct Strings<'a> {
    pattern: &'a TenantPattern,
    tenants: Option<&'a BTreeSet<TenantId>>,
}

impl Strings<'_> {
    /// Whether both make some string.
    fn meet(self, other: Self) -> bool {
        self.reach(other) || other.reach(self)
    }

    fn reach(self, other: Self) -> bool {
        match (self.pattern.has_tenant(), self.tenants) {
            (false, _) => other.has(self.pattern.as_str()),
            (true, Some(tenants)) => {
                tenants.iter().any(|tenant| other.has(&self.pattern.render(tenant)))
            }
            // Any tenant: a list on the other side is tried from there.
            (true, None) => {
                other.tenants.is_none()
                    && other.pattern.has_tenant()
                    && self.pattern.may_overlap(other.pattern)
            }
        }
    }

    fn has(self, text: &str) -> bool {
        match self.pattern.matches(text) {
            None => false,
            Some(Match::Exact) => true,
            Some(Match::Tenant(tenant)) => {
                self.tenants.is_none_or(|tenants| tenants.contains(tenant))
            }
        }
    }
}
