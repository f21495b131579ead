//! Why a directory has no answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{Reason, Rejection};

use crate::directory_numbers::CROWDED;
use crate::tenant_source::BoxError;

/// Why a directory has no answer. All who waited for the ask get a copy.
#[derive(Clone, Debug)]
pub(crate) struct AskError {
    pub(crate) kind: AskErrorKind,
    retry_after: Duration,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AskErrorKind {
    /// An ask failed moments ago.
    BackOff,
    /// Too many asks are in flight.
    Crowded,
    /// The source said so.
    Failed,
    /// The task of the ask came to an end without an answer.
    Interrupted,
    NoRuntime,
    TimedOut,
}

impl AskError {
    pub(crate) fn failed(source: BoxError) -> Self {
        Self { source: Some(source.into()), ..AskErrorKind::Failed.into() }
    }

    pub(crate) fn with_retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }
}

impl From<AskErrorKind> for AskError {
    fn from(kind: AskErrorKind) -> Self {
        Self { kind, retry_after: CROWDED, source: None }
    }
}

// INVARIANT (cannot judge is not invalid).
impl From<AskError> for Rejection {
    fn from(error: AskError) -> Self {
        Self::new(Reason::DirectoryUnavailable)
            .with_retry_after(error.retry_after)
            .with_source(error)
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AskErrorKind::BackOff => "the tenant source failed moments ago",
            AskErrorKind::Crowded => "too many tenants are being asked for",
            AskErrorKind::Failed => "the tenant source failed",
            AskErrorKind::Interrupted => "the tenant source panicked, or its runtime ended",
            AskErrorKind::NoRuntime => "the tenant source needs a tokio runtime",
            AskErrorKind::TimedOut => "the tenant source did not answer in time",
        })
    }
}

impl Error for AskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
