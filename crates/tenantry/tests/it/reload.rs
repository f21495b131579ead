//! A policy that is exchanged while requests come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenantry::{
    BoxError, IssuerSettings, KeyLocation, PolicyError, PolicyFile, ResourceServer,
    ResourceServerBuilder, Standing, Tenant, TenantId,
};
use tenantry_testkit::TestIssuer;

use crate::stack::{Api, Files, Script, issuer};

const POLICY: &str = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"

[[issuer]]
issuer = "https://auth.erp.example"
jwks_file = "keys.json"

[tenant]
path = "/{tenant}/{*rest}"

[[directory.tenant]]
id = "tenant1"

[[directory.tenant]]
id = "tenant2"
"#;

const FETCHING: &str = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"

[[issuer]]
issuer = "https://auth.erp.example"
jwks_uri = "https://auth.erp.example/jwks.json"
"#;

async fn outcome(api: &Api, tenant: &str, token: &str) -> String {
    api.get(&format!("/{tenant}/whoami"), token).await.outcome()
}

#[tokio::test]
async fn what_the_file_says_now_holds_from_the_next_request_on() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    let clock = Arc::new(clock);
    let file = files.policy().configure(move |server| server.clock(clock.clone()));
    let erp = file.build().await.unwrap();
    let api = Api::behind(&erp);
    let token1 = issuer.token().tenant("tenant1").sign();
    let token2 = issuer.token().tenant("tenant2").sign();
    assert_eq!(outcome(&api, "tenant1", &token1).await, "200 tenant1 journal-sync");
    assert_eq!(outcome(&api, "tenant2", &token2).await, "200 tenant2 journal-sync");

    // Suspended, and removed: tokens that were verified before do not help.
    let suspended = POLICY.replace("id = \"tenant1\"", "id = \"tenant1\"\nstatus = \"suspended\"");
    files.write("policy.toml", &suspended);
    erp.clone().reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token1).await, "403 tenant_suspended");
    assert_eq!(outcome(&api, "tenant2", &token2).await, "200 tenant2 journal-sync");

    files.write("policy.toml", &POLICY.replace("id = \"tenant1\"", "id = \"tenant3\""));
    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token1).await, "403 tenant_unknown");
    assert_eq!(outcome(&api, "tenant2", &token2).await, "200 tenant2 journal-sync");

    files.write("policy.toml", POLICY);
    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token1).await, "200 tenant1 journal-sync");

    files.write("policy.toml", &POLICY.replace("api.erp", "other.erp"));
    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token1).await, "401 audience_mismatch");
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    let clock = Arc::new(clock);
    let file = files.policy().configure(move |server| {
        server.clock(clock.clone()).check(|policy| match policy.path() {
            Some(_) => Ok(()),
            None => Err(PolicyError::new("tenant.path", "this service needs it")),
        })
    });
    let erp = file.build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
    let epoch = erp.policy().epoch();

    let path = "path = \"/{tenant}/{*rest}\"";
    for (change, error) in [
        ((path, "paht = \"/{tenant}\""), "policy.toml:10: tenant.paht: there is no such key,"),
        ((path, ""), "policy.toml:9: tenant.path: this service needs it"),
        (("id = \"tenant2\"", "id = \"TENANT1\""), "is there twice, or differs"),
        (("keys.json", "no-keys.json"), "policy.toml:7: issuer[0].jwks_file: "),
        (("[resource_server]", "[resource_server"), "policy.toml:2: this is not TOML"),
    ] {
        files.write("policy.toml", &POLICY.replace(change.0, change.1));
        let said = erp.reload().await.unwrap_err().to_string();
        assert!(said.contains(error), "{said}");
        assert_eq!(erp.policy().epoch(), epoch);
        assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
    }
    std::fs::remove_file(files.path("policy.toml")).unwrap();
    let said = erp.reload().await.unwrap_err().to_string();
    assert!(said.contains("policy.toml: the policy file cannot be read"), "{said}");
    assert_eq!(erp.policy().epoch(), epoch);
}

#[tokio::test]
async fn keys_from_the_same_place_are_kept_and_those_from_another_are_not() {
    let (issuer, clock) = issuer();
    let script = Script::default();
    let files = Files::new(FETCHING, &issuer);
    let (clock, transport) = (Arc::new(clock), Arc::new(script.clone()));
    let file = files
        .policy()
        .configure(move |server| server.clock(clock.clone()).transport(transport.clone()));
    script.answer(issuer.jwks());
    let erp = file.build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");

    files.write("policy.toml", &FETCHING.replace("[[issuer]]", "realm = \"other\"\n[[issuer]]"));
    erp.reload().await.unwrap();
    // Nothing is left in the script: were it asked, there would be no keys.
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
    assert_eq!(script.wait_for(2).await, ["https://auth.erp.example/jwks.json"]);
    assert!(erp.readiness().is_ready());

    let other = TestIssuer::offline("https://auth.erp.example");
    script.answer(other.jwks());
    files.write("policy.toml", &FETCHING.replace("/jwks.json", "/moved.json"));
    erp.reload().await.unwrap();
    assert_eq!(script.wait_for(2).await[1], "https://auth.erp.example/moved.json");
    assert_eq!(outcome(&api, "tenant1", &token).await, "401 signature_invalid");
}

