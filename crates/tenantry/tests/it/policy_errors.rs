//! A policy file that is wrong: one line, with the place, the setting and what to do.

use std::collections::BTreeMap;

use tenantry::PolicyFile;

/// Right by itself; what is appended starts on line 8.
const BASE: &str = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"

[[issuer]]
issuer = "https://auth.erp.example"
"#;

fn error(text: &str) -> String {
    let error = PolicyFile::parse(text, "policy.toml");
    let error = error.err().unwrap_or_else(|| panic!("this was accepted:\n{text}"));
    let shown = error.to_string();
    assert!(!shown.contains(['\n', '\r']), "{shown}");
    shown
}

fn assert_errors(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(error(text), format!("policy.toml:{expected}"), "of\n{text}");
    }
}

/// After lines that are right.
fn assert_errors_after_base(cases: &[(&str, &str)]) {
    assert!(PolicyFile::parse(BASE, "policy.toml").is_ok());
    for (text, expected) in cases {
        let text = format!("{BASE}{text}");
        assert_eq!(error(&text), format!("policy.toml:{expected}"), "of\n{text}");
    }
}

#[test]
fn what_is_not_toml() {
    assert_errors(&[
        ("listen", "1: this is not TOML: key with no value, expected `=`"),
        (
            "\n\nlisten = ",
            "3: this is not TOML: string values must be quoted, expected literal string",
        ),
        (
            "listen = \"127.0.0.1:8080\n\n[tenant]\n",
            "1: this is not TOML: invalid basic string, expected `\"`",
        ),
        ("[tenant\npath = \"\"", "1: this is not TOML: unclosed table, expected `]`"),
        (
            "[tenant]\npath = \"/{tenant}\"\npath = \"/{tenant}\"",
            "3: this is not TOML: the key `path` is there twice",
        ),
        ("[tenant]\n\n[tenant]\n", "3: this is not TOML: the key `tenant` is there twice"),
    ]);
}

#[test]
fn a_value_of_the_wrong_type() {
    assert_errors(&[
        (
            "listen = 8080",
            "1: listen: invalid type: integer `8080`, expected an address and a port such as \"127.0.0.1:8080\"",
        ),
        (
            "listen = \"localhost\"",
            "1: listen: invalid value: string \"localhost\", expected an address and a port such as \"127.0.0.1:8080\"",
        ),
        (
            "resource_server = \"x\"",
            "1: resource_server: invalid type: string \"x\", expected a table: write its name in [ ]",
        ),
        (
            "resource_server = [\"realm\", \"audience\"]",
            "1: resource_server: invalid type: list, expected a table: write its name in [ ]",
        ),
        (
            "[issuer]\nissuer = \"https://auth.erp.example\"",
            "1: issuer: invalid type: table, expected a table that can be repeated: write its name in [[ ]]",
        ),
        (
            "[resource_server]\nclock_skew = 30",
            "2: resource_server.clock_skew: invalid type: integer `30`, expected a duration such as \"30s\" or \"10m\"",
        ),
        (
            "[resource_server]\n\nclock_skew = \"soon\"",
            "3: resource_server.clock_skew: invalid value: string \"soon\", expected a duration such as \"30s\" or \"10m\"",
        ),
        (
            "[resource_server]\naudience = [\n  \"https://a.example\",\n  5,\n]",
            "4: resource_server.audience: invalid type: integer `5`, expected a string",
        ),
        (
            "[resource_server]\nforeign_scopes = \"warn\"",
            "2: resource_server.foreign_scopes: invalid value: string \"warn\", expected \"ignore\" or \"refuse\"",
        ),
        (
            "resource_server = { problem_details = \"no\" }",
            "1: resource_server.problem_details: invalid type: string \"no\", expected a boolean",
        ),
        (
            "[[issuer]]\nissuer = \"https://a.example\"\n[[issuer]]\ntenants = \"tenant1\"",
            "4: issuer[1].tenants: invalid type: string \"tenant1\", expected a list of strings",
        ),
        (
            "[[issuer]]\ntoken_profile = \"oidc\"",
            "2: issuer[0].token_profile: invalid value: string \"oidc\", expected \"rfc9068\" or \"jwt\"",
        ),
        (
            "[directory]\nlifetime = \"forever\"",
            "2: directory.lifetime: invalid value: string \"forever\", expected a duration such as \"30s\" or \"10m\"",
        ),
        (
            "[[directory.tenant]]\nid = \"tenant1\"\n[[directory.tenant]]\nid = \"tenant2\"\nstatus = \"closed\"",
            "5: directory.tenant[1].status: invalid value: string \"closed\", expected \"active\" or \"suspended\"",
        ),
        (
            "[[directory.tenant]]\nid = \"tenant1\"\n\n[[directory.tenant]]\nstatus = \"active\"",
            "4: directory.tenant[1].id: it is missing",
        ),
        ("[[route]]\nmethods = [\"GET\"]", "1: route[0].path: it is missing"),
        (
            "[gate]\nforwarded = \"rfc7239\"",
            "2: gate.forwarded: invalid value: string \"rfc7239\", expected \"x-forwarded\" or \"x-original\"",
        ),
    ]);
}

