//! The keys of every owner, kept at hand and in step with the database.
//!
//! | the keys at hand were read       | a request for them gets                                      |
//! |----------------------------------|--------------------------------------------------------------|
//! | up to 20 seconds ago             | these, at once                                               |
//! | up to 30 seconds ago             | these, at once; they are read again in the background        |
//! | earlier, or not yet              | those in the database, after one read that all wait for      |
//! | up to 5 minutes ago, and the database cannot be asked | these, at once or after the attempt     |
//! | earlier, and the database cannot be asked | [`Unavailable`](KeyRingErrorKind::Unavailable)      |
//!
//! So a change reaches every replica within 30 seconds, and while requests come in none waits for the
//! database. There is no timer: keys that nobody asks for are not read, and what the schedule wants
//! done is done when somebody does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use moka::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use tenantry_core::{Clock, TenantId};

use crate::access_token::{AccessToken, IssuedToken};
use crate::key_encryption_key::KeyEncryptionKey;
use crate::keys::at_rest::AtRest;
use crate::keys::error::{KeyRingError, KeyRingErrorKind};
use crate::keys::plan::{MadeKey, about, changes, missing, times};
use crate::keys::schedule::{FRESH, KeyTimes, STALE, Schedule, Step};
use crate::keys::signing_key::{CryptoError, SigningKey};
use crate::keys::signing_keys::SigningKeys;
use crate::records::{KeyChange, KeyOwner, StoredKey};
use crate::settings::Settings;
use crate::store::Store;

/// From when on keys are read again in the background: two thirds of what they may be old.
const REFRESH: Duration = Duration::from_secs(20);

/// How long one read, with what follows from it, may take.
const LOAD_LIMIT: Duration = Duration::from_secs(5);

/// How long nobody tries again after a read failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How many tenants' keys are kept at hand.
const CAPACITY: u64 = 10_000;

/// How many keys one owner may have. Resource servers of ours take sets of 100.
const MOST_KEYS: usize = 64;

/// How many tenants are looked at, at the start, for a key that cannot be decrypted.
const SAMPLE: u32 = 100;

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
    store: Store,
    schedule: Schedule,
    at_rest: AtRest,
    clock: Arc<dyn Clock>,
    per_tenant: bool,
    shared: Arc<Slot>,
    tenants: Cache<TenantId, Arc<Slot>>,
}

/// The keys of one owner, as far as they are at hand.
struct Slot {
    owner: KeyOwner,
    keys: ArcSwapOption<SigningKeys>,
    /// When reading them failed last, by the monotonic clock.
    failed_at: ArcSwap<Option<Duration>>,
    /// Held by whoever reads them.
    loading: Arc<Mutex<()>>,
}

