//! One thing that got through.

use std::fmt;

use super::kind::AttackKind;

/// One thing that the suite found.
///
/// It prints as the request, what was sent, what was expected, what came, and what usually is the
/// cause. No token is in it, and none of the data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub(super) kind: AttackKind,
    pub(super) outcome: Outcome,
    pub(super) probe: String,
    pub(super) request: String,
    pub(super) sent: String,
    pub(super) expected: String,
    pub(super) got: String,
    pub(super) hint: String,
}

/// What happened that must not happen.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// What one tenant did is in another's data, or took away from it.
    Changed,
    /// What one tenant wrote is in the answer to another.
    Leaked,
    /// A request was answered that had to be refused.
    Admitted,
    /// The router failed, with a panic or a 5xx, where it had to refuse.
    Failed,
    /// A request that had to succeed did not, or what came back proves nothing.
    Unproven,
}

impl Finding {
    /// Returns what the attack played with.
    #[must_use]
    pub const fn kind(&self) -> AttackKind {
        self.kind
    }

    /// Returns what happened.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns method and template of the probe.
    #[must_use]
    pub fn probe(&self) -> &str {
        &self.probe
    }

    /// Returns method and path of the request.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// Returns what was sent, in words.
    #[must_use]
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// Returns what came back: status, code, and where the canary was.
    #[must_use]
    pub fn got(&self) -> &str {
        &self.got
    }

    /// Returns what usually is the cause.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.request)?;
        writeln!(f, "    sent      {}", self.sent)?;
        writeln!(f, "    expected  {}", self.expected)?;
        writeln!(f, "    got       {}", self.got)?;
        writeln!(f, "    look at   {}", self.hint)
    }
}
