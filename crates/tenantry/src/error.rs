//! Why a resource server cannot start.

use std::error::Error;
use std::fmt;

use tenantry_core::PolicyError;
use tenantry_jwt::BuildError;

/// The configuration cannot be used. `Display` is one line: where, what, and what would be right.
#[derive(Debug)]
pub struct ConfigError {
    place: Option<String>,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            place: None,
            problem: problem.into(),
            source: None,
        }
    }

    /// Says where: `policy.toml:12`.
    #[cfg(feature = "policy-file")]
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<BuildError> for ConfigError {
    fn from(error: BuildError) -> Self {
        let cause = error
            .source()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Self::new(format!("{error}{cause}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
