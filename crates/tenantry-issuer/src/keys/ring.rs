//! The keys of every owner: to sign with, to publish, to change.
//!
//! [`Slot`] says how old they may be, [`Schedule`] when each of them signs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OwnedMutexGuard;

use tenantry_core::{Clock, TenantId};

use crate::access_token::{AccessToken, IssuedToken};
use crate::keys::at_rest::AtRest;
use crate::keys::error::{KeyRingError, KeyRingErrorKind};
use crate::keys::keeper::Keeper;
use crate::keys::schedule::{KeyTimes, Schedule};
use crate::keys::signing_keys::{KeyInfo, SigningKeys};
use crate::keys::slot::{AtHand, Slot};
use crate::records::KeyOwner;
use crate::settings::Settings;
use crate::store::Store;

/// How many tenants' keys are kept at hand.
const CAPACITY: u64 = 10_000;

/// How many keys one owner may have. Resource servers of ours take sets of 100.
const MOST_KEYS: usize = 64;

/// The signing keys of an authorization server. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
///
/// use tenantry_issuer::{KeyOwner, KeyRing, KeyState, Settings, Store};
/// use tenantry_jwks::SystemClock;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let store = Store::open("sqlite::memory:").await?;
/// let ring = KeyRing::open(store, &settings, Arc::new(SystemClock::new())).await?;
///
/// // One signs, and the one that will follow it is published already.
/// let keys = ring.keys(&KeyOwner::Shared).await?;
/// let states: Vec<_> = keys.list(ring.now()).into_iter().map(|key| key.state).collect();
/// assert_eq!(states, [KeyState::Active, KeyState::Next]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<Ring>);

struct Ring {
    keeper: Keeper,
    per_tenant: bool,
    shared: Arc<Slot>,
    tenants: Cache<TenantId, Arc<Slot>>,
}