/// The tables of the format: how one is begun, what it is called in errors, and how many keys it has.
const TABLES: [(&str, &str, usize); 8] = [
    ("", "", 7),
    ("[resource_server]", "resource_server.", 8),
    ("[[issuer]]", "issuer[0].", 13),
    ("[tenant]", "tenant.", 5),
    ("[directory]", "directory.", 2),
    ("[[directory.tenant]]", "directory.tenant[0].", 2),
    ("[[route]]", "route[0].", 5),
    ("[gate]", "gate.", 5),
];

/// The keys of each table, as the error about a key that is not one of them lists them.
fn keys() -> BTreeMap<&'static str, Vec<String>> {
    let keys = TABLES.map(|(header, name, count)| {
        let shown = error(&format!("# the first line\n{header}\nno_such_key = 1\n"));
        let expected = format!("policy.toml:3: {name}no_such_key: there is no such key, expected ");
        let list = shown.strip_prefix(&expected).unwrap_or_else(|| panic!("{shown}"));
        // `a`, `b` or one of `a`, `b`: every second part is a name.
        let keys: Vec<_> = list.split('`').skip(1).step_by(2).map(Into::into).collect();
        assert_eq!(keys.len(), count, "{shown}");
        (header, keys)
    });
    keys.into()
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    let keys = keys();
    assert_eq!(keys.len(), TABLES.len());
    assert_eq!(keys["[directory]"], ["lifetime", "tenant"]);
}

#[test]
fn a_value_of_the_wrong_type_is_refused_for_every_key() {
    // No key takes a number.
    for (header, name, _) in TABLES {
        for key in &keys()[header] {
            let shown = error(&format!("\n{header}\n\n{key} = 5\n"));
            let expected = format!("policy.toml:4: {name}{key}: invalid type: ");
            assert!(shown.starts_with(&expected), "{shown}");
        }
    }
}

#[test]
fn a_resource_server_that_is_not_named() {
    let problem = "resource_server.audience: name this resource server as tokens do in `aud`";
    let issuer = "[[issuer]]\nissuer = \"https://auth.erp.example\"\n";
    for (text, line) in [
        (issuer.into(), 1),
        (format!("{issuer}[resource_server]\nrealm = \"journal\""), 3),
        (format!("{issuer}[resource_server]\nrealm = \"x\"\naudience = \"\""), 5),
        (format!("{issuer}[resource_server]\naudience = []"), 4),
        (format!("{issuer}[resource_server]\naudience = [\"https://a.example\", \"\"]"), 4),
    ] {
        assert_eq!(error(&text), format!("policy.toml:{line}: {problem}"), "of\n{text}");
    }
}

