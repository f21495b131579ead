//! What a server was started with holds for the commands on its database.

use crate::place::{Place, Ran};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A place where an issuer ran with these arguments.
fn served(place: Place, more: &[&str]) -> Place {
    assert!(place.serve(&[&LISTEN, more].concat()).end().success());
    place
}

fn own_file(place: &Place, name: &str, issuer: &str) {
    let text = format!("issuer = \"{issuer}\"\naudience = \"https://api.erp.example/{{tenant}}\"");
    place.write(name, &text);
}

#[test]
fn an_issuer_of_the_command_line_is_that_of_the_commands() {
    let place = served(Place::new(), &["--issuer", "https://auth.erp.example"]);
    place.run("tenant add tenant1").done();
    let add = "client add --tenant tenant1 --id js --audience";
    assert_eq!(
        place.run(&format!("{add} http://127.0.0.1:9000/tenant1")).refused(2),
        "the audience `http://127.0.0.1:9000/tenant1` is not one of this issuer: those of tenant1 are `https://auth.erp.example/tenant1`",
    );
    place.run(&format!("{add} https://auth.erp.example/tenant1")).done();
}

#[test]
fn keys_of_each_tenant_are_managed_without_a_file() {
    let place = served(Place::new(), &["--issuer", "https://auth.erp.example/{tenant}"]);
    place.run("tenant add tenant1").done();
    assert_eq!(
        place.run("keys list --tenant tenant1").done(),
        "tenant1 has no signing keys: the issuer makes them when it is asked for a token or the key set\n",
    );
    assert_eq!(
        place.run("keys list").refused(2),
        "every tenant has keys of its own here: say whose with --tenant ID",
    );
}

#[test]
fn a_token_is_asked_of_the_issuer_that_runs() {
    let place = Place::new();
    let _serving = place.serve(&LISTEN);
    place.run("tenant add tenant1").done();
    let added = place.run("client add --tenant tenant1 --id js --scope a --json").json();
    let secret = [("TENANTRY_CLIENT_SECRET", added["client_secret"].as_str().unwrap())];
    place.run_with("token --tenant tenant1 --client-id js", &secret).done();
}

#[test]
fn without_the_file_of_the_server_commands_stop() {
    let place = Place::new();
    own_file(&place, "other.toml", "https://auth.erp.example");
    let place = served(place, &["--config", "other.toml"]);
    place.run("tenant add tenant1 --config other.toml").done();
    let stops = |ran: Ran| {
        assert_eq!(
            ran.refused(2),
            "the issuer https://auth.erp.example that uses this database has a file of settings: name it with --config",
        );
    };
    for line in [
        "tenant add tenant2",
        "client add --tenant tenant1 --id js",
        "client list --tenant tenant1",
        "keys list",
        "keys rotate --now",
    ] {
        stops(place.run(line));
        assert_ne!(place.run(&format!("{line} --config other.toml")).code, None);
    }
    let listed = place.run("client list --tenant tenant1 --config other.toml --json").json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // These need no settings: whoever has to suspend a tenant does not look for files first.
    place.run("tenant suspend tenant1").done();
    place.run("audit").done();
}

#[test]
fn the_file_of_another_issuer_stops_commands() {
    let place = Place::new();
    own_file(&place, "other.toml", "https://login.erp.example");
    let place = served(place, &["--issuer", "https://auth.erp.example"]);
    place.run("tenant add tenant1").done();
    let expected = "other.toml is of the issuer https://login.erp.example, but https://auth.erp.example uses this database: name its file with --config, or start `tenantry serve issuer` with this one first";
    for line in ["tenant add tenant2", "client add --tenant tenant1", "keys list"] {
        assert_eq!(place.run(&format!("{line} --config other.toml")).refused(2), expected);
    }
    // The same issuer in a file is the same issuer.
    own_file(&place, "own.toml", "https://auth.erp.example");
    place.run("client add --tenant tenant1 --config own.toml").done();
}

/// As in a container, whose name is known where it is started.
#[test]
fn an_option_before_the_file_is_that_of_the_commands_with_this_file() {
    let place = Place::new();
    own_file(&place, "issuer.toml", "https://auth.erp.example/{tenant}");
    let serving = place.serve(&[&LISTEN[..], &["--issuer", "http://127.0.0.1:1"]].concat());
    place.run("tenant add tenant1").done();
    let add = "client add --tenant tenant1 --scope a --id";
    place.run(&format!("{add} js --audience https://api.erp.example/tenant1")).done();
    // One issuer for all: so are the keys.
    assert_eq!(place.run("keys list --json").json().as_array().unwrap().len(), 2);
    let secret = place.run(&format!("{add} other --json")).json();
    let secret = [("TENANTRY_CLIENT_SECRET", secret["client_secret"].as_str().unwrap())];
    let ask = "token --tenant tenant1 --client-id other";
    let unreached = place.run_with(ask, &secret);
    assert!(
        unreached.refused(1).starts_with("http://127.0.0.1:1/tenant1/oauth/token "),
        "{unreached:?}"
    );
    let at = format!("{ask} --at http://{} --json", serving.address);
    assert_eq!(place.run_with(&at, &secret).json()["claims"]["iss"], "http://127.0.0.1:1");

    own_file(&place, "issuer.toml", "https://login.erp.example");
    let stopped = place.run_with(ask, &secret);
    assert!(stopped.refused(2).starts_with("issuer.toml is of the issuer "), "{stopped:?}");
}

#[test]
fn a_server_may_take_a_database_over_and_says_so() {
    let place = served(Place::new(), &["--issuer", "https://auth.erp.example"]);
    let again = place.serve(&[&LISTEN[..], &["--issuer", "https://auth.erp.example"]].concat());
    assert!(!again.log().contains("another issuer used this database"), "{}", again.log());
    assert!(again.end().success());

    let other = place.serve(&[&LISTEN[..], &["--issuer", "https://login.erp.example"]].concat());
    let log = other.log();
    let line = log.lines().find(|line| line.contains("another issuer used this database"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("auth.erp.example") && line.contains("login.erp.example"), "{line}");
    assert!(other.end().success());

    place.run("tenant add tenant1").done();
    let audience = "https://login.erp.example/tenant1";
    place.run(&format!("client add --tenant tenant1 --audience {audience}")).done();
}
