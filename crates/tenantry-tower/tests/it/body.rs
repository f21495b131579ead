//! The body of an answer: the inner service's as it is, or the text of a refusal.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tenantry_core::{IssuerSettings, Policy, TrustIssuers};
use tenantry_tower::{RefusalBody, RequireScopeLayer, TenantExtractorLayer};
use tower::{Layer, ServiceExt};

use crate::stub::{Calls, Stub, request};

#[tokio::test]
async fn a_refusal_is_one_frame_of_known_length_and_then_the_end() {
    let (stub, calls) = (Stub::new(), Calls::default());
    let service = stub.layer().uri_is_whole().layer(calls.service());
    let response = service.oneshot(request("/tenant1/x", None)).await.unwrap();
    let mut body = response.into_body();
    let length = body.size_hint().exact().unwrap();
    assert!(length > 0 && !body.is_end_stream());

    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap().len() as u64, length);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_refusal_without_explanation_has_no_frame() {
    let policy = Policy::builder()
        .issuer(IssuerSettings::new("https://auth.erp.example"))
        .audience("https://api.erp.example/{tenant}")
        .problem_details(false)
        .build()
        .unwrap();
    let layer = TenantExtractorLayer::new(policy, Stub::new(), std::sync::Arc::new(TrustIssuers));
    let service = layer.uri_is_whole().layer(Calls::default().service());
    let response = service.oneshot(request("/tenant1/x", None)).await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    let mut body = response.into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

/// Data of its own, a length of its own, and trailers.
struct Own(u8);

#[derive(Debug)]
struct OwnData(Bytes);

impl From<Bytes> for OwnData {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Buf for OwnData {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.0.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

impl Body for Own {
    type Data = OwnData;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<OwnData>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            1 => Some(Ok(Frame::data(OwnData(Bytes::from_static(b"own"))))),
            2 => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-own", http::HeaderValue::from_static("1"));
                Some(Ok(Frame::trailers(trailers)))
            }
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0 >= 2
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(3);
        hint.set_upper(7);
        hint
    }
}

async fn own(_: Request<()>) -> Result<Response<Own>, Infallible> {
    Ok(Response::new(Own(0)))
}

#[tokio::test]
async fn the_body_of_the_inner_service_is_handed_on_frame_by_frame() {
    let stub = Stub::new();
    let scoped = RequireScopeLayer::all(["a"]).layer(tower::service_fn(own));
    let service = stub.layer().uri_is_whole().layer(scoped);
    let response = service.oneshot(request("/tenant1/x", Some("tenant1.a"))).await.unwrap();
    let mut body: RefusalBody<RefusalBody<Own>> = response.into_body();
    assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (3, Some(7)));
    assert!(!body.is_end_stream());
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(data.chunk(), b"own");
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["x-own"], "1");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_refusal_comes_in_the_data_of_the_inner_body() {
    let stub = Stub::new();
    let service = stub.layer().uri_is_whole().layer(tower::service_fn(own));
    let response = service.oneshot(request("/tenant1/x", None)).await.unwrap();
    let collected = response.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&collected).unwrap();
    assert_eq!(problem["code"], "credentials_missing");
}
