//! Marks in time that are never reused, so that a cached answer can tell whether it still holds.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

static LAST: AtomicU64 = AtomicU64::new(0);

/// One state of something that can change: a policy, a key set, a tenant.
///
/// Whoever caches an answer takes the epochs of all it rests on *before* it works the answer out,
/// and compares them at each use.
// INVARIANT (cache the identity): one counter for the whole process, so an issuer that was evicted
// and loaded again cannot come back with an epoch that old tokens were cached under.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Epoch(NonZeroU64);

impl Epoch {
    /// Returns an epoch that no other call in this process has returned or will return.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "two defaults would have to be equal")]
    pub fn new() -> Self {
        let before = LAST.fetch_add(1, Ordering::Relaxed);
        // 2^64 calls do not happen; if they did, one epoch would stand for two states, not panic.
        Self(NonZeroU64::MIN.saturating_add(before))
    }

    /// The number behind it, for an atomic. Never zero.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_equal() {
        assert_ne!(Epoch::new(), Epoch::new());
    }
}
