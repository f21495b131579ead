//! Nothing crosses tenants.

use journal_api::api;
use journal_api::document::TOKEN_URL;
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
                // So that the sums of two tenants are not the same.
                let amount =
                    canary.bytes().fold(0, |sum, byte| sum * 31 % 99_991 + u64::from(byte));
                let amount = format!("{amount}.00");
                json!({"date": "2026-11-21", "memo": canary, "lines": [
                    {"account": "6310", "debit": amount, "currency": "EUR"},
                    {"account": "1200", "credit": amount, "currency": "EUR"}]})
            })
            .gives_from_location("id"),
        Probe::get(&format!("{ENTRIES}?limit=100")).scopes(["journal.read"]),
        Probe::get(&format!("{ENTRIES}/{{id}}")).scopes(["journal.read"]),
        Probe::post(&format!("{ENTRIES}/{{id}}/reversal"))
            .scopes(["finance.write", "journal.create"])
            .json(|canary| json!({"memo": canary}))
            .once(),
        Probe::get("/{tenant}/trial-balance").scopes(["journal.read"]),
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
        .run(async |erp| {
            let journal = Journal::open_temporary().await.unwrap();
            api::router(&erp, journal, TOKEN_URL).0
        })
        .await;
    report.assert_clean();
}
