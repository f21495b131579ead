//! Registered clients, kept for a short while.
//!
//! | the cache has | and the credentials | then the store is asked                                   |
//! |---------------|---------------------|-----------------------------------------------------------|
//! | the client    | prove it            | nothing                                                   |
//! | the client    | do not              | how the client authenticates, and if that proves it, the rest |
//! | nothing       | are whatever        | the same                                                  |
//!
//! So a refusal always costs one and the same read, and one key that is read if there is an assertion,
//! whoever exists. It never rests on what was known
//! before: a secret that was rotated works at once. What is true no longer, a secret that was rotated away or
//! a client that was disabled by another process, is believed for [`LIFETIME`] at most.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use tenantry_core::{Clock, TenantId};

use crate::assertion::{KeysRead, OnceOnly};
use crate::authentication::{Presented, Registered, Registration};
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::ClientId;
use crate::store::{Store, StoreError};

/// How long a registration is believed without asking the store.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30);

/// How many are kept.
const CAPACITY: u64 = 10_000;

/// The clients of the store.
pub(crate) struct Registrations {
    store: Store,
    clock: Arc<dyn Clock>,
    kept: Cache<(TenantId, ClientId), Kept>,
}

#[derive(Clone)]
struct Kept {
    registration: Arc<Registration>,
    /// By the monotonic clock.
    until: Duration,
}

/// The client was not proven, or has no standing.
pub(crate) struct Unproven {
    pub(crate) error: OAuthError,
    /// Whether there is such a client.
    pub(crate) is_registered: bool,
}

impl From<StoreError> for Unproven {
    fn from(error: StoreError) -> Self {
        Self { error: error.into(), is_registered: false }
    }
}

impl Registrations {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, kept: Cache::new(CAPACITY) }
    }

    /// Returns the client that `presented` proves, in good standing.
    pub(crate) async fn authenticate(
        &self,
        presented: &Presented<'_>,
    ) -> Result<Arc<Registration>, Unproven> {
        let now = self.clock.unix();
        let key = (presented.tenant.clone(), presented.client.clone());
        let kept = self.kept(&key);
        let registered = kept.as_ref().map(|kept| &kept.registered);
        let proof = presented.proves(registered, KeysRead::Before, now);
        let (registration, proof) = match (kept, proof) {
            (Some(kept), Ok(proof)) if kept.require_standing().is_ok() => (kept, proof),
            _ => self.prove_anew(presented, key, now).await?,
        };
        if let Some(once) = proof
            && !self.store.first_use(&once.used, once.until).await?
        {
            let error = OAuthError::invalid_client(Reason::AssertionReplayed);
            return Err(Unproven { error, is_registered: true });
        }
        match registration.require_standing() {
            Ok(()) => Ok(registration),
            Err(error) => Err(Unproven { error, is_registered: true }),
        }
    }

    /// Judges by what the store says, and reads who it is only when that is proven.
    async fn prove_anew(
        &self,
        presented: &Presented<'_>,
        key: (TenantId, ClientId),
        now: Duration,
    ) -> Result<(Arc<Registration>, Option<OnceOnly>), Unproven> {
        let registered = self.store.client_auth(&key.0, &key.1).await?.map(Registered::from);
        let is_registered = registered.is_some();
        let proof = presented.proves(registered.as_ref(), KeysRead::Now, now);
        let proof = proof.map_err(|reason| Unproven {
            error: OAuthError::invalid_client(reason),
            is_registered,
        })?;
        // Gone since then, perhaps.
        let registration = self.read(key).await?.ok_or_else(|| Unproven {
            error: OAuthError::invalid_client(Reason::ClientUnknown),
            is_registered: false,
        })?;
        Ok((registration, proof))
    }

    /// Returns a client, as it was at most [`LIFETIME`] ago.
    pub(crate) async fn find(
        &self,
        tenant: &TenantId,
        client: &ClientId,
    ) -> Result<Option<Arc<Registration>>, StoreError> {
        let key = (tenant.clone(), client.clone());
        match self.kept(&key) {
            Some(kept) => Ok(Some(kept)),
            None => self.read(key).await,
        }
    }

    /// Returns a client that was proven, as it is now: `None` if it is another, or what proved it then
    /// proves it no longer.
    pub(crate) async fn still(
        &self,
        proven: &Registration,
    ) -> Result<Option<Arc<Registration>>, StoreError> {
        let found = self.read((proven.tenant.id.clone(), proven.client.id.clone())).await?;
        Ok(found.filter(|found| found.is_still(proven)))
    }

    fn kept(&self, key: &(TenantId, ClientId)) -> Option<Arc<Registration>> {
        let kept = self.kept.get(key)?;
        (self.clock.monotonic() < kept.until).then_some(kept.registration)
    }

    /// Reads a client. What does not exist is not kept, so that a new client works at once.
    async fn read(
        &self,
        key: (TenantId, ClientId),
    ) -> Result<Option<Arc<Registration>>, StoreError> {
        // Counted from before the read, so that what changes meanwhile is not believed for longer.
        let until = self.clock.monotonic().saturating_add(LIFETIME);
        let Some(found) = self.store.registration(&key.0, &key.1).await? else {
            self.kept.invalidate(&key);
            return Ok(None);
        };
        let registration = Arc::new(Registration::new(found));
        self.kept.insert(key, Kept { registration: Arc::clone(&registration), until });
        Ok(Some(registration))
    }
}

impl std::fmt::Debug for Registrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registrations").finish_non_exhaustive()
    }
}
