//! `tenantry client`.

use serde_json::json;

use crate::place::Place;

/// An EC key of a test that nobody else knows; the public members only.
const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// A public key in PEM, of the same kind.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn place() -> Place {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    place.run("tenant add tenant2").done();
    place
}

#[test]
fn a_client_from_its_registration_to_its_removal() {
    let place = place();
    let added = place
        .run(
            "client add --tenant tenant1 --id js --name Sync --scope journal.read \
             --scope tenant1.finance.write --audience http://127.0.0.1:9000/tenant1 \
             --claim cost_center=4711 --grant client_credentials,refresh_token --json",
        )
        .json();
    assert_eq!(added["client_secret"].as_str().unwrap().len(), 43);

    let shown = place.run("client show js --tenant tenant1 --json").json();
    assert_eq!(shown.get("client_secret"), None);
    for (member, expected) in [
        ("tenant", json!("tenant1")),
        ("client_id", json!("js")),
        ("name", json!("Sync")),
        ("enabled", json!(true)),
        ("auth", json!("client_secret_basic")),
        ("grants", json!(["client_credentials", "refresh_token"])),
        ("scopes", json!(["finance.write", "journal.read"])),
        ("audiences", json!(["http://127.0.0.1:9000/tenant1"])),
        ("claims", json!({ "cost_center": "4711" })),
    ] {
        assert_eq!(shown[member], expected, "{member}");
        assert_eq!(added[member], expected, "{member}");
    }

    for (command, enabled) in [("disable", false), ("enable", true)] {
        let changed = place.run(&format!("client {command} js --tenant tenant1 --json")).json();
        let expected = json!({ "tenant": "tenant1", "client_id": "js", "enabled": enabled });
        assert_eq!(changed, expected);
        assert_eq!(place.run("client show js --tenant tenant1 --json").json()["enabled"], enabled);
    }
    let removed = place.run("client remove js --tenant tenant1 --json").json();
    assert_eq!(removed, json!({ "tenant": "tenant1", "client_id": "js", "removed": true }));
    assert_eq!(place.run("client list --tenant tenant1 --json").json(), json!([]));
}

#[test]
fn the_same_id_under_two_tenants_names_two_clients() {
    let place = place();
    for tenant in ["tenant1", "tenant2"] {
        place.run(&format!("client add --tenant {tenant} --id js --name {tenant}")).done();
    }
    place.run("client disable js --tenant tenant1").done();
    let other = place.run("client show js --tenant tenant2 --json").json();
    assert_eq!((&other["name"], &other["enabled"]), (&json!("tenant2"), &json!(true)));
}

/// Searched in the database as text and as the bytes that it stands for.
#[test]
fn a_secret_is_printed_once_and_not_kept() {
    let place = place();
    let first = place.run("client add --tenant tenant1 --id js --json").json();
    let second = place.run("client rotate-secret js --tenant tenant1 --json").json();
    let text = place.run("client add --tenant tenant2 --id js --auth post");
    let third = text.done().split_whitespace().next_back().unwrap().to_owned();
    let secrets = [
        first["client_secret"].as_str().unwrap(),
        second["client_secret"].as_str().unwrap(),
        &third,
    ];
    assert_ne!(secrets[0], secrets[1]);
    for line in ["client list --tenant tenant1", "client show js --tenant tenant1"] {
        for json in ["", " --json"] {
            let shown = place.run(&format!("{line}{json}"));
            assert!(!secrets.iter().any(|secret| shown.done().contains(secret)), "{shown:?}");
        }
    }
    for secret in secrets {
        assert_eq!(secret.len(), 43);
        assert!(!place.holds(secret));
    }
    // The search finds what is there.
    assert!(place.holds("client.rotate_secret"));
}

#[test]
fn a_client_with_a_key_has_no_secret() {
    let place = place();
    place.write("jwks.json", JWKS);
    let line = "client add --tenant tenant1 --id js --auth private_key_jwt --jwks jwks.json --json";
    let added = place.run(line).json();
    assert_eq!((added.get("client_secret"), &added["auth"]), (None, &json!("private_key_jwt")));
    let rotated = place.run("client rotate-secret js --tenant tenant1");
    let expected = "client js of tenant1 has no secret but keys: `tenantry client update js --tenant tenant1 --jwks FILE` replaces them";
    assert_eq!(rotated.refused(2), expected);
}

