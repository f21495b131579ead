//! What came of all attacks.

use std::fmt;

use super::finding::{Finding, Outcome};
use super::kind::AttackKind;

/// How many findings of a kind are printed.
const PRINTED: usize = 8;

/// What an [`AttackSuite`](crate::AttackSuite) found.
///
/// It prints the findings by kind, the first few of each. [`findings`](Self::findings) has all.
#[must_use = "a report that nobody looks at lets everything pass: call `assert_clean`"]
#[derive(Clone, Debug)]
pub struct AttackReport {
    pub(super) probes: usize,
    pub(super) requests: usize,
    pub(super) findings: Vec<Finding>,
}

impl AttackReport {
    /// Returns what was found, by kind and within a kind in the order of the probes.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns how many requests were sent.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// Returns whether nothing was found, and every probe could prove something.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Fails the test if anything was found.
    ///
    /// # Panics
    ///
    /// With the report, if it is not [clean](Self::is_clean).
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

impl fmt::Display for AttackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { probes, requests, findings } = self;
        let unproven =
            findings.iter().filter(|finding| finding.outcome == Outcome::Unproven).count();
        let through = findings.len() - unproven;
        writeln!(
            f,
            "attack suite: {through} got through, {unproven} not proven, of {probes} probes by \
             {requests} requests"
        )?;
        for kind in AttackKind::ALL {
            let of_kind = || findings.iter().filter(move |finding| finding.kind == kind);
            let count = of_kind().count();
            if count == 0 {
                continue;
            }
            writeln!(f, "\n{kind}: {count}")?;
            for finding in of_kind().take(PRINTED) {
                write!(f, "{finding}")?;
            }
            if count > PRINTED {
                writeln!(f, "  … and {} more", count - PRINTED)?;
            }
        }
        Ok(())
    }
}
