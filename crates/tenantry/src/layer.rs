//! The extractor inside an axum router.

use std::task::{Context, Poll};

use axum::extract::OriginalUri;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use tenantry_tower::{RequestTarget, TenantExtractor, TenantExtractorLayer};

use crate::server::ResourceServer;

impl ResourceServer {
    /// The layer for an axum [`Router`](axum::Router): `.layer(erp.layer())` or `.route_layer(…)`.
    ///
    /// It judges the path that the outermost router got, also where it is applied inside a `nest`.
    /// Around a whole router, as a service, there is no such router: use
    /// [`tower_layer`](Self::tower_layer) with `uri_is_whole()` there.
    pub fn layer(&self) -> ResourceServerLayer {
        ResourceServerLayer {
            extractor: self.tower_layer(),
        }
    }
}

/// Puts a proven tenant into the extensions of every request that it lets through.
///
/// See [`tenantry_tower::extract`] for the outcomes.
#[must_use = "a layer does nothing until it is applied to a service"]
#[derive(Clone, Debug)]
pub struct ResourceServerLayer {
    extractor: TenantExtractorLayer,
}

impl ResourceServerLayer {
    /// Lets requests without credentials through: handlers then see `Option<TenantPrincipal>` as `None`.
    ///
    /// A bad token is refused all the same.
    pub fn optional(self) -> Self {
        Self {
            extractor: self.extractor.optional(),
        }
    }
}

impl<S> Layer<S> for ResourceServerLayer {
    type Service = WithRequestTarget<TenantExtractor<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        WithRequestTarget {
            inner: self.extractor.layer(inner),
        }
    }
}

/// Tells the extractor which target the outermost axum router got.
#[derive(Clone, Debug)]
pub struct WithRequestTarget<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for WithRequestTarget<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // INVARIANT (agreement): whatever was there is overwritten, or removed.
        match request.extensions().get::<OriginalUri>() {
            Some(OriginalUri(uri)) => {
                let target = RequestTarget(uri.clone());
                request.extensions_mut().insert(target);
            }
            None => {
                request.extensions_mut().remove::<RequestTarget>();
            }
        }
        self.inner.call(request)
    }
}
