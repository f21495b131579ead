//! What is counted about requests, by the façade `metrics`; `docs/metrics.md` has the table.
//!
//! INVARIANT (secrets stay in): labels are reason codes, issuers as the policy writes them, and, when
//! asked for, tenants that were admitted. Never an `iss`, nor any other text of a request.
//!
//! The usual request is counted by a handle that is kept per issuer: no label is made or looked up.
//! A handle belongs to the recorder that was there when it was first used.

use std::sync::OnceLock;

use metrics::{Counter, Label, counter};
use tenantry_core::{Policy, Rejection, TenantAwareRequest, TenantId};

use crate::tenant_labels::TenantLabels;

/// Counts what becomes of requests under one policy.
#[derive(Debug)]
pub(crate) struct Figures {
    admitted: Box<[Admitted]>,
    anonymous: OnceLock<Counter>,
    labels: Option<TenantLabels>,
}

/// The admitted requests of one issuer.
#[derive(Debug, Default)]
struct Admitted {
    /// All, or those of tenants without a label.
    all: OnceLock<Counter>,
    /// Those of tenants with a label.
    own: OnceLock<papaya::HashMap<TenantId, Counter>>,
}

impl Figures {
    /// Starts to count. Figures are made anew with each policy; `labels` are handed on.
    pub(crate) fn new(policy: &Policy, labels: Option<TenantLabels>) -> Self {
        let admitted = policy.issuers().iter().map(|_| Admitted::default()).collect();
        Self { admitted, anonymous: OnceLock::new(), labels }
    }

    /// Counts a request that was admitted under `policy`, which is the one these figures are of.
    pub(crate) fn admitted(&self, policy: &Policy, context: &TenantAwareRequest) {
        let issuer = context.issuer_index();
        let kept = issuer.and_then(|at| Some((self.admitted.get(at)?, policy.issuers().get(at)?)));
        // The decision admits nobody whose issuer the policy does not have.
        let Some((kept, issuer)) = kept else { return };
        let issuer = issuer.pattern().as_str();
        let register = |tenant| requests("admitted", "", issuer, tenant);
        match &self.labels {
            None => kept.all.get_or_init(|| register(None)).increment(1),
            Some(labels) if labels.claim(context.tenant()) => {
                let tenant: &TenantId = context.tenant();
                let own = kept.own.get_or_init(papaya::HashMap::new).pin();
                match own.get(tenant) {
                    Some(counter) => counter.increment(1),
                    None => {
                        let counter = || register(Some(tenant.as_str()));
                        own.get_or_insert_with(tenant.clone(), counter).increment(1);
                    }
                }
            }
            Some(_) => {
                kept.all.get_or_init(|| register(Some(TenantLabels::OTHER))).increment(1);
            }
        }
    }

    /// Counts a request without credentials that was let through.
    pub(crate) fn anonymous(&self) {
        let tenant = self.labels.as_ref().map(|_| "");
        self.anonymous.get_or_init(|| requests("anonymous", "", "", tenant)).increment(1);
    }

    /// Counts a request that was refused by the extractor.
    pub(crate) fn refused(&self, rejection: &Rejection) {
        let tenant = self.labels.as_ref().map(|labels| labels.of(rejection.tenant()));
        let issuer = rejection.issuer().unwrap_or_default();
        requests("refused", rejection.reason().code(), issuer, tenant).increment(1);
    }
}

fn requests(
    outcome: &'static str,
    reason: &'static str,
    issuer: &str,
    tenant: Option<&str>,
) -> Counter {
    let mut labels = vec![
        Label::from_static_parts("outcome", outcome),
        Label::from_static_parts("reason", reason),
        Label::new("issuer", issuer.to_owned()),
    ];
    labels.extend(tenant.map(|tenant| Label::new("tenant", tenant.to_owned())));
    counter!("tenantry_requests_total", labels)
}

/// Counts a refusal, whichever layer refuses.
pub(crate) fn refusal(rejection: &Rejection) {
    let issuer = rejection.issuer().unwrap_or_default().to_owned();
    let reason = rejection.reason().code();
    counter!("tenantry_refusals_total", "reason" => reason, "issuer" => issuer).increment(1);
}

/// Counts and traces the scopes of other tenants in a token that was just verified.
pub(crate) fn foreign_scopes(policy: &Policy, context: &TenantAwareRequest) {
    let count = context.foreign_scopes();
    let issuer = context.issuer_index().and_then(|at| policy.issuers().get(at));
    let Some(issuer) = issuer.filter(|_| count > 0) else { return };
    let issuer = issuer.pattern().as_str();
    let tenant = context.tenant().as_str();
    tracing::debug!(issuer, tenant, count, "scopes of other tenants ignored");
    counter!("tenantry_foreign_scopes_total", "issuer" => issuer.to_owned())
        .increment(u64::try_from(count).unwrap_or(u64::MAX));
}
