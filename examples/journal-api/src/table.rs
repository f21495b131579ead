//! A table for people: four columns, at most a hundred characters wide, colour by status.
//!
//! Styles are written into the text as escape codes. Print it through [`anstream`], which removes
//! them unless the output is a terminal.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Request, status, code, why; with two spaces between them they take up [`WIDTH`].
const COLUMNS: [usize; 4] = [30, 6, 22, 36];

/// The width of the table in characters.
pub const WIDTH: usize = 100;

const _: () = assert!(COLUMNS[0] + COLUMNS[1] + COLUMNS[2] + COLUMNS[3] + 3 * 2 == WIDTH);

const HEAD: Style = Style::new().bold();
const PLAIN: Style = Style::new();

/// One request and its answer, for a row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is tried.
    pub story: &'static str,
    /// The request, one line each for the request line and for fields worth showing.
    pub request: Vec<String>,
    /// The status of the answer.
    pub status: u16,
    /// The code of its problem document, if it is one.
    pub code: Option<String>,
    /// The detail of its problem document, or what was done.
    pub why: String,
}

/// Displays rows under a heading.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["REQUEST", "STATUS", "CODE", "WHY"].map(|title| vec![title.to_owned()]);
        write_cells(f, &heading, [HEAD; 4], HEAD)?;
        for row in self.0 {
            let mut request = wrap(row.story, COLUMNS[0]);
            request.extend(row.request.iter().flat_map(|line| wrap(line, COLUMNS[0])));
            let cells = [
                request,
                vec![row.status.to_string()],
                wrap(row.code.as_deref().unwrap_or("-"), COLUMNS[2]),
                wrap(&row.why, COLUMNS[3]),
            ];
            writeln!(f)?;
            let colour = colour(row.status);
            write_cells(f, &cells, [HEAD, colour, colour, PLAIN], PLAIN)?;
        }
        Ok(())
    }
}

/// Writes one row of cells that may have several lines. The first cell has a style for its first
/// line and another for the others.
fn write_cells(
    f: &mut fmt::Formatter<'_>,
    cells: &[Vec<String>; 4],
    styles: [Style; 4],
    rest: Style,
) -> fmt::Result {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut blanks = 0;
        for (column, ((cell, width), style)) in cells.iter().zip(COLUMNS).zip(styles).enumerate() {
            let text = cell.get(line).map_or("", String::as_str);
            let style = if column == 0 && line > 0 { rest } else { style };
            if !text.is_empty() {
                write!(f, "{:blanks$}{style}{text}{style:#}", "")?;
                blanks = 0;
            }
            blanks += width.saturating_sub(text.chars().count()) + 2;
        }
        writeln!(f)?;
    }
    Ok(())
}

const fn colour(status: u16) -> Style {
    match status {
        200..300 => AnsiColor::Green.on_default(),
        400..500 => AnsiColor::Yellow.on_default(),
        _ => AnsiColor::Red.on_default(),
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word is cut, after a
/// `/` if it has one.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word;
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        while let Some((cut, _)) = word.char_indices().nth(width) {
            let cut =
                word.get(..cut).and_then(|head| head.rfind('/')).map_or(cut, |slash| slash + 1);
            let (head, tail) = word.split_at(cut);
            lines.push(head.to_owned());
            word = tail;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            story: "tenant1's token on tenant2's path",
            request: vec!["POST /tenant2/journal-entries".into(), "X-Tenant-ID: tenant2".into()],
            status: 403,
            code: Some("tenant_mismatch.header".into()),
            why: "The path names another tenant than the access token. ".repeat(4),
        }
    }

    fn plain(table: &Table<'_>) -> String {
        anstream::adapter::strip_str(&table.to_string()).to_string()
    }

    #[test]
    fn no_line_is_wider_than_the_table() {
        let mut long = row();
        long.why = "x".repeat(1000);
        long.code = Some("y".repeat(100));
        let table = plain(&Table(&[row(), long]));
        for line in table.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert_eq!(line.trim_end(), line);
        }
        assert_eq!(table.matches("x").count(), 1000);
    }

    #[test]
    fn a_row_shows_request_status_code_and_reason() {
        let expected = "\
REQUEST                         STATUS  CODE                    WHY

tenant1's token on tenant2's    403     tenant_mismatch.header  The path names another tenant than
path                                                            the access token. The path names
POST /tenant2/journal-entries                                   another tenant than the access
X-Tenant-ID: tenant2                                            token. The path names another tenant
                                                                than the access token. The path
                                                                names another tenant than the access
                                                                token.
";
        assert_eq!(plain(&Table(&[row()])), expected);
    }

    #[test]
    fn a_url_that_is_too_long_is_cut_after_a_slash() {
        let url = "audience=https://api.erp.example/tenant1";
        assert_eq!(wrap(url, 30), ["audience=https://", "api.erp.example/tenant1"]);
        assert_eq!(wrap("/ééé", 3), ["/", "ééé"]);
        assert_eq!(wrap("ééé/é", 3), ["ééé", "/é"]);
    }

    #[test]
    fn the_status_has_a_colour() {
        assert!(Table(&[row()]).to_string().contains("\u{1b}[33m403"));
    }
}
