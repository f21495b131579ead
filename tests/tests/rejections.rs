//! `docs/rejections.md` and the enum behind it say the same.

use std::collections::BTreeSet;

use tenantry_core::Reason;

const PAGE: &str = include_str!("../../docs/rejections.md");

/// A section of the page: the code in its heading, and the text below.
fn sections() -> Vec<(&'static str, &'static str)> {
    PAGE.split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap_or((section, "")))
        .collect()
}

fn text_of(reason: Reason) -> &'static str {
    let heading = format!("`{}`", reason.code());
    let found = sections().into_iter().find(|(of, _)| *of == heading);
    found.map_or("", |(_, text)| text)
}

#[test]
fn the_page_has_one_section_for_each_code_and_no_other() {
    let mut headings: Vec<_> =
        sections().into_iter().map(|(heading, _)| heading.to_owned()).collect();
    let mut codes: Vec<_> =
        Reason::ALL.iter().map(|reason| format!("`{}`", reason.code())).collect();
    headings.sort_unstable();
    codes.sort_unstable();
    assert_eq!(headings, codes);
}

#[test]
fn a_section_begins_with_the_status_and_the_error_of_its_reason() {
    for &reason in Reason::ALL {
        let status = reason.status().as_u16();
        let line = match (reason.error(), status) {
            (Some(error), _) => format!("`{status}` `{error}`"),
            (None, 401) => format!("`{status}`, no `error`"),
            (None, _) => format!("`{status}`, no challenge"),
        };
        let start = format!("\n{line}\n\n");
        assert!(text_of(reason).starts_with(&start), "{reason}: {line} expected");
    }
}

#[test]
fn a_section_has_a_meaning_a_usual_cause_and_a_fix() {
    for &reason in Reason::ALL {
        let paragraphs: Vec<_> = text_of(reason).trim().split("\n\n").skip(1).collect();
        let starts = ["**Meaning.** ", "**Usual cause.** ", "**Fix.** "];
        assert_eq!(paragraphs.len(), starts.len(), "{reason}");
        for (paragraph, start) in paragraphs.into_iter().zip(starts) {
            let text = paragraph.strip_prefix(start).unwrap_or_default();
            assert!(text.len() > 20 && text.ends_with('.'), "{reason}: {start}");
        }
    }
}

#[test]
fn the_table_of_statuses_has_every_pair_and_no_other() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<_> = rows
        .filter_map(|row| {
            let mut cells = row.split('|').map(str::trim).skip(1);
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let meant: BTreeSet<_> = Reason::ALL
        .iter()
        .map(|reason| {
            let status = reason.status().as_u16();
            let error = match (reason.error(), status) {
                (Some(error), _) => format!("`{error}`"),
                (None, 401) => "none".to_owned(),
                (None, _) => "no challenge".to_owned(),
            };
            (format!("`{status}`"), error)
        })
        .collect();
    assert_eq!(told, meant);
}

#[test]
fn the_list_at_the_top_links_every_code_once() {
    for &reason in Reason::ALL {
        // An anchor is the heading without its punctuation.
        let code = reason.code();
        let link = format!("[`{code}`](#{})", code.replace('.', ""));
        assert_eq!(PAGE.matches(&link).count(), 1, "{link}");
    }
    assert_eq!(PAGE.matches("](#").count(), Reason::ALL.len());
}
