//! A policy file that is right: every key does what it says.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use tenantry::{Algorithm, KeyLocation, PolicyFile, ResourceServer, TokenProfile};
use tenantry_testkit::{ManualClock, TestIssuer, TokenBuilder};

use crate::stack::{Api, Files, Script, issuer};

/// The example of the documentation, with every part that is built.
const COMPLETE: &str = r#"
listen = "127.0.0.1:8080"

[resource_server]
realm = "journal"
audience = "https://api.erp.example/{tenant}"
scope = "{tenant}.{scope}"
clock_skew = "20s"
problem_details = true

[[issuer]]
issuer = "http://127.0.0.1:9000"
jwks_uri = "http://127.0.0.1:9000/jwks.json"
algorithms = ["ES256", "EdDSA", "RS256"]
tenant_claim = "tenant_id"
tenants = ["tenant1", "tenant2"]
allow_http = true

[tenant]
path = "/{tenant}/{*rest}"
header = "x-tenant-id"

[directory]
lifetime = "30s"
[[directory.tenant]]
id = "tenant1"
status = "active"
"#;

#[tokio::test]
async fn the_complete_example_is_the_policy_that_it_describes() {
    let script = Script::default();
    let file = PolicyFile::parse(COMPLETE, "policy.toml").unwrap();
    assert_eq!(file.listen(), Some("127.0.0.1:8080".parse().unwrap()));

    let transport = Arc::new(script.clone());
    let server = file.configure(move |server| server.transport(transport.clone()));
    let server = server.build().await.unwrap();
    let policy = server.policy();
    assert_eq!(policy.realm(), "journal");
    assert!(policy.accepts_audience("https://api.erp.example/tenant1"));
    assert!(!policy.accepts_audience("https://api.erp.example/tenant1/more"));
    assert_eq!(policy.scope_pattern().as_str(), "{tenant}.{scope}");
    assert_eq!(policy.clock_skew(), Duration::from_secs(20));
    assert!(policy.problem_details());
    assert_eq!(policy.path().unwrap().as_str(), "/{tenant}/{*rest}");
    assert_eq!(policy.header().unwrap(), "x-tenant-id");
    assert!(!policy.header_required());
    assert!(policy.host().is_none());

    let [issuer] = policy.issuers() else {
        panic!("{} issuers", policy.issuers().len());
    };
    assert_eq!(issuer.pattern().as_str(), "http://127.0.0.1:9000");
    let keys = KeyLocation::Uri("http://127.0.0.1:9000/jwks.json".into());
    assert_eq!(*issuer.key_location(), keys);
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];
    assert_eq!(issuer.algorithms(), algorithms);
    assert_eq!(texts(issuer.tenant_claims()), ["tenant_id"]);
    assert!(issuer.speaks_for("tenant2") && !issuer.speaks_for("tenant3"));
    assert!(issuer.allow_http());
    assert_eq!(script.wait_for(1).await, ["http://127.0.0.1:9000/jwks.json"]);
}

#[tokio::test]
async fn a_short_file_has_the_defaults() {
    let short = r#"
        [resource_server]
        audience = "https://api.erp.example/{tenant}"
        [[issuer]]
        issuer = "https://auth.erp.example"
    "#;
    let file = PolicyFile::parse(short, "policy.toml").unwrap();
    assert_eq!(file.listen(), None);

    let script = Script::default();
    let transport = Arc::new(script.clone());
    let server = file.configure(move |server| server.transport(transport.clone()));
    let server = server.build().await.unwrap();
    let policy = server.policy();
    assert_eq!(policy.realm(), "tenantry");
    assert_eq!(policy.scope_pattern().as_str(), "{tenant}.{scope}");
    assert_eq!(policy.clock_skew(), Duration::from_secs(30));
    assert!(policy.problem_details());
    assert!(policy.path().is_none() && policy.header().is_none() && policy.host().is_none());

    let issuer = &policy.issuers()[0];
    assert_eq!(*issuer.key_location(), KeyLocation::Discovery);
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    assert_eq!(issuer.algorithms(), algorithms);
    assert_eq!(texts(issuer.tenant_claims()), ["tenant_id"]);
    assert_eq!(issuer.scope_claim(), "scope");
    let required = ["sub", "client_id", "iat", "jti"];
    assert_eq!(texts(issuer.required_claims()), required);
    assert_eq!(issuer.client_id_claim(), "client_id");
    assert_eq!(issuer.profile(), TokenProfile::Rfc9068);
    assert!(!issuer.shared_keys() && !issuer.allow_http());
    assert_eq!(issuer.tenants(), None);
    // Without a location its keys are discovered, and nobody is asked for anything else.
    let metadata = "https://auth.erp.example/.well-known/oauth-authorization-server";
    assert_eq!(script.wait_for(1).await[0], metadata);
}

