//! A signing key as it is stored.

use std::fmt;
use std::time::Duration;

use tenantry_core::{Algorithm, TenantId};

/// Whose tokens a key signs.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyOwner {
    /// The one issuer's, for all tenants.
    Shared,
    /// The issuer's of this tenant alone.
    Tenant(TenantId),
}

/// A signing key with its schedule. The store compares none of its times.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredKey {
    /// Its `kid`, unique over all owners.
    pub kid: String,
    /// The one algorithm that it signs with.
    pub algorithm: Algorithm,
    /// The private key. In which form, and whether encrypted, is the writer's matter.
    pub private_key: SealedKey,
    /// The public key: a JWK as JSON text.
    pub public_jwk: String,
    /// When it was published, since the Unix epoch; kept to the millisecond, like every time here.
    pub published_at: Duration,
    /// When it begins to sign.
    pub active_at: Duration,
    /// When it signs no more.
    pub retired_at: Option<Duration>,
    /// When it is no longer published: the last token that it signed has expired.
    pub removed_at: Option<Duration>,
}

/// A private key as it is stored: bytes that `Debug` does not show.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedKey {
    /// The key, or what it was encrypted to.
    pub bytes: Vec<u8>,
    /// Which key it is encrypted with, in the writer's words; `None` in clear.
    pub encryption: Option<String>,
}

// INVARIANT (secrets stay in): a private key is not shown, encrypted or not.
impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedKey").field("encryption", &self.encryption).finish_non_exhaustive()
    }
}

/// A change of an owner's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyChange {
    /// Adds a key.
    Add(StoredKey),
    /// Removes the key with this `kid`.
    Remove(String),
    /// Puts this key in the place of the one with its `kid`.
    Replace(StoredKey),
}