#[test]
fn a_resource_server_that_cannot_work() {
    let with = |setting: &str| {
        let table = "[resource_server]\naudience = \"https://api.erp.example/{tenant}\"\n";
        format!(
            "{table}{setting}\n[[issuer]]\nissuer = \"https://auth.erp.example\"\ntenants = [\"finance\"]"
        )
    };
    for (setting, expected) in [
        (
            "realm = 'the \"journal\"'",
            "3: resource_server.realm: a realm is printable ASCII without quotes and backslashes",
        ),
        ("clock_skew = \"6m\"", "3: resource_server.clock_skew: at most 5 minutes"),
        (
            "scope = \"{tenant}-{scope}\"",
            "3: resource_server.scope: the character after `{tenant}` could belong to a tenant id, so the id would have no end",
        ),
        ("scope = \"{tenant}\"", "3: resource_server.scope: a scope pattern ends with `{scope}`"),
        (
            "scope = \"{scope}\"\nplain_scopes = [\"finance.write\"]",
            "4: resource_server.plain_scopes: with the scope `{scope}` every scope is plain already",
        ),
        (
            "plain_scopes = [\"finance write\"]",
            "3: resource_server.plain_scopes: not a scope: printable ASCII without quotes and backslashes, one blank between",
        ),
        (
            "plain_scopes = [\"finance.write\"]",
            "3: resource_server.plain_scopes: `finance.write` is also a scope of the tenant `finance` (listed under issuer[0].tenants)",
        ),
    ] {
        assert_eq!(error(&with(setting)), format!("policy.toml:{expected}"));
    }
    assert_errors(&[(
        "[resource_server]\naudience = [\"https://a.example/{tenant}\", \"https://b.example\"]\n[[issuer]]\nissuer = \"https://auth.erp.example\"",
        "2: resource_server.audience: either every audience holds `{tenant}`, or none does",
    )]);
}

#[test]
fn an_issuer_that_cannot_be_trusted() {
    let server = "[resource_server]\naudience = \"https://api.erp.example/{tenant}\"\n";
    assert_errors(&[(server, "1: issuer: name at least one issuer")]);
    for (issuer, expected) in [
        (
            "tenants = [\"tenant1\"]",
            "3: issuer[0].issuer: it is missing: name the issuer as its tokens do in `iss`",
        ),
        ("issuer = \"\"", "4: issuer[0].issuer: it is empty"),
        ("issuer = \"auth.erp.example\"", "4: issuer[0].issuer: this is not an https URL"),
        (
            "issuer = \"http://auth.erp.example\"",
            "4: issuer[0].issuer: plain http is for loopback only: use https",
        ),
        (
            "issuer = \"http://auth.erp.example\"\nallow_http = true",
            "4: issuer[0].issuer: plain http is for loopback only: use https",
        ),
        (
            "issuer = \"http://127.0.0.1:9000\"",
            "4: issuer[0].issuer: plain http needs allow_http = true",
        ),
        (
            "issuer = \"https://auth.erp.example\"\njwks_uri = \"http://10.0.0.1/jwks\"\nallow_http = true",
            "5: issuer[0].jwks_uri: plain http is for loopback only: use https",
        ),
        (
            "issuer = \"https://auth.erp.example\"\njwks_uri = \"https://a.example/{tenant}\"",
            "5: issuer[0].jwks_uri: it holds `{tenant}`, but the issuer does not",
        ),
        (
            "issuer = \"https://auth.erp.example\"\njwks_uri = \"https://a.example\"\njwks_file = \"keys.json\"",
            "6: issuer[0].jwks_file: keys come from one place: set jwks_uri or jwks_file, not both",
        ),
        (
            "issuer = \"https://{tenant}.example\"",
            "4: issuer[0].issuer: `{tenant}` must not stand in the last two labels of a host: it could name anybody's",
        ),
        (
            "issuer = \"https://login.example/{tenant}/{id}\"",
            "4: issuer[0].issuer: it has at most one `{tenant}` hole and no other brace",
        ),
        (
            "issuer = \"https://login.example/{tenant}\"",
            "4: issuer[0].issuer: an issuer with `{tenant}` needs a directory that lists its tenants: without one, anybody could make this service fetch keys for made-up tenants",
        ),
        (
            "issuer = \"https://login.example/{tenant}\"\njwks_uri = \"https://login.example/jwks\"",
            "5: issuer[0].jwks_uri: one key set for every tenant of a pattern lets one tenant's key sign for another: put `{tenant}` into it, leave it to discovery, or set shared_keys = true",
        ),
        (
            "issuer = \"https://auth.erp.example\"\nalgorithms = [\"ES256\", \"HS256\"]",
            "5: issuer[0].algorithms: `HS256` is not an algorithm that is accepted: one of EdDSA, ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, Ed25519",
        ),
        (
            "issuer = \"https://auth.erp.example\"\nalgorithms = []",
            "5: issuer[0].algorithms: list at least one algorithm",
        ),
        (
            "issuer = \"https://auth.erp.example\"\ntenants = [\"tenant1\", \"ten ant\"]",
            "5: issuer[0].tenants: `ten ant` is not a tenant id: 1 to 128 letters, digits, `-` or `_`, starting with a letter or digit",
        ),
        (
            "issuer = \"https://auth.erp.example\"\ntenants = []",
            "5: issuer[0].tenants: an empty list speaks for nobody: list a tenant, or leave it out",
        ),
    ] {
        let text = format!("{server}[[issuer]]\n{issuer}\n");
        assert_eq!(error(&text), format!("policy.toml:{expected}"), "of\n{text}");
    }
}

