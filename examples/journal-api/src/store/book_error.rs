//! Why nothing was booked.

use std::error::Error;
use std::fmt;

use crate::store_error::StoreError;

/// Why nothing was booked.
#[derive(Debug)]
pub enum BookError {
    /// A request with the same `Idempotency-Key` is being worked on.
    KeyInProgress,
    /// Another request was booked under this `Idempotency-Key`.
    KeyReused,
    /// The database did not take it.
    Store(StoreError),
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyInProgress => f.write_str("a request with this key is being worked on"),
            Self::KeyReused => f.write_str("another request was booked under this key"),
            Self::Store(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for BookError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::KeyInProgress | Self::KeyReused => None,
        }
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
