//! Why a document could not be fetched.

use std::error::Error;
use std::fmt;

/// A document could not be fetched.
#[derive(Debug)]
pub struct FetchError {
    kind: FetchErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// Returns the error with its cause. The cause must not hold the URL: it may come from a
    /// stranger, and it ends in the log.
    #[must_use]
    pub fn with_source(
        kind: FetchErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Returns the category.
    #[must_use]
    pub const fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }
}

impl From<FetchErrorKind> for FetchError {
    fn from(kind: FetchErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// The category of a [`FetchError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FetchErrorKind {
    /// There was no connection, or TLS refused the other side.
    Connect,
    /// The URL is not `https`, nor a permitted `http`.
    Insecure,
    /// The URL leads to an inside address, and it was not the operator who wrote it.
    PrivateAddress,
    /// The connection broke, or what came was not HTTP.
    Protocol,
    /// It took too long.
    TimedOut,
    /// The body was too long.
    TooLarge,
    /// The URL is not one.
    Url,
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Insecure => "the URL is not https",
            Self::PrivateAddress => "the URL leads to an inside address",
            Self::Protocol => "the connection broke",
            Self::TimedOut => "it took too long",
            Self::TooLarge => "the body is too long",
            Self::Url => "not a URL that can be fetched",
        })
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
