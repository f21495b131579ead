//! `docs/policy-file.md` and what reads the file say the same.

#![expect(clippy::panic, reason = "in a test's helper, this is how the test fails")]

use tenantry::PolicyFile;

const PAGE: &str = include_str!("../../docs/policy-file.md");

/// The fenced blocks of the page, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// The error about a policy file.
fn error(text: &str) -> String {
    match PolicyFile::parse(text, "policy.toml") {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(error) => error.to_string(),
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
                if let Err(error) = PolicyFile::parse(text, "policy.toml") {
                    panic!("{error}\nof\n{text}");
                }
                accepted += 1;
            }
            (language, _) => panic!("a block of {language}"),
        }
    }
    assert_eq!((accepted, refused), (2, 5));
}

/// Tables, and what the page calls the keys in them.
const TABLES: [(&str, &str); 6] = [
    ("", ""),
    ("[resource_server]", "resource_server."),
    ("[[issuer]]", "issuer."),
    ("[tenant]", "tenant."),
    ("[directory]", "directory."),
    ("[[directory.tenant]]", "directory.tenant."),
];

/// The keys of a table, as the error about a key that is not one of them lists them.
fn keys(header: &str) -> Vec<String> {
    let error = error(&format!("{header}\nno_such_key = 1\n"));
    let Some((_, list)) = error.split_once("expected ") else {
        panic!("{error}");
    };
    // `a`, `b` or one of `a`, `b`: every second part is a name.
    list.split('`').skip(1).step_by(2).map(Into::into).collect()
}

#[test]
fn the_page_has_one_section_for_each_key_and_no_other() {
    // Tables are not keys, and the gateway's are in one section.
    let tables = ["resource_server", "issuer", "tenant", "directory", "route", "gate"];
    let mut expected: Vec<String> = Vec::new();
    for (header, name) in TABLES {
        let keys = keys(header);
        let is_table = |key: &str| match name {
            "" => tables.contains(&key),
            "directory." => key == "tenant",
            _ => false,
        };
        expected
            .extend(keys.iter().filter(|key| !is_table(key)).map(|key| format!("`{name}{key}`")));
    }
    assert!(expected.len() > 25, "{expected:?}");
    let sections = PAGE.split("\n### ").skip(1);
    let mut headings: Vec<_> = sections.filter_map(|text| text.lines().next()).collect();
    headings.sort_unstable();
    expected.sort_unstable();
    assert_eq!(headings, expected);
}

#[test]
fn the_section_of_a_key_has_type_default_effect_and_error() {
    tenantry_tests::assert_sections_are_whole(PAGE);
}

#[test]
fn the_section_about_the_gateway_names_its_keys() {
    let section = PAGE.split("\n## `[[route]]` and `[gate]`").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or(section);
    for key in keys("[[route]]").iter().chain(&keys("[gate]")) {
        assert!(section.contains(&format!("`{key}`")), "{key}");
    }
}

/// The complete example shows every key that there is.
#[test]
fn the_complete_example_shows_every_key() {
    let complete = blocks().into_iter().find(|(language, _)| *language == "toml");
    let complete = complete.map_or("", |(_, text)| text);
    for section in PAGE.split("\n### `").skip(1) {
        let key = section.split('`').next().and_then(|path| path.rsplit('.').next());
        let Some(key) = key else { panic!("{section}") };
        let shown = complete.lines().any(|line| line.starts_with(&format!("{key} = ")));
        assert!(shown, "{key}");
    }
}
