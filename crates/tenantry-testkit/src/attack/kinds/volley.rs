//! Attempts of one kind with one probe.

use crate::attack::attempt::{Attempt, Expect};
use crate::attack::kind::AttackKind;
use crate::attack::shot::Shot;

/// Collects attempts.
pub(super) struct Volley {
    kind: AttackKind,
    pub(super) index: usize,
    pub(super) attempts: Vec<Attempt>,
}

impl Volley {
    pub(super) const fn new(kind: AttackKind, index: usize) -> Self {
        Self { kind, index, attempts: Vec::new() }
    }

    /// A request that has to be refused.
    pub(super) fn refused(&mut self, sent: impl Into<String>, shot: Shot) {
        self.add(Expect::Refused, sent, shot);
    }

    /// A request that may be answered, about the caller's own tenant.
    pub(super) fn harmless(&mut self, sent: impl Into<String>, shot: Shot) {
        self.add(Expect::Harmless, sent, shot);
    }

    pub(super) fn add(&mut self, expect: Expect, sent: impl Into<String>, shot: Shot) {
        let Self { kind, index, .. } = *self;
        self.attempts.push(Attempt { kind, probe: index, sent: sent.into(), expect, shot });
    }
}
