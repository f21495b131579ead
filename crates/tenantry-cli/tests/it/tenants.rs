//! `tenantry tenant`.

use serde_json::{Value, json};

use crate::place::Place;

/// Without what differs from run to run.
fn stable(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        assert!(members.remove("created_at").is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
    }
    value
}

#[test]
fn a_tenant_from_its_registration_to_its_removal() {
    let place = Place::new();
    let added =
        place.run("tenant add tenant1 --name Alpha --claim plan=gold --claim seats:=3 --json");
    let expected = json!({
        "tenant": "tenant1",
        "name": "Alpha",
        "status": "active",
        "claims": { "plan": "gold", "seats": 3 },
    });
    assert_eq!(stable(added.json()), expected);
    assert_eq!(stable(place.run("tenant show tenant1 --json").json()), expected);

    assert_eq!(place.run("tenant add tenant2").done(), "tenant tenant2 is registered\n");
    let list = place.run("tenant list --json").json();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|tenant| &tenant["tenant"]).collect();
    assert_eq!(ids, ["tenant1", "tenant2"]);
    let text = place.run("tenant list");
    assert!(text.done().starts_with("tenant   status  since"), "{text:?}");

    for (command, status) in [("suspend", "suspended"), ("resume", "active")] {
        let changed = place.run(&format!("tenant {command} tenant1 --json")).json();
        assert_eq!(changed, json!({ "tenant": "tenant1", "status": status }));
        assert_eq!(place.run("tenant show tenant1 --json").json()["status"], status);
    }
    let removed = place.run("tenant remove tenant1 --json").json();
    assert_eq!(removed, json!({ "tenant": "tenant1", "removed": true }));
    let shown = place.run("tenant show tenant1");
    let expected = "there is no tenant tenant1: `tenantry tenant list` shows those that there are";
    assert_eq!(shown.refused(2), expected);
}

/// More than one page of the store.
#[test]
fn every_tenant_is_listed_once() {
    let place = Place::new();
    for number in 0..12 {
        place.run(&format!("tenant add t{number:02}")).done();
    }
    let list = place.run("tenant list --json").json();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|t| t["tenant"].to_string()).collect();
    assert_eq!(ids.len(), 12);
    assert!(ids.is_sorted());
}

#[test]
fn nothing_is_coloured_where_there_is_no_terminal() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    for line in ["tenant list", "tenant show tenant1"] {
        assert!(!place.run(line).done().contains('\u{1b}'), "{line}");
    }
}

#[test]
fn only_its_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    place.run("tenant add tenant1").done();
    let mode = place.path().join("tenantry.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