fn texts(texts: &[Box<str>]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

/// One line for each table of the file; the keys are those of the issuer.
struct Setting<'a> {
    server: &'a str,
    issuer: &'a str,
    rest: &'a str,
}

impl Setting<'_> {
    const NONE: Self = Self { server: "", issuer: "", rest: "" };

    async fn api(&self, issuer: &TestIssuer, clock: &ManualClock) -> Api {
        let audience = if self.server.contains("audience") {
            ""
        } else {
            r#"audience = "https://api.erp.example/{tenant}""#
        };
        let name = if self.issuer.contains("issuer =") {
            ""
        } else {
            r#"issuer = "https://auth.erp.example""#
        };
        let policy = format!(
            "[resource_server]\n{audience}\n{}\n[[issuer]]\n{name}\njwks_file = \"keys.json\"\n{}\n{}\n",
            self.server, self.issuer, self.rest
        );
        let files = Files::new(&policy, issuer);
        let file = files.policy();
        let clock = Arc::new(clock.clone());
        let file = file.configure(move |server| server.clock(clock.clone()));
        let server: ResourceServer = file.build().await.unwrap();
        Api::behind(&server).with(files)
    }
}

fn server(setting: &str) -> Setting<'_> {
    Setting { server: setting, ..Setting::NONE }
}

fn of_issuer(setting: &str) -> Setting<'_> {
    Setting { issuer: setting, ..Setting::NONE }
}

fn rest(setting: &str) -> Setting<'_> {
    Setting { rest: setting, ..Setting::NONE }
}

const ADMITTED: &str = "200 tenant1 journal-sync";

