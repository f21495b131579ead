//! Encrypts the private keys that are stored, with a key that was not there when they were.

use crate::key_encryption_key::KeyEncryptionKey;
use crate::keys::at_rest::AtRest;
use crate::keys::error::KeyRingError;
use crate::keys::plan::about;
use crate::keys::ring::KeyRing;
use crate::keys::signing_keys::read_private;
use crate::records::{KeyChange, KeyOwner, StoredKey};
use crate::store::Store;

/// What [`KeyRing::encrypt`] found, in numbers of signing keys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EncryptedKeys {
    /// They are encrypted now.
    pub now: usize,
    /// They were encrypted with this key before.
    pub before: usize,
}

impl KeyRing {
    /// Encrypts every stored private key with `key`, whoever's it is: those in clear, and those that
    /// are encrypted with `old`.
    ///
    /// An issuer that runs without `key` goes on with the keys that it has at hand. Others it cannot
    /// read, and what it makes others cannot read: it is to be restarted with `key` soon.
    ///
    /// # Errors
    ///
    /// - [`Encryption`](crate::KeyRingErrorKind::Encryption): a key is encrypted with neither.
    /// - [`Corrupt`](crate::KeyRingErrorKind::Corrupt): a stored key is not what was written.
    /// - [`Unavailable`](crate::KeyRingErrorKind::Unavailable): the database cannot be asked.
    ///
    /// The first two are found before anything is changed. After the last, the keys of some owners may
    /// be encrypted and those of others not: the same again does the rest.
    pub async fn encrypt(
        store: &Store,
        key: &KeyEncryptionKey,
        old: Option<&KeyEncryptionKey>,
    ) -> Result<EncryptedKeys, KeyRingError> {
        let rewriter = Rewriter {
            key: AtRest::new(Some(key))?,
            old: old.map(|old| AtRest::new(Some(old))).transpose()?,
        };
        let mut found = EncryptedKeys::default();
        let mut owners = Vec::new();
        for owner in store.key_owners().await? {
            let stored = store.signing_keys(&owner).await?;
            let changed = rewriter.changes(&owner, &stored)?.len();
            found.before += stored.len().saturating_sub(changed);
            if changed > 0 {
                owners.push(owner);
            }
        }
        for owner in owners {
            found.now += rewriter.rewrite(store, &owner).await?;
        }
        Ok(found)
    }
}

/// How private keys are to be stored, and how they may be.
struct Rewriter {
    key: AtRest,
    old: Option<AtRest>,
}

impl Rewriter {
    async fn rewrite(&self, store: &Store, owner: &KeyOwner) -> Result<usize, KeyRingError> {
        let mut outcome = Ok(0);
        store
            .change_keys(owner, |stored| match self.changes(owner, stored) {
                Ok(changes) => {
                    outcome = Ok(changes.len());
                    changes
                }
                Err(error) => {
                    outcome = Err(error);
                    Vec::new()
                }
            })
            .await?;
        outcome
    }

    fn changes(
        &self,
        owner: &KeyOwner,
        stored: &[StoredKey],
    ) -> Result<Vec<KeyChange>, KeyRingError> {
        let mut changes = Vec::new();
        for stored in stored {
            let encryption = stored.private_key.encryption.as_deref();
            if self.key.suits(encryption).is_ok() {
                continue;
            }
            let with = match (encryption, &self.old) {
                (None, _) => &AtRest::Clear,
                (Some(_), Some(old)) => old,
                // It says what is wrong.
                (Some(_), None) => &self.key,
            };
            let private = read_private(owner, stored, with)?;
            let about = about(owner, &stored.kid, stored.algorithm);
            let private_key = self.key.write(&about, &private)?;
            changes.push(KeyChange::Replace(StoredKey { private_key, ..stored.clone() }));
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tenantry_core::Algorithm;

    use super::*;
    use crate::keys::KeyRingErrorKind;
    use crate::records::SealedKey;

    /// Another process may have changed the keys since they were looked at.
    #[tokio::test]
    async fn a_key_that_came_meanwhile_and_cannot_be_read_is_an_error_too() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let key = StoredKey {
            kid: "k1".into(),
            algorithm: Algorithm::Es256,
            private_key: SealedKey { bytes: vec![1], encryption: Some("A256GCM x".into()) },
            public_jwk: "{}".into(),
            published_at: Duration::ZERO,
            active_at: Duration::ZERO,
            retired_at: None,
            removed_at: None,
        };
        let add = vec![KeyChange::Add(key.clone())];
        store.change_keys(&KeyOwner::Shared, |_| add).await.unwrap();
        let target = AtRest::new(Some(&KeyEncryptionKey::new([1; 32]))).unwrap();
        let rewriter = Rewriter { key: target, old: None };

        let error = rewriter.rewrite(&store, &KeyOwner::Shared).await.unwrap_err();

        assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
        assert_eq!(store.signing_keys(&KeyOwner::Shared).await.unwrap(), [key]);
    }
}
