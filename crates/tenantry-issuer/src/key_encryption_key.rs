//! The key that signing keys are encrypted with in the database.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// 256 bits that signing keys are encrypted with at rest.
///
/// Written as base64, as `openssl rand -base64 32` prints it. Nobody needs to remember it, so it is
/// not made from a password.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    /// Takes 256 bits from a generator that is fit for keys.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for KeyEncryptionKey {
    type Err = InvalidKeyEncryptionKey;

    /// # Errors
    ///
    /// If it is not base64 (either alphabet, with or without padding) of exactly 32 bytes. White
    /// space around it is left out: a file has a line end.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let standard = text.trim().replace('-', "+").replace('_', "/");
        let bytes = GeneralPurpose::new(&alphabet::STANDARD, config)
            .decode(standard)
            .map_err(|_| InvalidKeyEncryptionKey(()))?;
        bytes.try_into().map(Self).map_err(|_| InvalidKeyEncryptionKey(()))
    }
}

// INVARIANT (secrets stay in): not in a log by way of `Debug`.
impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

/// The text is not a [`KeyEncryptionKey`]. It does not say which text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidKeyEncryptionKey(());

impl fmt::Display for InvalidKeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not 32 bytes in base64: make one with `openssl rand -base64 32`")
    }
}

impl Error for InvalidKeyEncryptionKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_base64_and_nothing_else() {
        let key = "q83vAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaG_8";
        let parsed: KeyEncryptionKey = format!("{key}\n").parse().unwrap();
        assert_eq!(parsed.as_bytes().first(), Some(&0xab));
        assert_eq!(format!("{key}=").replace('_', "/").parse(), Ok(parsed.clone()));
        assert_eq!(format!("{parsed:?}"), "KeyEncryptionKey(..)");
        for wrong in ["", "secret", &key[1..], &format!("{key}AA"), &key.replace('q', "*")] {
            assert!(wrong.parse::<KeyEncryptionKey>().is_err(), "{wrong}");
        }
    }
}
