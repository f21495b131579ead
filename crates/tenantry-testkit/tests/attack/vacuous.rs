//! A suite that proves nothing does not pass.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde_json::json;
use tenantry::{ResourceServer, TenantPrincipal};
use tenantry_testkit::{AttackKind, AttackReport, Outcome, Probe};

use crate::{probes, suite, toy};

async fn run(probes: Vec<Probe>) -> AttackReport {
    suite(probes).run(|server| toy::sound(&server)).await
}

fn assert_unproven(report: &AttackReport, probe: &str, words: &str) {
    let found = report.findings().iter().any(|finding| {
        finding.kind() == AttackKind::Control
            && finding.outcome() == Outcome::Unproven
            && finding.probe() == probe
            && finding.got().contains(words)
    });
    assert!(found, "`{words}` is not said of {probe}: {report}");
}

#[tokio::test]
async fn no_probes() {
    assert_unproven(&run(Vec::new()).await, "(none)", "there is none");
}

#[tokio::test]
async fn a_probe_that_does_not_succeed() {
    let report = run(vec![Probe::get("/{tenant}/nowhere").scopes(["journal.read"])]).await;
    assert_unproven(&report, "GET /{tenant}/nowhere", "404");
    let mut probes = probes("/{tenant}");
    probes.push(Probe::get("/{tenant}/journal-entries/1").scopes(["journal.create"]));
    assert_unproven(&run(probes).await, "GET /{tenant}/journal-entries/1", "403 `scope_missing`");
}

#[tokio::test]
async fn a_hole_that_nothing_fills() {
    let report = run(vec![Probe::get("/{tenant}/journal-entries/{id}")]).await;
    assert_unproven(&report, "GET /{tenant}/journal-entries/{id}", "no earlier probe gave `id`");
}

#[tokio::test]
async fn a_probe_that_writes_what_nothing_shows() {
    let write = || probes("/{tenant}").remove(0);
    let report = run(vec![write()]).await;
    assert_unproven(&report, "POST /{tenant}/journal-entries", "no probe that reads shows it");
    assert_eq!(report.findings().len(), 1, "{report}");
    run(vec![write().unseen()]).await.assert_clean();
}

#[tokio::test]
async fn a_probe_that_reads_the_same_for_all() {
    let router = |server: &ResourceServer| -> Router {
        Router::new()
            .route("/{tenant}/currencies", get(async || "EUR"))
            .route("/{tenant}/journal-entries", post(async || "booked"))
            .layer(server.layer())
    };
    let read = || Probe::get("/{tenant}/currencies").no_scope();
    let report = suite(vec![read()]).run(|server| router(&server)).await;
    assert_unproven(&report, "GET /{tenant}/currencies", "the same for both tenants");
    suite(vec![read().unseen()]).run(|server| router(&server)).await.assert_clean();
    // It takes what is written, and keeps nothing.
    let write = Probe::post("/{tenant}/journal-entries").no_scope().json(|canary| json!(canary));
    let report = suite(vec![write, read().unseen()]).run(|server| router(&server)).await;
    assert_unproven(&report, "POST /{tenant}/journal-entries", "no probe that reads shows it");
}

#[tokio::test]
async fn a_probe_that_fails_once_another_has_revoked_the_tokens() {
    let router = |server: &ResourceServer| -> Router {
        let revocations = server.revocations().clone();
        let log_out = async move |caller: TenantPrincipal| {
            revocations.revoke_tenant(caller.tenant(), Duration::from_secs(600)).unwrap();
        };
        Router::new()
            .route(
                "/{tenant}/whoami",
                get(async |caller: TenantPrincipal| caller.tenant().to_string()),
            )
            .route("/{tenant}/log-out", post(log_out))
            .layer(server.layer())
    };
    let read = || Probe::get("/{tenant}/whoami").no_scope();
    let log_out = Probe::post("/{tenant}/log-out").no_scope().unseen();
    let report = suite(vec![read(), log_out]).run(|server| router(&server)).await;
    assert_unproven(&report, "GET /{tenant}/whoami", "401 `token_revoked`");
    suite(vec![read()]).run(|server| router(&server)).await.assert_clean();
}

#[tokio::test]
async fn a_probe_that_proves_nothing_does_not_stop_the_others() {
    let mut probes = probes("/{tenant}");
    probes.push(Probe::get("/{tenant}/nowhere"));
    let report = suite(probes).run(|server| toy::with_hole(&server, toy::Hole::ReadById)).await;
    assert_unproven(&report, "GET /{tenant}/nowhere", "404");
    assert!(report.findings().iter().any(|finding| finding.outcome() == Outcome::Leaked));
}

#[tokio::test]
#[should_panic(expected = "proves nothing, because of 404")]
async fn assert_clean_fails_the_test() {
    run(vec![Probe::get("/{tenant}/nowhere")]).await.assert_clean();
}
