//! Why there is no key.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::fetch_error::{FetchError, FetchErrorKind};

/// Why a token cannot be judged by a key of its issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyError {
    kind: KeyErrorKind,
    retry_after: Option<Duration>,
}

impl KeyError {
    pub(crate) const AMBIGUOUS: Self = Self { kind: KeyErrorKind::Ambiguous, retry_after: None };
    pub(crate) const UNKNOWN: Self = Self { kind: KeyErrorKind::Unknown, retry_after: None };

    pub(crate) fn unavailable(retry_after: Duration) -> Self {
        // `Retry-After` has whole seconds, and zero would invite a storm.
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        let retry_after = Some(Duration::from_secs(seconds.max(1)));
        Self { kind: KeyErrorKind::Unavailable, retry_after }
    }

    /// Returns the category.
    #[must_use]
    pub const fn kind(&self) -> KeyErrorKind {
        self.kind
    }

    /// Returns after how many whole seconds, at least one, to ask again. Only
    /// [`Unavailable`](KeyErrorKind::Unavailable) has it.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// The category of a [`KeyError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyErrorKind {
    /// More than one key fits, and the token does not say which.
    Ambiguous,
    /// The keys cannot be had, so the token cannot be judged. It may be a good one.
    Unavailable,
    /// The keys are there, and none of them fits.
    Unknown,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            KeyErrorKind::Ambiguous => "more than one key fits",
            KeyErrorKind::Unavailable => "the keys of the issuer are unavailable",
            KeyErrorKind::Unknown => "the issuer has no such key",
        })
    }
}

impl Error for KeyError {}

/// Why a key set could not be loaded.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LoadErrorKind {
    /// The issuer publishes no metadata that names it and its keys ([RFC 8414 §3.3]).
    ///
    /// [RFC 8414 §3.3]: https://www.rfc-editor.org/rfc/rfc8414#section-3.3
    Discovery,
    /// The request failed.
    Fetch(FetchErrorKind),
    /// The file could not be read.
    File,
    /// The fetch was given up: its task was dropped or panicked.
    Interrupted,
    /// What came is not a key set.
    KeySet,
    /// The key set has no key that signatures can be judged by.
    NoUsableKey,
    /// The answer had this status instead of 200.
    Status(u16),
}

impl LoadErrorKind {
    /// For a figure: one of a few words, whatever the issuer answers.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Fetch(FetchErrorKind::Connect) => "connect",
            Self::Fetch(FetchErrorKind::Insecure) => "insecure",
            Self::Fetch(FetchErrorKind::PrivateAddress) => "private_address",
            Self::Fetch(FetchErrorKind::Protocol) => "protocol",
            Self::Fetch(FetchErrorKind::TimedOut) => "timed_out",
            Self::Fetch(FetchErrorKind::TooLarge) => "too_large",
            Self::Fetch(FetchErrorKind::Url) => "url",
            Self::File => "file",
            Self::Interrupted => "interrupted",
            Self::KeySet => "key_set",
            Self::NoUsableKey => "no_usable_key",
            Self::Status(_) => "status",
        }
    }
}

impl fmt::Display for LoadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery => f.write_str("no metadata of the issuer names its keys"),
            Self::Fetch(kind) => kind.fmt(f),
            Self::File => f.write_str("the file cannot be read"),
            Self::Interrupted => f.write_str("the fetch was interrupted"),
            Self::KeySet => f.write_str("not a key set"),
            Self::NoUsableKey => f.write_str("the key set has no usable key"),
            Self::Status(status) => write!(f, "status {status} instead of 200"),
        }
    }
}

/// A [`LoadErrorKind`] with its cause, for the log.
#[derive(Debug)]
pub(crate) struct LoadError {
    pub(crate) kind: LoadErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl LoadError {
    pub(crate) fn with_source(
        kind: LoadErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: Some(source.into()) }
    }
}

impl From<LoadErrorKind> for LoadError {
    fn from(kind: LoadErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<FetchError> for LoadError {
    fn from(error: FetchError) -> Self {
        Self { kind: LoadErrorKind::Fetch(error.kind()), source: error.into_source() }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