#[test]
fn a_client_that_could_not_work_is_not_registered() {
    let place = place();
    place.write("private.json", &JWKS.replace("\"kid\"", "\"d\":\"AQ\",\"kid\""));
    place.write("weak.json", r#"{"keys":[{"kty":"oct"}]}"#);
    place.write("none.json", r#"{"keys":[]}"#);
    place.write("many.json", &format!(r#"{{"keys":[{}]}}"#, ["{}"; 9].join(",")));
    place.write("text.json", "hello");
    place.write("one.json", r#"{"kty":"EC"}"#);
    place.write("private.pem", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n");
    place.write("two.pem", &format!("{PEM}{PEM}"));
    let key = "--auth private_key_jwt --jwks";
    for (arguments, expected) in [
        (
            "--scope tenant2.journal.read".into(),
            "the scope `tenant2.journal.read` is tenant2's: a client of tenant1 cannot have it",
        ),
        (
            "--audience http://127.0.0.1:9000/tenant2".into(),
            "the audience `http://127.0.0.1:9000/tenant2` is tenant2's: a client of tenant1 cannot have it",
        ),
        (
            "--audience https://elsewhere.example".into(),
            "the audience `https://elsewhere.example` is not one of this issuer: those of tenant1 are `http://127.0.0.1:9000/tenant1`",
        ),
        (
            "--claim tenant_id=tenant2".into(),
            "claim `tenant_id`: the name is reserved; choose another",
        ),
        ("--claim sub=root".into(), "claim `sub`: the name is reserved; choose another"),
        ("--claim plan".into(), "the claim `plan` is neither NAME=TEXT nor NAME:=JSON"),
        (
            "--grant refresh_token".into(),
            "without the grant client_credentials it could never obtain a token",
        ),
        (
            format!("{key} private.json"),
            "the keys cannot be used: a key is private: register the public ones only",
        ),
        (format!("{key} weak.json"), "the keys cannot be used: keys[0]: its type is not supported"),
        (format!("{key} none.json"), "the keys cannot be used: there is none"),
        (
            format!("{key} many.json"),
            "the keys cannot be used: there are 9, and a client has 8 at most",
        ),
        (
            format!("{key} text.json"),
            "text.json is neither a JWK Set (an object with `keys`) nor a public key in PEM",
        ),
        (
            format!("{key} one.json"),
            "one.json is one JWK: a JWK Set is an object with a list of them, {\"keys\": [...]}",
        ),
        (
            format!("{key} private.pem"),
            "private.pem holds a private key: register the public one, which `openssl pkey -in private.pem -pubout` prints",
        ),
        (
            format!("{key} two.pem"),
            "two.pem is not one public key that can be used: EC on P-256 or P-384, Ed25519, or RSA from 2048 bits on, in PEM",
        ),
        ("--jwks none.json".into(), "--jwks is for --auth private_key_jwt"),
        (
            "--auth private_key_jwt".into(),
            "private_key_jwt needs the client's public keys: --jwks FILE",
        ),
    ] {
        let arguments: String = arguments;
        let ran = place.run(&format!("client add --tenant tenant1 --id js {arguments}"));
        assert_eq!(ran.refused(2), expected, "{arguments}");
    }
    assert_eq!(place.run("client list --tenant tenant1 --json").json(), json!([]));
}

#[test]
fn a_scope_like_anothers_name_is_plain_as_long_as_there_is_no_such_tenant() {
    let place = place();
    place.run("client add --tenant tenant1 --id js --scope journal.read").done();
    let scopes = &place.run("client show js --tenant tenant1 --json").json()["scopes"];
    assert_eq!(*scopes, json!(["journal.read"]));
}

#[test]
fn a_client_or_a_tenant_that_there_is_not() {
    let place = place();
    for command in ["show", "rotate-secret", "disable", "enable", "remove"] {
        let ran = place.run(&format!("client {command} js --tenant tenant1"));
        assert_eq!(
            ran.refused(2),
            "there is no client js of tenant1: `tenantry client list --tenant tenant1` shows those that there are",
        );
        let ran = place.run(&format!("client {command} js --tenant tenant3"));
        assert_eq!(
            ran.refused(2),
            "there is no tenant tenant3: `tenantry tenant list` shows those that there are",
        );
    }
    for command in ["client add --id js", "client list"] {
        assert_eq!(
            place.run(&format!("{command} --tenant tenant3")).refused(2),
            "there is no tenant tenant3: `tenantry tenant list` shows those that there are",
        );
    }
    let ran = place.run("client show js --tenant TENANT1");
    assert_eq!(ran.refused(2), "there is no tenant TENANT1, but there is tenant1: case counts");
}

#[test]
fn an_id_that_is_taken_is_said_of_clients_in_their_own_words() {
    let place = place();
    place.run("client add --tenant tenant1 --id js").done();
    assert_eq!(
        place.run("client add --tenant tenant1 --id js").refused(2),
        "tenant `tenant1` has a client `js`: choose another id, or `tenantry client update` it",
    );
    place.run("client add --tenant tenant1 --id JS").done();
}

#[test]
fn several_scopes_in_one_word_are_refused() {
    let place = place();
    let add = ["client", "add", "--tenant", "tenant1", "--scope", "a b"];
    assert_eq!(
        place.run_words(&add, &[]).refused(2),
        "`a b` is not one scope: repeat --scope for each",
    );
    place.run("client add --tenant tenant1 --id js").done();
    let update = ["client", "update", "js", "--tenant", "tenant1", "--add-scope", "a b"];
    assert_eq!(
        place.run_words(&update, &[]).refused(2),
        "`a b` is not one scope: repeat --add-scope for each",
    );
}

#[test]
fn a_client_without_scopes_is_told_what_it_lacks() {
    let place = place();
    let hint = "it has no scopes, so its tokens have none: `tenantry client update js --tenant tenant1 --add-scope SCOPE` adds one\n";
    let added = place.run("client add --tenant tenant1 --id js");
    assert!(added.done().contains(hint), "{added:?}");
    let with = place.run("client add --tenant tenant1 --id other --scope a");
    assert!(!with.done().contains("no scopes"), "{with:?}");
}

#[test]
fn what_ends_with_a_secret_or_with_a_client_is_said() {
    let place = place();
    place.run("client add --tenant tenant1 --id js --scope a").done();
    let rotated = place.run("client rotate-secret js --tenant tenant1");
    let expected = "client js of tenant1 has a new secret, which works at once\n\
        the old one ends within 30 seconds at running issuers, and its refresh tokens have ended\n";
    assert!(rotated.done().starts_with(expected), "{rotated:?}");
    assert_eq!(
        place.run("client disable js --tenant tenant1").done(),
        "client js of tenant1 is disabled, and its refresh tokens have ended for good; running issuers follow within 30 seconds\n",
    );
    assert_eq!(
        place.run("client enable js --tenant tenant1").done(),
        "client js of tenant1 is enabled; running issuers follow within 30 seconds\n",
    );
    assert_eq!(
        place.run("tenant suspend tenant1").done(),
        "tenant tenant1 is suspended, and its refresh tokens have ended for good; running issuers follow within 30 seconds\n",
    );
    assert_eq!(
        place.run("tenant resume tenant1").done(),
        "tenant tenant1 is active; running issuers follow within 30 seconds\n",
    );
}

/// It was made, and nobody has seen it.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_cannot_be_printed_is_made_again() {
    let place = place();
    for (line, expected) in [
        (
            "client add --tenant tenant1 --id js",
            ": the client is registered all the same, and nobody has seen its secret: `tenantry client rotate-secret js --tenant tenant1` makes another",
        ),
        (
            "client rotate-secret js --tenant tenant1",
            ": the old secret is replaced all the same, and nobody has seen the new one: rotate it again",
        ),
    ] {
        let mut command = place.command();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.args(line.split(' ')).stdout(full).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.starts_with("tenantry: cannot print: "), "{error}");
        assert!(error.trim_end().ends_with(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
