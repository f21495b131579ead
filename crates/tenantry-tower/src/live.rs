//! What requests are judged by, and how it is exchanged while they come in.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use tenantry_core::{Directory, Policy, TenantAwareRequest, Verifier};

use crate::figures::Figures;
use crate::tenant_labels::TenantLabels;

/// A policy with its verifier and its directory, which can be exchanged for others, as one, while
/// requests come in.
///
/// Clones share what is in force. Each request is judged by what was in force when it came.
#[derive(Clone)]
pub struct LivePolicy(Arc<Live>);

/// What is in force.
pub(crate) struct Live {
    now: ArcSwap<InForce>,
    /// Given away once, whatever the policy.
    labels: Option<TenantLabels>,
}

/// What one request is judged by.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) policy: Policy,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) directory: Arc<dyn Directory>,
    /// Of this very policy.
    pub(crate) figures: Figures,
}

impl LivePolicy {
    /// Puts `policy` in force. `verifier` verifies tokens under the same policy.
    #[must_use]
    pub fn new(policy: Policy, verifier: Arc<dyn Verifier>, directory: Arc<dyn Directory>) -> Self {
        Self::labelled(policy, verifier, directory, None)
    }

    /// Gives tenants labels of their own in figures. Clones made before do not follow.
    #[must_use]
    pub fn with_tenant_labels(self, labels: TenantLabels) -> Self {
        let now = self.now();
        let InForce { policy, verifier, directory, .. } = &**now;
        let (verifier, directory) = (Arc::clone(verifier), Arc::clone(directory));
        Self::labelled(policy.clone(), verifier, directory, Some(labels))
    }

    fn labelled(
        policy: Policy,
        verifier: Arc<dyn Verifier>,
        directory: Arc<dyn Directory>,
        labels: Option<TenantLabels>,
    ) -> Self {
        let figures = Figures::new(&policy, labels.clone());
        let now = ArcSwap::from_pointee(InForce { policy, verifier, directory, figures });
        Self(Arc::new(Live { now, labels }))
    }

    /// Puts another policy in force, for every request that comes after this call.
    ///
    /// Tokens that were verified under the policy before are verified again.
    // INVARIANT (cache the identity): a verified token is bound to its policy, so none outlives it.
    pub fn replace(
        &self,
        policy: Policy,
        verifier: Arc<dyn Verifier>,
        directory: Arc<dyn Directory>,
    ) {
        let figures = Figures::new(&policy, self.0.labels.clone());
        self.0.now.store(Arc::new(InForce { policy, verifier, directory, figures }));
    }

    /// Returns the policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.now().policy.clone()
    }

    /// What is in force now, for one request.
    pub(crate) fn now(&self) -> Guard<Arc<InForce>> {
        self.0.now()
    }

    /// Watches over a request that was admitted.
    pub(crate) fn watch(&self, request: TenantAwareRequest) -> TenantAwareRequest {
        request.watched_by(self.0.clone())
    }
}

impl Live {
    pub(crate) fn now(&self) -> Guard<Arc<InForce>> {
        self.now.load()
    }
}

impl fmt::Debug for LivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LivePolicy").field(&self.now().policy).finish()
    }
}
