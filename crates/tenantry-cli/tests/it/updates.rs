//! `tenantry client update`.

use serde_json::json;

use crate::place::Place;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

const OTHER_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

fn place() -> Place {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    place.run("tenant add tenant2").done();
    place.write("a.pem", PEM);
    place.write("b.pem", OTHER_PEM);
    place.run("client add --tenant tenant1 --id js --scope a --scope b").done();
    let keys = "--auth private_key_jwt --jwks a.pem";
    place.run(&format!("client add --tenant tenant1 --id ks --scope a {keys}")).done();
    place
}

#[test]
fn a_client_is_changed_and_keeps_the_rest() {
    let place = place();
    let before = place.run("client show js --tenant tenant1 --json").json();
    let changed = place
        .run(
            "client update js --tenant tenant1 --name Sync --add-scope tenant1.c --remove-scope a \
             --add-audience http://127.0.0.1:9000/tenant1 \
             --grant client_credentials,refresh_token --json",
        )
        .json();
    let mut expected = before;
    expected["name"] = json!("Sync");
    expected["scopes"] = json!(["b", "c"]);
    expected["audiences"] = json!(["http://127.0.0.1:9000/tenant1"]);
    expected["grants"] = json!(["client_credentials", "refresh_token"]);
    assert_eq!(changed, expected);
    assert_eq!(place.run("client show js --tenant tenant1 --json").json(), expected);
    assert_eq!(place.count("client.update"), 1);

    let text = place.run("client update js --tenant tenant1 --name Other");
    let said = "client js of tenant1 is changed; running issuers follow within 30 seconds\n";
    assert!(text.done().starts_with(said), "{text:?}");
    let none = place.run("client update js --tenant tenant1 --remove-scope b --remove-scope c");
    assert!(none.done().contains("it has no scopes"), "{none:?}");
}

#[test]
fn a_secret_goes_on_and_grants_what_was_added() {
    let place = place();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let secret = place.run("client rotate-secret js --tenant tenant1 --json").json();
    let secret = [("TENANTRY_CLIENT_SECRET", secret["client_secret"].as_str().unwrap())];
    place.run("client update js --tenant tenant1 --add-scope c").done();
    let token = place.run_with("token --tenant tenant1 --client-id js --scope c --json", &secret);
    assert_eq!(token.json()["claims"]["scope"], "tenant1.c");
    drop(serving);
}

#[test]
fn keys_are_replaced_where_there_are_keys() {
    let place = place();
    let changed = place.run("client update ks --tenant tenant1 --jwks b.pem");
    let said = "client ks of tenant1 is changed; running issuers follow within 30 seconds\n\
        it has other keys now, and its refresh tokens have ended\n";
    assert!(changed.done().starts_with(said), "{changed:?}");
    // The thumbprints of RFC 8037, appendix A.3, and of the other.
    assert!(place.holds("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    assert_eq!(
        place.run("client update js --tenant tenant1 --jwks b.pem").refused(2),
        "the client has a secret and no keys: register another for private_key_jwt",
    );
}

#[test]
fn what_a_client_cannot_have_it_does_not_get_later_either() {
    let place = place();
    place.write("none.json", r#"{"keys":[]}"#);
    place
        .run("client update ks --tenant tenant1 --add-audience http://127.0.0.1:9000/tenant1")
        .done();
    let before = |id: &str| place.run(&format!("client show {id} --tenant tenant1 --json")).json();
    let (js, ks) = (before("js"), before("ks"));
    for (arguments, expected) in [
        (
            "js --add-scope tenant2.a",
            "the scope `tenant2.a` is tenant2's: a client of tenant1 cannot have it",
        ),
        (
            "js --add-audience http://127.0.0.1:9000/tenant2",
            "the audience `http://127.0.0.1:9000/tenant2` is tenant2's: a client of tenant1 cannot have it",
        ),
        (
            "js --add-audience https://elsewhere.example",
            "the audience `https://elsewhere.example` is not one of this issuer: those of tenant1 are `http://127.0.0.1:9000/tenant1`",
        ),
        ("js --remove-scope c", "the client does not have the scope `c`"),
        ("js --add-scope a --remove-scope tenant1.a", "the scope `a` is both added and removed"),
        ("js --remove-audience x", "the client does not have the audience `x`"),
        (
            "ks --remove-audience http://127.0.0.1:9000/tenant1",
            "without its last audience it could have all of its tenant: add another in its place",
        ),
        (
            "ks --remove-audience http://127.0.0.1:9000/tenant1 --add-audience http://127.0.0.1:9000/tenant1",
            "the audience `http://127.0.0.1:9000/tenant1` is both added and removed",
        ),
        (
            "js --grant refresh_token",
            "without the grant client_credentials it could never obtain a token",
        ),
        ("ks --jwks none.json", "the keys cannot be used: there is none"),
        (
            "xs --name X",
            "there is no client xs of tenant1: `tenantry client list --tenant tenant1` shows those that there are",
        ),
    ] {
        let (id, change) = arguments.split_once(' ').unwrap();
        let ran = place.run(&format!("client update {id} --tenant tenant1 {change}"));
        assert_eq!(ran.refused(2), expected, "{arguments}");
    }
    assert_eq!((before("js"), before("ks")), (js, ks));
    let nothing = place.run("client update js --tenant tenant1");
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
}
