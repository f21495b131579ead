//! From the steps of the schedule to changes of the database, and from its records to times.

use std::time::Duration;

use tenantry_core::Algorithm;

use crate::keys::at_rest::AtRest;
use crate::keys::schedule::{KeyTimes, Name, Step};
use crate::keys::signing_key::{CryptoError, SigningKey};
use crate::records::{KeyChange, KeyOwner, SealedKey, StoredKey};

/// The times of a key that is stored.
pub(super) fn times(stored: &StoredKey) -> KeyTimes<'_> {
    KeyTimes {
        name: Name::Stored(&stored.kid),
        algorithm: stored.algorithm,
        published_at: stored.published_at,
        active_at: stored.active_at,
        retired_at: stored.retired_at,
    }
}

/// What is authenticated along with a private key. No part can hold what is between the parts.
pub(super) fn about(owner: &KeyOwner, kid: &str, algorithm: Algorithm) -> Vec<u8> {
    let owner = match owner {
        KeyOwner::Shared => "shared".to_owned(),
        KeyOwner::Tenant(tenant) => format!("tenant {tenant}"),
    };
    format!("tenantry signing key\n{owner}\n{algorithm}\n{kid}").into_bytes()
}

/// How many keys the steps need.
pub(super) fn missing(steps: &[Step]) -> usize {
    steps.iter().filter(|step| matches!(step, Step::Create { .. })).count()
}

/// A key that was made ahead of the transaction that needs it.
pub(super) struct MadeKey {
    kid: String,
    algorithm: Algorithm,
    stored: SealedKey,
    public_jwk: String,
}

impl MadeKey {
    pub(super) fn new(
        owner: &KeyOwner,
        key: &SigningKey,
        at_rest: &AtRest,
    ) -> Result<Self, CryptoError> {
        let (kid, algorithm) = (key.kid().to_owned(), key.algorithm());
        let stored = at_rest.write(&about(owner, &kid, algorithm), &key.to_pkcs8()?)?;
        let public_jwk = key.public_jwk()?.to_string();
        Ok(Self { kid, algorithm, stored, public_jwk })
    }
}

/// The changes that carry out `steps`; `None` if there are not enough keys.
pub(super) fn changes(
    steps: Vec<Step>,
    stored: &[StoredKey],
    made: Vec<MadeKey>,
    now: Duration,
) -> Option<Vec<KeyChange>> {
    let mut made = made.into_iter();
    let mut changes = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Create { active_at, retired_at } => {
                let key = made.next()?;
                changes.push(KeyChange::Add(with_times(
                    StoredKey {
                        kid: key.kid,
                        algorithm: key.algorithm,
                        private_key: key.stored,
                        public_jwk: key.public_jwk,
                        published_at: now,
                        active_at,
                        retired_at,
                        removed_at: None,
                    },
                    active_at,
                    retired_at,
                )));
            }
            Step::Remove { kid } => changes.push(KeyChange::Remove(kid)),
            Step::Set { kid, active_at, retired_at } => {
                let stored = stored.iter().find(|stored| stored.kid == kid)?;
                let changed = with_times(stored.clone(), active_at, retired_at);
                changes.push(KeyChange::Replace(changed));
            }
        }
    }
    Some(changes)
}

fn with_times(stored: StoredKey, active_at: Duration, retired_at: Option<Duration>) -> StoredKey {
    let mut stored = StoredKey { active_at, retired_at, ..stored };
    stored.removed_at = times(&stored).removed_at();
    stored
}
