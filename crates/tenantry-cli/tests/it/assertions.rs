//! Clients that authenticate with a key of their own, made by OpenSSL.

use crate::place::{Place, Serving, is_here};

/// An issuer that runs, and a client of it for each key pair.
fn place(keys: &[(&str, &str)], more: &[&str]) -> (Place, Serving) {
    let place = Place::new();
    let serving = place.serve(&[&["--listen", "127.0.0.1:0"][..], more].concat());
    place.run("tenant add tenant1").done();
    for (name, algorithm) in keys {
        place.shell(
            &format!(
                "openssl genpkey -algorithm {algorithm} -out {name}.key 2>/dev/null; \
                 openssl pkey -in {name}.key -pubout -out {name}.pub"
            ),
            &[],
        );
        let auth = format!("--auth private_key_jwt --jwks {name}.pub");
        place.run(&format!("client add --tenant tenant1 --id {name} --scope a {auth}")).done();
    }
    (place, serving)
}

const KEYS: [(&str, &str); 4] = [
    ("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "EC -pkeyopt ec_paramgen_curve:P-384"),
    ("ed25519", "ED25519"),
    ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
];

fn line(name: &str, key: &str) -> String {
    format!("token --tenant tenant1 --client-id {name} --auth private_key_jwt --key {key}")
}

#[test]
fn a_key_of_each_kind_obtains_a_token_again_and_again() {
    if !is_here("openssl") {
        return;
    }
    let (place, serving) = place(&KEYS, &[]);
    let shown = place.run("client show p256 --tenant tenant1 --json").json();
    let kid = shown["keys"][0]["kid"].as_str().unwrap();
    assert_eq!(kid.len(), 43);
    let text = place.run("client show p256 --tenant tenant1");
    assert!(text.done().contains(&format!("{kid} (EC P-256")), "{text:?}");
    for (name, _) in KEYS {
        for _ in 0..2 {
            let token = place.run(&format!("{} --json", line(name, &format!("{name}.key")))).json();
            assert_eq!(token["claims"]["sub"], name);
        }
        // Its name in the set is not made up.
        let wrong = place.run(&format!("{} --kid other", line(name, &format!("{name}.key"))));
        assert!(wrong.refused(1).contains(" refused, 401 invalid_client: "), "{wrong:?}");
    }
    let other = place.run(&line("p256", "p384.key"));
    assert!(other.refused(1).contains(" refused, 401 invalid_client: "), "{other:?}");
    assert!(serving.end().success());
    let refused = place.run("audit --refused --json").json();
    let reasons: Vec<_> =
        refused.as_array().unwrap().iter().map(|event| &event["reason"]).collect();
    assert_eq!(reasons, ["assertion_key"; 5]);
}

#[test]
fn an_assertion_is_for_the_issuer_of_the_tenant() {
    if !is_here("openssl") {
        return;
    }
    let (place, serving) = place(&KEYS[..1], &["--issuer", "https://auth.erp.example/{tenant}"]);
    let at = format!("--at http://{}", serving.address);
    let token = place.run(&format!("{} {at} --json", line("p256", "p256.key"))).json();
    assert_eq!(token["claims"]["iss"], "https://auth.erp.example/tenant1");
    let other = "--issuer https://auth.erp.example";
    let wrong = place.run(&format!("{} {at} {other}", line("p256", "p256.key")));
    assert!(wrong.refused(1).contains(" refused, 401 invalid_client: "), "{wrong:?}");
}

#[test]
fn a_key_that_is_none_is_refused() {
    let place = Place::new();
    let public = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    place.write("public.pem", public);
    place.write("text", "hunter2");
    for file in ["public.pem", "text"] {
        let ran = place.run(&line("js", file));
        let said = ran.refused(2);
        assert!(
            said.starts_with(&format!("{file} is not a private key that can be used: ")),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    let missing = place.run(&line("js", "no.key"));
    assert!(missing.refused(2).starts_with("no.key cannot be read: "), "{missing:?}");
    place.write("long", &"a".repeat(64 * 1024 + 1));
    assert_eq!(
        place.run(&line("js", "long")).refused(2),
        "long cannot be read: it is longer than 64 KiB",
    );
    let base = "token --tenant tenant1 --client-id js";
    assert_eq!(
        place.run(&format!("{base} --auth private_key_jwt")).refused(2),
        "private_key_jwt needs the client's private key: --key FILE",
    );
    assert_eq!(
        place.run(&format!("{base} --key text")).refused(2),
        "--key is for --auth private_key_jwt",
    );
}
