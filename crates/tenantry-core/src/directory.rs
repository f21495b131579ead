//! Which tenants there are.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::policy_error::PolicyError;
use crate::rejection::Rejection;
use crate::tenant::TenantId;
use crate::verifier::BoxFuture;

/// How a tenant stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Standing {
    /// It may be served.
    Active,
    /// It is known, and may not be served.
    Suspended,
    /// There is no such tenant.
    Unknown,
}

/// Knows the tenants.
///
/// As with a [`Verifier`](crate::Verifier), only the second call can wait.
pub trait Directory: fmt::Debug + Send + Sync + 'static {
    /// Returns the standing if it is at hand.
    fn cached(&self, tenant: &TenantId) -> Option<Standing>;

    /// Asks for the standing.
    ///
    /// # Errors
    ///
    /// The future resolves to a rejection for
    /// [`DirectoryUnavailable`](crate::Reason::DirectoryUnavailable) when it cannot be asked.
    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>>;

    /// Whether it takes every tenant that an issuer names for active.
    ///
    /// Such a directory knows nobody by itself, so it is not asked before keys are fetched for an
    /// issuer pattern: those issuers need another. One that wraps another hands on its answer.
    fn trusts_issuers(&self) -> bool;

    /// The tenants that it knows at the start, to be checked against the policy.
    fn known_at_start(&self) -> Vec<TenantId> {
        Vec::new()
    }

    /// Drops what it remembers of a tenant, so that the next request of it asks anew. One that wraps
    /// another hands this on. Default: nothing is remembered.
    fn forget(&self, _tenant: &TenantId) {}
}

/// The directory that trusts issuers: a tenant that a verified token names is active.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrustIssuers;

impl Directory for TrustIssuers {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        Some(Standing::Active)
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        Box::pin(std::future::ready(Ok(Standing::Active)))
    }

    fn trusts_issuers(&self) -> bool {
        true
    }
}

/// A directory that is a list.
#[derive(Clone, Debug, Default)]
pub struct StaticDirectory(HashMap<TenantId, Standing>);

impl StaticDirectory {
    /// Takes the list.
    ///
    /// # Errors
    ///
    /// If a tenant is there twice, or two ids differ only in case.
    pub fn new(
        tenants: impl IntoIterator<Item = (TenantId, Standing)>,
    ) -> Result<Self, PolicyError> {
        let mut folded = HashSet::new();
        let mut standings = HashMap::new();
        for (tenant, standing) in tenants {
            // INVARIANT (no guessing): a store that compares without case would take them for one.
            if !folded.insert(tenant.as_str().to_ascii_lowercase()) {
                return Err(PolicyError::new(
                    "directory.tenant",
                    format!("`{tenant}` is there twice, or differs from another id only in case"),
                ));
            }
            standings.insert(tenant, standing);
        }
        Ok(Self(standings))
    }

    fn standing(&self, tenant: &TenantId) -> Standing {
        self.0.get(tenant).copied().unwrap_or(Standing::Unknown)
    }
}

impl Directory for StaticDirectory {
    fn cached(&self, tenant: &TenantId) -> Option<Standing> {
        Some(self.standing(tenant))
    }

    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        Box::pin(std::future::ready(Ok(self.standing(&tenant))))
    }

    fn trusts_issuers(&self) -> bool {
        false
    }

    fn known_at_start(&self) -> Vec<TenantId> {
        self.0.keys().cloned().collect()
    }
}
