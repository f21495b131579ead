//! Each hole is found, as what it is.

use std::collections::BTreeSet;

use tenantry_testkit::{AttackKind, AttackReport, Finding, Outcome, Probe};

use crate::toy::{Hole, with_hole};
use crate::{probes, suite};

use AttackKind as K;
use Outcome as O;

/// What the policy judges beside the token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Judged {
    Path,
    /// The tenant is in the path, and the policy does not know.
    Nothing,
}

#[rustfmt::skip]
const LAYERS: &[(Hole, Judged, K, O)] = &[
    (Hole::LayerMissing, Judged::Path, K::Credentials, O::Leaked),
    (Hole::LayerBelowRoute, Judged::Path, K::Credentials, O::Leaked),
    (Hole::LayerBelowFallback, Judged::Path, K::Method, O::Leaked),
    (Hole::LayerBelowMethod, Judged::Path, K::Method, O::Admitted),
    (Hole::LayerBelowMethod, Judged::Path, K::Method, O::Changed),
    (Hole::LayerOptional, Judged::Path, K::Credentials, O::Leaked),
    (Hole::LayerInNestSeesShortPath, Judged::Path, K::Path, O::Leaked),
];

#[rustfmt::skip]
const CALLERS: &[(Hole, Judged, K, O)] = &[
    (Hole::TenantFromHeader, Judged::Path, K::Header, O::Leaked),
    (Hole::TenantFromOrgHeader, Judged::Path, K::Header, O::Leaked),
    (Hole::TenantFromHost, Judged::Path, K::Host, O::Leaked),
    (Hole::TenantFromForwardedHost, Judged::Path, K::Host, O::Leaked),
    (Hole::TenantFromForwardedPath, Judged::Path, K::Header, O::Leaked),
    (Hole::TenantFromCookie, Judged::Path, K::Header, O::Leaked),
    (Hole::TenantFromQuery, Judged::Path, K::Parameter, O::Leaked),
    (Hole::TenantFromBody, Judged::Path, K::Parameter, O::Changed),
    (Hole::TenantFromOtherSegment, Judged::Path, K::Parameter, O::Leaked),
    (Hole::TenantFromSubject, Judged::Path, K::Claims, O::Leaked),
    (Hole::TenantFromOtherClaim, Judged::Path, K::Claims, O::Leaked),
    (Hole::TenantInPathComparedByPrefix, Judged::Nothing, K::CrossTenant, O::Leaked),
    (Hole::TenantInPathComparedWithoutCase, Judged::Nothing, K::CrossTenant, O::Leaked),
    (Hole::TenantInPathNotCompared, Judged::Nothing, K::CrossTenant, O::Leaked),
    (Hole::WhoamiFromHeader, Judged::Path, K::Header, O::Leaked),
];

#[rustfmt::skip]
const CREDENTIALS: &[(Hole, Judged, K, O)] = &[
    (Hole::CredentialsFromCookie, Judged::Path, K::Credentials, O::Leaked),
    (Hole::CredentialsFromQuery, Judged::Path, K::Credentials, O::Leaked),
    (Hole::CredentialsFirstOfTwo, Judged::Path, K::Credentials, O::Leaked),
    (Hole::CredentialsNotAskedInside, Judged::Path, K::Credentials, O::Leaked),
    (Hole::CredentialsNotAskedForDirectories, Judged::Path, K::Path, O::Leaked),
    (Hole::TokenUnsigned, Judged::Path, K::Algorithm, O::Leaked),
    (Hole::TokenOfItsOwnKey, Judged::Path, K::Key, O::Leaked),
    (Hole::TokenOfAnyIssuer, Judged::Path, K::Key, O::Leaked),
];

#[rustfmt::skip]
const STORE: &[(Hole, Judged, K, O)] = &[
    (Hole::StoreIgnoresTenant, Judged::Path, K::CrossTenant, O::Leaked),
    (Hole::StoreIgnoresCase, Judged::Path, K::CrossTenant, O::Leaked),
    (Hole::StoreComparesByLike, Judged::Path, K::CrossTenant, O::Leaked),
    (Hole::StoreComparesByPrefix, Judged::Path, K::CrossTenant, O::Leaked),
    (Hole::CopyById, Judged::Path, K::Object, O::Leaked),
    (Hole::ReadById, Judged::Path, K::Object, O::Leaked),
    (Hole::DeleteById, Judged::Path, K::Object, O::Changed),
    (Hole::ReplaceById, Judged::Path, K::Object, O::Changed),
    (Hole::ErrorShowsData, Judged::Path, K::Object, O::Leaked),
    (Hole::HeaderShowsData, Judged::Path, K::CrossTenant, O::Leaked),
];

