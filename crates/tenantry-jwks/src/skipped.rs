//! What was left out of a key set, and why.

use std::fmt;

/// A key of a document that is not in the [`KeySet`](crate::KeySet).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SkippedKey {
    pub(crate) index: usize,
    pub(crate) reason: SkipReason,
}

impl SkippedKey {
    /// Returns the place of the key in the document, from 0.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns why it was left out.
    #[must_use]
    pub const fn reason(&self) -> SkipReason {
        self.reason
    }
}

/// Why a key was left out of a [`KeySet`](crate::KeySet).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SkipReason {
    /// `alg` is unknown, symmetric, for encryption, or does not go with the type of the key.
    Algorithm,
    /// Another key has the same `kid` and fits the same algorithm.
    AmbiguousKeyId,
    /// A member `issuer` says that it is for the tokens of another issuer.
    Issuer,
    /// `kty` is unknown or `oct`, or the PEM block is not a public key.
    KeyType,
    /// Not an object with unique members of the right types, or not PEM.
    Malformed,
    /// A parameter is missing, not canonical base64url, of the wrong length, or not on the curve.
    Parameters,
    /// The same key is in the set already.
    Repeated,
    /// The RSA exponent is even, below 3 or above 2^32.
    RsaExponent,
    /// The RSA modulus has fewer than 2048 or more than 8192 bits.
    RsaModulus,
    /// It has members of a private or symmetric key. Whoever published it must replace it.
    Secret,
    /// `use` or `key_ops` say that it is not for checking signatures.
    Use,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "its algorithm is not supported or does not go with its type",
            Self::AmbiguousKeyId => "another key has the same kid",
            Self::Issuer => "it is for another issuer",
            Self::KeyType => "its type is not supported",
            Self::Malformed => "it is malformed",
            Self::Parameters => "its parameters are missing or invalid",
            Self::Repeated => "it is in the set already",
            Self::RsaExponent => "its RSA exponent is out of range",
            Self::RsaModulus => "its RSA modulus has fewer than 2048 or more than 8192 bits",
            Self::Secret => "it is a private or symmetric key, published",
            Self::Use => "it is not for checking signatures",
        })
    }
}