#[test]
fn two_issuers_that_are_not_kept_apart() {
    assert_errors_after_base(&[
        (
            "\n[[issuer]]\nissuer = \"https://other.example\"\ntenants = [\"tenant1\"]",
            "5: issuer[0].tenants: with two or more issuers, list the tenants that this one may speak for",
        ),
        (
            "tenants = [\"tenant1\"]\n\n[[issuer]]\nissuer = \"https://other.example\"",
            "9: issuer[1].tenants: with two or more issuers, list the tenants that this one may speak for",
        ),
        (
            "tenants = [\"tenant1\"]\n[[issuer]]\nissuer = \"https://other.example\"\ntenants = [\"tenant1\"]",
            "10: issuer[1].tenants: `tenant1` would have two issuers; if that is meant, list it under shared_tenants here and at issuer[0]",
        ),
        (
            "tenants = [\"tenant1\"]\n[[issuer]]\nissuer = \"https://auth.erp.example\"\ntenants = [\"tenant2\"]",
            "9: issuer[1].issuer: issuer[0] matches the same `iss`; give patterns that overlap disjoint lists of tenants",
        ),
    ]);
}

#[test]
fn nothing_signed_that_names_the_tenant() {
    assert_errors(&[(
        "[resource_server]\naudience = \"https://api.erp.example\"\n[[issuer]]\nissuer = \"https://auth.erp.example\"\ntenant_claim = []",
        "5: issuer[0].tenant_claim: nothing signed would name the tenant: set a tenant claim, or put `{tenant}` into the audience or the issuer",
    )]);
}

#[test]
fn a_place_in_the_request_that_cannot_name_a_tenant() {
    assert_errors_after_base(&[
        ("[tenant]\npath = \"/entries\"", "8: tenant.path: a path pattern needs a `{tenant}` hole"),
        ("[tenant]\nheader = \"x tenant\"", "8: tenant.header: this is not a header's name"),
        (
            "[tenant]\nheader = \"authorization\"",
            "8: tenant.header: this header means something else already: take one of your own, such as `x-tenant-id`",
        ),
        (
            "[tenant]\nhost = \"{tenant}.example\"",
            "8: tenant.host: `{tenant}` must not stand in the last two labels of a host: it could name anybody's",
        ),
        (
            "[tenant]\nheader = \"x-tenant-id\"\nrequired = [\"path\"]",
            "9: tenant.required: only `header` can be listed here, not `path`",
        ),
        (
            "[tenant]\nrequired = [\"header\"]",
            "8: tenant.required: `header` is listed, but tenant.header is not set",
        ),
        (
            "[tenant]\noptional = [\"host\"]",
            "8: tenant.optional: `host` is listed, but tenant.host is not set",
        ),
    ]);
}

