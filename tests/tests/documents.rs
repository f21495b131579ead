//! What the documents point at is there.
#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails the test")]

use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn documents() -> Vec<(String, String)> {
    let markdown = |folder: &str| {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
            .collect::<Vec<_>>()
    };
    let paths = ["", "docs", "docs/issuers"].into_iter().flat_map(markdown);
    paths.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_files_that_documents_name_exist() {
    let mut named = 0;
    for (document, text) in documents() {
        for path in text.split('`').skip(1).step_by(2) {
            let in_the_tree = ["tests/", "crates/", "examples/", "docs/", "scripts/", "benches/"];
            if !in_the_tree.iter().any(|folder| path.starts_with(folder))
                || path.contains(['*', ' ', '{'])
            {
                continue;
            }
            named += 1;
            assert!(Path::new(ROOT).join(path).exists(), "{document} names {path}");
        }
    }
    assert!(named > 5, "{named} paths were found");
}

#[test]
fn the_links_between_documents_lead_somewhere() {
    let mut followed = 0;
    for (document, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            followed += 1;
            let folder = Path::new(&document).parent().unwrap();
            assert!(folder.join(path).exists(), "{document} links to {path}");
        }
    }
    assert!(followed > 5, "{followed} links were found");
}

/// The anchors of headings, as they are made of them.
fn anchors(document: &str) -> Vec<String> {
    let headings = document.lines().filter_map(|line| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len()).then(|| text.trim())
    });
    let kept = |character: &char| character.is_alphanumeric() || "-_ ".contains(*character);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>())
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

#[test]
fn the_links_to_sections_lead_to_a_heading() {
    let mut followed = 0;
    for (document, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((path, anchor)) = link.split_once('#') else { continue };
            if path.contains("://") {
                continue;
            }
            followed += 1;
            let folder = Path::new(&document).parent().unwrap();
            let target = match path {
                "" => text.clone(),
                path => fs::read_to_string(folder.join(path)).unwrap(),
            };
            assert!(anchors(&target).contains(&anchor.into()), "{document} links to {link}");
        }
    }
    assert!(followed > 5, "{followed} links were found");
}
