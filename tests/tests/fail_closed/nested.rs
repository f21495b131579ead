//! The path that is judged is the whole one, wherever the layer stands.

use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use http::{Request, Uri};
use tenantry::RequestTarget;
use tenantry_tests::{Calls, Refusal, Stack};
use tower::util::MapRequestLayer;

use crate::plant;

/// `/{tenant}` is stripped by the outer router, and what is left looks like a path of ours.
fn nested(calls: &Calls) -> Router {
    Router::new().route("/{below}/entries", calls.route())
}

#[tokio::test]
async fn a_layer_in_a_nest_judges_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new().nest("/{tenant}", nested(calls).layer(server.layer()))
    });
    let path = "/tenant2/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_layer_two_nests_down_judges_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let inner = nested(calls).route_layer(server.layer());
        Router::new().nest("/{tenant}", Router::new().nest("/{between}", inner))
    });
    let path = "/tenant2/tenant1/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_nested_service_is_judged_by_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let inner = nested(calls).layer(server.layer());
        Router::new().nest_service("/{tenant}", inner)
    });
    let path = "/tenant2/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_layer_in_a_nest_without_the_request_target_refuses() {
    let stack = Stack::usual().await;
    for token in [stack.token("tenant1").sign(), stack.token("tenant2").sign()] {
        let stack = stack.behind(|server, calls| {
            Router::new().nest("/{tenant}", nested(calls).layer(server.tower_layer()))
        });
        let answer = stack.get("/tenant2/tenant1/entries", &token).await;
        answer.assert_refused(&Refusal::misconfigured());
    }
    // Where nothing was stripped, too: the layer cannot know.
    let stack = stack.behind(|server, calls| {
        Router::new().route("/{tenant}/entries", calls.route()).layer(server.tower_layer())
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant1/entries", &token).await;
    answer.assert_refused(&Refusal::misconfigured());
}

#[tokio::test]
async fn a_request_target_that_a_caller_planted_is_not_believed() {
    let planted = RequestTarget::from_request_line(Uri::from_static("/tenant1/entries"));
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new()
            .route("/{tenant}/entries", calls.route())
            .layer(server.layer())
            .layer(plant(planted))
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant2/entries", &token).await;
    answer.assert_refused(&Refusal::foreign_path());
}

#[tokio::test]
async fn a_path_that_was_rewritten_on_the_way_is_not_judged() {
    let rewrite = |to: &'static str| {
        MapRequestLayer::new(move |mut request: Request<Body>| {
            *request.uri_mut() = Uri::from_static(to);
            request
        })
    };
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for to in ["/tenant2/entries", "/tenant1/entries/x", "/ntries", "entries", "*"] {
        let Ok(_) = to.parse::<Uri>() else { continue };
        let stack = stack.behind(|server, calls| {
            let inner = Router::new().fallback(calls.handler()).layer(server.layer());
            Router::new()
                .route_service("/{tenant}/entries", tower::Layer::layer(&rewrite(to), inner))
        });
        let answer = stack.get("/tenant1/entries", &token).await;
        let answer = answer.about(to);
        assert_eq!(answer.handler_calls, 0, "{to}");
        answer.assert_refused(&Refusal::misconfigured());
    }
}

#[tokio::test]
async fn an_original_uri_that_was_planted_does_not_open_another_tenant() {
    // Only code of the service can do this; what is routed on has to be part of it all the same.
    let planted = OriginalUri(Uri::from_static("/tenant1/entries"));
    let mut stack = Stack::usual().await.behind(|server, calls| {
        Router::new().route("/{tenant}/entries", calls.route()).layer(server.layer())
    });
    let service = tower::Layer::layer(&plant(planted), stack.app.clone());
    stack.app = Router::new().fallback_service(service);
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant2/entries", &token).await;
    answer.assert_refused(&Refusal::misconfigured());
}
