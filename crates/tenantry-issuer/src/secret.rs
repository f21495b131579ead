//! Secrets that are generated here, and the hashes that are kept of them.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::random::{RandomError, random};

/// A client secret: 256 bits from the system's generator, as 43 characters of base64url.
///
/// It is shown once, to whoever registers the client; [`hash`](Self::hash) is what is stored. Nobody
/// guesses 256 random bits, so a plain SHA-256 is a sound way to store them: a slow hash protects
/// secrets that people choose.
///
/// ```
/// use tenantry_issuer::{Secret, SecretHash};
///
/// let secret = Secret::generate()?;
/// assert!(secret.hash() == SecretHash::of(secret.expose()));
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// # Ok::<_, tenantry_issuer::RandomError>(())
/// ```
pub struct Secret(String);

impl Secret {
    /// Generates a secret.
    ///
    /// # Errors
    ///
    /// If the system's generator has no random numbers.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?)))
    }

    /// Returns the secret, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what is stored of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident, $shown:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; Self::LEN]);

        impl $name {
            /// The length, in bytes.
            pub const LEN: usize = 32;

            /// Hashes `text`.
            #[must_use]
            pub fn of(text: &str) -> Self {
                let mut bytes = [0; Self::LEN];
                for (byte, hashed) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
                    *byte = *hashed;
                }
                Self(bytes)
            }

            /// Takes a hash as it was stored.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes of the hash.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
                &self.0
            }
        }

        /// Takes the same time wherever the two differ.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                verify_slices_are_equal(&self.0, &other.0).is_ok()
            }
        }

        impl Eq for $name {}

        // INVARIANT (secrets stay in)
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($shown)
            }
        }
    };
}

hash! {
    /// The SHA-256 of a client's [`Secret`]. Compared in constant time.
    SecretHash, "SecretHash(..)"
}

hash! {
    /// The SHA-256 of a refresh token, or of what else may be used once. Compared in constant time.
    TokenHash, "TokenHash(..)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_43_characters_that_form_encoding_leaves_as_they_are() {
        let secret = Secret::generate().unwrap();
        assert_eq!(secret.expose().len(), 43);
        assert!(
            secret
                .expose()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_ne!(secret.expose(), Secret::generate().unwrap().expose());
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn a_hash_is_the_sha_256_of_the_text() {
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(SecretHash::of("abc").as_bytes(), &expected);
        assert_eq!(TokenHash::of("abc").as_bytes(), &expected);
    }

    #[test]
    fn hashes_are_equal_only_if_every_byte_is() {
        let hash = TokenHash::of("a");
        for place in 0..TokenHash::LEN {
            let mut other = *hash.as_bytes();
            other[place] ^= 1;
            assert_ne!(hash, TokenHash::from_bytes(other));
        }
        assert_eq!(hash, TokenHash::from_bytes(*hash.as_bytes()));
    }

    #[test]
    fn secrets_stay_in() {
        let secret = Secret::generate().unwrap();
        assert_eq!(format!("{:?} {:?}", secret, secret.hash()), "Secret(..) SecretHash(..)");
        assert_eq!(format!("{:?}", TokenHash::of("a")), "TokenHash(..)");
    }
}
