//! Private keys in the database: encrypted with a key that is not there.
//!
//! What is stored is a nonce of 12 bytes and AES-256-GCM over the PKCS #8 document, with its tag.
//! Whose key it is, its `kid` and its algorithm are authenticated with it, so that whoever can write
//! to the database cannot give one tenant's key to another.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::key_encryption_key::KeyEncryptionKey;
use crate::keys::signing_key::CryptoError;
use crate::records::SealedKey;

/// How private keys are written and read.
pub(crate) enum AtRest {
    Clear,
    Encrypted {
        key: RandomizedNonceKey,
        /// Tells keys apart and says nothing about them.
        name: String,
    },
}

/// Why a private key that is stored cannot be used.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Unreadable {
    /// It is not what was written.
    Broken,
    /// It is not encrypted, and keys are to be.
    Clear,
    /// It is encrypted, and there is no key to decrypt it with.
    NoKey,
    /// It is encrypted with another key.
    OtherKey,
}

impl AtRest {
    pub(crate) fn new(key: Option<&KeyEncryptionKey>) -> Result<Self, CryptoError> {
        let Some(key) = key else { return Ok(Self::Clear) };
        let mut named = Zeroizing::new(b"tenantry: the name of a key encryption key: ".to_vec());
        named.extend_from_slice(key.as_bytes());
        // The key is random, so a part of its hash is no help in finding it.
        let hash = digest(&SHA256, &named);
        let part = hash.as_ref().get(..8).unwrap_or_default();
        let name = format!("A256GCM {}", BASE64_URL_SAFE_NO_PAD.encode(part));
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_bytes()).map_err(|_| CryptoError)?;
        Ok(Self::Encrypted { key, name })
    }

    /// Writes `private` as it is to be stored. `about` says which key it is.
    pub(crate) fn write(&self, about: &[u8], private: &[u8]) -> Result<SealedKey, CryptoError> {
        let Self::Encrypted { key, name } = self else {
            return Ok(SealedKey { bytes: private.to_vec(), encryption: None });
        };
        let mut secret = Zeroizing::new(private.to_vec());
        let (nonce, tag) = key
            .seal_in_place_separate_tag(Aad::from(about), secret.as_mut_slice())
            .map_err(|_| CryptoError)?;
        let bytes = [nonce.as_ref().as_slice(), &secret, tag.as_ref()].concat();
        Ok(SealedKey { bytes, encryption: Some(name.clone()) })
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// With an encryption key, a private key that is not encrypted is refused: whoever can write to
    /// the database could have put it there.
    pub(crate) fn read(
        &self,
        about: &[u8],
        stored: &SealedKey,
    ) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        self.suits(stored.encryption.as_deref())?;
        match self {
            Self::Clear => Ok(Zeroizing::new(stored.bytes.clone())),
            Self::Encrypted { key, .. } => decrypt(key, about, &stored.bytes),
        }
    }

    /// Whether what is stored under this name was written in this way.
    pub(crate) fn suits(&self, encryption: Option<&str>) -> Result<(), Unreadable> {
        match (self.name(), encryption) {
            (own, stored) if own == stored => Ok(()),
            (None, _) => Err(Unreadable::NoKey),
            (Some(_), None) => Err(Unreadable::Clear),
            (Some(_), Some(_)) => Err(Unreadable::OtherKey),
        }
    }

    /// What is stored beside a private key that was written in this way.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Clear => None,
            Self::Encrypted { name, .. } => Some(name),
        }
    }
}

fn decrypt(
    key: &RandomizedNonceKey,
    about: &[u8],
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let (nonce, secret) = bytes.split_at_checked(NONCE_LEN).ok_or(Unreadable::Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unreadable::Broken)?;
    let mut secret = Zeroizing::new(secret.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(about), secret.as_mut_slice())
        .map_err(|_| Unreadable::Broken)?
        .len();
    secret.truncate(length);
    Ok(secret)
}

// INVARIANT (secrets stay in): no key by way of `Debug`.
impl fmt::Debug for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "AtRest::Clear",
            Self::Encrypted { .. } => "AtRest::Encrypted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: u8) -> AtRest {
        AtRest::new(Some(&KeyEncryptionKey::new([key; 32]))).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_does_not_show() {
        let stored = with(1).write(b"tenant1 k1", b"private").unwrap();
        assert!(!stored.bytes.windows(7).any(|window| window == b"private"));
        assert_eq!(stored.bytes.len(), 12 + 7 + 16);
        assert_eq!(with(1).read(b"tenant1 k1", &stored).unwrap().as_slice(), b"private");
        // Another nonce each time.
        assert_ne!(with(1).write(b"tenant1 k1", b"private").unwrap(), stored);
    }

    #[test]
    fn a_private_key_of_another_owner_or_changed_in_any_byte_is_not_read() {
        let stored = with(1).write(b"tenant1 k1", b"private").unwrap();
        assert_eq!(with(1).read(b"tenant2 k1", &stored).err(), Some(Unreadable::Broken));
        for at in 0..stored.bytes.len() {
            let mut changed = stored.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(with(1).read(b"tenant1 k1", &changed).err(), Some(Unreadable::Broken));
            changed.bytes.truncate(at);
            assert_eq!(with(1).read(b"tenant1 k1", &changed).err(), Some(Unreadable::Broken));
        }
    }

    #[test]
    fn another_key_no_key_and_a_clear_key_are_told_apart() {
        let clear = AtRest::new(None).unwrap();
        let encrypted = with(1).write(b"", b"private").unwrap();
        let in_clear = clear.write(b"", b"private").unwrap();

        assert_eq!(with(2).read(b"", &encrypted).err(), Some(Unreadable::OtherKey));
        assert_eq!(clear.read(b"", &encrypted).err(), Some(Unreadable::NoKey));
        assert_eq!(with(1).read(b"", &in_clear).err(), Some(Unreadable::Clear));
        assert_eq!(clear.read(b"", &in_clear).unwrap().as_slice(), b"private");
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", with(7)), "AtRest::Encrypted");
    }
}