impl KeyRing {
    /// Opens the keys in `store`, and makes the first ones if there are none.
    ///
    /// # Errors
    ///
    /// - [`Encryption`](KeyRingErrorKind::Encryption): the stored keys are encrypted with another key
    ///   than the settings', or one of both is encrypted and the other not.
    /// - [`Corrupt`](KeyRingErrorKind::Corrupt): a stored key is not what was written.
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
        if matches!(ring.0.at_rest, AtRest::Clear) {
            tracing::warn!(
                "signing keys are stored without encryption: whoever reads the database can sign \
                 tokens; set `key_encryption_key_file`"
            );
        }
        if ring.0.per_tenant {
            ring.0.try_some_tenant().await?;
        } else {
            ring.keys(&KeyOwner::Shared).await?;
        }
        Ok(ring)
    }

    /// The same without a look at the stored keys, so that one that cannot be read can be
    /// [retired](Self::retire).
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
        Ok(Self(Arc::new(Ring {
            store,
            schedule,
            at_rest: AtRest::new(settings.key_encryption_key())?,
            clock,
            per_tenant: settings.issuer().has_tenant(),
            shared: Arc::new(Slot::new(KeyOwner::Shared)),
            tenants: Cache::new(CAPACITY),
        })))
    }

    /// The time by the clock of the ring, since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.clock.unix()
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
        let now = self.0.clock.monotonic();
        if let Some(keys) = slot.keys.load_full() {
            let age = now.saturating_sub(keys.read_at());
            if age > REFRESH && age <= FRESH {
                self.refresh(&slot);
            }
            if age <= FRESH {
                return Ok(keys);
            }
        }
        let guard = Arc::clone(&slot.loading).lock_owned().await;
        // In a box: whoever finds the keys at hand does not carry room for the database's futures.
        Box::pin(self.0.load(&slot, guard)).await
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
    /// - [`TooManyKeys`](KeyRingErrorKind::TooManyKeys): others have to go first, with the time.
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
    ///
    /// # Errors
    ///
    /// - [`UnknownKey`](KeyRingErrorKind::UnknownKey): the owner has no key `kid`.
    /// - As [`keys`](Self::keys). If another key cannot be read, this one is withdrawn all the same.
    pub async fn retire(
        &self,
        owner: &KeyOwner,
        kid: &str,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let slot = self.0.slot(owner)?;
        let guard = Arc::clone(&slot.loading).lock_owned().await;
        let stored = self.0.store.signing_keys(owner).await?;
        if !stored.iter().any(|stored| stored.kid == kid) {
            let what = format!("there is no signing key `{kid}`");
            return Err(KeyRingError::new(KeyRingErrorKind::UnknownKey, what));
        }
        let plan = |keys: &[KeyTimes<'_>], now| self.0.schedule.withdraw(keys, kid, now);
        let stored = self.0.change(owner, stored, plan).await?;
        self.0.take(&slot, stored, guard)
    }

    /// Encrypts every stored key with `key`, or leaves it in clear if that is `None`, and returns how
    /// many there are. For an issuer that is not running: replicas with the old key stop working.
    ///
    /// `before` is what they are encrypted with now.
    ///
    /// # Errors
    ///
    /// - [`Encryption`](KeyRingErrorKind::Encryption): a key is not stored as `before` says.
    /// - [`Corrupt`](KeyRingErrorKind::Corrupt): a stored key is not what was written.
    /// - [`Unavailable`](KeyRingErrorKind::Unavailable): the database cannot be asked.
    ///
    /// The keys of one owner are changed all or none. After an error, those of some owners may be
    /// changed and those of others not.
    pub async fn reencrypt(
        store: &Store,
        before: Option<&KeyEncryptionKey>,
        key: Option<&KeyEncryptionKey>,
    ) -> Result<usize, KeyRingError> {
        let (before, after) = (AtRest::new(before)?, AtRest::new(key)?);
        let mut count = reencrypt(store, &KeyOwner::Shared, &before, &after).await?;
        let mut last = None;
        loop {
            let page = store.tenants(last.as_ref(), SAMPLE).await?;
            for tenant in &page {
                let owner = KeyOwner::Tenant(tenant.id.clone());
                count += reencrypt(store, &owner, &before, &after).await?;
            }
            match page.into_iter().last() {
                Some(tenant) => last = Some(tenant.id),
                None => return Ok(count),
            }
        }
    }

    async fn hand_over(
        &self,
        owner: &KeyOwner,
        hurry: bool,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        // Also makes the first keys, and finds out whether there is such an owner.
        self.keys(owner).await?;
        let slot = self.0.slot(owner)?;
        let guard = Arc::clone(&slot.loading).lock_owned().await;
        let stored = self.0.store.signing_keys(owner).await?;
        if stored.len() >= MOST_KEYS {
            return Err(KeyRingError::new(
                KeyRingErrorKind::TooManyKeys,
                format!("there are {} keys: wait until some are not needed any more", stored.len()),
            ));
        }
        let plan = |keys: &[KeyTimes<'_>], now| self.0.schedule.rotate(keys, hurry, now);
        let stored = self.0.change(owner, stored, plan).await?;
        self.0.take(&slot, stored, guard)
    }

    /// Reads keys again in a task of its own, unless somebody does.
    fn refresh(&self, slot: &Arc<Slot>) {
        let Ok(guard) = Arc::clone(&slot.loading).try_lock_owned() else { return };
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

    /// Reads the keys of `slot`, unless that was done while this waited for the guard.
    async fn load(
        &self,
        slot: &Slot,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let now = self.clock.monotonic();
        let held = slot.keys.load_full();
        let age = held.as_ref().map(|keys| now.saturating_sub(keys.read_at()));
        if let Some(keys) = held.clone().filter(|_| age.is_some_and(|age| age <= REFRESH)) {
            return Ok(keys);
        }
        let failed = **slot.failed_at.load();
        let paused = failed.is_some_and(|failed| now.saturating_sub(failed) < PAUSE);
        let error = if paused {
            let what = "the signing keys could not be read a moment ago";
            KeyRingError::new(KeyRingErrorKind::Unavailable, what)
        } else {
            match tokio::time::timeout(LOAD_LIMIT, self.read(&slot.owner)).await {
                Ok(Ok(stored)) => return self.take(slot, stored, guard),
                Ok(Err(error)) => error,
                Err(_) => KeyRingError::new(
                    KeyRingErrorKind::Unavailable,
                    "the database took too long to tell the signing keys",
                ),
            }
        };
        self.without(slot, error, held.filter(|_| age.is_some_and(|age| age <= STALE)))
    }

    /// What is done when keys cannot be read: others are used on for a while, if that is all.
    fn without(
        &self,
        slot: &Slot,
        error: KeyRingError,
        held: Option<Arc<SigningKeys>>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        match error.kind() {
            KeyRingErrorKind::UnknownTenant => {
                if let KeyOwner::Tenant(tenant) = &slot.owner {
                    self.tenants.invalidate(tenant);
                }
                Err(error)
            }
            KeyRingErrorKind::Unavailable => {
                let now = self.clock.monotonic();
                let failed = **slot.failed_at.load();
                if failed.is_none_or(|failed| now.saturating_sub(failed) >= PAUSE) {
                    slot.failed_at.store(Arc::new(Some(now)));
                    tracing::warn!(held = held.is_some(), "{error}");
                }
                held.ok_or(error)
            }
            _ => Err(error),
        }
    }

    /// Makes the keys that were read those at hand.
    fn take(
        &self,
        slot: &Slot,
        stored: Vec<StoredKey>,
        _guard: OwnedMutexGuard<()>,
    ) -> Result<Arc<SigningKeys>, KeyRingError> {
        let before = slot.keys.load_full();
        let keys = SigningKeys::prepare(
            &slot.owner,
            stored,
            &self.at_rest,
            before.as_deref(),
            self.schedule.jwks_max_age(),
            self.clock.monotonic(),
        )?;
        let keys = Arc::new(keys);
        slot.keys.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }

    /// Reads the keys of `owner`, and does what is due.
    async fn read(&self, owner: &KeyOwner) -> Result<Vec<StoredKey>, KeyRingError> {
        let stored = self.store.signing_keys(owner).await?;
        if let (KeyOwner::Tenant(tenant), true) = (owner, stored.is_empty())
            && self.store.tenant(tenant).await?.is_none()
        {
            let what = "there is no such tenant";
            return Err(KeyRingError::new(KeyRingErrorKind::UnknownTenant, what));
        }
        self.change(owner, stored, |keys, now| self.schedule.plan(keys, now)).await
    }

    /// Does what `plan` says about the keys of `owner`, of which `stored` is what is known. Usually that
    /// is nothing, and the database is not asked.
    async fn change(
        &self,
        owner: &KeyOwner,
        mut stored: Vec<StoredKey>,
        plan: impl Fn(&[KeyTimes<'_>], Duration) -> Vec<Step>,
    ) -> Result<Vec<StoredKey>, KeyRingError> {
        let steps_for =
            |stored: &[StoredKey], now| plan(&stored.iter().map(times).collect::<Vec<_>>(), now);
        // More than one round only if another replica changed the keys between the lines.
        for _ in 0..4 {
            let steps = steps_for(&stored, self.clock.unix());
            if steps.is_empty() {
                return Ok(stored);
            }
            // Before the transaction: others wait for that.
            let made = self.make(owner, missing(&steps)).await?;
            let mut done = false;
            stored = self
                .store
                .change_keys(owner, |stored| {
                    let now = self.clock.unix();
                    let changes = changes(steps_for(stored, now), stored, made, now);
                    done = changes.is_some();
                    changes.unwrap_or_default()
                })
                .await?;
            if done {
                return Ok(stored);
            }
        }
        let what = "others change the signing keys all the time";
        Err(KeyRingError::new(KeyRingErrorKind::Unavailable, what))
    }

    async fn make(&self, owner: &KeyOwner, count: usize) -> Result<Vec<MadeKey>, KeyRingError> {
        let algorithm = self.schedule.algorithm();
        let mut made = Vec::with_capacity(count);
        for _ in 0..count {
            let key = if SigningKey::is_slow(algorithm) {
                let key =
                    tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
                key.map_err(|_| CryptoError)??
            } else {
                SigningKey::generate(algorithm)?
            };
            made.push(MadeKey::new(owner, &key, &self.at_rest)?);
        }
        Ok(made)
    }

    /// Finds out at the start whether the keys of tenants can be decrypted: with the first that has
    /// some. Reading them all would take long where there are many.
    async fn try_some_tenant(&self) -> Result<(), KeyRingError> {
        for tenant in self.store.tenants(None, SAMPLE).await? {
            let owner = KeyOwner::Tenant(tenant.id);
            let stored = self.store.signing_keys(&owner).await?;
            if !stored.is_empty() {
                let (max_age, now) = (self.schedule.jwks_max_age(), self.clock.monotonic());
                SigningKeys::prepare(&owner, stored, &self.at_rest, None, max_age, now)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Slot {
    fn new(owner: KeyOwner) -> Self {
        Self {
            owner,
            keys: ArcSwapOption::empty(),
            failed_at: ArcSwap::from_pointee(None),
            loading: Arc::default(),
        }
    }
}

async fn reencrypt(
    store: &Store,
    owner: &KeyOwner,
    before: &AtRest,
    after: &AtRest,
) -> Result<usize, KeyRingError> {
    if store.signing_keys(owner).await?.is_empty() {
        return Ok(0);
    }
    let mut outcome = Ok(());
    let stored = store
        .change_keys(owner, |stored| {
            let changed = stored.iter().map(|stored| {
                let about = about(owner, &stored.kid, stored.algorithm);
                let private = before
                    .read(&about, &stored.private_key)
                    .map_err(|why| KeyRingError::unreadable(&stored.kid, why))?;
                let private_key = after.write(&about, &private)?;
                Ok(KeyChange::Replace(StoredKey { private_key, ..stored.clone() }))
            });
            changed.collect::<Result<Vec<_>, KeyRingError>>().unwrap_or_else(|error| {
                outcome = Err(error);
                Vec::new()
            })
        })
        .await?;
    outcome.map(|()| stored.len())
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("schedule", &self.0.schedule)
            .field("at_rest", &self.0.at_rest)
            .field("per_tenant", &self.0.per_tenant)
            .finish_non_exhaustive()
    }
}