#[test]
fn a_directory_that_cannot_be_used() {
    assert_errors_after_base(&[
        (
            "[[directory.tenant]]\nid = \"tenant1\"\n[[directory.tenant]]\nid = \"-\"",
            "10: directory.tenant[1].id: `-` is not a tenant id: 1 to 128 letters, digits, `-` or `_`, starting with a letter or digit",
        ),
        (
            "[[directory.tenant]]\nid = \"a\"\n[[directory.tenant]]\nid = \"b\"\n[[directory.tenant]]\nid = \"A\"",
            "12: directory.tenant[2].id: `A` is there twice, or differs from another id only in case",
        ),
        (
            "[tenant]\nhost = \"{tenant}.api.erp.example\"\n[[directory.tenant]]\nid = \"a\"\n[[directory.tenant]]\nid = \"B\"",
            "12: directory.tenant[1].id: `B` cannot stand in a host: with tenant.host, ids are lower case without `_`",
        ),
    ]);
}

#[test]
fn the_gateway_is_not_built_yet_and_its_rules_are_checked_all_the_same() {
    assert_errors_after_base(&[
        (
            "[[route]]\nmethods = [\"POST\"]\npath = \"/{tenant}/journal-entries\"\nscopes = [\"finance.write\"]",
            "7: route: the gateway and its rules are not built yet: take [gate] and every [[route]] out",
        ),
        (
            "\n[gate]\nlisten = \"127.0.0.1:7000\"\ngrpc_listen = \"127.0.0.1:7001\"\npeers = [\"127.0.0.1/32\"]\nforwarded = \"x-forwarded\"\nnginx_status = false",
            "8: gate: the gateway and its rules are not built yet: take [gate] and every [[route]] out",
        ),
        (
            "[gate]\nlisten = \"here\"",
            "8: gate.listen: invalid value: string \"here\", expected an address and a port such as \"127.0.0.1:8080\"",
        ),
        (
            "[[route]]\npath = \"journal-entries\"\npublic = true",
            "8: route[0].path: a path starts with `/`",
        ),
        (
            "[[route]]\nmethods = [\"GET\", \"P UT\"]\npath = \"/\"\npublic = true",
            "8: route[0].methods: `P UT` is not a method's name",
        ),
        (
            "[[route]]\npath = \"/\"\npublic = true\n[[route]]\npath = \"/x\"",
            "10: route[1]: a route has exactly one of scopes, any_scopes and public = true",
        ),
        (
            "[[route]]\npath = \"/\"\nscopes = [\"a\"]\npublic = true",
            "7: route[0]: a route has exactly one of scopes, any_scopes and public = true",
        ),
        (
            "[[route]]\npath = \"/\"\nany_scopes = []",
            "9: route[0].any_scopes: list at least one scope",
        ),
        (
            "[[route]]\npath = \"/\"\nscopes = [\"a b\"]",
            "9: route[0].scopes: `a b` is not a scope: printable ASCII without quotes and backslashes, one blank between",
        ),
    ]);
}

#[test]
fn whatever_the_file_holds_the_error_is_one_line_and_does_not_command_the_terminal() {
    assert_errors_after_base(&[
        (
            "algorithms = [\"a\\nb\\u001b[31m\\u2028\"]",
            "7: issuer[0].algorithms: `a\\nb\\u{1b}[31m\\u{2028}` is not an algorithm that is accepted: one of EdDSA, ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, Ed25519",
        ),
        (
            "\"a\\r\\nb\" = 1",
            "7: issuer[0].a\\r\\nb: there is no such key, expected one of `issuer`, `jwks_uri`, `jwks_file`, `algorithms`, `tenant_claim`, `scope_claim`, `required_claims`, `client_id_claim`, `token_profile`, `shared_keys`, `shared_tenants`, `tenants`, `allow_http`",
        ),
    ]);
    let error = PolicyFile::parse("", "a\nb.toml").unwrap_err().to_string();
    assert!(error.starts_with("a\\nb.toml:1: "), "{error}");
}
