//! `docs/issuer-file.md` and what reads the file say the same.

#![expect(clippy::panic, reason = "in a test's helper, this is how the test fails")]

use tenantry_issuer::{IssuerFile, Settings};

const PAGE: &str = include_str!("../../docs/issuer-file.md");

/// The fenced blocks of the page, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

fn settings(text: &str) -> Result<Settings, String> {
    let file = IssuerFile::parse(text, "issuer.toml");
    file.and_then(|file| file.settings()).map_err(|error| error.to_string())
}

/// The error about a file.
fn error(text: &str) -> String {
    match settings(text) {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(error) => error,
    }
}

#[test]
fn the_examples_of_the_page_load_and_the_wrong_ones_are_refused_as_it_says() {
    let blocks = blocks();
    let mut accepted = 0;
    let mut refused = 0;
    for (at, (language, text)) in blocks.iter().enumerate() {
        match (*language, blocks.get(at + 1)) {
            ("text", _) => continue,
            ("toml", Some(("text", expected))) => {
                assert_eq!(error(text), expected.trim_end(), "of\n{text}");
                refused += 1;
            }
            ("toml", _) => {
                if let Err(error) = settings(text) {
                    panic!("{error}\nof\n{text}");
                }
                accepted += 1;
            }
            (language, _) => panic!("a block of {language}"),
        }
    }
    assert_eq!((accepted, refused), (2, 4));
}

#[test]
fn the_page_has_one_section_for_each_key_and_no_other() {
    let error = error("no_such_key = 1");
    let Some((_, list)) = error.split_once("expected ") else {
        panic!("{error}");
    };
    // one of `a`, `b`: every second part is a name.
    let mut keys: Vec<_> =
        list.split('`').skip(1).step_by(2).map(|key| format!("`{key}`")).collect();
    assert!(keys.len() > 10, "{keys:?}");
    let sections = PAGE.split("\n### ").skip(1);
    let mut headings: Vec<_> = sections.filter_map(|text| text.lines().next()).collect();
    headings.sort_unstable();
    keys.sort_unstable();
    assert_eq!(headings, keys);
}

#[test]
fn the_section_of_a_key_has_type_default_effect_and_error() {
    tenantry_tests::assert_sections_are_whole(PAGE);
}

/// The complete example shows every key that there is, each with its default if it has one.
#[test]
fn the_complete_example_shows_every_key() {
    let complete = blocks().into_iter().find(|(language, _)| *language == "toml");
    let complete = complete.map_or("", |(_, text)| text);
    for section in PAGE.split("\n### `").skip(1) {
        let Some(key) = section.split('`').next() else { panic!("{section}") };
        let line = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        assert!(complete.lines().any(line), "{key}");
    }
}
