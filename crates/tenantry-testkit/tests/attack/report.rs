//! The report, and how the suite is called.

use std::cell::Cell;
use std::sync::Arc;

use tenantry::{Standing, StaticDirectory};
use tenantry_testkit::{AttackKind, AttackReport, AttackSuite, Outcome, Probe};

use crate::toy::{Hole, sound, with_hole};
use crate::{issuer, probes, suite};

async fn of(hole: Hole) -> AttackReport {
    let mut probes = probes("/{tenant}");
    probes.truncate(3);
    suite(probes).run(|server| with_hole(&server, hole)).await
}

#[tokio::test]
async fn it_says_what_was_sent_what_came_and_where_to_look() {
    let report = of(Hole::ReadById).await.to_string();
    let (first, rest) = report.split_once('\n').unwrap();
    let start = "attack suite: 1 got through, 0 not proven, of 3 probes by ";
    assert!(first.starts_with(start), "{first}");
    assert!(first.ends_with(" requests"), "{first}");
    let expected = "
object: 1
  GET /tenant1/journal-entries/1
    sent      the token and the address of `tenant1`, and `id` of an object of `tenant10`
    expected  a refusal
    got       200, with data of `tenant10` in the body
    look at   the object is looked up by its id alone: ask for tenant and id, in one query
";
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn it_is_the_same_in_each_run_and_in_the_order_of_kinds() {
    for hole in [Hole::LayerMissing, Hole::StoreComparesByPrefix, Hole::CacheBySignature] {
        let (one, other) = (of(hole).await, of(hole).await);
        assert_eq!(one.findings(), other.findings(), "{hole:?}");
        let kinds: Vec<AttackKind> = one.findings().iter().map(|finding| finding.kind()).collect();
        assert!(kinds.is_sorted(), "{kinds:?}");
        assert!(!one.is_clean());
    }
}

/// Every token begins like this: `{"` in base64url.
#[tokio::test]
async fn secrets_stay_in_no_token_is_in_it() {
    for hole in [Hole::LayerMissing, Hole::CacheByPayload, Hole::CredentialsFromQuery] {
        let report = of(hole).await;
        let debug = format!("{report:?}{report}");
        assert!(!debug.contains("eyJ"), "{hole:?}: {report}");
        assert!(debug.len() > 1000, "{hole:?}: {report}");
    }
}

#[tokio::test]
async fn a_route_without_a_layer_is_told_once_for_each_probe_and_kind() {
    let report = of(Hole::LayerMissing).await;
    let credentials =
        report.findings().iter().filter(|found| found.kind() == AttackKind::Credentials);
    let credentials: Vec<_> =
        credentials.map(|found| (found.probe(), found.sent(), found.outcome())).collect();
    let sent = "no credentials";
    assert_eq!(
        credentials,
        [
            ("POST /{tenant}/journal-entries", sent, Outcome::Admitted),
            // What it wrote shows when everything else was tried.
            ("POST /{tenant}/journal-entries", sent, Outcome::Changed),
            ("GET /{tenant}/journal-entries", sent, Outcome::Leaked),
            ("GET /{tenant}/journal-entries/{id}", sent, Outcome::Leaked),
        ]
    );
}

#[tokio::test]
async fn the_router_is_made_for_each_kind_of_attack_and_each_direction() {
    let made = Cell::new(0);
    let report = suite(probes("/{tenant}"))
        .run(|server| {
            made.set(made.get() + 1);
            sound(&server)
        })
        .await;
    report.assert_clean();
    assert_eq!(made.get(), 2 * AttackKind::ALL.len());
}

#[tokio::test]
async fn a_directory_that_knows_the_two_tenants_is_enough() {
    let known = ["acme", "globex"].map(|id| (id.parse().unwrap(), Standing::Active));
    let directory = Arc::new(StaticDirectory::new(known).unwrap());
    let report = suite(probes("/{tenant}"))
        .tenants("acme", "globex")
        .policy(move |server| {
            server
                .audience("https://api.erp.example/{tenant}")
                .scope("{tenant}.{scope}")
                .tenant_path("/{tenant}/{*rest}")
                .directory(directory.clone())
        })
        .run(|server| sound(&server))
        .await;
    report.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "the policy of the suite cannot be used: resource_server.scope")]
async fn a_policy_that_cannot_be_used_is_told_at_once() {
    let suite = suite(Vec::new())
        .policy(|server| server.audience("https://api.erp.example/{tenant}").scope("{tenant}"));
    let _ = suite.run(|server| sound(&server)).await;
}

#[test]
#[should_panic(expected = "starts with `/`")]
fn a_probe_has_a_path() {
    let _ = Probe::get("{tenant}/journal-entries");
}

#[test]
#[should_panic(expected = "two tenants")]
fn a_tenant_does_not_attack_itself() {
    let _ = AttackSuite::new(&issuer(), Vec::new()).tenants("acme", "acme");
}
