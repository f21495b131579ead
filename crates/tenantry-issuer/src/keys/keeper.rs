//! The keys in the database: reads them, and does about them what the schedule says.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::Clock;

use crate::keys::at_rest::AtRest;
use crate::keys::error::{KeyRingError, KeyRingErrorKind};
use crate::keys::plan::{MadeKey, changes, missing, times};
use crate::keys::schedule::{KeyTimes, Schedule, Step};
use crate::keys::signing_key::{CryptoError, SigningKey};
use crate::keys::signing_keys::SigningKeys;
use crate::records::{KeyOwner, StoredKey};
use crate::store::Store;

/// What there is to keep keys with.
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) schedule: Schedule,
    pub(super) at_rest: AtRest,
    pub(super) clock: Arc<dyn Clock>,
}

impl Keeper {
    /// Reads the keys of `owner`, and does what is due.
    pub(super) async fn read(&self, owner: &KeyOwner) -> Result<Vec<StoredKey>, KeyRingError> {
        let stored = self.store.signing_keys(owner).await?;
        if let (KeyOwner::Tenant(tenant), true) = (owner, stored.is_empty())
            && self.store.tenant(tenant).await?.is_none()
        {
            let what = "there is no such tenant";
            return Err(KeyRingError::new(KeyRingErrorKind::UnknownTenant, what));
        }
        self.keep_up(owner, stored).await
    }

    /// Does what is due about the keys of `owner`, of which `stored` is what is known.
    ///
    /// Nothing, if one is encrypted with another key than what would be made here: those who can read
    /// it could not read that.
    pub(super) async fn keep_up(
        &self,
        owner: &KeyOwner,
        stored: Vec<StoredKey>,
    ) -> Result<Vec<StoredKey>, KeyRingError> {
        if self.suits(owner, &stored).is_err() {
            return Ok(stored);
        }
        self.change(owner, stored, |keys, now| self.schedule.plan(keys, now)).await
    }

    /// Does what `plan` says about the keys of `owner`, of which `stored` is what is known. Usually that
    /// is nothing, and the database is not asked.
    pub(super) async fn change(
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

    /// Makes what was stored ready to sign. Keys that `before` has already are not read again.
    pub(super) fn prepare(
        &self,
        owner: &KeyOwner,
        stored: Vec<StoredKey>,
        before: Option<&SigningKeys>,
        read_at: Duration,
    ) -> Result<SigningKeys, KeyRingError> {
        let max_age = self.schedule.jwks_max_age();
        SigningKeys::prepare(owner, stored, &self.at_rest, before, max_age, read_at)
    }

    /// Finds out whether keys are encrypted, or not, as those are that are made here.
    pub(super) fn suits(&self, owner: &KeyOwner, stored: &[StoredKey]) -> Result<(), KeyRingError> {
        stored.iter().try_for_each(|stored| {
            self.encryption_suits(owner, &stored.kid, stored.private_key.encryption.as_deref())
        })
    }

    /// The same for the keys of all tenants.
    ///
    /// The database is asked for one that is not: reading them all would take long where there are
    /// many. That each of them is what was written is seen when it is read.
    pub(super) async fn suits_tenants(&self) -> Result<(), KeyRingError> {
        match self.store.key_stored_otherwise(self.at_rest.name()).await? {
            Some(odd) => self.encryption_suits(&odd.owner, &odd.kid, odd.encryption.as_deref()),
            None => Ok(()),
        }
    }

    fn encryption_suits(
        &self,
        owner: &KeyOwner,
        kid: &str,
        encryption: Option<&str>,
    ) -> Result<(), KeyRingError> {
        let suits = self.at_rest.suits(encryption);
        suits.map_err(|why| KeyRingError::unreadable(owner, kid, why))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tenantry_core::Algorithm;
    use tenantry_jwks::SystemClock;

    use super::*;
    use crate::keys::schedule::KeyState;

    async fn keeper() -> Keeper {
        let settings = crate::Settings::builder().issuer("https://a.example").audience("urn:hub");
        Keeper {
            store: Store::open("sqlite::memory:").await.unwrap(),
            schedule: Schedule::of(&settings.build().unwrap()),
            at_rest: AtRest::Clear,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// A plan that wants so many keys when it is asked for the first time, the second, and so on: in
    /// turn with what was known, and with what is in the database.
    fn wants(counts: impl Fn(usize) -> usize) -> impl Fn(&[KeyTimes<'_>], Duration) -> Vec<Step> {
        let asked = Cell::new(0);
        move |_, now| {
            asked.set(asked.get() + 1);
            vec![Step::Create { active_at: now, retired_at: None }; counts(asked.get())]
        }
    }

    #[tokio::test]
    async fn a_plan_that_needs_more_keys_than_were_made_is_made_anew() {
        let keeper = keeper().await;
        let plan = wants(|asked| [1, 2, 2, 2][asked - 1]);

        let stored = keeper.change(&KeyOwner::Shared, Vec::new(), plan).await.unwrap();

        assert_eq!(stored.len(), 2);
        let states = stored.iter().map(|key| times(key).state(keeper.clock.unix()));
        assert!(states.eq([KeyState::Active; 2]));
        assert!(stored.iter().all(|key| key.algorithm == Algorithm::Es256));
    }

    #[tokio::test]
    async fn a_plan_is_given_up_when_others_change_the_keys_all_the_time() {
        let keeper = keeper().await;

        let error = keeper.change(&KeyOwner::Shared, Vec::new(), wants(|asked| asked)).await;

        let error = error.unwrap_err();
        assert_eq!(error.kind(), KeyRingErrorKind::Unavailable);
        assert_eq!(error.to_string(), "others change the signing keys all the time");
        assert_eq!(keeper.store.signing_keys(&KeyOwner::Shared).await.unwrap(), []);
    }
}
