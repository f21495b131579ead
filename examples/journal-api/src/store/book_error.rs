//! Why nothing was booked.

use std::error::Error;
use std::fmt;

use crate::id::EntryId;
use crate::invalid::InvalidEntry;
use crate::store_error::StoreError;

/// Why nothing was booked.
#[derive(Debug)]
pub enum BookError {
    /// The entry was reversed before, by this one.
    AlreadyReversed(EntryId),
    /// What would be booked is not an entry.
    Invalid(InvalidEntry),
    /// The entry is a reversal itself.
    IsReversal,
    /// A request with the same `Idempotency-Key` is being worked on.
    KeyInProgress,
    /// Another request was booked under this `Idempotency-Key`.
    KeyReused,
    /// The tenant has no such entry to reverse.
    NotFound,
    /// The database did not take it.
    Store(StoreError),
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyReversed(by) => write!(f, "the entry was reversed before, by {by}"),
            Self::Invalid(invalid) => fmt::Display::fmt(invalid, f),
            Self::IsReversal => f.write_str("the entry is a reversal"),
            Self::KeyInProgress => f.write_str("a request with this key is being worked on"),
            Self::KeyReused => f.write_str("another request was booked under this key"),
            Self::NotFound => f.write_str("there is no such entry"),
            Self::Store(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for BookError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl From<InvalidEntry> for BookError {
    fn from(invalid: InvalidEntry) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<StoreError> for BookError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for BookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
