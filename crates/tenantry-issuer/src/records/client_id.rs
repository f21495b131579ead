//! The name of a client within its tenant.

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Names a client of one tenant: 1 to 128 bytes of `[A-Za-z0-9._~-]`.
///
/// These are the bytes that form encoding leaves as they are, so an id reads the same before and
/// after it, in HTTP Basic ([RFC 6749 §2.3.1]) and in a body. The same id under two tenants names two
/// clients.
///
/// ```
/// use tenantry_issuer::ClientId;
///
/// assert_eq!("journal-sync".parse::<ClientId>()?.as_str(), "journal-sync");
/// assert!("journal sync".parse::<ClientId>().is_err());
/// assert!("journal:sync".parse::<ClientId>().is_err());
/// # Ok::<_, tenantry_issuer::InvalidClientId>(())
/// ```
///
/// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Returns the id as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    /// # Errors
    ///
    /// If `id` is empty, longer than 128 bytes, or has a byte outside the alphabet.
    fn from_str(id: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::MAX_LEN).contains(&id.len());
        if !fits || !id.bytes().all(is_client_byte) {
            return Err(InvalidClientId(()));
        }
        Ok(Self(id.into()))
    }
}

/// `unreserved` of RFC 3986.
const fn is_client_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The string is not a [`ClientId`].
///
/// It does not say which string: that may have come from a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidClientId(());

impl fmt::Display for InvalidClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a client id: 1 to 128 letters, digits, `.`, `_`, `~` or `-`")
    }
}

impl Error for InvalidClientId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_to_128_unreserved_bytes() {
        let longest = "a".repeat(128);
        for id in ["a", "-", "A.b_c~d-9", longest.as_str()] {
            assert_eq!(id.parse::<ClientId>().map(|id| id.to_string()), Ok(id.into()));
        }
        let too_long = "a".repeat(129);
        for id in ["", " ", "a b", "a:b", "a+b", "a%20b", "a/b", "a\0", "ä", "a\n", &too_long] {
            assert!(id.parse::<ClientId>().is_err(), "{id:?} was accepted");
        }
    }
}