#[rustfmt::skip]
const SCOPES: &[(Hole, Judged, K, O)] = &[
    (Hole::ScopeMissing, Judged::Path, K::Scope, O::Admitted),
    (Hole::ScopeAnyOfThem, Judged::Path, K::Scope, O::Admitted),
    (Hole::ScopeByPrefix, Judged::Path, K::Scope, O::Admitted),
    (Hole::ScopeBeginsTheNeeded, Judged::Path, K::Scope, O::Admitted),
    (Hole::ScopeOfAnyTenant, Judged::Path, K::Scope, O::Admitted),
    (Hole::ScopeFromRoles, Judged::Path, K::Scope, O::Admitted),
];

#[rustfmt::skip]
const CACHES: &[(Hole, Judged, K, O)] = &[
    (Hole::CacheByTokenId, Judged::Path, K::Cache, O::Leaked),
    (Hole::CacheBySubject, Judged::Path, K::Cache, O::Leaked),
    (Hole::CacheByPayload, Judged::Path, K::Cache, O::Leaked),
    (Hole::CacheBySignature, Judged::Path, K::Cache, O::Admitted),
    (Hole::CacheByWholeToken, Judged::Path, K::Expiry, O::Leaked),
    (Hole::CacheByWholeToken, Judged::Path, K::Rotation, O::Leaked),
    (Hole::CacheOfScopesByTokenId, Judged::Path, K::Cache, O::Admitted),
    (Hole::CacheOfAnswersByPath, Judged::Path, K::Cache, O::Leaked),
    (Hole::CacheOfAnswersInside, Judged::Path, K::CrossTenant, O::Leaked),
];

#[rustfmt::skip]
const REST: &[(Hole, Judged, K, O)] = &[
    (Hole::PathRepairedOutside, Judged::Path, K::Path, O::Admitted),
    (Hole::PanicsOnHeader, Judged::Path, K::Host, O::Failed),
];

/// The requests with which a hole shows. All would find it, too, and take longer.
fn probes_for(hole: Hole) -> Vec<Probe> {
    let [create, list, find, replace, delete, report, whoami, copy] =
        probes(if hole == Hole::LayerInNestSeesShortPath {
            "/{tenant}/{tenant}"
        } else {
            "/{tenant}"
        })
        .try_into()
        .unwrap();
    match hole {
        Hole::CopyById => vec![create, list, copy],
        Hole::DeleteById => vec![create, list, delete],
        Hole::LayerBelowRoute => vec![create, list, find],
        Hole::ReplaceById => vec![create, list, replace],
        Hole::TenantFromOtherSegment => vec![create, list, report],
        Hole::WhoamiFromHeader => vec![whoami],
        _ => vec![create, list, find],
    }
}

async fn attacked(hole: Hole, judged: Judged) -> AttackReport {
    suite(probes_for(hole))
        .policy(move |server| {
            let server =
                server.audience("https://api.erp.example/{tenant}").scope("{tenant}.{scope}");
            if judged == Judged::Path { server.tenant_path("/{tenant}/{*rest}") } else { server }
        })
        .run(|server| with_hole(&server, hole))
        .await
}

async fn assert_found(table: &[(Hole, Judged, K, O)]) {
    let mut missed = Vec::new();
    for (hole, judged, kind, outcome) in table {
        let report = attacked(*hole, *judged).await;
        let right = |finding: &&Finding| finding.kind() == *kind && finding.outcome() == *outcome;
        let found = report.findings().iter().filter(right).count();
        println!("{hole:?}: {} findings, {found} {kind} {outcome:?}", report.findings().len());
        if found == 0 {
            missed.push(format!("{hole:?}: no finding {kind} {outcome:?} in {report}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[tokio::test]
async fn a_hole_in_the_layers_is_found() {
    assert_found(LAYERS).await;
}

#[tokio::test]
async fn a_tenant_that_comes_from_elsewhere_is_found() {
    assert_found(CALLERS).await;
}

#[tokio::test]
async fn credentials_that_somebody_else_believes_are_found() {
    assert_found(CREDENTIALS).await;
}

#[tokio::test]
async fn a_hole_in_the_store_is_found() {
    assert_found(STORE).await;
}

#[tokio::test]
async fn a_hole_in_the_scopes_is_found() {
    assert_found(SCOPES).await;
}

#[tokio::test]
async fn a_cache_that_mixes_callers_is_found() {
    assert_found(CACHES).await;
}

#[tokio::test]
async fn a_path_that_is_repaired_and_a_panic_are_found() {
    assert_found(REST).await;
}

#[test]
fn every_kind_of_attack_finds_a_hole() {
    let tables = [LAYERS, CALLERS, CREDENTIALS, STORE, SCOPES, CACHES, REST];
    let found: BTreeSet<_> =
        tables.iter().copied().flatten().map(|(_, _, kind, _)| *kind).collect();
    let all = AttackKind::ALL.into_iter().filter(|kind| *kind != AttackKind::Control);
    assert_eq!(found, all.collect());
}
