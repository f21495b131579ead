//! Why something could not be revoked.

use std::error::Error;
use std::fmt;

/// Why something could not be revoked. Nothing has changed: what was to be refused is not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevocationError {
    kind: RevocationErrorKind,
    capacity: usize,
}

/// The category of a [`RevocationError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RevocationErrorKind {
    /// Every place is taken by an entry that is not past.
    Full,
    /// The token has no `jti` to know it by.
    NoJwtId,
}

impl RevocationError {
    pub(crate) const fn new(kind: RevocationErrorKind, capacity: usize) -> Self {
        Self { kind, capacity }
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> RevocationErrorKind {
        self.kind
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RevocationErrorKind::Full => write!(
                f,
                "nothing was revoked: all {} places of the list are taken; revoke a client or a tenant instead of single tokens, suspend the tenant in the directory, or start with a larger capacity",
                self.capacity
            ),
            RevocationErrorKind::NoJwtId => f.write_str(
                "nothing was revoked: the token has no `jti` to know it by; revoke its subject or its client",
            ),
        }
    }
}

impl Error for RevocationError {}
