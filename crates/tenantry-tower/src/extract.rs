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

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use tenantry_core::{
    AccessToken, Agreed, Anonymous, BoxFuture, ClientId, Directory, Policy, Rejection,
    RequestFacts, TenantAwareRequest, Unobserved, Verifier, agree,
};

use crate::body::RefusalBody;
use crate::credentials::bearer;
use crate::gate::{refuse, take_ready};
use crate::target::whole;

/// Puts a [`TenantAwareRequest`] into the extensions of every request that it lets through.
///
/// See the [module documentation](self) for the outcomes. Most services use the layer of
/// `tenantry::ResourceServer` instead, which sets this one up and fills in the request target.
#[must_use = "a layer does nothing until it is applied to a service"]
#[derive(Clone, Debug)]
pub struct TenantExtractorLayer {
    extractor: Arc<Extractor>,
}

#[derive(Clone, Debug)]
struct Extractor {
    policy: Policy,
    verifier: Arc<dyn Verifier>,
    directory: Arc<dyn Directory>,
    optional: bool,
    uri_is_whole: bool,
}

impl TenantExtractorLayer {
    /// Judges requests under `policy`. `verifier` verifies tokens under the same policy.
    pub fn new(policy: Policy, verifier: Arc<dyn Verifier>, directory: Arc<dyn Directory>) -> Self {
        Self {
            extractor: Arc::new(Extractor {
                policy,
                verifier,
                directory,
                optional: false,
                uri_is_whole: false,
            }),
        }
    }

    /// Lets requests without credentials through, as [`Anonymous`].
    ///
    /// A bad token is refused all the same. [`RequireScopeLayer`](crate::RequireScopeLayer) still
    /// refuses anonymous requests.
    pub fn optional(mut self) -> Self {
        Arc::make_mut(&mut self.extractor).optional = true;
        self
    }

    /// Says that this layer sees the request URI as the server got it: no router has shortened it.
    ///
    /// # Security
    ///
    /// Inside a router that nests, this lets the caller choose which part of the path is judged.
    pub fn uri_is_whole(mut self) -> Self {
        Arc::make_mut(&mut self.extractor).uri_is_whole = true;
        self
    }
}

impl<S> Layer<S> for TenantExtractorLayer {
    type Service = TenantExtractor<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TenantExtractor {
            inner,
            extractor: Arc::clone(&self.extractor),
        }
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
        let state = match self.extractor.judge(&request) {
            Verdict::Admitted(context) => {
                State::admitted(context, request, take_ready(&mut self.inner))
            }
            Verdict::Anonymous(anonymous) => {
                State::anonymous(anonymous, request, take_ready(&mut self.inner))
            }
            Verdict::Refused(rejection) => State::Refused {
                rejection: Some(rejection),
            },
            Verdict::Waiting(verdict) => State::Waiting {
                verdict,
                pending: Some((request, take_ready(&mut self.inner))),
            },
        };
        ExtractFuture { state }
    }
}

/// What is known about a request without waiting.
enum Verdict {
    Admitted(TenantAwareRequest),
    Anonymous(Anonymous),
    Refused(Rejection),
    /// A token to verify, or a directory to ask.
    Waiting(BoxFuture<Result<TenantAwareRequest, Rejection>>),
}

