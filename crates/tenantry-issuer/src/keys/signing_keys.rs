//! The keys of one owner, ready to sign, and what is published of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use tenantry_core::Algorithm;

use crate::document::Document;
use crate::keys::at_rest::AtRest;
use crate::keys::error::{KeyRingError, KeyRingErrorKind};
use crate::keys::plan::{about, times};
use crate::keys::schedule::{KeyState, signer};
use crate::keys::signing_key::SigningKey;
use crate::records::{KeyOwner, StoredKey};

/// The keys of one owner at a moment: of all tenants, or of one.
#[derive(Debug)]
pub struct SigningKeys {
    keys: Vec<Held>,
    jwks: Document,
    /// When they were read, by the monotonic clock.
    read_at: Duration,
}

#[derive(Debug)]
struct Held {
    stored: StoredKey,
    key: Arc<SigningKey>,
}

/// What is known about a key, apart from the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyInfo {
    /// Its name in the key set.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it stands.
    pub state: KeyState,
    /// When it was published, since the Unix epoch, like the times below.
    pub published_at: Duration,
    /// When it begins to sign, or did.
    pub active_at: Duration,
    /// When another takes its place, or did.
    pub retired_at: Option<Duration>,
    /// When it is not published any more.
    pub removed_at: Option<Duration>,
    /// Whether its private key is encrypted in the database.
    pub encrypted: bool,
}

impl KeyInfo {
    pub(super) fn of(stored: &StoredKey, now: Duration) -> Self {
        Self {
            kid: stored.kid.clone(),
            algorithm: stored.algorithm,
            state: times(stored).state(now),
            published_at: stored.published_at,
            active_at: stored.active_at,
            retired_at: stored.retired_at,
            removed_at: stored.removed_at,
            encrypted: stored.private_key.encryption.is_some(),
        }
    }
}

impl SigningKeys {
    /// Prepares what was stored. Keys that `before` has are not read again.
    pub(super) fn prepare(
        owner: &KeyOwner,
        stored: Vec<StoredKey>,
        at_rest: &AtRest,
        before: Option<&Self>,
        max_age: Duration,
        read_at: Duration,
    ) -> Result<Self, KeyRingError> {
        let mut keys = Vec::with_capacity(stored.len());
        for stored in stored {
            let known = before.and_then(|before| before.held(&stored));
            let key = match known {
                Some(key) => key,
                None => Arc::new(read(owner, &stored, at_rest)?),
            };
            keys.push(Held { stored, key });
        }
        let public: Result<Vec<_>, _> = keys.iter().map(|held| held.key.public_jwk()).collect();
        let jwks = Document::new(&json!({ "keys": public? }), max_age);
        Ok(Self { keys, jwks, read_at })
    }

    /// The key that `stored` names. A name is the thumbprint of a public key, so there is one private
    /// key for it, also if it was encrypted meanwhile with what this process cannot decrypt.
    fn held(&self, stored: &StoredKey) -> Option<Arc<SigningKey>> {
        let held = self.keys.iter().find(|held| held.stored.kid == stored.kid)?;
        Some(Arc::clone(&held.key))
    }

    /// The key set, as it is published: public keys only ([RFC 7517 §5]).
    ///
    /// [RFC 7517 §5]: https://www.rfc-editor.org/rfc/rfc7517#section-5
    #[must_use]
    pub const fn jwks(&self) -> &Document {
        &self.jwks
    }

    /// The keys as they stand at `now`, since the Unix epoch, in the order in which they sign.
    #[must_use]
    pub fn list(&self, now: Duration) -> Vec<KeyInfo> {
        self.keys.iter().map(|held| KeyInfo::of(&held.stored, now)).collect()
    }

    pub(super) const fn read_at(&self) -> Duration {
        self.read_at
    }

    /// Signs the claims of an access token with the key whose turn it is.
    pub(super) fn sign(&self, claims: &[u8], now: Duration) -> Result<String, KeyRingError> {
        let signer = signer(self.keys.iter().map(|held| times(&held.stored)), now);
        let mut keys = self.keys.iter();
        let mut named = |name| keys.find(|held| times(&held.stored).name == name);
        let Some(held) = signer.and_then(|signer| named(signer.name)) else {
            return Err(KeyRingError::new(KeyRingErrorKind::Unavailable, "no key signs now"));
        };
        Ok(held.key.sign(claims)?)
    }
}

/// Reads a private key, and holds it to its name.
fn read(
    owner: &KeyOwner,
    stored: &StoredKey,
    at_rest: &AtRest,
) -> Result<SigningKey, KeyRingError> {
    named(owner, stored, &decrypted(owner, stored, at_rest)?)
}

/// The same as it is stored, without encryption.
pub(super) fn read_private(
    owner: &KeyOwner,
    stored: &StoredKey,
    at_rest: &AtRest,
) -> Result<Zeroizing<Vec<u8>>, KeyRingError> {
    let private = decrypted(owner, stored, at_rest)?;
    named(owner, stored, &private)?;
    Ok(private)
}

fn decrypted(
    owner: &KeyOwner,
    stored: &StoredKey,
    at_rest: &AtRest,
) -> Result<Zeroizing<Vec<u8>>, KeyRingError> {
    at_rest
        .read(&about(owner, &stored.kid, stored.algorithm), &stored.private_key)
        .map_err(|why| KeyRingError::unreadable(owner, &stored.kid, why))
}

/// The key, if the private key is the one that its name says.
fn named(owner: &KeyOwner, stored: &StoredKey, private: &[u8]) -> Result<SigningKey, KeyRingError> {
    let key = SigningKey::from_pkcs8(stored.algorithm, private).ok();
    // The name is the thumbprint, so a key under another's name is found out.
    key.filter(|key| key.kid() == stored.kid).ok_or_else(|| {
        let what = "is stored with another private key";
        KeyRingError::about(KeyRingErrorKind::Corrupt, owner, &stored.kid, what)
    })
}
