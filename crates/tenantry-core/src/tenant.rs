//! The customer a request belongs to: an id with one grammar, and the proof that it was proven.

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// The longest tenant id, in bytes.
pub(crate) const MAX_TENANT_ID: usize = 128;

/// Names a tenant: 1 to 128 bytes of `[A-Za-z0-9_-]`, the first a letter or a digit.
///
/// Two ids are the same only if their bytes are. Nothing is trimmed, folded or decoded to make a
/// string fit: a string outside the grammar is an error.
///
/// A `TenantId` is a name, not a proof: anybody can parse one. What was proven is a
/// [`ProvenTenant`].
///
/// ```
/// use tenantry_core::TenantId;
///
/// let tenant: TenantId = "org_9aK".parse()?;
/// assert_eq!(tenant.as_str(), "org_9aK");
/// assert!("tenant 1".parse::<TenantId>().is_err());
/// # Ok::<_, tenantry_core::InvalidTenantId>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Returns the id as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    /// # Errors
    ///
    /// If `id` is empty, longer than 128 bytes, or at the first byte outside the grammar.
    fn from_str(id: &str) -> Result<Self, Self::Err> {
        if !is_tenant_id(id) {
            return Err(InvalidTenantId(()));
        }
        Ok(Self(id.into()))
    }
}

impl AsRef<str> for TenantId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for TenantId {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for TenantId {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

/// The string is not a [`TenantId`].
///
/// It does not say which string: that may have come from a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidTenantId(());

impl fmt::Display for InvalidTenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a tenant id: 1 to 128 letters, digits, `-` or `_`, starting with a letter or digit",
        )
    }
}

impl Error for InvalidTenantId {}

/// A tenant that a verified token, the request and the directory agree on.
///
/// It has no constructor: the only way to one is [`TenantAwareRequest::tenant`]. A repository that
/// takes `&ProvenTenant` cannot be called with a tenant that came from a string.
///
/// ```compile_fail
/// let forged = tenantry_core::ProvenTenant("tenant2".parse().unwrap());
/// ```
///
/// [`TenantAwareRequest::tenant`]: crate::TenantAwareRequest::tenant
// INVARIANT (agreement): made in `decision.rs`, after every source agreed, and nowhere else.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct ProvenTenant(TenantId);

impl ProvenTenant {
    pub(crate) const fn proven(tenant: TenantId) -> Self {
        Self(tenant)
    }
}

impl Deref for ProvenTenant {
    type Target = TenantId;

    fn deref(&self) -> &TenantId {
        &self.0
    }
}

impl fmt::Debug for ProvenTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ProvenTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether `text` is a tenant id, without making one.
pub(crate) fn is_tenant_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= MAX_TENANT_ID
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().copied().all(is_tenant_byte)
}

/// `[A-Za-z0-9_-]`
#[expect(clippy::indexing_slicing, reason = "a table of 256 has a place for every byte")]
pub(crate) const fn is_tenant_byte(byte: u8) -> bool {
    TENANT_BYTES[byte as usize]
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const TENANT_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let ascii = byte as u8;
        table[byte] = ascii.is_ascii_alphanumeric() || ascii == b'_' || ascii == b'-';
        byte += 1;
    }
    table
};

/// Splits `text` after the tenant id that it starts with: as many bytes of the alphabet as there are.
pub(crate) fn split_tenant_id(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_tenant_byte(byte)).unwrap_or(text.len());
    let first = text.bytes().next()?;
    if end > MAX_TENANT_ID || !first.is_ascii_alphanumeric() {
        return None;
    }
    text.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_to_128_bytes_of_its_alphabet_starting_with_a_letter_or_digit() {
        let longest = "a".repeat(128);
        for id in ["a", "0", "org_9aK", "T-1", "0f8b-4c", longest.as_str()] {
            assert_eq!(id.parse::<TenantId>().map(|id| id.to_string()), Ok(id.into()));
        }
        let too_long = "a".repeat(129);
        for id in
            ["", "-a", "_a", "a.b", "a b", " a", "a ", "a/b", "a%62", "tenånt", "a\0", &too_long]
        {
            assert!(id.parse::<TenantId>().is_err(), "{id:?} was accepted");
        }
    }

    #[test]
    fn ids_that_differ_in_case_are_different() {
        assert_ne!("acme".parse::<TenantId>(), "Acme".parse::<TenantId>());
    }
}
