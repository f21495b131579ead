//! The sound service comes out clean, whatever its policy.

use crate::toy::{sound, sound_at};
use crate::{issuer, probes, suite};
use tenantry::{Standing, Tenant, TenantId};
use tenantry_testkit::{AttackSuite, TestIssuer};

const AUDIENCE: &str = "https://api.erp.example/{tenant}";

#[tokio::test]
async fn with_the_tenant_in_the_path() {
    let report = suite(probes("/{tenant}")).run(|server| sound(&server)).await;
    report.assert_clean();
    assert!(report.requests() > 2000, "{}", report.requests());
}

#[tokio::test]
async fn with_a_router_that_is_awaited() {
    let report = suite(probes("/{tenant}")).run(async |server| sound(&server)).await;
    report.assert_clean();
}

#[tokio::test]
async fn with_the_tenant_in_path_and_header() {
    for required in [false, true] {
        let report = suite(probes("/{tenant}"))
            .policy(move |server| {
                let server = server
                    .audience(AUDIENCE)
                    .scope("{tenant}.{scope}")
                    .tenant_path("/{tenant}/{*rest}")
                    .tenant_header("x-tenant-id");
                if required {
                    server.policy(|policy| policy.required_sources(["header"]))
                } else {
                    server
                }
            })
            .run(|server| sound(&server))
            .await;
        report.assert_clean();
    }
}

#[tokio::test]
async fn with_the_tenant_in_a_header_only() {
    let report = suite(probes("/v1"))
        .policy(|server| {
            server.audience(AUDIENCE).scope("{tenant}.{scope}").tenant_header("x-tenant-id")
        })
        .run(|server| sound_at(&server, "/v1"))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn with_the_tenant_in_the_host() {
    let report = suite(probes("/v1"))
        .policy(|server| {
            server
                .audience(AUDIENCE)
                .scope("{tenant}.{scope}")
                .tenant_host("{tenant}.api.erp.example")
        })
        .run(|server| sound_at(&server, "/v1"))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn with_the_tenant_in_the_token_only_and_plain_scopes() {
    let report = suite(probes("/v1"))
        .policy(|server| server.audience("https://api.erp.example").scope("{scope}"))
        .run(|server| sound_at(&server, "/v1"))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn with_a_prefix_in_front_of_the_tenant() {
    let report = suite(probes("/api/{tenant}"))
        .policy(|server| {
            server.audience(AUDIENCE).scope("{tenant}.{scope}").tenant_path("/api/{tenant}/{*rest}")
        })
        .run(|server| sound_at(&server, "/api/{tenant}"))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn with_other_claims_and_tenants() {
    let issuer = TestIssuer::builder().tenant_claim("org").offline();
    let report = AttackSuite::new(&issuer, probes("/{tenant}"))
        .tenants("acme_eu", "acmeXeu")
        .issuer(|issuer| {
            issuer
                .scope_claim("scp")
                .client_id_claim("azp")
                .profile(tenantry::TokenProfile::Jwt)
                .required_claims(["sub", "acr"])
        })
        .tokens(|token| token.claim("acr", "1"))
        .run(|server| sound(&server))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn with_an_issuer_and_keys_per_tenant() {
    let issuer = TestIssuer::builder().keys_per_tenant(["tenant1", "tenant10"]).offline();
    let report = AttackSuite::new(&issuer, probes("/{tenant}")).run(|server| sound(&server)).await;
    report.assert_clean();
}

#[tokio::test]
async fn with_a_policy_file() {
    let file = r#"
        [resource_server]
        audience = "https://api.erp.example/{tenant}"

        [tenant]
        path = "/{tenant}/{*rest}"
        header = "x-tenant-id"

        [[issuer]]
        issuer = "https://auth.erp.example"
    "#;
    let report = suite(probes("/{tenant}")).policy_file(file).run(|server| sound(&server)).await;
    report.assert_clean();
}

#[tokio::test]
async fn with_a_policy_file_and_a_source_of_tenants() {
    let file = r#"
        [resource_server]
        audience = "https://api.erp.example/{tenant}"

        [tenant]
        path = "/{tenant}/{*rest}"
        header = "x-tenant-id"

        [[issuer]]
        issuer = "https://auth.erp.example"

        [directory]
    "#;
    // Without the source, the file cannot be used.
    let report = suite(probes("/{tenant}"))
        .policy_file(file)
        .policy(|server| {
            server.tenant_source(async |id: TenantId| {
                let known = ["tenant1", "tenant10"].contains(&id.as_str());
                Ok(known.then(|| Tenant::new(id.as_str(), Standing::Active)))
            })
        })
        .run(|server| sound(&server))
        .await;
    report.assert_clean();
}

#[tokio::test]
async fn the_issuer_of_the_test_keeps_its_keys() {
    let issuer = issuer();
    let before = issuer.jwks();
    let report = AttackSuite::new(&issuer, probes("/{tenant}")).run(|server| sound(&server)).await;
    report.assert_clean();
    assert_eq!(issuer.jwks(), before);
}
