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
            writeln!(out, "{json}")
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
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let dim = Style::new().dimmed();
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    let lines = shown.map(|(name, value)| format!("{dim}{name:width$}{dim:#}  {}\n", plain(value)));
    lines.collect()
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

/// Without what would command the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let kept = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(kept)
        })
        .collect()
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
    fn fields_without_a_value_are_left_out() {
        let text = fields(&[("tenant", "tenant1".into()), ("name", String::new())]);
        assert_eq!(uncoloured(&text), "tenant  tenant1\n");
    }
}
