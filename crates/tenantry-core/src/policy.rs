//! What is accepted: issuers, audience, scopes and the places a request names its tenant in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::epoch::Epoch;
use crate::issuer_policy::IssuerPolicy;
use crate::pattern::{
    HostPattern, Match, PathPattern, ScopePattern, TenantPattern, is_host_tenant,
};
use crate::policy_builder::PolicyBuilder;
use crate::policy_error::PolicyError;
use crate::resource::Resource;
use crate::revocations::Revocations;
use crate::scope::{ScopeRule, ScopeToken};
use crate::tenant::TenantId;

pub(crate) const DEFAULT_REALM: &str = "tenantry";

/// The rules that requests are judged by. Immutable; cloning it is cheap.
///
/// ```
/// use tenantry_core::{IssuerSettings, Policy};
///
/// let policy = Policy::builder()
///     .issuer(IssuerSettings::new("https://auth.erp.example"))
///     .audience("https://api.erp.example/{tenant}")
///     .scope("{tenant}.{scope}")
///     .tenant_path("/{tenant}/{*rest}")
///     .build()?;
/// assert!(policy.accepts_audience("https://api.erp.example/tenant1"));
/// # Ok::<_, tenantry_core::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct Policy(pub(crate) Arc<Rules>);

pub(crate) struct Rules {
    pub(crate) audiences: Box<[TenantPattern]>,
    pub(crate) clock_skew: Duration,
    pub(crate) epoch: Epoch,
    /// Where the issuers without a hole are, by name.
    pub(crate) exact: HashMap<Box<str>, usize>,
    pub(crate) header: Option<HeaderName>,
    pub(crate) header_required: bool,
    pub(crate) host: Option<HostPattern>,
    pub(crate) host_optional: bool,
    pub(crate) issuers: Box<[IssuerPolicy]>,
    pub(crate) max_token_bytes: usize,
    pub(crate) path: Option<PathPattern>,
    /// Where the issuers with a hole are.
    pub(crate) patterns: Box<[usize]>,
    pub(crate) problem_details: bool,
    pub(crate) realm: Box<str>,
    pub(crate) refuse_foreign_scopes: bool,
    pub(crate) revocations: Option<Revocations>,
    /// Set if it is to be described to clients.
    pub(crate) resource: Option<Resource>,
    pub(crate) scopes: ScopeRule,
}

/// The issuer of a token, as the policy knows it.
#[derive(Clone, Copy, Debug)]
pub struct IssuerMatch<'a> {
    /// Its settings.
    pub policy: &'a IssuerPolicy,
    /// The tenant in `iss`, when the issuer is a pattern.
    pub tenant: Option<&'a str>,
}

impl Policy {
    /// Starts a policy.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Tells this policy from every other in the process.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// The issuers whose tokens are accepted.
    #[must_use]
    pub fn issuers(&self) -> &[IssuerPolicy] {
        &self.0.issuers
    }

    /// Finds the issuer that `iss` names: by bytes, or by pattern for a tenant that the issuer speaks
    /// for. At most one does.
    #[must_use]
    pub fn issuer_for<'a>(&'a self, iss: &'a str) -> Option<IssuerMatch<'a>> {
        self.issuer_at(self.issuer_index(iss)?, iss)
    }

    /// Where the issuer stands that `iss` names.
    pub(crate) fn issuer_index(&self, iss: &str) -> Option<usize> {
        let named = |at: &&usize| self.issuer_at(**at, iss).is_some();
        self.0.exact.get(iss).or_else(|| self.0.patterns.iter().find(named)).copied()
    }

    /// The issuer that stands at `at`, if `iss` names it.
    pub(crate) fn issuer_at<'a>(&'a self, at: usize, iss: &'a str) -> Option<IssuerMatch<'a>> {
        let policy = self.0.issuers.get(at)?;
        match policy.pattern().matches(iss)? {
            Match::Exact => Some(IssuerMatch { policy, tenant: None }),
            Match::Tenant(tenant) if policy.speaks_for(tenant) => {
                Some(IssuerMatch { policy, tenant: Some(tenant) })
            }
            Match::Tenant(_) => None,
        }
    }

