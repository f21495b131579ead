//! The name of a booked entry.

use std::fmt;
use std::str::FromStr;

use serde::ser::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// Names an entry: a UUID of version 7 ([RFC 9562 §5.7]).
///
/// Random, so that nobody learns from an id how many entries other tenants have, and later ones
/// sort after earlier ones. It does not name a tenant: an entry is found by tenant *and* id.
///
/// [RFC 9562 §5.7]: https://www.rfc-editor.org/rfc/rfc9562#section-5.7
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ToSchema)]
#[schema(description = "The name of an entry.", value_type = String, format = "uuid")]
pub struct EntryId(Uuid);

impl EntryId {
    /// Returns an id that no entry has.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "two defaults would have to be equal")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    /// # Errors
    ///
    /// If `id` is not a UUID as this type writes it: lower case, with hyphens.
    fn from_str(id: &str) -> Result<Self, InvalidEntryId> {
        let parsed = Self(Uuid::try_parse(id).map_err(|_| InvalidEntryId)?);
        if parsed.to_string() != id {
            return Err(InvalidEntryId);
        }
        Ok(parsed)
    }
}

/// The text is not an [`EntryId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidEntryId;

impl fmt::Display for InvalidEntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of an entry")
    }
}

impl std::error::Error for InvalidEntryId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = EntryId::new();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            "1".into(),
            String::new(),
        ] {
            assert_eq!(other.parse::<EntryId>(), Err(InvalidEntryId), "{other:?}");
        }
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<_> = (0..1000).map(|_| EntryId::new().to_string()).collect();
        assert!(ids.is_sorted());
    }
}
