//! The attack suite against a service that is sound, and against the same service with one hole at a
//! time.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a toy for tests may fail the test"
)]

mod holes;
mod report;
mod sound;
mod toy;
mod vacuous;

use serde_json::json;
use tenantry_testkit::{AttackSuite, Probe, TestIssuer};

fn issuer() -> TestIssuer {
    TestIssuer::offline("https://auth.erp.example")
}

/// The requests of the toy, at addresses that begin with `base`.
fn probes(base: &str) -> Vec<Probe> {
    let memo = |canary: &str| json!({ "memo": canary });
    vec![
        Probe::post(&format!("{base}/journal-entries"))
            .scopes(["finance.write", "journal.create"])
            .json(memo)
            .gives("id", "/id"),
        Probe::get(&format!("{base}/journal-entries")).scopes(["journal.read"]),
        Probe::get(&format!("{base}/journal-entries/{{id}}")).scopes(["journal.read"]),
        Probe::put(&format!("{base}/journal-entries/{{id}}")).scopes(["journal.create"]).json(memo),
        Probe::delete(&format!("{base}/journal-entries/{{id}}")).scopes(["journal.delete"]),
        Probe::get(&format!("{base}/reports/all")).scopes(["journal.read"]),
        Probe::get(&format!("{base}/whoami")).no_scope(),
        Probe::post(&format!("{base}/copies"))
            .scopes(["journal.create"])
            .json(|canary| json!({ "of": "{id}", "memo": canary })),
    ]
}

fn suite(probes: Vec<Probe>) -> AttackSuite {
    AttackSuite::new(&issuer(), probes)
}