impl KeyRing {
    /// Opens the keys in `store`, and makes the first ones if there are none.
    ///
    /// # Errors
    ///
    /// - [`Encryption`](KeyRingErrorKind::Encryption): a stored key, of whichever tenant, is encrypted
    ///   with another key than the settings', or is encrypted and the settings have no key, or the
    ///   reverse.
    /// - [`Corrupt`](KeyRingErrorKind::Corrupt): a stored key is not what was written. Those of tenants
    ///   with keys of their own are read when they are needed.
    /// - [`Unavailable`](KeyRingErrorKind::Unavailable): the database cannot be asked.
    pub async fn open(
        store: Store,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyRingError> {
        Self::open_with(store, settings, Schedule::of(settings), clock).await
    }

    /// The same with a schedule that says more than settings do.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(
        store: Store,
        settings: &Settings,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyRingError> {
        let ring = Self::unread(store, settings, schedule, clock)?;
        if matches!(ring.0.keeper.at_rest, AtRest::Clear) {
            tracing::warn!(
                "signing keys are stored without encryption: whoever reads the database can sign \
                 tokens; set `key_encryption_key_file`"
            );
        }
        if ring.0.per_tenant {
            ring.0.keeper.suits_tenants().await?;
        } else {
            ring.keys(&KeyOwner::Shared).await?;
        }
        Ok(ring)
    }

    /// The same without a look at the stored keys, so that one that cannot be read can be
    /// [listed](Self::list) and [retired](Self::retire).
    ///
    /// # Errors
    ///
    /// If the cryptographic library does not take the key encryption key.
    pub fn unread(
        store: Store,
        settings: &Settings,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyRingError> {
        let at_rest = AtRest::new(settings.key_encryption_key())?;
        Ok(Self(Arc::new(Ring {
            keeper: Keeper { store, schedule, at_rest, clock },
            per_tenant: settings.issuer().has_tenant(),
            shared: Arc::new(Slot::new(KeyOwner::Shared)),
            tenants: Cache::new(CAPACITY),
        })))
    }

    /// The time by the clock of the ring, since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.keeper.clock.unix()
    }

    /// Whose keys sign the tokens of `tenant`: everybody's, or its own.
    #[must_use]
    pub fn owner_of(&self, tenant: &TenantId) -> KeyOwner {
        if self.0.per_tenant { KeyOwner::Tenant(tenant.clone()) } else { KeyOwner::Shared }
    }

    /// Returns the keys of `owner`, at most 30 seconds old while the database can be asked.
    ///
    /// A tenant's first keys are made here. Whether the tenant is suspended is not asked: its tokens
    /// that are alive need their keys.
    ///
    /// # Errors
    ///
    /// - [`UnknownTenant`](KeyRingErrorKind::UnknownTenant): there is no such tenant, or the issuer has
    ///   keys for all tenants and this asks for those of one, or the reverse.
    /// - [`Unavailable`](KeyRingErrorKind::Unavailable): the database cannot be asked, and the keys at
    ///   hand are more than 5 minutes old.
    /// - As [`open`](Self::open).
    pub async fn keys(&self, owner: &KeyOwner) -> Result<Arc<SigningKeys>, KeyRingError> {
        let slot = self.0.slot(owner)?;
        match slot.at_hand(self.0.keeper.clock.monotonic()) {
            AtHand::Fresh(keys) => Ok(keys),
            AtHand::Ageing(keys) => {
                self.refresh(&slot);
                Ok(keys)
            }
            AtHand::Old => self.0.load(&slot, slot.lock().await).await,
        }
    }

    /// Returns what is stored about the keys of `owner`, also about those that cannot be read. It makes
    /// and changes none.
    ///
    /// # Errors
    ///
    /// - [`UnknownTenant`](KeyRingErrorKind::UnknownTenant): the issuer has keys for all tenants and
    ///   this asks for those of one, or the reverse.
    /// - [`Unavailable`](KeyRingErrorKind::Unavailable): the database cannot be asked.
    pub async fn list(&self, owner: &KeyOwner) -> Result<Vec<KeyInfo>, KeyRingError> {
        self.0.slot(owner)?;
        let stored = self.0.keeper.store.signing_keys(owner).await?;
        Ok(stored.iter().map(|stored| KeyInfo::of(stored, self.now())).collect())
    }

    /// Signs an access token with the key whose turn it is ([RFC 9068]).
    ///
    /// # Errors
    ///
    /// - [`Foreign`](KeyRingErrorKind::Foreign): the token would not be of its tenant alone.
    /// - As [`keys`](Self::keys).
    ///
    /// [RFC 9068]: https://www.rfc-editor.org/rfc/rfc9068
    pub async fn issue(&self, token: &AccessToken<'_>) -> Result<IssuedToken, KeyRingError> {
        let keys = self.keys(&self.owner_of(&token.tenant.id)).await?;
        let now = self.now();
        let (claims, issued) = token.claims(now)?;
        Ok(issued.signed(keys.sign(&claims, now)?))
    }

    /// Lets the next key take over before its time: as soon as it was published for long enough, which
    /// is at once unless it was made a short while ago. Returns the keys as they are then.
    ///
    /// # Errors
    ///
    /// - [`TooManyKeys`](KeyRingErrorKind::TooManyKeys): others have to go first, with time.
    /// - As [`keys`](Self::keys).
    pub async fn rotate(&self, owner: &KeyOwner) -> Result<Arc<SigningKeys>, KeyRingError> {
        self.hand_over(owner, false).await
    }

    /// The same, at once in any case. A resource server that has not seen the key yet refuses its
    /// tokens until it asks for keys again.
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate).
    pub async fn rotate_at_once(&self, owner: &KeyOwner) -> Result<Arc<SigningKeys>, KeyRingError> {
        self.hand_over(owner, true).await
    }

