//! Why an authorization server cannot start.

use std::error::Error;
use std::fmt;

use tenantry_core::PolicyError;
use tenantry_toml::FileError;

/// The configuration cannot be used: `issuer.toml:12: algorithm: what is wrong with it`.
///
/// `Display` is one line, whatever the file holds: where, which setting, what is wrong and what would
/// be right. Place and setting are left out where there is none. It names no key and no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError(FileError);

impl ConfigError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(FileError::new(problem))
    }

    /// Says where: `issuer.toml`.
    pub(crate) fn at(self, place: impl Into<String>) -> Self {
        Self(self.0.at(place))
    }

    /// Refuses `setting`, written as in the file.
    pub(crate) fn about(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self(FileError::new(problem).about(setting))
    }

    /// Refuses another value of `setting` than the one that a running server has.
    pub(crate) fn needs_restart(setting: &str) -> Self {
        Self::about(
            setting,
            "a server that runs keeps the one that it has: restart it to change this",
        )
    }

    /// Says on which line of `text` the setting is.
    pub(crate) fn located(self, name: &str, text: &str) -> Self {
        Self(self.0.located(name, text))
    }

    /// The setting that cannot be used, as `issuer.toml` calls it.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.0.setting()
    }
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> Self {
        Self(error)
    }
}

/// The rules of a resource server, in the words of `issuer.toml`.
impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        let setting = match error.setting() {
            "issuer[0].tenant_claim" => "tenant_claims",
            "resource_server.audience" => "audience",
            "resource_server.scope" => "scope",
            "tenant.header" => "tenant_header",
            other => other,
        };
        let problem = match (setting, error.problem()) {
            ("audience", "name this resource server as tokens do in `aud`") => {
                "name the resource servers that tokens are for: `https://api.erp.example/{tenant}`"
            }
            (_, problem) => problem,
        };
        Self::about(setting, problem)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for ConfigError {}