#[tokio::test]
async fn keys_of_the_issuers_of_a_pattern_are_kept_as_long_as_the_pattern_leads_to_them() {
    const PATTERN: &str = r#"
        [resource_server]
        audience = "https://api.erp.example/{tenant}"
        [[issuer]]
        issuer = "https://auth.erp.example/{tenant}"
        jwks_uri = "https://auth.erp.example/{tenant}/jwks.json"
        [[directory.tenant]]
        id = "tenant1"
    "#;
    let clock = Arc::new(issuer().1);
    let builder = TestIssuer::builder().url("https://auth.erp.example/tenant1");
    let issuer = builder.clock(clock.clone()).offline();
    let script = Script::default();
    let files = Files::new(PATTERN, &issuer);
    let transport = Arc::new(script.clone());
    let file = files
        .policy()
        .configure(move |server| server.clock(clock.clone()).transport(transport.clone()));
    let erp = file.build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    script.answer(issuer.jwks());
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");

    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
    assert_eq!(script.asked().len(), 1);

    files.write("policy.toml", &PATTERN.replace("/jwks.json", "/moved.json"));
    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token).await, "503 keys_unavailable");
    assert_eq!(script.asked()[1], "https://auth.erp.example/tenant1/moved.json");
}

#[tokio::test]
async fn key_files_are_read_again() {
    let (issuer, clock) = issuer();
    let files = Files::new(POLICY, &issuer);
    let clock = Arc::new(clock);
    let time = clock.clone();
    let file = files.policy().configure(move |server| server.clock(time.clone()));
    let erp = file.build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");

    let builder = TestIssuer::builder().url("https://auth.erp.example");
    let other = builder.clock(clock).offline();
    files.write("keys.json", &other.jwks().to_string());
    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token).await, "401 signature_invalid");
    let token = other.token().tenant("tenant1").sign();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
}

#[tokio::test]
async fn a_server_that_was_not_made_from_a_file_takes_settings_from_code() {
    let file = PolicyFile::parse(FETCHING, "policy.toml").unwrap();
    let script = Arc::new(Script::default());
    let erp = file.configure(move |server| server.transport(script.clone())).build().await.unwrap();
    assert_eq!(
        erp.reload().await.unwrap_err().to_string(),
        "this server was not made from a policy file: hand its new settings to `replace`"
    );

    let settings =
        |audience| ResourceServer::builder().issuer("https://auth.erp.example").audience(audience);
    erp.replace(settings("https://other.erp.example/{tenant}")).await.unwrap();
    assert!(erp.policy().accepts_audience("https://other.erp.example/tenant1"));
    assert!(!erp.policy().accepts_audience("https://api.erp.example/tenant1"));

    assert!(erp.replace(settings("")).await.is_err());
    assert!(erp.policy().accepts_audience("https://other.erp.example/tenant1"));
}

#[tokio::test]
async fn what_a_source_said_about_tenants_is_kept_unless_it_is_to_be_asked_otherwise() {
    let (issuer, clock) = issuer();
    let policy = POLICY.split("[[directory.tenant]]").next().unwrap();
    let policy = format!("{policy}\n[directory]\nlifetime = \"30s\"\n");
    let files = Files::new(&policy, &issuer);
    let asks = Arc::new(AtomicUsize::new(0));
    let (clock, asked) = (Arc::new(clock), Arc::clone(&asks));
    let source = move |id: TenantId| {
        asked.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, BoxError>(Some(Tenant::new(id.as_str(), Standing::Active))) }
    };
    let settings = move |server: ResourceServerBuilder| {
        server.clock(clock.clone()).tenant_source(source.clone())
    };
    let erp = files.policy().configure(settings).build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    for (policy, expected) in [
        (policy.clone(), 1),
        (policy.replace("[[issuer]]", "realm = \"other\"\n[[issuer]]"), 1),
        (policy.replace("30s", "31s"), 2),
    ] {
        files.write("policy.toml", &policy);
        erp.reload().await.unwrap();
        assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
        assert_eq!(asks.load(Ordering::Relaxed), expected, "{policy}");
    }
    erp.forget_tenant(&"tenant1".parse().unwrap());
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");
    assert_eq!(asks.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn what_another_source_said_is_not_kept_when_the_file_is_read_again() {
    let (issuer, clock) = issuer();
    let policy = POLICY.split("[[directory.tenant]]").next().unwrap();
    let files = Files::new(&format!("{policy}\n[directory]\n"), &issuer);
    let clock = Arc::new(clock);
    let source = |standing| {
        move |id: TenantId| async move { Ok::<_, BoxError>(Some(Tenant::new(id.as_str(), standing))) }
    };
    let settings = move |server: ResourceServerBuilder| {
        server.clock(clock.clone()).tenant_source(source(Standing::Suspended))
    };
    let erp = files.policy().configure(settings).build().await.unwrap();
    let api = Api::behind(&erp);
    let token = issuer.token().tenant("tenant1").sign();
    assert_eq!(outcome(&api, "tenant1", &token).await, "403 tenant_suspended");

    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    let other = ResourceServer::builder()
        .issuer(IssuerSettings::new("https://auth.erp.example").keys(keys))
        .audience("https://api.erp.example/{tenant}")
        .tenant_source(source(Standing::Active));
    erp.replace(other).await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token).await, "200 tenant1 journal-sync");

    erp.reload().await.unwrap();
    assert_eq!(outcome(&api, "tenant1", &token).await, "403 tenant_suspended");
}