    /// Withdraws a key that leaked: it is removed, and if it was the one that signs, the next one signs
    /// at once. What it signed is refused by every resource server that asks for keys after that.
    /// Returns what is stored then.
    ///
    /// It works whether this key, or another, can be read or not. Where one is stored in a way that is
    /// not this ring's, no new key is made: that is for who can read those that there are.
    ///
    /// # Errors
    ///
    /// - [`UnknownKey`](KeyRingErrorKind::UnknownKey): the owner has no key `kid`.
    /// - [`UnknownTenant`](KeyRingErrorKind::UnknownTenant): as [`list`](Self::list).
    /// - [`Unavailable`](KeyRingErrorKind::Unavailable): the database cannot be asked.
    pub async fn retire(&self, owner: &KeyOwner, kid: &str) -> Result<Vec<KeyInfo>, KeyRingError> {
        let (slot, keeper) = (self.0.slot(owner)?, &self.0.keeper);
        let guard = slot.lock().await;
        let stored = keeper.store.signing_keys(owner).await?;
        if !stored.iter().any(|stored| stored.kid == kid) {
            let what = format!("there is no signing key `{kid}`");
            return Err(KeyRingError::new(KeyRingErrorKind::UnknownKey, what));
        }
        let plan = |keys: &[KeyTimes<'_>], now| keeper.schedule.withdraw(keys, kid, now);
        let mut left = keeper.change(owner, stored, plan).await?;
        slot.forget(guard);
        // It is withdrawn, whatever comes of the rest: who needs keys next makes what is missing.
        if !left.is_empty()
            && let Ok(kept) = keeper.keep_up(owner, left.clone()).await
        {
            left = kept;
        }
        Ok(left.iter().map(|stored| KeyInfo::of(stored, self.now())).collect())
    }

    async fn hand_over(
        &self,
        owner: &KeyOwner,
        hurry: bool,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        // Also makes the first keys, and finds out whether there is such an owner.
        self.keys(owner).await?;
        let (slot, keeper) = (self.0.slot(owner)?, &self.0.keeper);
        let guard = slot.lock().await;
        let read_at = keeper.clock.monotonic();
        let stored = keeper.store.signing_keys(owner).await?;
        keeper.suits(owner, &stored)?;
        if stored.len() >= MOST_KEYS {
            return Err(KeyRingError::new(
                KeyRingErrorKind::TooManyKeys,
                format!("there are {} keys: wait until some are not needed any more", stored.len()),
            ));
        }
        let plan = |keys: &[KeyTimes<'_>], now| keeper.schedule.rotate(keys, hurry, now);
        let stored = keeper.change(owner, stored, plan).await?;
        slot.take(keeper, stored, read_at, guard)
    }

    /// Reads keys again in a task of its own, unless somebody does.
    fn refresh(&self, slot: &Arc<Slot>) {
        let Some(guard) = slot.try_lock() else { return };
        let (ring, slot) = (Arc::clone(&self.0), Arc::clone(slot));
        // Whoever needs the result asks for it, and gets the error.
        tokio::spawn(async move { ring.load(&slot, guard).await.map(drop) });
    }
}

impl Ring {
    fn slot(&self, owner: &KeyOwner) -> Result<Arc<Slot>, KeyRingError> {
        let unknown = |what| Err(KeyRingError::new(KeyRingErrorKind::UnknownTenant, what));
        match owner {
            KeyOwner::Shared if self.per_tenant => {
                unknown("every tenant has signing keys of its own: name one")
            }
            KeyOwner::Tenant(_) if !self.per_tenant => {
                unknown("tenants have no signing keys of their own: there is one set for all")
            }
            KeyOwner::Shared => Ok(Arc::clone(&self.shared)),
            KeyOwner::Tenant(tenant) => {
                Ok(self.tenants.get_with_by_ref(tenant, || Arc::new(Slot::new(owner.clone()))))
            }
        }
    }

    async fn load(
        &self,
        slot: &Slot,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let loaded = slot.load(&self.keeper, guard).await;
        if let (Err(error), KeyOwner::Tenant(tenant)) = (&loaded, slot.owner())
            && error.kind() == KeyRingErrorKind::UnknownTenant
        {
            self.tenants.invalidate(tenant);
        }
        loaded
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("schedule", &self.0.keeper.schedule)
            .field("at_rest", &self.0.keeper.at_rest)
            .field("per_tenant", &self.0.per_tenant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tenantry_jwks::SystemClock;

    use super::*;
    use crate::records::{Tenant, TenantStatus};

    #[tokio::test]
    async fn nothing_is_kept_at_hand_of_a_tenant_that_there_is_not() {
        let settings = Settings::builder()
            .issuer("https://auth.erp.example/{tenant}")
            .audience("https://api.erp.example/{tenant}")
            .build()
            .unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        let tenant = Tenant {
            id: "tenant1".parse().unwrap(),
            name: None,
            status: TenantStatus::Active,
            claims: serde_json::Map::new(),
            created_at: Duration::ZERO,
        };
        store.add_tenant(&tenant).await.unwrap();
        let clock = Arc::new(SystemClock::new());
        let ring = KeyRing::open(store, &settings, clock).await.unwrap();
        let nobody = "nobody".parse().unwrap();

        ring.keys(&ring.owner_of(&tenant.id)).await.unwrap();
        ring.keys(&ring.owner_of(&nobody)).await.unwrap_err();

        assert!(ring.0.tenants.contains_key(&tenant.id));
        assert!(!ring.0.tenants.contains_key(&nobody), "it would take the place of another");
    }
}
