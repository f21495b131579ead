//! Why a resource server cannot start.

use std::error::Error;
use std::fmt::{self, Write};

use tenantry_core::PolicyError;

/// The configuration cannot be used: `policy.toml:12: issuer[0].jwks_uri: what is wrong with it`.
///
/// `Display` is one line, whatever the file holds: where, which setting, what is wrong and what would
/// be right. Place and setting are left out where there is none. It names no key, token or claim
/// value.
#[derive(Debug)]
pub struct ConfigError {
    place: Option<String>,
    setting: Option<String>,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { place: None, setting: None, problem: problem.into(), source: None }
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

#[cfg(feature = "policy-file")]
impl ConfigError {
    /// Says where: `policy.toml:12`.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says on which line of `text` the setting is that the error is about.
    pub(crate) fn located(self, name: &str, text: &str) -> Self {
        let line = |setting: &String| tenantry_toml::line_of(text, setting).unwrap_or(1);
        match self.setting.as_ref().map(line) {
            Some(line) => self.at(format!("{name}:{line}")),
            None => self.at(name),
        }
    }
}

#[cfg(feature = "policy-file")]
impl From<tenantry_toml::FileError> for ConfigError {
    fn from(error: tenantry_toml::FileError) -> Self {
        Self {
            place: error.place().map(Into::into),
            setting: error.setting().map(Into::into),
            ..Self::new(error.problem())
        }
    }
}

impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        Self { setting: Some(error.setting().into()), ..Self::new(error.problem()) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.place, &self.setting].into_iter().flatten() {
            write_line(f, part)?;
            f.write_str(": ")?;
        }
        write_line(f, &self.problem)
    }
}

/// Writes `text` without what would break the line or command the terminal: values from a file may
/// hold anything.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            write!(f, "{}", character.escape_default())?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
