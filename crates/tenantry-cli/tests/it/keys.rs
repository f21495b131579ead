//! `tenantry keys`.

use serde_json::{Value, json};

use crate::place::{Place, Serving};

/// Key encryption keys, of tests only.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn states(keys: &Value) -> Vec<(&str, &str)> {
    let keys = keys.as_array().unwrap();
    keys.iter().map(|key| (key["kid"].as_str().unwrap(), key["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn keys_are_listed_rotated_and_withdrawn() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    assert_eq!(place.run("keys list --json").json(), json!([]));
    assert_eq!(
        place.run("keys rotate").refused(2),
        "there are no signing keys: the issuer makes them when it starts"
    );

    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let before = place.run("keys list --json").json();
    let [(active, "active"), (next, "next")] = states(&before)[..] else { panic!("{before}") };
    assert_eq!(before[0]["alg"], "ES256");

    let waiting = place.run("keys rotate --json").json();
    assert_eq!(states(&waiting), states(&before), "it was not published for long enough");
    assert!(waiting[1]["active_at"].as_str() < before[1]["active_at"].as_str(), "{waiting}");
    let rotated = place.run("keys rotate --now --json").json();
    let after = states(&rotated);
    assert!(after.contains(&(active, "retired")) && after.contains(&(next, "active")), "{rotated}");

    let withdrawn = place.run(&format!("keys retire {active} --json")).json();
    assert!(!states(&withdrawn).iter().any(|(kid, _)| *kid == active), "{withdrawn}");
    let unknown = place.run("keys retire no-such-key");
    assert_eq!(
        unknown.refused(2),
        "there is no signing key `no-such-key`: `tenantry keys list` shows those that there are",
    );
    let said = place.run(&format!("keys retire {next}"));
    let expected = format!(
        "key {next} is withdrawn; running issuers follow within 30 seconds\n\
         resource servers go on until they fetch the key set again, within 600 seconds (max-age)\n"
    );
    assert!(said.done().starts_with(&expected), "{said:?}");
    assert!(serving.end().success());
    let trail = place.run("audit --last 4 --json").json();
    let trail: Vec<_> = trail.as_array().unwrap().iter().map(|event| &event["reason"]).collect();
    assert_eq!(
        trail,
        [next, active, next, next].map(|kid| Value::from(format!("kid {kid}"))).each_ref()
    );
    assert_eq!((place.count("keys.rotate"), place.count("keys.retire")), (2, 2));
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
    assert_eq!(place.run("keys list --tenant tenant1 --json").json(), json!([]));
    assert_eq!(
        place.run("keys list --tenant tenant9").refused(2),
        "there is no tenant tenant9: `tenantry tenant list` shows those that there are",
    );
}

/// The environment of a program that encrypts keys.
const fn with(key: &str) -> [(&str, &str); 1] {
    [("TENANTRY_KEY_ENCRYPTION_KEY", key)]
}

/// A place where an issuer ran, with this environment.
fn served(variables: &[(&str, &str)]) -> Place {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    let client = "client add --tenant tenant1 --id js --scope journal.read --json";
    let added = place.run(client).json();
    place.write("secret", added["client_secret"].as_str().unwrap());
    assert!(place.serve_with(&LISTEN, variables).end().success());
    place
}

fn are_encrypted(keys: &Value) -> Vec<bool> {
    let keys = keys.as_array().unwrap();
    keys.iter().map(|key| key["encrypted"].as_bool().unwrap()).collect()
}

fn token(place: &Place, serving: &Serving) {
    let url = format!("http://{}", serving.address);
    let ask = "token --tenant tenant1 --client-id js --secret-file secret --json --issuer";
    place.run(&format!("{ask} {url}")).done();
}

#[test]
fn keys_in_clear_are_encrypted_once() {
    let place = served(&[]);
    let before = place.run("keys list --json").json();
    assert_eq!(are_encrypted(&before), [false, false]);
    assert!(place.holds_private_key(), "the search finds what is there");
    let line = place.run_with("serve issuer --listen 127.0.0.1:0", &with(KEY));
    assert_eq!(line.code, Some(2), "{line:?}");
    assert!(line.err.contains("encrypt the stored keys (`tenantry keys encrypt`)"), "{line:?}");

    let first = place.run_with("keys encrypt --json", &with(KEY)).json();
    assert_eq!(first, json!({ "encrypted": 2, "encrypted_before": 0 }));
    let again = place.run_with("keys encrypt", &with(KEY));
    assert_eq!(again.done(), "signing keys encrypted: 0 now, 2 before\n");

    let after = place.run("keys list --json").json();
    assert_eq!(states(&after), states(&before));
    assert_eq!(are_encrypted(&after), [true, true]);
    let text = place.run("keys list").done().to_owned();
    assert_eq!(text.matches("  encrypted\n").count(), 2, "{text}");
    let serving = place.serve_with(&LISTEN, &with(KEY));
    token(&place, &serving);
    assert!(serving.end().success());
    // What was in clear is not left behind, and what was done is written down once.
    assert!(!place.holds_private_key());
    assert_eq!(place.count("keys.encrypt"), 1);
}

#[test]
fn the_encryption_key_itself_is_exchanged() {
    let place = served(&with(KEY));
    place.write("old.key", &format!("{KEY}\n"));
    place.write("none.key", "hunter2");
    let kid = place.run("keys list --json").json()[0]["kid"].as_str().unwrap().to_owned();
    for (line, expected) in [
        (
            "keys encrypt",
            format!(
                "signing key `{kid}` is encrypted with another key encryption key: set the one that it was stored with, or go over to this one (`tenantry keys encrypt --old-key-file`)"
            ),
        ),
        (
            "keys encrypt --old-key-file none.key",
            "none.key: what is in it is not 32 bytes in base64: make one with `openssl rand -base64 32`".into(),
        ),
    ] {
        assert_eq!(place.run_with(line, &with(OTHER)).refused(2), expected);
    }
    let missing = place.run_with("keys encrypt --old-key-file no.key", &with(OTHER));
    assert!(missing.refused(2).starts_with("no.key cannot be read: "), "{missing:?}");

    let done = place.run_with("keys encrypt --old-key-file old.key --json", &with(OTHER)).json();
    assert_eq!(done, json!({ "encrypted": 2, "encrypted_before": 0 }));

    let old = place.run_with("serve issuer --listen 127.0.0.1:0", &with(KEY));
    assert_eq!(old.code, Some(2), "{old:?}");
    let serving = place.serve_with(&LISTEN, &with(OTHER));
    token(&place, &serving);
}

#[test]
fn without_a_key_to_encrypt_with_nothing_is_encrypted() {
    let place = served(&[]);
    assert_eq!(
        place.run("keys encrypt").refused(2),
        "there is no key to encrypt with: set key_encryption_key_file in the issuer's file, or TENANTRY_KEY_ENCRYPTION_KEY",
    );
    assert_eq!(are_encrypted(&place.run("keys list --json").json()), [false, false]);
}

#[tokio::test]
async fn a_database_that_fails_meanwhile_is_another_exit_code() {
    let place = served(&[]);
    let full = "CREATE TRIGGER full_disk BEFORE UPDATE ON signing_key \
        BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    place.execute(full).await;
    let failed = place.run_with("keys encrypt", &with(KEY));
    let line = failed.refused(1);
    assert!(line.starts_with("the signing keys cannot be read or changed now: "), "{line}");
    assert_eq!(place.count("keys.encrypt"), 0);
    place.execute("DROP TRIGGER full_disk").await;
    place.run_with("keys encrypt", &with(KEY)).done();
}

#[test]
fn where_there_are_no_keys_there_is_nothing_to_encrypt() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    let done = place.run_with("keys encrypt --json", &with(KEY)).json();
    assert_eq!(done, json!({ "encrypted": 0, "encrypted_before": 0 }));
    assert_eq!(place.count("keys.encrypt"), 0);
}

#[test]
fn an_issuer_that_runs_goes_on_when_keys_are_encrypted() {
    let place = served(&[]);
    let serving = place.serve(&LISTEN);
    token(&place, &serving);
    place.run_with("keys encrypt", &with(KEY)).done();
    token(&place, &serving);
    assert!(serving.end().success());
    let serving = place.serve_with(&LISTEN, &with(KEY));
    token(&place, &serving);
}

/// As it is in an emergency, from a shell that lacks the variable of the server.
#[test]
fn keys_that_cannot_be_read_here_are_withdrawn_and_the_issuer_goes_on() {
    let place = served(&with(KEY));
    let keys = place.run("keys list --json").json();
    let [(active, "active"), (next, "next")] = states(&keys)[..] else { panic!("{keys}") };
    let unreadable = format!(
        "signing key `{active}` is encrypted: set the key encryption key that it was stored with"
    );
    assert_eq!(place.run("keys rotate --now").refused(2), unreadable);

    let left = place.run(&format!("keys retire {active} --json")).json();
    assert_eq!(states(&left), [(next, "active")]);

    let serving = place.serve_with(&LISTEN, &with(KEY));
    token(&place, &serving);
    assert!(serving.end().success());
    let keys = place.run("keys list --json").json();
    let [(now, "active"), (_, "next")] = states(&keys)[..] else { panic!("{keys}") };
    assert_eq!(now, next);
    assert_eq!(are_encrypted(&keys), [true, true]);
    assert_eq!(place.count("keys.retire"), 1);
}

#[test]
fn when_the_encryption_key_is_lost_the_keys_are_withdrawn_and_made_anew() {
    let place = served(&with(KEY));
    let lost = place.run("keys list --json").json();
    for (kid, _) in states(&lost) {
        place.run_with(&format!("keys retire {kid}"), &with(OTHER)).done();
    }
    let none = place.run("keys list");
    assert_eq!(none.done(), "there are no signing keys: the issuer makes them when it starts\n");
    let serving = place.serve_with(&LISTEN, &with(OTHER));
    token(&place, &serving);
}

#[test]
fn a_start_names_the_tenant_whose_keys_it_could_not_decrypt() {
    let place = Place::new();
    for tenant in ["tenant1", "tenant2"] {
        place.run(&format!("tenant add {tenant}")).done();
    }
    place.write(
        "issuer.toml",
        "issuer = \"http://127.0.0.1:9000/{tenant}\"\naudience = \"https://api.erp.example/{tenant}\"\nlisten = \"127.0.0.1:0\"",
    );
    let first = |tenant: &str, key: &str| {
        let serving = place.serve_with(&[], &with(key));

        assert!(serving.get(&format!("/{tenant}/jwks.json")).starts_with("HTTP/1.1 200"));
        assert!(serving.end().success());
        let keys = place.run(&format!("keys list --tenant {tenant} --json")).json();
        keys[0]["kid"].as_str().unwrap().to_owned()
    };
    let kid = first("tenant2", KEY);

    let ran = place.run_with("serve issuer", &with(OTHER));

    assert_eq!(ran.code, Some(2), "{ran:?}");
    let expected = format!("signing key `{kid}` of tenant2 is encrypted with another");
    assert!(ran.err.contains(&expected), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let done = place.run_with("keys encrypt --json", &with(KEY)).json();
    assert_eq!(done, json!({ "encrypted": 0, "encrypted_before": 2 }));
}
