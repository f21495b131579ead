//! Where the next page of a list begins.
//!
//! It says behind which id, and nothing else: not whose list it is. The query names the tenant, so
//! in another tenant's hands it is only a place in that tenant's own list.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::EntryId;

/// A place in a list, newest first: behind the entry with this id, whether or not there is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor(EntryId);

impl Cursor {
    /// Behind `last`, the oldest entry of a page.
    #[must_use]
    pub const fn behind(last: EntryId) -> Self {
        Self(last)
    }

    /// Returns the id that it is behind.
    #[must_use]
    pub const fn id(self) -> EntryId {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    /// # Errors
    ///
    /// If `cursor` is not one as this type writes it.
    fn from_str(cursor: &str) -> Result<Self, InvalidCursor> {
        let mut id = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(cursor, &mut id) {
            Ok(16) => Ok(Self(EntryId::from_bytes(id))),
            _ => Err(InvalidCursor),
        }
    }
}

/// The text is not a [`Cursor`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidCursor;

impl fmt::Display for InvalidCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cursor is the `next` of a page")
    }
}

impl std::error::Error for InvalidCursor {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_has_one_spelling() {
        let cursor = Cursor::behind(EntryId::new());
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        assert_eq!(text.len(), 22);
        for other in [
            String::new(),
            text[..21].into(),
            format!("{text}A"),
            format!("{text}=="),
            format!("{text} "),
            format!("{}_", &text[..21]), // bits that say nothing
            format!("{}+", &text[..21]),
            "A".repeat(1 << 16),
            cursor.id().to_string(),
        ] {
            assert_eq!(other.parse::<Cursor>(), Err(InvalidCursor), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[A-Za-z0-9_-]{20,24}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
