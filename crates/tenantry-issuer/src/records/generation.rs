//! Whether what is remembered of a client is still so.

/// Which state of a client and its tenant something rests on.
///
/// It changes when refresh tokens of the client or of its whole tenant are revoked, as by a new secret, and
/// when the client or the tenant is removed and registered anew. It does not come back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Generation(i64);

impl Generation {
    /// The number that the client's row and the tenant's add up to.
    pub(crate) const fn from_stored(number: i64) -> Self {
        Self(number)
    }

    pub(crate) const fn stored(self) -> i64 {
        self.0
    }
}
