//! The OAuth endpoints: token, introspection, revocation.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::Request;

use tenantry_core::Clock;

use crate::cross_origin::{preflight, readable};
use crate::endpoints::Endpoints;
use crate::introspect::introspect;
use crate::keys::KeyRing;
use crate::oauth_error::OAuthError;
use crate::own_tokens::OwnTokens;
use crate::rate_limit::RateLimits;
use crate::reason::Reason;
use crate::records::AuditEvent;
use crate::registrations::Registrations;
use crate::revoke::revoke;
use crate::settings::Settings;
use crate::store::Store;
use crate::token_endpoint::issue;
use crate::trail::Trail;

/// What the OAuth endpoints work with. Clones share it.
///
/// | endpoint                                              | answers                                    |
/// |-------------------------------------------------------|--------------------------------------------|
/// | `POST /oauth/token`, `/{tenant}/oauth/token`          | tokens ([RFC 6749 §3.2])                   |
/// | `POST /oauth/introspect`, `/{tenant}/oauth/introspect` | what a token says ([RFC 7662])             |
/// | `POST /oauth/revoke`, `/{tenant}/oauth/revoke`        | that it says nothing any more ([RFC 7009]) |
///
/// Each wants a client that authenticates and a tenant that is named. Pages of other origins may use the
/// first.
///
/// [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2
/// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
/// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
#[derive(Clone)]
pub struct OAuthEndpoints(Arc<Inner>);

struct Inner {
    settings: ArcSwap<Settings>,
    store: Store,
    keys: KeyRing,
    tokens: OwnTokens,
    clock: Arc<dyn Clock>,
    registrations: Registrations,
    limits: RateLimits,
    audit: Box<dyn Fn(AuditEvent) + Send + Sync>,
}

impl OAuthEndpoints {
    /// Puts the endpoints together.
    ///
    /// `audit` is called once for each request that was judged, with what came of it. It must not
    /// block: requests wait for it.
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
        audit: impl Fn(AuditEvent) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            settings: ArcSwap::from_pointee(settings),
            registrations: Registrations::new(store.clone(), Arc::clone(&clock)),
            limits: RateLimits::new(Arc::clone(&clock)),
            tokens: OwnTokens::new(keys.clone()),
            store,
            keys,
            clock,
            audit: Box::new(audit),
        }))
    }

    /// Puts other settings into force, for requests that begin from now on.
    pub fn replace_settings(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// Returns the endpoints, to be merged into a router, or nested where
    /// [`IssuerName::base_path`](crate::IssuerName::base_path) says.
    ///
    /// The address of the sender, by which failures are counted, is that of axum's `ConnectInfo`:
    /// serve it with `into_make_service_with_connect_info`.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for (path, endpoint) in [
            (
                Endpoints::TOKEN,
                post(token).options(allow).fallback(|| async { readable(refuse_method()) }),
            ),
            (Endpoints::INTROSPECTION, post(introspection).fallback(|| async { refuse_method() })),
            (Endpoints::REVOCATION, post(revocation).fallback(|| async { refuse_method() })),
        ] {
            router =
                router.route(path, endpoint.clone()).route(&format!("/{{tenant}}{path}"), endpoint);
        }
        router.with_state(self.clone())
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    pub(crate) fn tokens(&self) -> &OwnTokens {
        &self.0.tokens
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn registrations(&self) -> &Registrations {
        &self.0.registrations
    }

    pub(crate) fn limits(&self) -> &RateLimits {
        &self.0.limits
    }

    fn account_for(&self, trail: &mut Trail, refusal: Option<&OAuthError>) {
        (self.0.audit)(trail.event(self.clock().unix(), refusal));
    }
}

/// A request that is accounted for once, also if its sender hangs up, or it takes too long: what it asked
/// for may have been done.
struct Account<'a> {
    endpoints: &'a OAuthEndpoints,
    trail: Trail,
    ended: bool,
}

impl<'a> Account<'a> {
    fn of(endpoints: &'a OAuthEndpoints, action: &'static str) -> Self {
        Self { endpoints, trail: Trail::new(action), ended: false }
    }

    fn answer(mut self, result: Result<Response, OAuthError>) -> Response {
        self.ended = true;
        self.endpoints.account_for(&mut self.trail, result.as_ref().err());
        result.unwrap_or_else(IntoResponse::into_response)
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let abandoned = OAuthError::unavailable(Reason::Abandoned);
            self.endpoints.account_for(&mut self.trail, Some(&abandoned));
        }
    }
}

impl fmt::Debug for OAuthEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthEndpoints").finish_non_exhaustive()
    }
}

fn refuse_method() -> Response {
    OAuthError::method_not_allowed().into_response()
}

async fn token(State(endpoints): State<OAuthEndpoints>, request: Request<Body>) -> Response {
    let mut account = Account::of(&endpoints, "token.issue");
    let result = issue(&endpoints, request, &mut account.trail).await;
    readable(account.answer(result))
}

/// A browser asks, for a page of another origin. Nobody is judged yet, so nothing is accounted for.
async fn allow(State(endpoints): State<OAuthEndpoints>) -> Response {
    readable(preflight(endpoints.settings().tenant_header()))
}

async fn introspection(
    State(endpoints): State<OAuthEndpoints>,
    request: Request<Body>,
) -> Response {
    let mut account = Account::of(&endpoints, "token.introspect");
    let result = introspect(&endpoints, request, &mut account.trail).await;
    account.answer(result)
}

async fn revocation(State(endpoints): State<OAuthEndpoints>, request: Request<Body>) -> Response {
    let mut account = Account::of(&endpoints, "token.revoke");
    let result = revoke(&endpoints, request, &mut account.trail).await;
    account.answer(result)
}
