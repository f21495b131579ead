//! The attempts that are being worked on, so that a retry does not have to wait for the first.
//!
//! Only for the answer: that nothing is booked twice is the database's business, also where several
//! processes share it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tenantry::ProvenTenant;

use super::book_error::BookError;
use crate::idempotency::{Attempt, Caller, IdempotencyKey};

type Name = (Box<str>, Caller, IdempotencyKey);

/// As many as there are requests.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<Name>>>);

impl UnderWay {
    /// Begins an attempt, which ends when the guard is dropped.
    pub(super) fn begin(
        &self,
        tenant: &ProvenTenant,
        attempt: Option<&Attempt>,
    ) -> Result<Option<Guard>, BookError> {
        let Some(attempt) = attempt else { return Ok(None) };
        let name = (tenant.as_str().into(), attempt.caller.clone(), attempt.key.clone());
        if !self.names().insert(name.clone()) {
            return Err(BookError::KeyInProgress);
        }
        Ok(Some(Guard { under_way: self.clone(), name }))
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Name>> {
        // Nothing that could panic is done while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that is being worked on.
#[must_use = "the attempt ends when this is dropped"]
pub(super) struct Guard {
    under_way: UnderWay,
    name: Name,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.under_way.names().remove(&self.name);
    }
}