impl Extractor {
    /// Goes as far as memory reaches.
    fn judge<B>(self: &Arc<Self>, request: &Request<B>) -> Verdict {
        let (token, facts) = match self.read(request) {
            Ok((Some(token), facts)) => (token, facts),
            Ok((None, _)) if self.optional => {
                return Verdict::Anonymous(Anonymous::new(&self.policy));
            }
            Ok((None, _)) => {
                return Verdict::Refused(Anonymous::new(&self.policy).unauthenticated());
            }
            Err(rejection) => return Verdict::Refused(rejection),
        };
        let Some(verified) = self.verifier.cached(token) else {
            let (token, facts) = (AccessToken::new(token), facts.into_owned());
            return Verdict::Waiting(Box::pin(Arc::clone(self).verify(token, facts)));
        };
        let agreed = match agree(&self.policy, &facts, verified, &mut Unobserved) {
            Ok(agreed) => agreed,
            Err(rejection) => return Verdict::Refused(rejection),
        };
        match self.directory.cached(agreed.tenant()) {
            Some(standing) => match agreed.admit(standing, &mut Unobserved) {
                Ok(context) => Verdict::Admitted(context),
                Err(rejection) => Verdict::Refused(rejection),
            },
            None => Verdict::Waiting(Box::pin(Arc::clone(self).ask(agreed))),
        }
    }

    /// Reads token and facts, and refuses what can be read in two ways before anything is verified.
    fn read<'a, B>(
        &self,
        request: &'a Request<B>,
    ) -> Result<(Option<&'a str>, RequestFacts<'a>), Rejection> {
        let target = whole(request.extensions(), request.uri(), self.uri_is_whole)
            .map_err(|problem| Rejection::misconfigured(problem).under(&self.policy))?;
        let token = bearer(target, request.headers())
            .map_err(|reason| Rejection::new(reason).under(&self.policy))?;
        Ok((
            token,
            RequestFacts::read(&self.policy, target, request.headers())?,
        ))
    }

    async fn verify(
        self: Arc<Self>,
        token: AccessToken,
        facts: RequestFacts<'static>,
    ) -> Result<TenantAwareRequest, Rejection> {
        let verified = Arc::clone(&self.verifier)
            .fresh(token)
            .await
            .map_err(|rejection| rejection.under(&self.policy))?;
        let agreed = agree(&self.policy, &facts, verified, &mut Unobserved)?;
        match self.directory.cached(agreed.tenant()) {
            Some(standing) => agreed.admit(standing, &mut Unobserved),
            None => self.ask(agreed).await,
        }
    }

    async fn ask(self: Arc<Self>, agreed: Agreed) -> Result<TenantAwareRequest, Rejection> {
        match Arc::clone(&self.directory)
            .fresh(agreed.tenant().clone())
            .await
        {
            Ok(standing) => agreed.admit(standing, &mut Unobserved),
            Err(rejection) => Err(agreed.refuse(rejection)),
        }
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
        Refused { rejection: Option<Rejection> },
        Calling { #[pin] future: F, span: Span },
    }
}

impl<S, B> State<S, B, S::Future>
where
    S: Service<Request<B>>,
{
    fn admitted(context: TenantAwareRequest, mut request: Request<B>, mut inner: S) -> Self {
        let span = tracing::info_span!(
            "tenant_request",
            tenant = context.tenant().as_str(),
            client_id = context.client_id().map(ClientId::as_str),
        );
        request.extensions_mut().insert(context);
        let future = span.in_scope(|| inner.call(request));
        Self::Calling { future, span }
    }

    fn anonymous(anonymous: Anonymous, mut request: Request<B>, mut inner: S) -> Self {
        request.extensions_mut().insert(anonymous);
        Self::Calling {
            future: inner.call(request),
            span: Span::none(),
        }
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
                StateProj::Calling { future, span } => {
                    let _entered = span.enter();
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(RefusalBody::inner)));
                }
                StateProj::Refused { rejection } => match rejection.take() {
                    Some(rejection) => return Poll::Ready(Ok(refuse(&rejection))),
                    // Polled after it was done: there is nothing left to say.
                    None => return Poll::Pending,
                },
                StateProj::Waiting { verdict, pending } => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    match (verdict, pending.take()) {
                        (Ok(context), Some((request, inner))) => {
                            State::admitted(context, request, inner)
                        }
                        (Err(rejection), _) => State::Refused {
                            rejection: Some(rejection),
                        },
                        (Ok(_), None) => return Poll::Pending,
                    }
                }
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
