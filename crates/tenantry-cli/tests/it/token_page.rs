//! `docs/token-endpoint.md`, typed into a shell: what it shows is what is answered.

use crate::place::{Place, is_here};

const PAGE: &str = include_str!("../../../../docs/token-endpoint.md");

/// The fenced blocks of the page, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// Whether `said` is `shown`, where `…` stands for anything between quotes or commas.
fn is_as_shown(said: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = said.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        let (hidden, after) = rest.split_at(at);
        if hidden.is_empty() || hidden.contains(['"', ',']) {
            return false;
        }
        rest = &after[part.len()..];
    }
    rest.is_empty()
}

#[test]
fn what_the_page_shows_is_what_is_answered() {
    if !is_here("curl") || !is_here("openssl") {
        return;
    }
    let blocks = blocks();
    let place = Place::new();
    assert_eq!(blocks[0].0, "toml");
    place.write("issuer.toml", blocks[0].1);
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let set_up = blocks[1].1.replace("\\\n ", "");
    let mut lines = set_up.lines();
    assert_eq!(lines.next(), Some("tenantry serve issuer &"));
    let mut secret = String::new();
    for line in lines {
        let line = line.strip_prefix("tenantry ").unwrap().split_whitespace();
        let ran = place.run(&line.collect::<Vec<_>>().join(" "));
        let last = ran.done().split_whitespace().next_back();
        secret = last.unwrap_or_default().to_owned();
    }
    assert_eq!(blocks[2], ("sh", "AUTH=http://127.0.0.1:9000\nSECRET=…"));

    // One shell for all, so that what a block sets is there in the next.
    let examples: Vec<_> =
        blocks.iter().enumerate().skip(3).filter(|(_, one)| one.0 == "sh").collect();
    let (last, requests) = examples.split_last().unwrap();
    let scripts: Vec<_> = requests.iter().map(|(_, one)| one.1).collect();
    let said = place.shell(
        &format!("{}\n", scripts.join("\nprintf '\\036'\n")),
        &[("AUTH", &format!("http://{}", serving.address)), ("SECRET", &secret)],
    );
    let answers: Vec<_> = said.split('\x1e').collect();
    assert_eq!((answers.len(), requests.len()), (7, 7));
    for ((at, (_, text)), said) in requests.iter().zip(answers) {
        let (language, shown) = blocks[at + 1];
        assert!(["json", "text"].contains(&language), "{text}");
        assert!(is_as_shown(said.trim_end(), shown), "{text}\nshown: {shown}\nsaid:  {said}");
    }

    // What the issuer has written down when it ends: the two refusals above, the later one first.
    assert!(serving.end().success());
    let said = place.shell(last.1.1, &[]);
    let rows = said.lines().skip(1);
    let reasons: Vec<_> = rows.filter_map(|line| line.split_whitespace().next_back()).collect();
    assert_eq!(reasons, ["scope_foreign", "tenant_missing"], "{said}");
}

#[test]
fn an_ellipsis_stands_for_a_text_and_for_nothing_else() {
    assert!(is_as_shown(r#"{"a":"x","b":1}"#, r#"{"a":"…","b":…}"#));
    assert!(!is_as_shown(r#"{"a":"","b":1}"#, r#"{"a":"…","b":…}"#));
    assert!(!is_as_shown(r#"{"a":"x","c":2,"b":1}"#, r#"{"a":"…","b":…}"#));
    assert!(!is_as_shown(r#"{"a":"x","b":1} "#, r#"{"a":"…","b":…}"#));
}
