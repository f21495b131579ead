//! What is wrong with a file.

use std::error::Error;
use std::fmt::{self, Write};

use crate::place::line_of;

/// What is wrong with a file: `policy.toml:12: issuer[0].jwks_uri: what is wrong with it`.
///
/// `Display` is one line, whatever the file holds: where, which setting, and what is wrong. Place and
/// setting are left out where there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileError {
    place: Option<String>,
    setting: Option<String>,
    problem: String,
}

impl FileError {
    /// Says what is wrong, and what would be right.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { place: None, setting: None, problem: problem.into() }
    }

    /// Says where: `policy.toml:12`.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what it is about, as the file writes it: `issuer[0].jwks_uri`.
    #[must_use]
    pub fn about(mut self, setting: impl Into<String>) -> Self {
        self.setting = Some(setting.into());
        self
    }

    /// Says on which line of `text` the setting is that the error is about. `name` is what the file
    /// is called.
    #[must_use]
    pub fn located(self, name: &str, text: &str) -> Self {
        // A setting that has to be there, and is not, and nothing around it either: it can go anywhere.
        let line = |setting| line_of(text, setting).unwrap_or(1);
        match self.setting().map(line) {
            Some(line) => self.at(format!("{name}:{line}")),
            None => self.at(name),
        }
    }

    /// The place, if one is known.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The setting, if it is about one.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.setting.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for FileError {
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

impl Error for FileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_it_is_about() {
        let error = FileError::new("`a\nb` is wrong").about("x.\u{2028}").at("is\r\nsuer.toml:1");
        assert_eq!(error.to_string(), r"is\r\nsuer.toml:1: x.\u{2028}: `a\nb` is wrong");
    }

    #[test]
    fn a_setting_that_is_not_there_has_the_line_of_what_is_around_it() {
        let text = "\n[server]\nport = 1\n";
        let line = |setting| FileError::new("wrong").about(setting).located("f", text).to_string();
        assert_eq!(line("server.port"), "f:3: server.port: wrong");
        assert_eq!(line("server.host"), "f:2: server.host: wrong");
        assert_eq!(line("client"), "f:1: client: wrong");
        assert_eq!(FileError::new("wrong").located("f", text).to_string(), "f: wrong");
    }
}
