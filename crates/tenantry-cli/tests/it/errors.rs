//! What cannot be done as it was told: one line, exit code 2, and nothing left behind.

use std::net::TcpListener;

use crate::place::Place;

const SETTINGS: &str =
    "issuer = \"https://auth.erp.example\"\naudience = \"https://api.erp.example/{tenant}\"\n";

#[test]
fn an_issuers_file_that_is_wrong() {
    for (text, expected) in [
        (
            "issuer = \"http://auth.erp.example\"",
            "issuer.toml:1: issuer: plain http is for loopback only: use https",
        ),
        (
            "\n\nalgorithm = \"none\"\nissuer = \"https://auth.erp.example\"",
            "issuer.toml:3: algorithm: `none` is none of \"ES256\", \"EdDSA\" and \"RS256\"",
        ),
        (
            "listen = 9000",
            "issuer.toml:1: listen: invalid type: integer `9000`, expected an address and a port such as \"127.0.0.1:8080\"",
        ),
    ] {
        let place = Place::new();
        place.write("issuer.toml", text);
        for command in ["serve issuer", "tenant add tenant1", "client list --tenant tenant1"] {
            assert_eq!(place.run(command).refused(2), expected, "{command}");
        }
        assert_eq!(place.files(), ["issuer.toml"]);
    }
}

/// Who may not read what signing keys are encrypted with can still stop a client or a tenant.
#[test]
fn a_key_encryption_key_that_cannot_be_read_is_in_nobodys_way_who_does_not_need_it() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    place.run("client add --tenant tenant1 --id js --scope journal.read").done();
    place.write("issuer.toml", &format!("{SETTINGS}key_encryption_key_file = \"no.key\"\n"));
    for command in [
        "client disable js --tenant tenant1",
        "client update js --tenant tenant1 --add-scope finance.write",
        "tenant suspend tenant1",
        "audit",
        "keys list",
    ] {
        place.run(command).done();
    }
    for command in ["serve issuer", "keys rotate", "keys encrypt"] {
        let ran = place.run(command);
        let line = "issuer.toml:3: key_encryption_key_file: the file cannot be read: ";
        assert!(ran.refused(2).starts_with(line), "{ran:?}");
    }
}

#[test]
fn a_database_that_nobody_names_is_beside_the_file() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("etc")).unwrap();
    place.write("etc/issuer.toml", SETTINGS);
    place.run("tenant add tenant1 --config etc/issuer.toml").done();
    assert!(place.path().join("etc/tenantry.db").exists());
    assert_eq!(place.files(), ["etc"]);
}

/// One in 64 begins like an option.
#[test]
fn a_key_may_begin_with_a_hyphen() {
    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let ran = place.run("keys retire -AXS2Wxzm8PjEaYWN2llNPkOd_MRh_isXgggqVVX5s4");
    assert!(ran.refused(2).starts_with("there is no signing key `-AXS2"), "{ran:?}");
    let line =
        format!("token --tenant t --client-id c --at {} --auth private_key_jwt", serving.issuer);
    let ran = place.run(&format!("{line} --kid -a --key no.key"));
    assert!(ran.refused(2).contains("no.key"), "{ran:?}");
}

#[test]
fn a_file_that_was_named_and_is_not_there() {
    let place = Place::new();
    let ran = place.run("serve issuer --config other.toml");
    assert!(
        ran.refused(2).starts_with("other.toml: the issuer's file cannot be read: "),
        "{ran:?}"
    );
    assert!(place.files().is_empty());
}

