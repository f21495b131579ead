//! `tenantry audit`.

use serde_json::{Value, json};

use crate::place::Place;

/// A place where things were done, and where one request of `js` and one of nobody were refused.
fn place() -> Place {
    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    place.run("tenant add tenant1").done();
    place.run("tenant add tenant2").done();
    place.run("client add --tenant tenant1 --id js --scope a").done();
    place.run("client add --tenant tenant2 --id js --scope a").done();
    let wrong = [("TENANTRY_CLIENT_SECRET", "wrong")];
    for client in ["js", "nobody"] {
        let line = format!("token --tenant tenant1 --client-id {client}");
        place.run_with(&line, &wrong).refused(1);
    }
    assert!(serving.end().success());
    place
}

fn actions(events: &Value) -> Vec<String> {
    let events = events.as_array().unwrap();
    let word = |event: &Value, name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let row = |event| ["action", "tenant", "client_id"].map(|name| word(event, name)).join(" ");
    events.iter().map(row).collect()
}

#[test]
fn the_newest_events_are_printed_first() {
    let place = place();
    let all = place.run("audit --json").json();
    assert_eq!(
        actions(&all),
        [
            "token.issue - -",
            "token.issue tenant1 js",
            "client.add tenant2 js",
            "client.add tenant1 js",
            "tenant.add tenant2 -",
            "tenant.add tenant1 -",
        ]
    );
    assert_eq!(all[0]["number"], 6);
    assert_eq!(all[1]["reason"], "secret_wrong");
    let mut oldest = all[5].clone();
    assert!(oldest["time"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "number": 1, "time": null, "actor": "operator", "action": "tenant.add",
        "tenant": "tenant1", "client_id": null, "grant": null, "scopes": [],
        "outcome": "done", "reason": null,
    });
    assert_eq!(oldest, expected);

    let text = place.run("audit --last 1");
    let lines: Vec<_> = text.done().lines().collect();
    assert_eq!(lines.len(), 2, "{text:?}");
    let head: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(
        head,
        ["time", "actor", "action", "tenant", "client", "grant", "scopes", "outcome", "reason"],
    );
    assert!(lines[1].ends_with("refused  client_unknown"), "{text:?}");
}

#[test]
fn events_are_looked_for_by_tenant_client_and_outcome() {
    let place = place();
    for (filter, expected) in [
        ("--refused", &["token.issue - -", "token.issue tenant1 js"][..]),
        ("--refused --tenant tenant1", &["token.issue tenant1 js"]),
        ("--tenant tenant2", &["client.add tenant2 js", "tenant.add tenant2 -"]),
        (
            "--client js",
            &["token.issue tenant1 js", "client.add tenant2 js", "client.add tenant1 js"],
        ),
        ("--client js --tenant tenant2", &["client.add tenant2 js"]),
        ("--client js --tenant tenant2 --refused", &[]),
        ("--client js --last 2", &["token.issue tenant1 js", "client.add tenant2 js"]),
        ("--tenant tenant9", &[]),
    ] {
        let found = place.run(&format!("audit {filter} --json")).json();
        assert_eq!(actions(&found), expected, "{filter}");
    }
    assert_eq!(place.run("audit --tenant tenant9").done(), "no such events\n");
    for wrong in ["--last 0", "--last 1001", "--last x"] {
        assert_eq!(place.run(&format!("audit {wrong}")).code, Some(2), "{wrong}");
    }
}

/// Whoever can write to the table may have written anything.
#[tokio::test]
async fn an_event_does_not_command_the_terminal() {
    let place = place();
    place
        .execute(
            "INSERT INTO audit_event (number, at, actor, action, scopes, outcome, reason) VALUES \
             (7, 0, 'a' || char(27) || '[2J', 'b' || char(10), '[\"c\\u001b\"]', 'failed', char(8238))",
        )
        .await;
    let text = place.run("audit --refused --last 1");
    let row = text.done().lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(
        row,
        ["1970-01-01T00:00:00Z", "a\\u{1b}[2J", "b\\n", "c\\u{1b}", "failed", "\\u{202e}"],
    );
    let json = place.run("audit --last 1 --json");
    assert!(!json.done().trim_end().contains(['\u{1b}', '\n', '\u{202e}']), "{json:?}");
    assert_eq!(json.json()[0]["actor"], "a\u{1b}[2J");
}
