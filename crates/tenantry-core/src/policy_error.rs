//! Why a policy cannot be used.

use std::error::Error;
use std::fmt;

/// Why a policy cannot be used: which setting, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError {
    setting: String,
    problem: String,
}

impl PolicyError {
    /// Refuses `setting`, written as in the policy file: `issuer[0].tenants`.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// The setting, as it is called in the policy file.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    pub(crate) fn within(mut self, parent: &str) -> Self {
        self.setting = format!("{parent}.{}", self.setting);
        self
    }

    pub(crate) fn because(mut self, setting: &str) -> Self {
        self.problem = format!("{} (listed under {setting})", self.problem);
        self
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Error for PolicyError {}