#[test]
fn a_database_that_cannot_be_used() {
    for (url, expected) in [
        ("sqlite://no/such/folder.db", "the database file `no/such/folder.db` cannot be written: "),
        ("sqlite://folder", "the database file `folder` cannot be written: "),
        ("sqlite://text", "the database file `text` cannot be used: "),
        ("mysql://root@db/tenantry", "a database is named `sqlite://FILE` or "),
        (
            "postgres://root:12/hunter2@127.0.0.1/x",
            "the URL of the database is malformed: `/`, `@`, `?` and `#` in a password are written ",
        ),
        ("postgres:root:hunter2@127.0.0.1/x", "a database is named `sqlite://FILE` or "),
        (
            "postgres://root@127.0.0.1/x?sslpassword=hunter2",
            "the URL of the database has a parameter that is not known here, sslpassword: known are ",
        ),
        ("postgres://root:hunter2@127.0.0.1:1/x", "PostgreSQL at 127.0.0.1:1 cannot be reached: "),
    ] {
        let place = Place::new();
        std::fs::create_dir(place.path().join("folder")).unwrap();
        place.write("text", "hello");
        for command in ["serve issuer --listen 127.0.0.1:0", "tenant add tenant1"] {
            let ran = place.run(&format!("{command} --database {url}"));
            let line = ran.refused(2);
            assert!(line.starts_with(&format!("cannot use the database: {expected}")), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
        assert_eq!(place.files(), ["folder", "text"]);
        assert_eq!(std::fs::read_to_string(place.path().join("text")).unwrap(), "hello");
    }
}

#[test]
fn a_database_that_is_not_there_is_not_made_to_look_into_it() {
    let place = Place::new();
    for command in [
        "tenant list",
        "tenant suspend tenant1",
        "client list --tenant tenant1",
        "client add --tenant tenant1",
        "keys list",
    ] {
        assert_eq!(
            place.run(command).refused(2),
            "there is no database tenantry.db: make one with `tenantry tenant add`, or name it with --database",
        );
    }
    assert!(place.files().is_empty());
}

#[test]
fn a_database_in_a_directory_that_is_not_there() {
    let place = Place::new();
    assert_eq!(
        place.run("tenant list --database sqlite://no/such.db").refused(2),
        "there is no directory no for the database no/such.db: make it, or name another database with --database",
    );
}

#[test]
fn a_database_that_the_file_names_is_refused_where_it_stands() {
    let place = Place::new();
    place.write("issuer.toml", &format!("{SETTINGS}database = \"tenantry.db\""));
    for command in ["serve issuer --listen 127.0.0.1:0", "tenant add tenant1", "audit"] {
        assert_eq!(
            place.run(command).refused(2),
            "issuer.toml:3: database: a database is named `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`",
        );
    }
    // The command line's is not the file's.
    let ran = place.run("tenant add tenant1 --database tenantry.db");
    assert!(ran.refused(2).starts_with("cannot use the database: a database is named "), "{ran:?}");
    assert_eq!(place.files(), ["issuer.toml"]);
}

#[test]
fn an_address_that_is_a_name() {
    let ran = Place::new().run("serve issuer --listen localhost:9000");
    assert_eq!(ran.code, Some(2));
    let expected =
        "expected an address and a port such as \"127.0.0.1:9000\"; names are not looked up";
    assert!(ran.err.contains(expected), "{ran:?}");
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new();
    for (line, option) in [
        (format!("serve issuer --listen {address}"), "--listen"),
        (
            format!("serve issuer --listen 127.0.0.1:0 --metrics-listen {address}"),
            "--metrics-listen",
        ),
    ] {
        let ran = place.run(&line);
        let line = ran.refused(2);
        assert!(line.starts_with(&format!("cannot listen on {address}: ")), "{line}");
        assert!(line.ends_with(&format!("; choose another address with {option} ADDR")), "{line}");
        assert!(place.files().is_empty());
    }
}

#[test]
fn an_address_that_is_not_loopback_needs_a_name() {
    let place = Place::new();
    assert_eq!(
        place.run("serve issuer --listen 0.0.0.0:0").refused(2),
        "0.0.0.0:0 is not loopback, so tokens need a name that is reached by https: set --issuer URL",
    );
    assert!(place.files().is_empty());
}

#[test]
fn a_tenant_that_there_is_already() {
    let place = Place::new();
    place.run("tenant add tenant1").done();
    for (id, expected) in [
        ("tenant1", "tenant `tenant1` exists: choose another id"),
        (
            "TENANT1",
            "tenant `TENANT1` differs only in case from tenant `tenant1`, which exists: choose another id",
        ),
    ] {
        assert_eq!(place.run(&format!("tenant add {id}")).refused(2), expected);
    }
    for command in ["show", "suspend", "resume", "remove"] {
        assert_eq!(
            place.run(&format!("tenant {command} TENANT1")).refused(2),
            "there is no tenant TENANT1, but there is tenant1: case counts",
        );
    }
}

#[test]
fn a_tenant_with_a_claim_that_is_taken_makes_no_database() {
    let place = Place::new();
    let ran = place.run("tenant add tenant1 --claim org_id=tenant2");
    assert_eq!(ran.refused(2), "claim `org_id`: the name is reserved; choose another");
    assert!(place.files().is_empty());
}

#[test]
fn a_key_encryption_key_that_is_none_or_one_too_many() {
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let place = Place::new();
    let variable = "TENANTRY_KEY_ENCRYPTION_KEY";
    assert_eq!(
        place.run_with("serve issuer", &[(variable, "hunter2")]).refused(2),
        "TENANTRY_KEY_ENCRYPTION_KEY is not 32 bytes in base64: make one with `openssl rand -base64 32`",
    );
    place.write("key", KEY);
    place.write("issuer.toml", &format!("{SETTINGS}key_encryption_key_file = \"key\""));
    assert_eq!(
        place.run_with("serve issuer", &[(variable, KEY)]).refused(2),
        "TENANTRY_KEY_ENCRYPTION_KEY is set, and so is key_encryption_key_file: leave one of them out",
    );
    assert_eq!(place.files(), ["issuer.toml", "key"]);
}

#[test]
fn words_that_are_no_command_have_the_exit_code_2() {
    let place = Place::new();
    for line in
        ["", "tenant", "tenant add", "tenant add bad.id", "client add", "serve gate", "token"]
    {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{line}: {ran:?}");
    }
    assert!(place.files().is_empty());
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new();
    for line in ["--help", "--version", "client add --help", "serve issuer --help"] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{line}");
    }
}
