//! `RequireScopeLayer`, on its own.

use http::Request;
use tenantry_core::{Anonymous, ScopeNeed, TenantAwareRequest};
use tenantry_testkit::request_of;
use tenantry_tower::RequireScopeLayer;
use tower::{Layer, ServiceExt};

use crate::stub::{Answer, Calls, Stub, read};

async fn send(layer: &RequireScopeLayer, calls: &Calls, request: Request<()>) -> Answer {
    read(layer.layer(calls.service()).oneshot(request).await.unwrap()).await
}

fn proven(scope: &str) -> Request<()> {
    let mut request = Request::new(());
    let proven: TenantAwareRequest = request_of("tenant1").with_scope(scope).build();
    request.extensions_mut().insert(proven);
    request
}

const SCOPES: [&str; 3] = ["a", "b", "c"];

/// Every subset of the scopes.
fn subsets() -> impl Iterator<Item = Vec<&'static str>> {
    (0..8_usize).map(|bits| {
        let held = SCOPES.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
        held.map(|(_, scope)| *scope).collect()
    })
}

/// Whether each subset suffices, and what is asked for where it does not.
async fn holds(
    layer: RequireScopeLayer,
    suffices: impl Fn(&[&str]) -> bool,
    asked_for: &'static str,
) {
    for held in subsets() {
        let calls = Calls::default();
        let answer = send(&layer, &calls, proven(&held.join(" "))).await;
        if suffices(&held) {
            assert_eq!((answer.status.as_u16(), &*answer.text), (200, "tenant1"), "{held:?}");
            assert_eq!(calls.count(), 1);
            continue;
        }
        let challenge = format!(
            r#"Bearer realm="tenantry", error="insufficient_scope", error_description="the access token lacks a scope of its tenant", scope="{asked_for}""#
        );
        assert_eq!(answer.status.as_u16(), 403, "{held:?}");
        assert_eq!(answer.challenge, Some(challenge), "{held:?}");
        assert_eq!(answer.code(), "scope_missing");
        assert_eq!(calls.count(), 0);
    }
}

#[tokio::test]
async fn all_needs_every_one() {
    let layer = RequireScopeLayer::all(["a", "b"]);
    let suffices = |held: &[&str]| held.contains(&"a") && held.contains(&"b");
    holds(layer, suffices, "tenant1.a tenant1.b").await;
    let one = RequireScopeLayer::all(["a"]);
    holds(one, |held| held.contains(&"a"), "tenant1.a").await;
}

#[tokio::test]
async fn any_needs_one() {
    let layer = RequireScopeLayer::any(["a", "b"]);
    let suffices = |held: &[&str]| held.contains(&"a") || held.contains(&"b");
    holds(layer, suffices, "tenant1.a").await;
}

#[tokio::test]
async fn any_of_all_needs_every_one_of_one_list() {
    let layer = RequireScopeLayer::any_of_all([&["a", "b"], &["c"]]);
    let suffices =
        |held: &[&str]| held.contains(&"a") && held.contains(&"b") || held.contains(&"c");
    holds(layer, suffices, "tenant1.a tenant1.b").await;
}

#[tokio::test]
async fn a_need_of_ones_own_is_taken_as_it_is() {
    let need = ScopeNeed::from_lists([["b", "c"]]).unwrap();
    let suffices = |held: &[&str]| held.contains(&"b") && held.contains(&"c");
    holds(RequireScopeLayer::new(need), suffices, "tenant1.b tenant1.c").await;
}

#[tokio::test]
async fn scopes_are_compared_whole_and_by_case() {
    let layer = RequireScopeLayer::all(["journal.read"]);
    for held in ["", "journal", "journal.read.all", "Journal.read", "tenant1.journal.read", "*"] {
        let calls = Calls::default();
        let answer = send(&layer, &calls, proven(held)).await;
        assert_eq!((answer.status.as_u16(), calls.count()), (403, 0), "{held}");
    }
}

#[tokio::test]
async fn without_an_extractor_it_is_a_mistake_of_the_service() {
    let calls = Calls::default();
    let layer = RequireScopeLayer::all(["a"]);
    let answer = send(&layer, &calls, Request::new(())).await;
    assert_eq!((answer.status.as_u16(), answer.challenge.as_deref()), (500, None));
    assert_eq!(answer.code(), "misconfigured");
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn nobody_has_no_scope() {
    let (stub, calls) = (Stub::new(), Calls::default());
    for layer in [RequireScopeLayer::all(["a"]), RequireScopeLayer::any(["a"])] {
        let mut request = Request::new(());
        request.extensions_mut().insert(Anonymous::new(stub.policy()));
        let answer = send(&layer, &calls, request).await;
        assert_eq!(answer.status.as_u16(), 401);
        assert_eq!(answer.challenge.as_deref(), Some(r#"Bearer realm="journal""#));
        assert_eq!(answer.code(), "credentials_missing");
    }
    assert_eq!(calls.count(), 0);
}

#[test]
#[should_panic(expected = "scope")]
fn a_scope_with_a_blank_does_not_start() {
    let _ = RequireScopeLayer::all(["journal.read journal.write"]);
}

#[test]
#[should_panic(expected = "scope")]
fn an_empty_scope_does_not_start() {
    let _ = RequireScopeLayer::any(["a", ""]);
}

#[test]
#[should_panic(expected = "scope")]
fn an_empty_list_does_not_start() {
    let _ = RequireScopeLayer::any_of_all([&["a"], &[]]);
}
