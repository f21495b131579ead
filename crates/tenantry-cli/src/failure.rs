//! Why the program ended.

use std::error::Error;
use std::fmt;

use tenantry_issuer::ConfigError;

use crate::output::plain;

/// Why the program ended; displayed as one line that says what to do where something can be done.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    /// It cannot be done as it was told to.
    pub(crate) fn told(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit_code: 2 }
    }

    /// It was under way, and failed.
    pub(crate) fn under_way(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit_code: 1 }
    }

    pub(crate) const fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever an answer or a file holds.
        f.write_str(&plain(&self.text))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::told(error.to_string())
    }
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
