//! An issuer that is down at the start.

use std::sync::Arc;
use std::time::Duration;

use tenantry::{IssuerSettings, ResourceServer};

use crate::stack::{Api, Script, issuer};

const URL: &str = "https://auth.erp.example";
const JWKS: &str = "https://auth.erp.example/jwks.json";

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_heals_when_somebody_asks() {
    let (issuer, clock) = issuer();
    let script = Script::default();
    let server = ResourceServer::builder()
        .issuer(IssuerSettings::new(URL).jwks_uri(JWKS))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .transport(Arc::new(script.clone()))
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    let api = Api::behind(&server);
    let token = issuer.token().tenant("tenant1").sign();

    // It does not stop the start.
    assert_eq!(script.wait_for(1).await, [JWKS]);
    let down = server.readiness();
    assert!(!down.is_ready());
    let line = down.to_string();
    assert!(line.starts_with(&format!("{URL}: not ready, 0 keys, next fetch in ")), "{line}");
    assert!(line.ends_with(", last fetch failed: no connection\n"), "{line}");
    let answer = api.get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "503 keys_unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("www-authenticate"), None);

    // It heals with no request coming in: being asked is enough.
    script.answer(issuer.jwks());
    clock.advance(Duration::from_secs(120));
    let asked = script.asked().len();
    assert!(!server.readiness().is_ready(), "asking does not wait");
    script.wait_for(asked + 1).await;
    let up = server.readiness();
    assert!(up.is_ready());
    let line = up.to_string();
    assert!(line.starts_with(&format!("{URL}: ready, 1 key, 0 s old, next fetch in ")), "{line}");
    let issuers: Vec<_> = up.issuers().map(|(name, status)| (name, status.keys())).collect();
    assert_eq!(issuers, [(URL, 1)]);
    let token = issuer.token().tenant("tenant1").sign();
    let answer = api.get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "200 tenant1 journal-sync");
}

#[tokio::test]
async fn one_issuer_without_keys_is_enough_to_be_not_ready() {
    let (issuer, clock) = issuer();
    let script = Script::default();
    let with = |name: &str, tenant: &str| {
        IssuerSettings::new(format!("https://{name}.example"))
            .jwks_uri(format!("https://{name}.example/jwks.json"))
            .tenants([tenant])
    };
    script.answer(issuer.jwks());
    let server = ResourceServer::builder()
        .issuer(with("b", "tenant1"))
        .issuer(with("a", "tenant2"))
        .audience("https://api.erp.example/{tenant}")
        .transport(Arc::new(script.clone()))
        .clock(Arc::new(clock))
        .build()
        .await
        .unwrap();
    script.wait_for(2).await;

    let readiness = server.readiness();
    assert!(!readiness.is_ready());
    let ready = readiness.issuers().filter(|(_, status)| status.is_ready());
    assert_eq!(ready.count(), 1);
    let names: Vec<_> = readiness.issuers().map(|(name, _)| name).collect();
    assert_eq!(names, ["https://a.example", "https://b.example"], "in order");
}
