//! An `issuer.toml` that is wrong: one line, with the place, the setting and what to do.

use std::fs;

use tenantry_issuer::IssuerFile;

/// Right by itself; what is appended starts on line 4.
const BASE: &str = r#"
issuer = "https://auth.erp.example"
audience = "https://api.erp.example/{tenant}"
"#;

fn error(text: &str) -> String {
    let settings = IssuerFile::parse(text, "issuer.toml").and_then(|file| file.settings());
    let Err(error) = settings else { panic!("this was accepted:\n{text}") };
    let shown = error.to_string();
    assert!(!shown.contains(['\n', '\r']), "{shown}");
    shown
}

fn assert_errors_after_base(cases: &[(&str, &str)]) {
    assert!(IssuerFile::parse(BASE, "issuer.toml").unwrap().settings().is_ok());
    for (text, expected) in cases {
        let text = format!("{BASE}{text}");
        assert_eq!(error(&text), format!("issuer.toml:{expected}"), "of\n{text}");
    }
}

#[test]
fn what_is_not_toml() {
    assert_errors_after_base(&[
        ("listen", "4: this is not TOML: key with no value, expected `=`"),
        (
            "issuer = \"https://auth.erp.example\"",
            "4: this is not TOML: the key `issuer` is there twice",
        ),
    ]);
}

#[test]
fn an_issuer_or_an_audience_that_is_missing() {
    assert_eq!(
        error("\naudience = \"https://api.erp.example/{tenant}\""),
        "issuer.toml:1: issuer: it is missing: write the URL that this server is reached at"
    );
    for audience in ["", "audience = []", "audience = \"\"", "audience = [\"https://a\", \"\"]"] {
        assert_eq!(
            error(&format!("issuer = \"https://auth.erp.example\"\n{audience}")),
            format!(
                "issuer.toml:{}: audience: name the resource servers that tokens are for: `https://api.erp.example/{{tenant}}`",
                if audience.is_empty() { 1 } else { 2 }
            )
        );
    }
}

#[test]
fn a_value_that_cannot_be_used() {
    assert_errors_after_base(&[
        ("scope = \"{tenant}.\"", "4: scope: a scope pattern ends with `{scope}`"),
        (
            "scope = \"{tenant}{scope}\"",
            "4: scope: between `{tenant}` and the next hole there must be a character that no tenant id has",
        ),
        ("tenant_header = \"x tenant\"", "4: tenant_header: this is not a header's name"),
        (
            "tenant_header = \"authorization\"",
            "4: tenant_header: this header means something else already: take one of your own, such as `x-tenant-id`",
        ),
        (
            "tenant_claims = []",
            "4: tenant_claims: a token has to say whom it is for: list at least one claim",
        ),
        ("tenant_claims = [\"sub\"]", "4: tenant_claims: `sub` means something else already"),
        ("tenant_claims = [\"act\"]", "4: tenant_claims: `act` means something else already"),
        ("tenant_claims = [\"\"]", "4: tenant_claims: a claim's name is empty"),
        (
            "tenant_claims = [\"ten ant\"]",
            "4: tenant_claims: a claim's name is up to 64 printable ASCII characters",
        ),
        ("tenant_claims = [\"t\", \"t\"]", "4: tenant_claims: `t` is there twice"),
        (
            "algorithm = \"none\"",
            "4: algorithm: `none` is none of \"ES256\", \"EdDSA\" and \"RS256\"",
        ),
        (
            "algorithm = \"PS256\"",
            "4: algorithm: `PS256` is none of \"ES256\", \"EdDSA\" and \"RS256\"",
        ),
        ("access_token_lifetime = \"9s\"", "4: access_token_lifetime: from \"10s\" to \"24h\""),
        ("\naccess_token_lifetime = \"25h\"", "5: access_token_lifetime: from \"10s\" to \"24h\""),
        (
            "refresh_token_lifetime = \"9m\"",
            "4: refresh_token_lifetime: from access_token_lifetime to \"366d\": it is for what comes after the access token",
        ),
        (
            "refresh_token_lifetime = \"367d\"",
            "4: refresh_token_lifetime: from access_token_lifetime to \"366d\": it is for what comes after the access token",
        ),
        (
            "refresh_idle_lifetime = \"31d\"",
            "4: refresh_idle_lifetime: from access_token_lifetime to refresh_token_lifetime",
        ),
        (
            "refresh_idle_lifetime = \"1m\"",
            "4: refresh_idle_lifetime: from access_token_lifetime to refresh_token_lifetime",
        ),
        (
            "refresh_grace = \"301s\"",
            "4: refresh_grace: at most \"5m\", and at most refresh_idle_lifetime: a stolen token works as long",
        ),
        (
            "key_rotation = \"59m\"",
            "4: key_rotation: from \"1h\" to \"366d\", and at least twice access_token_lifetime",
        ),
        (
            "key_rotation = \"23h\"\naccess_token_lifetime = \"12h\"",
            "4: key_rotation: from \"1h\" to \"366d\", and at least twice access_token_lifetime",
        ),
        (
            "trusted_proxies = [\"10.0.0.1\", \"proxy.example\"]",
            "4: trusted_proxies: `proxy.example` is neither a network such as \"10.0.0.0/8\" nor an address",
        ),
        (
            "trusted_proxies = [\"10.1.0.0/8\"]",
            "4: trusted_proxies: `10.1.0.0/8` is no network: write `10.0.0.0/8`",
        ),
        (
            "trusted_proxies = [\"0.0.0.0/0\"]",
            "4: trusted_proxies: `0.0.0.0/0` is everybody: name the proxies",
        ),
        (
            "audit_retention = \"0s\"",
            "4: audit_retention: from \"1d\" to \"36500d\", which is for ever",
        ),
        (
            "audit_retention = \"23h\"",
            "4: audit_retention: from \"1d\" to \"36500d\", which is for ever",
        ),
        (
            "audit_retention = \"36501d\"",
            "4: audit_retention: from \"1d\" to \"36500d\", which is for ever",
        ),
    ]);
}

