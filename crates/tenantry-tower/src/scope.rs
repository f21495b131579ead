//! Lets a request through only if its tenant's scopes suffice.
//!
//! Reads the [`TenantAwareRequest`] that [`TenantExtractorLayer`](crate::TenantExtractorLayer) put
//! into the extensions. Never looks at the token.
//!
//! | the request has                         | the client gets                                        |
//! |-----------------------------------------|--------------------------------------------------------|
//! | a proven tenant and every scope         | the inner service's answer                             |
//! | a proven tenant, lacking a scope        | 403, `error="insufficient_scope"` ([RFC 6750 §3.1])    |
//! | no credentials, on an optional extractor | 401, no error code                                    |
//! | neither: layers in the wrong order      | 500 and an `error` event; the inner service never runs |
//!
//! # Example
//!
//! ```
//! # use http::{Request, Response, StatusCode};
//! # use tenantry_tower::RequireScopeLayer;
//! # use tower::{Layer, ServiceExt, service_fn};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let entries = service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(())) });
//! let guarded = RequireScopeLayer::all(["journal.read"]).layer(entries);
//!
//! let mut request = Request::new(());
//! request.extensions_mut().insert(tenantry_testkit::request_of("tenant1").with_scope("profile").build());
//!
//! assert_eq!(guarded.oneshot(request).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```
//!
//! [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1

use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use tenantry_core::{Anonymous, Rejection, ScopeNeed, TenantAwareRequest};

use crate::body::RefusalBody;
use crate::gate::{GateFuture, give_back};

/// Requires scopes of every request that reaches the inner service.
///
/// See the [module documentation](self) for the outcomes and an example.
#[must_use = "a layer does nothing until it is applied to a service"]
#[derive(Clone, Debug)]
pub struct RequireScopeLayer {
    need: ScopeNeed,
}

impl RequireScopeLayer {
    /// Requires what `need` says.
    pub const fn new(need: ScopeNeed) -> Self {
        Self { need }
    }

    /// Requires every one of `scopes`, written without the tenant's prefix.
    ///
    /// # Panics
    ///
    /// If one of them is outside the scope-token grammar of [RFC 6749 §3.3]: they are literals, so
    /// this shows at the first start. An empty list does not compile:
    ///
    /// ```compile_fail
    /// # let _ =
    /// tenantry_tower::RequireScopeLayer::all([]);
    /// ```
    ///
    /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    pub fn all<const N: usize>(scopes: [&'static str; N]) -> Self {
        // INVARIANT (fail closed): a layer that requires nothing would admit everyone.
        const { assert!(N > 0, "require at least one scope") };
        Self::of([scopes.as_slice()])
    }

    /// Requires at least one of `scopes`.
    ///
    /// # Panics
    ///
    /// As [`all`](Self::all).
    pub fn any<const N: usize>(scopes: [&'static str; N]) -> Self {
        const { assert!(N > 0, "require at least one scope") };
        Self::of(scopes.each_ref().map(std::slice::from_ref))
    }

    /// Requires every scope of at least one of `lists`.
    ///
    /// # Panics
    ///
    /// As [`all`](Self::all), also if one of the lists is empty.
    pub fn any_of_all<const N: usize>(lists: [&[&'static str]; N]) -> Self {
        const { assert!(N > 0, "require at least one scope") };
        Self::of(lists)
    }

    /// Returns what is required.
    #[must_use]
    pub const fn need(&self) -> &ScopeNeed {
        &self.need
    }

    #[expect(
        clippy::panic,
        reason = "documented: wrong literals show at the first start, not at a request"
    )]
    fn of<const N: usize>(lists: [&[&'static str]; N]) -> Self {
        match ScopeNeed::from_lists(lists.map(<[_]>::iter)) {
            Ok(need) => Self { need },
            Err(error) => panic!("{error}; and no list of scopes is empty"),
        }
    }
}

impl<S> Layer<S> for RequireScopeLayer {
    type Service = RequireScope<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScope { inner, need: self.need.clone() }
    }
}

/// The service that [`RequireScopeLayer`] makes.
#[derive(Clone, Debug)]
pub struct RequireScope<S> {
    inner: S,
    need: ScopeNeed,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireScope<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<RefusalBody<ResBody>>;
    type Error = S::Error;
    type Future = GateFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match authorize(request.extensions(), &self.need) {
            Ok(()) => GateFuture::admitted(self.inner.call(request)),
            Err(rejection) => {
                give_back(&mut self.inner);
                GateFuture::refused(rejection)
            }
        }
    }
}

/// Checks that the request's tenant has the scopes that are needed.
fn authorize(extensions: &Extensions, need: &ScopeNeed) -> Result<(), Rejection> {
    if let Some(request) = extensions.get::<TenantAwareRequest>() {
        return request.require(need);
    }
    // INVARIANT (fail closed): `Anonymous` says that an extractor looked and found no credentials.
    Err(match extensions.get::<Anonymous>() {
        Some(anonymous) => anonymous.unauthenticated(),
        None => Rejection::misconfigured("`RequireScopeLayer` ran before `TenantExtractorLayer`"),
    })
}
