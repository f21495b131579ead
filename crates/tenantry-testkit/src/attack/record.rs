//! What a run has found so far.

use std::collections::BTreeSet;

use aws_lc_rs::rand;

use super::finding::{Finding, Outcome};
use super::kind::AttackKind;
use super::report::AttackReport;

/// How long a canary is.
pub(super) const CANARY: usize = 20;

/// Collects findings, each once, and counts.
pub(super) struct Record {
    findings: Vec<(usize, Finding)>,
    seen: BTreeSet<(AttackKind, usize, Outcome, String)>,
    open: BTreeSet<usize>,
    scopeless: BTreeSet<usize>,
    leaky: BTreeSet<usize>,
    crossed: BTreeSet<usize>,
    useless: BTreeSet<usize>,
    pub(super) requests: usize,
    run: u64,
    canaries: u64,
}

impl Record {
    pub(super) fn new() -> Self {
        let mut bytes = [0; 8];
        // Without randomness canaries are the same in each run, which matters only for a store that
        // outlives it.
        let _ = rand::fill(&mut bytes);
        Self {
            findings: Vec::new(),
            seen: BTreeSet::new(),
            open: BTreeSet::new(),
            scopeless: BTreeSet::new(),
            leaky: BTreeSet::new(),
            crossed: BTreeSet::new(),
            useless: BTreeSet::new(),
            requests: 0,
            run: u64::from_le_bytes(bytes) >> 24,
            canaries: 0,
        }
    }

    /// A text that no other request has, and that is part of no other.
    pub(super) fn canary(&mut self) -> String {
        self.canaries += 1;
        format!("{}{:09x}", self.stem(), self.canaries)
    }

    /// What all canaries of this run begin with.
    pub(super) fn stem(&self) -> String {
        format!("k{:010x}", self.run)
    }

    /// Adds a finding about a probe. `roles` are attacker and victim: what was found in one direction
    /// is not told again for the other.
    pub(super) fn add(&mut self, probe: usize, finding: Finding, roles: [&str; 2]) {
        let [attacker, victim] = roles;
        let mut names = [(attacker, "{attacker}"), (victim, "{victim}")];
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let mut key = finding.sent.clone();
        for (name, role) in names {
            key = key.replace(&format!("`{name}`"), role);
        }
        if self.seen.insert((finding.kind, probe, finding.outcome, key)) {
            self.findings.push((probe, finding));
        }
    }

    /// Says that attacks on a probe prove nothing, so none are tried.
    pub(super) fn give_up(&mut self, probe: usize) {
        self.useless.insert(probe);
    }

    pub(super) fn is_useless(&self, probe: usize) -> bool {
        self.useless.contains(&probe)
    }

    /// Says that a probe is answered without credentials: what else could be sent proves little.
    pub(super) fn set_open(&mut self, probe: usize) {
        self.open.insert(probe);
    }

    pub(super) fn is_open(&self, probe: usize) -> bool {
        self.open.contains(&probe)
    }

    /// Says that a probe is answered without scopes.
    pub(super) fn set_scopeless(&mut self, probe: usize) {
        self.scopeless.insert(probe);
    }

    pub(super) fn is_scopeless(&self, probe: usize) -> bool {
        self.scopeless.contains(&probe)
    }

    /// Says that a probe shows one tenant's data in the right answer to another. Returns whether that
    /// is new.
    pub(super) fn set_leaky(&mut self, probe: usize) -> bool {
        self.leaky.insert(probe)
    }

    pub(super) fn is_leaky(&self, probe: usize) -> bool {
        self.leaky.contains(&probe)
    }

    /// Says that a probe takes the other tenant's objects.
    pub(super) fn set_crossed(&mut self, probe: usize) {
        self.crossed.insert(probe);
    }

    pub(super) fn is_crossed(&self, probe: usize) -> bool {
        self.crossed.contains(&probe)
    }

    pub(super) fn into_report(mut self, probes: usize) -> AttackReport {
        self.findings.sort_by_key(|(probe, finding)| (finding.kind, *probe));
        let findings = self.findings.into_iter().map(|(_, finding)| finding).collect();
        AttackReport { probes, requests: self.requests, findings }
    }
}
