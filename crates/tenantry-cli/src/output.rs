//! What a command prints: lines for people, JSON for scripts.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;

/// How to print. Colour is for terminals only: `anstream` takes it out elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `json`, or `text`.
    pub(crate) fn print(self, json: &Value, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout();
        let written = if self.json {
            writeln!(out, "{}", escaped(&json.to_string()))
        } else if text.is_empty() {
            Ok(())
        } else {
            writeln!(out, "{}", text.trim_end())
        };
        written
            .and_then(|()| out.flush())
            .map_err(|error| Failure::under_way(format!("cannot print: {error}")))
    }
}

/// `name  value`, line by line; values that are not there are left out.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (plain(name), plain(value))).collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let dim = Style::new().dimmed();
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{dim}{name:width$}{dim:#}  {value}\n")).collect()
}

/// A table with a head. Names come from operators, so what they hold is shown as text.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.chars().count()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let dim = Style::new().dimmed();
    let mut text = format!("{dim}{}{dim:#}\n", line(&mut head.iter().copied()));
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
        text.push('\n');
    }
    text
}

/// What must not be overlooked.
pub(crate) fn strong(text: &str) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    format!("{style}{text}{style:#}")
}

/// Without what would command a terminal, end the line, or turn the text around in it.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if commands(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same for JSON, which stays the same JSON: such a character stands in a string.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if commands(character) {
            // Each of them is one unit of UTF-16.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a terminal may do something else with it than show it: controls, separators of
/// lines, and marks of direction ([UAX #9 §2]).
///
/// [UAX #9 §2]: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
fn commands(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncoloured(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells() {
        let rows = [vec!["tenant1".into(), "äöü".into()], vec!["t".into(), "\u{1b}[31m".into()]];
        let text = uncoloured(&table(&["tenant", "name"], &rows));
        assert_eq!(text, "tenant   name\ntenant1  äöü\nt        \\u{1b}[31m\n");
    }

    #[test]
    fn what_would_command_a_terminal_is_shown_as_text() {
        let text = uncoloured(&fields(&[("a\u{1b}b", "\u{9b}2J\n\u{202e}é".into())]));
        assert_eq!(text, "a\\u{1b}b  \\u{9b}2J\\n\\u{202e}é\n");
        assert_eq!(plain("\u{61c}\u{200f}\u{2069}"), "\\u{61c}\\u{200f}\\u{2069}");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let json = serde_json::json!({ "a\u{7f}": "\u{9b}\u{202e}\n\"é\u{200e}" });
        let text = escaped(&json.to_string());
        assert_eq!(text, r#"{"a\u007f":"\u009b\u202e\n\"é\u200e"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = fields(&[("tenant", "tenant1".into()), ("name", String::new())]);
        assert_eq!(uncoloured(&text), "tenant  tenant1\n");
    }
}
