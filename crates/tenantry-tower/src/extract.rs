//! Turns the credentials of a request into a proven tenant, or refuses it.
//!
//! Removes whatever tenant context it finds in the extensions, then writes [`TenantAwareRequest`], or,
//! if it is [optional](TenantExtractorLayer::optional) and there are no credentials, [`Anonymous`].
//! Reads [`RequestTarget`](crate::RequestTarget).
//!
//! | the request                                        | the client gets                               |
//! |----------------------------------------------------|-----------------------------------------------|
//! | one token, and all that names a tenant agrees       | the inner service's answer                    |
//! | no credentials                                     | 401, no error code (optional: the inner answer) |
//! | is malformed or can be read in two ways            | 400, `error="invalid_request"`                |
//! | a token that does not hold                         | 401, `error="invalid_token"`                  |
//! | another tenant in path, header or host             | 403, `error="insufficient_scope"`             |
//! | keys or directory cannot be had                    | 503 with `Retry-After`                        |
//! | no request target                                  | 500 and an `error` event                      |

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::AUTHORIZATION;
use http::{Extensions, Request, Response, Uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use tenantry_core::{
    Anonymous, BoxFuture, ClientId, Directory, Policy, Rejection, TenantAwareRequest, Verifier,
};

use crate::body::RefusalBody;
use crate::extractor::{Extractor, Verdict};
use crate::gate::{give_back, refuse};
use crate::target::Target;
use crate::tenant_labels::TenantLabels;

/// Puts a [`TenantAwareRequest`] into the extensions of every request that it lets through.
///
/// See the [module documentation](self) for the outcomes. Most services use the layer of
/// `tenantry::ResourceServer` instead, which sets this one up and fills in the request target.
#[must_use = "a layer does nothing until it is applied to a service"]
#[derive(Clone, Debug)]
pub struct TenantExtractorLayer {
    extractor: Arc<Extractor>,
}

impl TenantExtractorLayer {
    /// Judges requests under `policy`. `verifier` verifies tokens under the same policy.
    pub fn new(policy: Policy, verifier: Arc<dyn Verifier>, directory: Arc<dyn Directory>) -> Self {
        Self { extractor: Arc::new(Extractor::new(policy, verifier, directory)) }
    }

    /// Lets requests without credentials through, as [`Anonymous`].
    ///
    /// A bad token is refused all the same. [`RequireScopeLayer`](crate::RequireScopeLayer) still
    /// refuses anonymous requests.
    pub fn optional(mut self) -> Self {
        Arc::make_mut(&mut self.extractor).optional = true;
        self
    }

    /// Gives tenants a label of their own in `tenantry_requests_total`. Default: no such label.
    pub fn tenant_labels(mut self, labels: TenantLabels) -> Self {
        Arc::make_mut(&mut self.extractor).label_tenants(labels);
        self
    }

    /// Says that this layer sees the request URI as the server got it: no router has shortened it.
    ///
    /// # Security
    ///
    /// Inside a router that nests, this lets the caller choose which part of the path is judged.
    pub fn uri_is_whole(mut self) -> Self {
        Arc::make_mut(&mut self.extractor).target = Target::Seen;
        self
    }

    /// Says where a router keeps the request target, if not in [`RequestTarget`](crate::RequestTarget).
    ///
    /// # Security
    ///
    /// It must be the target as the server got it, and nobody else may write it.
    pub fn request_target(mut self, find: fn(&Extensions) -> Option<&Uri>) -> Self {
        Arc::make_mut(&mut self.extractor).target = Target::Extension(find);
        self
    }
}

impl<S> Layer<S> for TenantExtractorLayer {
    type Service = TenantExtractor<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TenantExtractor { inner, extractor: Arc::clone(&self.extractor) }
    }
}

/// The service that [`TenantExtractorLayer`] makes.
#[derive(Clone, Debug)]
pub struct TenantExtractor<S> {
    inner: S,
    extractor: Arc<Extractor>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for TenantExtractor<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<RefusalBody<ResBody>>;
    type Error = S::Error;
    type Future = ExtractFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // INVARIANT (fail closed): a context that an outer layer or a caller left proves nothing here.
        request.extensions_mut().remove::<TenantAwareRequest>();
        request.extensions_mut().remove::<Anonymous>();
        // INVARIANT (secrets stay in): whoever prints the headers prints no token.
        if let Some(credentials) = request.headers_mut().get_mut(AUTHORIZATION) {
            credentials.set_sensitive(true);
        }
        let state = match self.extractor.judge(&request) {
            // The usual way: `poll_ready` made this very service ready.
            Verdict::Admitted(context) => State::call(Some(context), request, &mut self.inner),
            Verdict::Anonymous(anonymous) => {
                request.extensions_mut().insert(anonymous);
                State::call(None, request, &mut self.inner)
            }
            Verdict::Refused(rejection) => {
                give_back(&mut self.inner);
                State::Refused { rejection: Some(rejection) }
            }
            Verdict::Waiting(verdict) => {
                give_back(&mut self.inner);
                State::Waiting { verdict, pending: Some((request, self.inner.clone())) }
            }
        };
        ExtractFuture { state }
    }
}

pin_project! {
    /// Judges a request, then answers for the inner service or refuses.
    pub struct ExtractFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        Waiting {
            verdict: BoxFuture<Result<TenantAwareRequest, Rejection>>,
            pending: Option<(Request<B>, S)>,
        },
        Readying { context: Option<TenantAwareRequest>, pending: Option<(Request<B>, S)> },
        Calling { #[pin] future: F, span: Span },
        Refused { rejection: Option<Rejection> },
    }
}

impl<S, B> State<S, B, S::Future>
where
    S: Service<Request<B>>,
{
    /// Calls the service, which is ready, for a proven tenant or for nobody.
    fn call(context: Option<TenantAwareRequest>, mut request: Request<B>, ready: &mut S) -> Self {
        let span = context.as_ref().map_or_else(Span::none, |context| {
            tracing::info_span!(
                "tenant_request",
                tenant = context.tenant().as_str(),
                client_id = context.client_id().map(ClientId::as_str),
            )
        });
        if let Some(context) = context {
            request.extensions_mut().insert(context);
        }
        let future = span.in_scope(|| ready.call(request));
        Self::Calling { future, span }
    }
}

impl<S, B, R> Future for ExtractFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<RefusalBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Waiting { verdict, pending } => {
                    match ready!(verdict.as_mut().poll(cx)) {
                        Ok(context) => {
                            State::Readying { context: Some(context), pending: pending.take() }
                        }
                        Err(rejection) => State::Refused { rejection: Some(rejection) },
                    }
                }
                StateProj::Readying { context, pending } => {
                    if let Some((_, service)) = pending {
                        ready!(service.poll_ready(cx))?;
                    }
                    match (context.take(), pending.take()) {
                        (Some(context), Some((request, mut ready))) => {
                            State::call(Some(context), request, &mut ready)
                        }
                        // Polled after it was done: there is nothing left to say.
                        _ => return Poll::Pending,
                    }
                }
                StateProj::Calling { future, span } => {
                    let _entered = span.enter();
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(RefusalBody::inner)));
                }
                StateProj::Refused { rejection } => match rejection.take() {
                    Some(rejection) => return Poll::Ready(Ok(refuse(&rejection))),
                    None => return Poll::Pending,
                },
            };
            state.set(next);
        }
    }
}

impl<S, B> std::fmt::Debug for ExtractFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtractFuture").finish_non_exhaustive()
    }
}
