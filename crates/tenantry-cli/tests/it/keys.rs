//! `tenantry keys`.

use serde_json::Value;

use crate::place::Place;

fn states(keys: &Value) -> Vec<(&str, &str)> {
    let keys = keys.as_array().unwrap();
    keys.iter().map(|key| (key["kid"].as_str().unwrap(), key["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn keys_are_listed_rotated_and_withdrawn() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    assert_eq!(place.run("keys list --json").json(), serde_json::json!([]));
    assert_eq!(
        place.run("keys rotate").refused(2),
        "there are no signing keys yet: start the issuer first"
    );

    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let before = place.run("keys list --json").json();
    let [(active, "active"), (next, "next")] = states(&before)[..] else { panic!("{before}") };
    assert_eq!(before[0]["alg"], "ES256");

    let rotated = place.run("keys rotate --now --json").json();
    let after = states(&rotated);
    assert!(after.contains(&(active, "retired")) && after.contains(&(next, "active")), "{rotated}");

    let withdrawn = place.run(&format!("keys retire {active} --json")).json();
    assert!(!states(&withdrawn).iter().any(|(kid, _)| *kid == active), "{withdrawn}");
    let unknown = place.run("keys retire no-such-key");
    assert_eq!(unknown.refused(2), "there is no signing key `no-such-key`");
    assert!(serving.end().success());
}

#[test]
fn keys_are_of_all_tenants_or_of_each() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    assert_eq!(
        place.run("keys list --tenant tenant1").refused(2),
        "the keys are the same for all tenants here: leave --tenant out, or put `{tenant}` into the issuer",
    );
    place.write(
        "issuer.toml",
        "issuer = \"https://auth.erp.example/{tenant}\"\naudience = \"https://api.erp.example/{tenant}\"",
    );
    assert_eq!(
        place.run("keys list").refused(2),
        "every tenant has keys of its own here: say whose with --tenant ID",
    );
    assert_eq!(place.run("keys list --tenant tenant1 --json").json(), serde_json::json!([]));
    assert_eq!(
        place.run("keys list --tenant tenant9").refused(2),
        "there is no tenant tenant9: `tenantry tenant list` shows those that there are",
    );
}
