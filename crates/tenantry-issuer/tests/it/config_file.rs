//! An `issuer.toml` that is right: every key does what it says.

use std::fs;
use std::time::Duration;

use tenantry_core::Algorithm;
use tenantry_issuer::{IssuerFile, IssuerName, Settings};

const SHORT: &str = r#"
issuer = "https://auth.erp.example"
audience = "https://api.erp.example/{tenant}"
"#;

fn settings(text: &str) -> Settings {
    let settings = IssuerFile::parse(text, "issuer.toml").and_then(|file| file.settings());
    settings.unwrap_or_else(|error| panic!("{error}\nof\n{text}"))
}

#[test]
fn a_short_file_has_the_defaults() {
    let file = IssuerFile::parse(SHORT, "issuer.toml").unwrap();
    assert_eq!(file.listen(), None);
    assert_eq!(file.metrics_listen(), None);
    assert_eq!(file.database(), None);
    let settings = file.settings().unwrap();
    assert_eq!(settings.issuer().as_str(), "https://auth.erp.example");
    assert_eq!(settings.audience()[0].as_str(), "https://api.erp.example/{tenant}");
    assert_eq!(settings.scope().as_str(), "{tenant}.{scope}");
    assert_eq!(settings.tenant_header(), "x-tenant-id");
    assert_eq!(settings.tenant_claims(), ["tenant_id".into()]);
    assert_eq!(settings.algorithm(), Algorithm::Es256);
    assert_eq!(settings.access_token_lifetime(), Duration::from_secs(10 * 60));
    assert_eq!(settings.refresh_token_lifetime(), Duration::from_secs(30 * 86_400));
    assert_eq!(settings.refresh_idle_lifetime(), Duration::from_secs(7 * 86_400));
    assert_eq!(settings.refresh_grace(), Duration::from_secs(60));
    assert_eq!(settings.key_rotation(), Duration::from_secs(30 * 86_400));
    assert!(settings.key_encryption_key().is_none());
    assert!(!settings.openid_configuration());
    assert_eq!(settings.trusted_proxies().count(), 0);
    assert_eq!(settings.audit_retention(), Duration::from_secs(90 * 86_400));
}

#[test]
fn every_key_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let path = folder.path().join("issuer.toml");
    let text = r#"
        listen = "[::1]:9001"
        metrics_listen = "127.0.0.1:9101"
        trusted_proxies = ["10.0.0.0/8", "2001:db8::1"]
        issuer = "https://auth.erp.example/{tenant}"
        database = "sqlite://tokens.db"
        audit_retention = "400d"
        audience = ["https://api.erp.example/{tenant}", "https://files.erp.example/{tenant}"]
        scope = "{scope}"
        tenant_header = "X-Customer"
        tenant_claims = ["tenant_id", "tenant"]
        algorithm = "EdDSA"
        access_token_lifetime = "5m"
        refresh_token_lifetime = "90d"
        refresh_idle_lifetime = "14d"
        refresh_grace = "10s"
        key_rotation = "7d"
        key_encryption_key_file = "key"
        openid_configuration = true
    "#;
    fs::write(&path, text).unwrap();
    let file = IssuerFile::read(&path).unwrap();
    assert_eq!(file.listen(), Some("[::1]:9001".parse().unwrap()));
    assert_eq!(file.metrics_listen(), Some("127.0.0.1:9101".parse().unwrap()));
    let database = format!("sqlite://{}", folder.path().join("tokens.db").display());
    assert_eq!(file.database(), Some(database.as_str()));
    let settings = file.settings().unwrap();
    let tenant1 = "tenant1".parse().unwrap();
    assert!(settings.issuer().has_tenant());
    assert_eq!(settings.issuer().of(&tenant1).as_str(), "https://auth.erp.example/tenant1");
    let audiences: Vec<_> = settings.audiences_of(&tenant1).collect();
    assert_eq!(audiences, ["https://api.erp.example/tenant1", "https://files.erp.example/tenant1"]);
    assert!(settings.match_audience("https://files.erp.example/tenant2").is_some());
    assert!(settings.match_audience("https://files.erp.example/tenant2/x").is_none());
    assert_eq!(settings.scope().as_str(), "{scope}");
    assert_eq!(settings.tenant_header(), "x-customer");
    assert_eq!(settings.tenant_claims(), ["tenant_id".into(), "tenant".into()]);
    assert_eq!(settings.algorithm(), Algorithm::EdDsa);
    assert_eq!(settings.access_token_lifetime(), Duration::from_secs(5 * 60));
    assert_eq!(settings.refresh_token_lifetime(), Duration::from_secs(90 * 86_400));
    assert_eq!(settings.refresh_idle_lifetime(), Duration::from_secs(14 * 86_400));
    assert_eq!(settings.refresh_grace(), Duration::from_secs(10));
    assert_eq!(settings.key_rotation(), Duration::from_secs(7 * 86_400));
    assert_eq!(settings.key_encryption_key().unwrap().as_bytes()[31], 31);
    assert!(settings.openid_configuration());
    assert!(settings.trusted_proxies().eq(["10.0.0.0/8", "2001:db8::1/128"]));
    assert_eq!(settings.audit_retention(), Duration::from_secs(400 * 86_400));
    assert!(!format!("{file:?} {settings:?}").contains("AAEC"));
}

#[test]
fn a_short_grant_has_an_idle_lifetime_within_it() {
    let settings = settings(&format!("{SHORT}refresh_token_lifetime = \"2h\""));
    assert_eq!(settings.refresh_idle_lifetime(), Duration::from_secs(2 * 3600));
}

#[test]
fn the_issuer_can_come_from_elsewhere() {
    let other: IssuerName = "http://127.0.0.1:9000".parse().unwrap();
    for text in [SHORT, "audience = \"https://api.erp.example/{tenant}\""] {
        let file = IssuerFile::parse(text, "issuer.toml").unwrap();
        assert_eq!(file.settings_for(&other).unwrap().issuer(), &other);
    }
}

#[test]
fn only_the_relative_path_of_a_sqlite_file_is_beside_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.toml");
    let beside = format!("sqlite://{}", folder.path().join("a/b.db").display());
    for (url, expected) in [
        ("sqlite://a/b.db", beside.as_str()),
        ("sqlite:a/b.db", &beside),
        ("sqlite:///var/lib/b.db", "sqlite:///var/lib/b.db"),
        ("sqlite::memory:", "sqlite::memory:"),
        ("postgres://tenantry@db/tenantry", "postgres://tenantry@db/tenantry"),
    ] {
        fs::write(&path, format!("database = \"{url}\"")).unwrap();
        assert_eq!(IssuerFile::read(&path).unwrap().database(), Some(expected), "{url}");
    }
    let parsed = IssuerFile::parse("database = \"sqlite://a/b.db\"", "issuer.toml").unwrap();
    assert_eq!(parsed.database(), Some("sqlite://a/b.db"));
}