#[test]
fn audiences_that_do_not_say_one_thing() {
    for (audience, problem) in [
        (
            "\"{tenant}\"",
            "`{tenant}` alone would take any word for a tenant: write something around it",
        ),
        (
            "[\"https://api.erp.example/{tenant}\", \"https://files.erp.example\"]",
            "either every audience holds `{tenant}`, or none does",
        ),
        (
            "[\"https://a.erp.example/{tenant}\", \"https://{tenant}.erp.example/b\"]",
            "one audience could match both `https://a.erp.example/{tenant}` and `https://{tenant}.erp.example/b`",
        ),
        (
            "[\"https://a.erp.example/{tenant}\", \"https://a.erp.example/{tenant}\"]",
            "one audience could match both `https://a.erp.example/{tenant}` and `https://a.erp.example/{tenant}`",
        ),
    ] {
        let text = format!("issuer = \"https://auth.erp.example\"\naudience = {audience}");
        assert_eq!(error(&text), format!("issuer.toml:2: audience: {problem}"));
    }
}

#[test]
fn a_key_encryption_key_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.toml");
    fs::write(&path, format!("{BASE}key_encryption_key_file = \"key\"")).unwrap();
    let place = format!("{}:4: key_encryption_key_file: ", path.display());
    let file = IssuerFile::read(&path).unwrap();
    let shown = || file.settings().err().map_or("accepted".into(), |error| error.to_string());
    assert!(shown().starts_with(&format!("{place}the file cannot be read: ")), "{}", shown());
    fs::write(folder.path().join("key"), "hunter2").unwrap();
    let problem =
        "what is in it is not 32 bytes in base64: make one with `openssl rand -base64 32`";
    assert_eq!(shown(), format!("{place}{problem}"));
    // Whoever has nothing to do with keys is not held up.
    assert!(file.settings_without_key().is_ok());
    let other = "https://other.example".parse().unwrap();
    assert!(file.settings_for(&other).is_err());
    assert_eq!(*file.settings_for_without_key(&other).unwrap().issuer(), other);
}

#[test]
fn a_file_that_is_not_there() {
    let shown = IssuerFile::read("no-such/issuer.toml").err().map(|error| error.to_string());
    let shown = shown.unwrap_or_default();
    assert!(
        shown.starts_with("no-such/issuer.toml: the issuer's file cannot be read: "),
        "{shown}"
    );
}

/// The keys, as the error about a key that is not one of them lists them.
fn keys() -> Vec<String> {
    let shown = error("\nno_such_key = 1\n");
    let expected = "issuer.toml:2: no_such_key: there is no such key, expected ";
    let list = shown.strip_prefix(expected).unwrap_or_else(|| panic!("{shown}"));
    // one of `a`, `b`: every second part is a name.
    list.split('`').skip(1).step_by(2).map(Into::into).collect()
}

#[test]
fn a_value_of_the_wrong_type_is_refused_for_every_key() {
    let keys = keys();
    assert_eq!(keys.len(), 18, "{keys:?}");
    for key in keys {
        // No key takes a number.
        let shown = error(&format!("\n\n{key} = 5\n"));
        assert!(shown.starts_with(&format!("issuer.toml:3: {key}: invalid type: ")), "{shown}");
    }
}
