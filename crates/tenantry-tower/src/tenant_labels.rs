//! Which tenants have a label of their own in figures.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_core::{ProvenTenant, TenantId};

/// Gives the first tenants that are admitted a label of their own, and all others one together.
///
/// Each label is a series of its own in whatever collects the figures, so there is a bound, and it is
/// never given back. Clones share it: give one to every layer of a program. Only tenants that were
/// admitted get a label, so strangers cannot use them up.
///
/// ```
/// use tenantry_tower::TenantLabels;
///
/// let labels = TenantLabels::new(100);
/// assert_eq!(labels.len(), 0);
/// ```
#[derive(Clone)]
pub struct TenantLabels(Arc<Labels>);

struct Labels {
    max: usize,
    own: papaya::HashMap<TenantId, ()>,
    /// Held to add one: so that they are counted one by one.
    adding: Mutex<()>,
}

impl TenantLabels {
    /// What all tenants without a label of their own are called. No tenant id starts like this.
    pub(crate) const OTHER: &str = "_other";

    /// Gives away `max` labels. With 0, all tenants have one label together.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let (own, adding) = (papaya::HashMap::new(), Mutex::new(()));
        Self(Arc::new(Labels { max, own, adding }))
    }

    /// How many tenants have a label.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.own.len()
    }

    /// Whether no tenant has a label yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.own.is_empty()
    }

    /// Whether the tenant has a label of its own; it gets one if there is one left.
    pub(crate) fn claim(&self, tenant: &ProvenTenant) -> bool {
        let Labels { max, own, adding } = &*self.0;
        if self.has(tenant) {
            return true;
        }
        if own.len() < *max {
            let _adding = adding.lock().unwrap_or_else(PoisonError::into_inner);
            if own.len() < *max {
                own.pin().insert(TenantId::clone(tenant), ());
            }
        }
        // Another thread may have taken the last one for this very tenant.
        self.has(tenant)
    }

    /// The label of a tenant, which gets none by being asked for.
    pub(crate) fn of<'a>(&self, tenant: Option<&'a TenantId>) -> &'a str {
        match tenant {
            Some(tenant) if self.has(tenant) => tenant.as_str(),
            Some(_) => Self::OTHER,
            None => "",
        }
    }

    fn has(&self, tenant: &TenantId) -> bool {
        self.0.own.pin().contains_key(tenant)
    }
}

impl fmt::Debug for TenantLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantLabels").field("max", &self.0.max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tenantry_testkit::request_of;

    use super::*;

    #[test]
    fn the_first_have_labels_and_keep_them() {
        let labels = TenantLabels::new(2);
        assert!(labels.is_empty());
        for _ in 0..2 {
            for (tenant, own) in [("a", true), ("b", true), ("c", false)] {
                let request = request_of(tenant).build();
                assert_eq!(labels.claim(request.tenant()), own, "{tenant}");
                let label = if own { tenant } else { "_other" };
                assert_eq!(labels.of(Some(request.tenant())), label);
            }
        }
        assert_eq!(labels.of(None), "");
        assert_eq!(labels.len(), 2);
        assert!(TenantLabels::OTHER.parse::<TenantId>().is_err());
        assert!(!TenantLabels::new(0).claim(request_of("a").build().tenant()));
    }

    /// Lets threads claim labels at once, over and over, and says how many got one.
    fn race(tenants: [&str; 4], max: usize, rounds: usize) -> Vec<(usize, usize)> {
        let requests = tenants.map(|tenant| request_of(tenant).build());
        let round = |_| {
            let (labels, barrier) = (TenantLabels::new(max), Barrier::new(tenants.len()));
            let given = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for request in &requests {
                    scope.spawn(|| {
                        barrier.wait();
                        let own = labels.claim(request.tenant());
                        given.fetch_add(usize::from(own), Ordering::Relaxed);
                    });
                }
            });
            (labels.len(), given.into_inner())
        };
        (0..rounds).map(round).collect()
    }

    #[test]
    fn threads_that_claim_at_once_get_no_more_than_there_are() {
        assert_eq!(race(["a", "b", "c", "d"], 1, 500), [(1, 1); 500]);
        // Nor is one refused that another thread has just claimed for the same tenant.
        assert_eq!(race(["a"; 4], 1, 500), [(1, 4); 500]);
    }
}
