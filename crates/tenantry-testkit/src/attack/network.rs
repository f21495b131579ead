//! The network of a stage: it serves what its issuers publish.

use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;
use tenantry::{BoxFuture, FetchError, FetchRequest, FetchResponse, Transport};

use crate::TestIssuer;
use crate::published::Published;

/// Serves the documents of issuers, wherever a policy looks for them on the issuer's host.
pub(super) struct Network(Vec<Arc<Published>>);

impl Network {
    pub(super) fn of(issuers: &[&TestIssuer]) -> Self {
        Self(issuers.iter().map(|issuer| issuer.documents()).collect())
    }
}

impl Transport for Network {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let url = request.url().to_owned();
        let on_host = |issuer: &&Arc<Published>| {
            [issuer.base(), issuer.url()].iter().any(|own| origin(own) == origin(&url))
        };
        let issuer = self.0.iter().find(on_host).map(Arc::clone);
        Box::pin(async move {
            Ok(match issuer {
                Some(issuer) => answer(&issuer, &url).await,
                None => FetchResponse::new(404, Vec::new()),
            })
        })
    }
}

async fn answer(issuer: &Published, url: &str) -> FetchResponse {
    let below = [issuer.base(), issuer.url()].iter().find_map(|own| url.strip_prefix(own));
    if let Some(path) = below {
        let (parts, body) = issuer.answer(&Method::GET, path).await.into_parts();
        if parts.status.is_success() {
            // A body in memory cannot fail.
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            return FetchResponse::new(200, body.to_vec());
        }
    }
    // Somewhere else, as a policy may say that was written for another server.
    let document = if url.contains("/.well-known/o") {
        json!({ "issuer": issuer.url(), "jwks_uri": issuer.jwks_uri(None) })
    } else {
        issuer.with_ring(None, |ring| ring.jwks()).unwrap_or_default()
    };
    FetchResponse::new(200, document.to_string().into_bytes())
}

/// Scheme and authority of a URL.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(authority..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    url.get(..end).unwrap_or(url)
}
