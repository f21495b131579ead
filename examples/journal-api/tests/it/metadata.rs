//! What the service says about itself, if its policy says that it should.

use journal_api::document::TOKEN_URL;
use journal_api::serve::{Service, listen};
use journal_api::store::Journal;
use reqwest::StatusCode;
use serde_json::Value;
use tenantry::{IssuerSettings, KeyLocation, ResourceServer};
use tenantry_testkit::TestIssuer;

use crate::running::{ANY_PORT, client};

#[tokio::test]
async fn a_challenge_leads_to_the_metadata() {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    let erp = ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .policy(|policy| policy.resource_metadata())
        .build()
        .await
        .unwrap();
    let journal = Journal::open_temporary().await.unwrap();
    let service = Service::new(listen(ANY_PORT).await.unwrap(), &erp, journal, TOKEN_URL).unwrap();
    let url = format!("http://{}", service.address());
    let _serving = tokio::spawn(service.run(std::future::pending()));

    let refused = client().get(format!("{url}/tenant1/whoami")).send().await.unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let (_, named) = challenge.split_once("resource_metadata=\"https://api.erp.example").unwrap();
    let path = named.strip_suffix('"').unwrap();
    let answer = client().get(format!("{url}{path}")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let metadata: Value = answer.json().await.unwrap();
    assert_eq!(metadata["resource"], "https://api.erp.example/tenant1");
}
