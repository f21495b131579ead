//! A directory that answers in bounded time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{BoxFuture, Directory, Reason, Rejection, Standing, TenantId};

/// Longer than a healthy database takes, shorter than a client waits.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Asks `inner`, and gives up after `limit`.
// INVARIANT (cannot judge is not invalid): a directory that hangs is an outage, not a request that hangs.
pub(crate) struct Bounded {
    pub(crate) inner: Arc<dyn Directory>,
    pub(crate) limit: Duration,
}

impl Directory for Bounded {
    fn cached(&self, tenant: &TenantId) -> Option<Standing> {
        self.inner.cached(tenant)
    }

    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        Box::pin(async move {
            let asked = Arc::clone(&self.inner).fresh(tenant);
            match tokio::time::timeout(self.limit, asked).await {
                Ok(standing) => standing,
                Err(elapsed) => {
                    Err(Rejection::new(Reason::DirectoryUnavailable).with_source(elapsed))
                }
            }
        })
    }

    fn trusts_issuers(&self) -> bool {
        self.inner.trusts_issuers()
    }

    fn known_at_start(&self) -> Vec<TenantId> {
        self.inner.known_at_start()
    }

    fn forget(&self, tenant: &TenantId) {
        self.inner.forget(tenant);
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
