//! What can go wrong with the keys.

use std::error::Error;
use std::fmt;

use crate::keys::at_rest::Unreadable;
use crate::keys::signing_key::CryptoError;
use crate::records::KeyOwner;
use crate::store::{StoreError, StoreErrorKind};

/// The keys could not be had, or changed. It names keys by `kid`, and shows none.
#[derive(Debug)]
pub struct KeyRingError {
    kind: KeyRingErrorKind,
    what: String,
    source: Option<StoreError>,
}

/// The category of a [`KeyRingError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyRingErrorKind {
    /// A stored key is not what was written.
    Corrupt,
    /// The cryptographic library could not make or use a key.
    Crypto,
    /// The stored keys are encrypted with another key, or are and should not be, or the reverse.
    Encryption,
    /// The token would not be of one tenant alone. Nothing was signed.
    Foreign,
    /// There are as many keys as resource servers can be expected to take.
    TooManyKeys,
    /// The database cannot be asked, and the keys at hand are too old: it may work a moment later.
    Unavailable,
    /// The owner has no key of that `kid`.
    UnknownKey,
    /// There is no such tenant, or tenants have no keys of their own here.
    UnknownTenant,
}

impl KeyRingError {
    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> KeyRingErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: KeyRingErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    pub(super) fn unreadable(owner: &KeyOwner, kid: &str, why: Unreadable) -> Self {
        let (kind, what) = match why {
            Unreadable::Broken => (
                KeyRingErrorKind::Corrupt,
                "is not what was written: retire it, or restore the database",
            ),
            Unreadable::Clear => (
                KeyRingErrorKind::Encryption,
                "is stored without encryption, but there is a key encryption key: \
                 encrypt the stored keys (`tenantry keys encrypt`), or retire this one",
            ),
            Unreadable::NoKey => (
                KeyRingErrorKind::Encryption,
                "is encrypted: set the key encryption key that it was stored with",
            ),
            Unreadable::OtherKey => (
                KeyRingErrorKind::Encryption,
                "is encrypted with another key encryption key: set the one that it was stored with, \
                 or go over to this one (`tenantry keys encrypt --old-key-file`)",
            ),
        };
        Self::about(kind, owner, kid, what)
    }

    pub(super) fn about(kind: KeyRingErrorKind, owner: &KeyOwner, kid: &str, what: &str) -> Self {
        let whose = match owner {
            KeyOwner::Shared => String::new(),
            KeyOwner::Tenant(tenant) => format!(" of {tenant}"),
        };
        Self::new(kind, format!("signing key `{kid}`{whose} {what}"))
    }
}

impl fmt::Display for KeyRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for KeyRingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<CryptoError> for KeyRingError {
    fn from(_: CryptoError) -> Self {
        Self::new(KeyRingErrorKind::Crypto, "the cryptographic library could not use a signing key")
    }
}

impl From<StoreError> for KeyRingError {
    fn from(source: StoreError) -> Self {
        let (kind, what) = match source.kind() {
            StoreErrorKind::NotFound => {
                (KeyRingErrorKind::UnknownTenant, "there is no such tenant")
            }
            StoreErrorKind::Corrupt => {
                (KeyRingErrorKind::Corrupt, "the stored signing keys cannot be read")
            }
            _ => (KeyRingErrorKind::Unavailable, "the signing keys cannot be read or changed now"),
        };
        Self { kind, what: what.into(), source: Some(source) }
    }
}