    /// Whether `audience`, one element of a token's `aud`, is this resource server.
    #[must_use]
    pub fn accepts_audience(&self, audience: &str) -> bool {
        self.0.audiences.iter().any(|pattern| pattern.matches(audience).is_some())
    }

    /// The audiences: all of them have a `{tenant}` hole, or none has.
    #[must_use]
    pub fn audiences(&self) -> &[TenantPattern] {
        &self.0.audiences
    }

    /// How far the clocks of issuers may be off, for `exp`, `nbf` and `iat` alike. Default 30 s, at
    /// most 5 min.
    #[must_use]
    pub fn clock_skew(&self) -> Duration {
        self.0.clock_skew
    }

    /// The longest token that is read: 16 KiB.
    #[must_use]
    pub fn max_token_bytes(&self) -> usize {
        self.0.max_token_bytes
    }

    /// The realm of challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// Whether answers explain themselves beyond the fields of RFC 6750.
    #[must_use]
    pub fn problem_details(&self) -> bool {
        self.0.problem_details
    }

    /// How a path names its tenant.
    #[must_use]
    pub fn path(&self) -> Option<&PathPattern> {
        self.0.path.as_ref()
    }

    /// The header that names the tenant.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        self.0.header.as_ref()
    }

    /// Whether a request without the header is refused.
    #[must_use]
    pub fn header_required(&self) -> bool {
        self.0.header_required
    }

    /// How a host names its tenant.
    #[must_use]
    pub fn host(&self) -> Option<&HostPattern> {
        self.0.host.as_ref()
    }

    /// Whether a host that does not match is no source instead of a refusal.
    #[must_use]
    pub fn host_optional(&self) -> bool {
        self.0.host_optional
    }

    /// How scopes are written.
    #[must_use]
    pub fn scope_pattern(&self) -> &ScopePattern {
        &self.0.scopes.pattern
    }

    /// The tokens that are refused before they expire.
    #[must_use]
    pub fn revocations(&self) -> Option<&Revocations> {
        self.0.revocations.as_ref()
    }

    pub(crate) fn scopes(&self) -> &ScopeRule {
        &self.0.scopes
    }

    pub(crate) fn refuses_foreign_scopes(&self) -> bool {
        self.0.refuse_foreign_scopes
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("issuers", &self.0.issuers)
            .field("audiences", &self.0.audiences)
            .field("epoch", &self.0.epoch)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// Checks the ids of a directory against this policy, as it is loaded.
    ///
    /// # Errors
    ///
    /// If an id cannot stand in a host while the host is a source, or is the first segment of a plain
    /// scope.
    pub fn check_tenants<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantId>,
    ) -> Result<(), PolicyError> {
        for tenant in tenants {
            if self.0.host.is_some() && !is_host_tenant(tenant.as_str()) {
                return Err(PolicyError::new(
                    "directory.tenant",
                    format!(
                        "`{tenant}` cannot stand in a host: with tenant.host, ids are lower case without `_`"
                    ),
                ));
            }
            refuse_plain_scope_of(&self.0.scopes, tenant)?;
        }
        Ok(())
    }
}

/// Refuses a plain scope whose first segment is the id of `tenant`.
pub(crate) fn refuse_plain_scope_of(
    scopes: &ScopeRule,
    tenant: &TenantId,
) -> Result<(), PolicyError> {
    let read_twice = |plain: &&ScopeToken| {
        scopes
            .pattern
            .matches(plain.as_str())
            .is_some_and(|found| found.tenant == Some(tenant.as_str()))
    };
    match scopes.plain.iter().find(read_twice) {
        Some(plain) => Err(PolicyError::new(
            "resource_server.plain_scopes",
            format!("`{}` is also a scope of the tenant `{tenant}`", plain.as_str()),
        )),
        None => Ok(()),
    }
}
