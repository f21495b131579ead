//! `TenantExtractorLayer`, on its own.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response, StatusCode, Uri};
use tenantry_core::{Anonymous, TenantAwareRequest};
use tenantry_testkit::request_of;
use tenantry_tower::{RequestTarget, TenantExtractorLayer};
use tower::{Layer, ServiceExt};

use crate::stub::{Answer, Calls, Stub, left, read, request};

async fn send(layer: TenantExtractorLayer, calls: &Calls, request: Request<()>) -> Answer {
    read(layer.layer(calls.service()).oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn a_tenant_is_proven_from_memory_and_afresh() {
    let (stub, calls) = (Stub::new(), Calls::default());
    stub.remember("tenant2");
    for tenant in ["tenant1", "tenant2"] {
        let layer = stub.layer().uri_is_whole();
        let answer = send(layer, &calls, request(&format!("/{tenant}/x"), Some(tenant))).await;
        assert_eq!((answer.status, &*answer.text), (StatusCode::OK, tenant));
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn what_does_not_agree_is_refused_from_memory_and_afresh() {
    let (stub, calls) = (Stub::new(), Calls::default());
    for remembered in [false, true] {
        if remembered {
            stub.remember("tenant1");
        }
        let layer = stub.layer().uri_is_whole();
        let answer = send(layer, &calls, request("/tenant2/x", Some("tenant1"))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(
            answer.challenge.as_deref(),
            Some(
                r#"Bearer realm="journal", error="insufficient_scope", error_description="the path names another tenant than the access token""#
            )
        );
        assert_eq!(answer.code(), "tenant_mismatch.path");
    }
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn the_answers_of_the_verifier_get_the_realm_of_the_policy() {
    let (stub, calls) = (Stub::new(), Calls::default());
    let layer = stub.layer().uri_is_whole();
    let answer = send(layer.clone(), &calls, request("/tenant1/x", Some("forged"))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.challenge.as_deref(),
        Some(
            r#"Bearer realm="journal", error="invalid_token", error_description="the signature of the access token does not match""#
        )
    );
    let answer = send(layer.clone(), &calls, request("/tenant1/x", Some("down"))).await;
    assert_eq!((answer.status.as_u16(), answer.challenge.as_deref()), (503, None));
    let answer = send(layer, &calls, request("/tenant1/x", None)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge.as_deref(), Some(r#"Bearer realm="journal""#));
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn without_the_request_target_nothing_is_judged() {
    let (stub, calls) = (Stub::new(), Calls::default());
    for token in [Some("tenant1"), Some("forged"), None] {
        for layer in [stub.layer(), stub.layer().optional()] {
            let answer = send(layer, &calls, request("/tenant1/x", token)).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(answer.challenge, None);
            assert_eq!(answer.code(), "misconfigured");
        }
    }
    assert_eq!(calls.count(), 0);
}

fn targeted(target: &'static str, seen: &str, token: &str) -> Request<()> {
    let mut request = request(seen, Some(token));
    let target = RequestTarget::from_request_line(Uri::from_static(target));
    request.extensions_mut().insert(target);
    request
}

#[tokio::test]
async fn the_request_target_is_judged_and_not_what_is_left_of_it() {
    let (stub, calls) = (Stub::new(), Calls::default());
    for (target, seen, status) in [
        ("/tenant1/x", "/tenant1/x", 200),
        ("/tenant1/tenant2/x", "/tenant2/x", 200),
        ("/tenant2/tenant1/x", "/tenant1/x", 403),
        ("/tenant1/x", "/", 200),
        // Not a part of it: somebody has changed the path on the way.
        ("/tenant1/x", "/tenant2/x", 500),
        ("/tenant1/x", "/tenant1/x/y", 500),
        ("/tenant1/x", "/X", 500),
    ] {
        let answer = send(stub.layer(), &calls, targeted(target, seen, "tenant1")).await;
        assert_eq!(answer.status.as_u16(), status, "{target} as {seen}");
    }
    assert_eq!(calls.count(), 3);
}

#[tokio::test]
async fn a_target_is_found_where_the_router_keeps_it() {
    #[derive(Clone)]
    struct Kept(Uri);
    let (stub, calls) = (Stub::new(), Calls::default());
    let layer =
        stub.layer().request_target(|extensions| extensions.get::<Kept>().map(|Kept(uri)| uri));
    // A `RequestTarget` is not asked, then.
    let mut nested = targeted("/tenant1/x", "/tenant1/x", "tenant1");
    let answer = send(layer.clone(), &calls, nested.clone()).await;
    assert_eq!(answer.status, 500);
    nested.extensions_mut().insert(Kept(Uri::from_static("/tenant2/tenant1/x")));
    let answer = send(layer, &calls, nested).await;
    assert_eq!(answer.status, 403);
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn the_query_of_the_target_is_looked_at_too() {
    let (stub, calls) = (Stub::new(), Calls::default());
    let hidden = targeted("/tenant1/x?access_token=y", "/tenant1/x", "tenant1");
    let answer = send(stub.layer(), &calls, hidden).await;
    assert_eq!(answer.code(), "credentials_in_query");
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn what_others_left_is_removed() {
    let (stub, calls) = (Stub::new(), Calls::default());
    let planted = |token| {
        let mut request = request("/tenant2/x", token);
        request.extensions_mut().insert(request_of("tenant1").build());
        request.extensions_mut().insert(Anonymous::new(stub.policy()));
        request
    };
    let layer = || stub.layer().uri_is_whole();
    let answer = send(layer(), &calls, planted(None)).await;
    assert_eq!((answer.status.as_u16(), calls.count()), (401, 0));
    let answer = send(layer().optional(), &calls, planted(None)).await;
    assert_eq!(answer.text, "anonymous");
    for _ in 0..2 {
        let answer = send(layer(), &calls, planted(Some("tenant2"))).await;
        assert_eq!(answer.text, "tenant2");
        stub.remember("tenant2");
    }
}

#[tokio::test]
async fn an_optional_layer_refuses_bad_tokens_all_the_same() {
    let (stub, calls) = (Stub::new(), Calls::default());
    let layer = stub.layer().uri_is_whole().optional();
    for (token, status) in [("forged", 401), ("down", 503), ("tenant2", 403), ("x y", 400)] {
        let answer = send(layer.clone(), &calls, request("/tenant1/x", Some(token))).await;
        assert_eq!(answer.status.as_u16(), status, "{token}");
    }
    assert_eq!(calls.count(), 0);
    let answer = send(layer.clone(), &calls, request("/tenant1/x", None)).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, "anonymous"));
    let answer = send(layer, &calls, request("/tenant1/x", Some("tenant1"))).await;
    assert_eq!(answer.text, "tenant1");
}

/// Neither a body nor cloneable.
struct Opaque(u8);

#[tokio::test]
async fn any_body_goes_through_both_ways() {
    let stub = Stub::new();
    let echo = tower::service_fn(|request: Request<Opaque>| async move {
        assert_eq!(left(&request), "tenant1");
        Ok::<_, Infallible>(Response::new(Opaque(request.into_body().0 + 1)))
    });
    let request = request("/tenant1/x", Some("tenant1")).map(|()| Opaque(41));
    let service = stub.layer().uri_is_whole().layer(echo);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_service_that_stays_on_its_thread_will_do() {
    let stub = Stub::new();
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let local = tower::service_fn(move |_: Request<()>| {
        let counted = Rc::clone(&counted);
        async move {
            counted.set(counted.get() + 1);
            Ok::<_, Infallible>(Response::new(()))
        }
    });
    let service = stub.layer().uri_is_whole().layer(local);
    service.oneshot(request("/tenant1/x", Some("tenant1"))).await.unwrap();
    assert_eq!(calls.get(), 1);
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_handed_on() {
    let stub = Stub::new();
    let broken = tower::service_fn(|_: Request<()>| async { Err::<Response<()>, _>("broken") });
    for _ in 0..2 {
        let service = stub.layer().uri_is_whole().layer(broken);
        let result = service.oneshot(request("/tenant1/x", Some("tenant1"))).await;
        assert_eq!(result.err(), Some("broken"));
        stub.remember("tenant1");
    }
}

#[test]
fn the_future_can_be_sent_where_the_services_can() {
    fn is_send<T: Send>(_: &T) {}
    let stub = Stub::new();
    let service = stub.layer().uri_is_whole().layer(Calls::default().service::<()>());
    is_send(&service);
    is_send(&service.oneshot(request("/tenant1/x", None)));
}

#[tokio::test]
async fn the_proof_is_what_the_handler_finds() {
    let stub = Stub::new();
    let handler = tower::service_fn(|request: Request<()>| async move {
        let proven = request.extensions().get::<TenantAwareRequest>().unwrap();
        assert_eq!(proven.tenant().as_str(), "tenant1");
        assert_eq!(proven.scopes().collect::<Vec<_>>(), ["journal.read"]);
        assert!(request.headers()["authorization"].is_sensitive());
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = stub.layer().uri_is_whole().layer(handler);
    let token = Some("tenant1.journal.read");
    let response = service.oneshot(request("/tenant1/x", token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
