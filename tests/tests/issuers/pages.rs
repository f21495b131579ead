//! Policies, pages and tests about issuers belong together.

use std::collections::BTreeSet;
use std::fs;

use tenantry_core::Reason;

use crate::ROOT;
use crate::page::Page;

const MODULES: &str = include_str!("main.rs");

/// The names of the files in a folder that have this ending, without it.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("{ROOT}/{folder}")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(Into::into)).collect()
}

fn policies() -> BTreeSet<String> {
    let policies = names("examples/policies", ".toml");
    assert!(policies.len() >= 8, "{policies:?}");
    policies
}

#[test]
fn every_policy_has_a_page_and_every_page_a_policy() {
    let mut pages = names("docs/issuers", ".md");
    assert!(pages.remove("README"));
    assert_eq!(pages, policies());
}

#[test]
fn every_policy_has_a_module_of_tests_that_loads_it() {
    for name in policies() {
        let module = name.replace('-', "_");
        assert!(MODULES.contains(&format!("\nmod {module};\n")), "{name}");
        let path = format!("{ROOT}/tests/tests/issuers/{module}.rs");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(&format!("const NAME: &str = \"{name}\";")), "{name}");
        assert!(text.contains("stack(NAME, "), "{name}");
    }
}

#[test]
fn the_policy_on_a_page_is_the_file() {
    for name in policies() {
        let file = fs::read_to_string(format!("{ROOT}/examples/policies/{name}.toml")).unwrap();
        assert_eq!(Page::read(&name).policy(), file, "{name}");
    }
}

#[test]
fn every_page_has_the_same_sections() {
    for name in policies() {
        let expected = [
            "At the issuer",
            "The policy",
            "What a token looks like",
            "What is checked",
            "What cannot be told apart",
            "Traps",
            "Sources",
        ];
        assert_eq!(Page::read(&name).headings(), expected, "{name}");
    }
}

/// The answers in the tables are codes with their status.
#[test]
fn every_answer_on_a_page_is_one_that_there_is() {
    for name in policies() {
        let page = fs::read_to_string(format!("{ROOT}/docs/issuers/{name}.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
        let answers = rows
            .filter_map(|row| row.split(" | ").nth(1))
            .filter(|answer| answer.starts_with(|character: char| character.is_ascii_digit()));
        let mut seen = 0;
        for answer in answers {
            let code = answer.split('`').nth(1).unwrap_or_default();
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
            let reason = reason.unwrap_or_else(|| panic!("{name}: {answer}"));
            assert!(answer.starts_with(reason.status().as_str()), "{name}: {answer}");
            seen += 1;
        }
        assert!(seen >= 7, "{name}: {seen} answers");
    }
}

#[test]
fn the_index_links_to_every_page_and_every_policy_file() {
    let index = fs::read_to_string(format!("{ROOT}/docs/issuers/README.md")).unwrap();
    for name in policies() {
        assert!(index.contains(&format!("]({name}.md)")), "{name}");
        assert!(index.contains(&format!("](../../examples/policies/{name}.toml)")), "{name}");
    }
}