/// The same request without a setting, and with it.
#[tokio::test]
async fn each_setting_changes_the_answer_to_a_request() {
    type Change = fn(TokenBuilder) -> TokenBuilder;
    let cases: [(Setting<'_>, &str, Change, &str, &str); 20] = [
        (
            server(r#"audience = ["https://a.example/{tenant}", "https://b.example/{tenant}"]"#),
            "/tenant1/whoami",
            |token| token.audience("https://b.example/tenant1"),
            "401 audience_mismatch",
            ADMITTED,
        ),
        (
            server(r#"audience = "https://api.erp.example""#),
            "/tenant1/whoami",
            |token| token.audience("https://api.erp.example"),
            "401 audience_mismatch",
            ADMITTED,
        ),
        (
            server(r#"scope = "{scope}""#),
            "/tenant1/entries",
            |token| token.scope("journal.read"),
            "403 scope_missing",
            ADMITTED,
        ),
        (
            server(r#"plain_scopes = ["journal.read"]"#),
            "/tenant1/entries",
            |token| token.scope("journal.read"),
            "403 scope_missing",
            ADMITTED,
        ),
        (
            server(r#"foreign_scopes = "refuse""#),
            "/tenant1/entries",
            |token| token.scope("tenant1.journal.read tenant2.journal.read"),
            ADMITTED,
            "401 scope_foreign",
        ),
        (
            server(r#"foreign_scopes = "ignore""#),
            "/tenant1/entries",
            |token| token.scope("tenant1.journal.read tenant2.journal.read"),
            ADMITTED,
            ADMITTED,
        ),
        (
            server(r#"clock_skew = "0s""#),
            "/tenant1/whoami",
            |token| token.expires_in(-20),
            ADMITTED,
            "401 token_expired",
        ),
        (
            server(r#"clock_skew = "5m""#),
            "/tenant1/whoami",
            |token| token.expires_in(-299),
            "401 token_expired",
            ADMITTED,
        ),
        (
            server("problem_details = false"),
            "/tenant1/whoami",
            |token| token.audience("elsewhere"),
            "401 audience_mismatch",
            "401 ",
        ),
        (
            of_issuer(r#"algorithms = ["ES384", "PS512"]"#),
            "/tenant1/whoami",
            |token| token,
            ADMITTED,
            "401 algorithm_not_allowed",
        ),
        (
            of_issuer(r#"tenant_claim = "tenant""#),
            "/tenant1/whoami",
            |token| token.without("tenant_id").claim("tenant", "tenant1"),
            "401 claim_missing",
            ADMITTED,
        ),
        (
            of_issuer(r#"tenant_claim = ["tenant_id", "tenant"]"#),
            "/tenant1/whoami",
            |token| token.claim("tenant", "tenant2"),
            ADMITTED,
            "401 token_conflict.claim",
        ),
        (
            of_issuer("tenant_claim = []"),
            "/tenant1/whoami",
            |token| token.without("tenant_id"),
            "401 claim_missing",
            ADMITTED,
        ),
        (
            of_issuer(r#"scope_claim = "scp""#),
            "/tenant1/entries",
            |token| token.claim("scp", vec!["tenant1.journal.read"]),
            "403 scope_missing",
            ADMITTED,
        ),
        (
            of_issuer(r#"required_claims = ["sub"]"#),
            "/tenant1/whoami",
            |token| token.without("jti").without("client_id"),
            "401 claim_missing",
            "200 tenant1 -",
        ),
        (
            of_issuer(r#"client_id_claim = "azp""#),
            "/tenant1/whoami",
            |token| token.claim("azp", "erp"),
            ADMITTED,
            "200 tenant1 erp",
        ),
        (
            of_issuer(r#"token_profile = "jwt""#),
            "/tenant1/whoami",
            |token| token.typ("JWT"),
            "401 token_type",
            ADMITTED,
        ),
        (
            of_issuer(r#"token_profile = "rfc9068""#),
            "/tenant1/whoami",
            |token| token.typ("JWT"),
            "401 token_type",
            "401 token_type",
        ),
        (
            of_issuer(r#"tenants = ["tenant2"]"#),
            "/tenant1/whoami",
            |token| token,
            ADMITTED,
            "401 tenant_not_of_issuer",
        ),
        (
            rest("[tenant]\npath = \"/{tenant}/{*rest}\""),
            "/tenant2/whoami",
            |token| token,
            ADMITTED,
            "403 tenant_mismatch.path",
        ),
    ];
    let (issuer, clock) = issuer();
    for (setting, path, change, without, with) in cases {
        let token = change(issuer.token().tenant("tenant1")).sign();
        let shown = [setting.server, setting.issuer, setting.rest].concat();
        let before = Setting::NONE.api(&issuer, &clock).await;
        let outcome = before.get(path, &token).await.outcome();
        assert_eq!(outcome, without, "without {shown}");
        let after = setting.api(&issuer, &clock).await;
        let outcome = after.get(path, &token).await.outcome();
        assert_eq!(outcome, with, "with {shown}");
    }
}

#[tokio::test]
async fn the_realm_is_in_the_challenge() {
    let (issuer, clock) = issuer();
    for (setting, challenge) in
        [("", r#"Bearer realm="tenantry""#), (r#"realm = "journal""#, r#"Bearer realm="journal""#)]
    {
        let api = server(setting).api(&issuer, &clock).await;
        let request = Request::get("/tenant1/whoami").body(axum::body::Body::empty());
        let answer = api.send_raw(request.unwrap()).await;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
}

#[tokio::test]
async fn header_and_host_are_judged_as_listed() {
    const HEADER: &str = "[tenant]\nheader = \"x-tenant-id\"";
    const REQUIRED: &str = "[tenant]\nheader = \"x-tenant-id\"\nrequired = [\"header\"]";
    const HOST: &str = "[tenant]\nhost = \"{tenant}.api.erp.example\"";
    const OPTIONAL: &str = "[tenant]\nhost = \"{tenant}.api.erp.example\"\noptional = [\"host\"]";
    let (issuer, clock) = issuer();
    let token = issuer.token().tenant("tenant1").sign();
    for (setting, header, outcome) in [
        ("", ("x-tenant-id", "tenant2"), ADMITTED),
        (HEADER, ("x-tenant-id", "tenant1"), ADMITTED),
        (HEADER, ("x-tenant-id", "tenant2"), "403 tenant_mismatch.header"),
        (HEADER, ("x-other", "tenant2"), ADMITTED),
        (REQUIRED, ("x-tenant-id", "tenant1"), ADMITTED),
        (REQUIRED, ("x-other", "tenant1"), "400 tenant_missing.header"),
        (HOST, ("host", "tenant1.api.erp.example"), ADMITTED),
        (HOST, ("host", "tenant2.api.erp.example"), "403 tenant_mismatch.host"),
        (HOST, ("host", "api.erp.example"), "400 tenant_missing.host"),
        (OPTIONAL, ("host", "tenant2.api.erp.example"), "403 tenant_mismatch.host"),
        (OPTIONAL, ("host", "api.erp.example"), ADMITTED),
    ] {
        let api = rest(setting).api(&issuer, &clock).await;
        let request = Request::get("/tenant1/whoami").header(header.0, header.1);
        let answer = api.send(request, &token).await;
        assert_eq!(answer.outcome(), outcome, "{setting} {header:?}");
    }
}

#[tokio::test]
async fn the_directory_says_who_is_served() {
    const LIST: &str = "
        [directory]
        lifetime = '1m'
        [[directory.tenant]]
        id = 'tenant1'
        [[directory.tenant]]
        id = 'tenant2'
        status = 'active'
        [[directory.tenant]]
        id = 'tenant3'
        status = 'suspended'
    ";
    let (issuer, clock) = issuer();
    for (setting, tenant, outcome) in [
        ("", "tenant4", "200 tenant4 journal-sync"),
        (LIST, "tenant1", "200 tenant1 journal-sync"),
        (LIST, "tenant2", "200 tenant2 journal-sync"),
        (LIST, "tenant3", "403 tenant_suspended"),
        (LIST, "tenant4", "403 tenant_unknown"),
    ] {
        let api = rest(setting).api(&issuer, &clock).await;
        let token = issuer.token().tenant(tenant).sign();
        let answer = api.get(&format!("/{tenant}/whoami"), &token).await;
        assert_eq!(answer.outcome(), outcome, "{setting}");
    }
}

#[tokio::test]
async fn one_key_set_may_sign_for_all_tenants_of_a_pattern_when_that_is_said() {
    let (issuer, clock) = issuer();
    let setting = Setting {
        issuer: "issuer = \"https://auth.erp.example/{tenant}\"\nshared_keys = true",
        rest: "[directory]\n[[directory.tenant]]\nid = \"tenant1\"",
        ..Setting::NONE
    };
    let api = setting.api(&issuer, &clock).await;
    let token = |tenant: &str| {
        let iss = format!("https://auth.erp.example/{tenant}");
        issuer.token().tenant(tenant).claim("iss", iss).sign()
    };
    let answer = api.get("/tenant1/whoami", &token("tenant1")).await;
    assert_eq!(answer.outcome(), ADMITTED);
    let answer = api.get("/tenant2/whoami", &token("tenant2")).await;
    assert_eq!(answer.outcome(), "401 issuer_unknown");
}

#[tokio::test]
async fn two_issuers_speak_for_one_tenant_when_both_say_so() {
    const TWO: &str = r#"
        tenants = ["tenant1"]
        shared_tenants = ["tenant1"]
        [[issuer]]
        issuer = "https://other.example"
        jwks_file = "other.json"
        tenants = ["tenant1", "tenant2"]
        shared_tenants = ["tenant1"]
    "#;
    let (issuer, clock) = issuer();
    let other =
        TestIssuer::builder().url("https://other.example").clock(Arc::new(clock.clone())).offline();
    let policy = format!(
        "[resource_server]\naudience = \"https://api.erp.example/{{tenant}}\"\n[[issuer]]\nissuer = \"https://auth.erp.example\"\njwks_file = \"keys.json\"\n{TWO}"
    );
    let files = Files::new(&policy, &issuer);
    files.write("other.json", &other.jwks().to_string());
    let clock = Arc::new(clock);
    let file = files.policy().configure(move |server| server.clock(clock.clone()));
    let api = Api::behind(&file.build().await.unwrap());
    for (issuer, tenant, outcome) in [
        (&issuer, "tenant1", "200 tenant1 journal-sync"),
        (&other, "tenant1", "200 tenant1 journal-sync"),
        (&other, "tenant2", "200 tenant2 journal-sync"),
        (&issuer, "tenant2", "401 tenant_not_of_issuer"),
    ] {
        let token = issuer.token().tenant(tenant).sign();
        let answer = api.get(&format!("/{tenant}/whoami"), &token).await;
        assert_eq!(answer.outcome(), outcome, "{} {tenant}", issuer.url());
    }
}

/// What the program adds is not in the file; the error is where it would be.
#[tokio::test]
async fn what_the_program_adds_is_checked_at_the_start() {
    let file = PolicyFile::parse(COMPLETE, "policy.toml").unwrap();
    let file = file.configure(|server| server.issuer("https://other.example"));
    let error = file.build().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "policy.toml:11: issuer[1].tenants: with two or more issuers, list the tenants that this one may speak for"
    );
}
