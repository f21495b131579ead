//! Nothing crosses tenants.

use journal_api::api;
use journal_api::store::Journal;
use serde_json::json;
use tenantry_testkit::{AttackSuite, Probe, TestIssuer};

const ENTRIES: &str = "/{tenant}/journal-entries";

#[tokio::test]
async fn nothing_crosses_tenants() {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let probes = [
        Probe::post(ENTRIES)
            .scopes(["finance.write", "journal.create"])
            .json(|canary| {
                json!({"date": "2026-11-21", "memo": canary, "lines": [
                    {"account": "6310", "debit": "1200.00", "currency": "EUR"},
                    {"account": "1200", "credit": "1200.00", "currency": "EUR"}]})
            })
            .gives_from_location("id"),
        Probe::get(&format!("{ENTRIES}?limit=100")).scopes(["journal.read"]),
        Probe::get(&format!("{ENTRIES}/{{id}}")).scopes(["journal.read"]),
        Probe::get("/{tenant}/whoami").no_scope(),
    ];
    let report = AttackSuite::new(&issuer, probes)
        .policy(|server| {
            server
                .audience("https://api.erp.example/{tenant}")
                .scope("{tenant}.{scope}")
                .tenant_path("/{tenant}/{*rest}")
                .tenant_header("x-tenant-id")
        })
        .run(async |erp| api::router(&erp, Journal::open_temporary().await.unwrap()))
        .await;
    report.assert_clean();
}
