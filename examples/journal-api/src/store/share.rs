//! One tenant does not get all connections to the database.
//!
//! | a tenant's calls | |
//! |---|---|
//! | up to [`SHARE`] | go on at once |
//! | up to [`MAX_CALLS`] | wait for those, in the order they came |
//! | more | are refused: 429 |
//!
//! A read whose caller goes away is under way until the database is done with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use tenantry::ProvenTenant;

use crate::store_error::StoreError;

/// The most connections that one tenant uses at a time.
pub(super) const SHARE: usize = 2;

/// The most calls of one tenant that are under way or wait.
pub(super) const MAX_CALLS: usize = 64;

/// The calls of the tenants that have some.
#[derive(Clone, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<Box<str>, Calls>>>);

struct Calls {
    count: usize,
    turns: Arc<Semaphore>,
}

impl Shares {
    /// Waits until it is the turn of a call of `tenant`, which ends when the turn is dropped.
    pub(super) async fn turn(&self, tenant: &ProvenTenant) -> Result<Turn, StoreError> {
        let (call, turns) = self.enter(tenant)?;
        // Nobody closes the semaphore.
        let permit = turns.acquire_owned().await.ok();
        Ok(Turn { _permit: permit, _call: call })
    }

    fn enter(&self, tenant: &ProvenTenant) -> Result<(Call, Arc<Semaphore>), StoreError> {
        let mut tenants = self.tenants();
        let calls = tenants
            .entry(tenant.as_str().into())
            .or_insert_with(|| Calls { count: 0, turns: Arc::new(Semaphore::new(SHARE)) });
        if calls.count >= MAX_CALLS {
            return Err(StoreError::crowded());
        }
        calls.count += 1;
        let turns = Arc::clone(&calls.turns);
        Ok((Call { shares: self.clone(), tenant: tenant.as_str().into() }, turns))
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Box<str>, Calls>> {
        // Nothing that could panic is done while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a call.
#[must_use = "the turn ends when this is dropped"]
pub(super) struct Turn {
    // Before the call, which may be the tenant's last.
    _permit: Option<OwnedSemaphorePermit>,
    _call: Call,
}

/// A call that is under way or waits.
struct Call {
    shares: Shares,
    tenant: Box<str>,
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut tenants = self.shares.tenants();
        if let Some(calls) = tenants.get_mut(&self.tenant) {
            calls.count = calls.count.saturating_sub(1);
            if calls.count == 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn proven(tenant: &str) -> ProvenTenant {
        tenantry_testkit::request_of(tenant).build().tenant().clone()
    }

    #[tokio::test]
    async fn a_tenant_waits_for_its_own_calls_and_not_for_those_of_another() {
        let shares = Shares::default();
        let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
        let turn = |tenant| shares.turn(tenant).now_or_never();

        let first = turn(&ours).unwrap().unwrap();
        let _second = turn(&ours).unwrap().unwrap();
        assert!(turn(&ours).is_none());
        assert!(turn(&theirs).is_some());

        let waiting = shares.turn(&ours);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_tenant_with_too_many_calls_is_refused_until_one_ends() {
        let shares = Shares::default();
        let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
        let mut calls: Vec<_> = (0..MAX_CALLS).map(|_| shares.enter(&ours).unwrap()).collect();

        assert!(shares.enter(&ours).err().unwrap().is_crowded());
        assert!(shares.enter(&theirs).is_ok());
        calls.pop();
        assert!(shares.enter(&ours).is_ok());
    }

    #[tokio::test]
    async fn a_tenant_without_calls_leaves_nothing_behind() {
        let shares = Shares::default();
        let tenant = proven("tenant1");
        let held = [shares.turn(&tenant).await.unwrap(), shares.turn(&tenant).await.unwrap()];
        assert!(shares.turn(&tenant).now_or_never().is_none()); // somebody who did not wait
        assert_eq!(shares.tenants().len(), 1);
        drop(held);
        assert!(shares.tenants().is_empty());
    }
}
