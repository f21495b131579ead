//! An axum router behind the layer, and the way of a request through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, any, get as on_get, post as on_post};
use http::{Extensions, Request};
use tenantry::{
    IssuerSettings, KeyLocation, RequireScopeLayer, ResourceServer, ResourceServerBuilder,
    TenantAwareRequest,
};
use tenantry_testkit::{ManualClock, TestIssuer, TokenBuilder};
use tower::ServiceExt;

use crate::{Answer, Network};

/// How tokens name the service, for a tenant.
pub const AUDIENCE: &str = "https://api.erp.example/{tenant}";

/// 2027-01-15, a good day for tests.
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// A resource server, the router behind it, and all that it depends on.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The router that requests are sent to.
    pub app: Router,
    /// The only clock.
    pub clock: ManualClock,
    /// The issuer of the usual tokens.
    pub issuer: TestIssuer,
    /// The only network.
    pub network: Network,
    /// What is under test.
    pub server: ResourceServer,
    calls: Calls,
}

impl Stack {
    /// The usual policy: one issuer with its keys in the configuration; audience, path and header
    /// name the tenant. Scopes are qualified.
    pub async fn usual() -> Self {
        Self::with(|server| server).await
    }

    /// The usual policy, changed.
    pub async fn with(change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> Self {
        Self::with_issuer(|issuer| issuer, change).await
    }

    /// The usual policy with changes to the settings of the issuer, and others.
    pub async fn with_issuer(
        settings: impl FnOnce(IssuerSettings) -> IssuerSettings,
        change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let clock = Self::clock();
        let issuer = Self::issuer(&clock);
        let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
        let named = settings(IssuerSettings::new(issuer.url()).keys(keys));
        Self::of(issuer, clock, |server| change(server.issuer(named))).await
    }

    /// The usual policy with keys that are fetched from the issuer's `jwks_uri`.
    pub async fn fetching() -> Self {
        let clock = Self::clock();
        let issuer = Self::issuer(&clock);
        let named = IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri());
        Self::of(issuer, clock, |server| server.issuer(named)).await
    }

    /// Whatever policy `change` makes of the usual one without an issuer. The network serves the keys
    /// of `issuer`.
    pub async fn of(
        issuer: TestIssuer,
        clock: ManualClock,
        change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let network = Network::default();
        network.publish(issuer.jwks_uri(), &issuer.jwks());
        let server = change(Self::builder(&clock, &network));
        Self::around(server, issuer, clock, network).await
    }

    /// A policy of the test's own. It has to live by `clock` and `network`.
    pub async fn around(
        server: ResourceServerBuilder,
        issuer: TestIssuer,
        clock: ManualClock,
        network: Network,
    ) -> Self {
        let server = server.build().await.expect("the policy of a test can be used");
        Self::serving(server, issuer, clock, network)
    }

    /// A server that was built already. It has to live by `clock` and `network`.
    #[must_use]
    pub fn serving(
        server: ResourceServer,
        issuer: TestIssuer,
        clock: ManualClock,
        network: Network,
    ) -> Self {
        let calls = Calls::default();
        Self { app: journal(&calls).layer(server.layer()), clock, issuer, network, server, calls }
    }

    /// The usual settings, but no issuer.
    pub fn builder(clock: &ManualClock, network: &Network) -> ResourceServerBuilder {
        ResourceServer::builder()
            .audience(AUDIENCE)
            .scope("{tenant}.{scope}")
            .tenant_path("/{tenant}/{*rest}")
            .tenant_header("x-tenant-id")
            .realm("journal")
            .clock(Arc::new(clock.clone()))
            .transport(Arc::new(network.clone()))
    }

    /// A clock that stands at a good day for tests.
    #[must_use]
    pub fn clock() -> ManualClock {
        ManualClock::new(NOW)
    }

    /// An issuer that lives by `clock`.
    #[must_use]
    pub fn issuer(clock: &ManualClock) -> TestIssuer {
        TestIssuer::builder().clock(Arc::new(clock.clone())).offline()
    }

    /// The same server behind another router.
    #[must_use]
    pub fn behind(&self, router: impl FnOnce(&ResourceServer, &Calls) -> Router) -> Self {
        Self { app: router(&self.server, &self.calls), ..self.clone() }
    }

    /// A token that is as it should be, with every scope that the router asks for.
    pub fn token(&self, tenant: &str) -> TokenBuilder {
        let scopes = ["journal.read", "finance.write", "journal.create"];
        let scope = scopes.map(|scope| format!("{tenant}.{scope}")).join(" ");
        self.issuer.token().tenant(tenant).scope(scope)
    }

    /// `GET path` with `token`.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(bearer(get(path), token)).await
    }

    /// Sends a request through the router.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let what = format!("{} {}", request.method(), request.uri());
        let before = self.calls.count();
        let response = self.app.clone().oneshot(request).await.expect("a router does not fail");
        let (parts, body) = response.into_parts();
        let body =
            axum::body::to_bytes(body, 1 << 20).await.expect("the body of an answer can be read");
        Answer {
            what,
            status: parts.status,
            headers: parts.headers,
            body,
            handler_calls: self.calls.count() - before,
        }
    }

    /// How often a handler ran.
    #[must_use]
    pub fn handler_calls(&self) -> usize {
        self.calls.count()
    }
}

/// Two routes that need scopes, one that needs only a tenant, and one below.
fn journal(calls: &Calls) -> Router {
    let read = RequireScopeLayer::all(["journal.read"]);
    let create = RequireScopeLayer::all(["finance.write", "journal.create"]);
    Router::new()
        .route("/{tenant}/journal-entries", on_get(calls.handler()).layer(read))
        .route("/{tenant}/journal-entries", on_post(calls.handler()).layer(create))
        .route("/{tenant}/whoami", calls.route())
        .route("/{tenant}/deep/{*rest}", calls.route())
}

/// Counts how often handlers run.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// A handler that counts, and answers with the tenant that was proven to it.
    pub fn handler(
        &self,
    ) -> impl Fn(Extensions) -> std::future::Ready<String> + Clone + Send + Sync + 'static {
        let calls = self.clone();
        move |extensions| {
            calls.hit();
            std::future::ready(
                extensions
                    .get::<TenantAwareRequest>()
                    .map_or_else(|| "nobody".into(), |proven| proven.tenant().to_string()),
            )
        }
    }

    /// The handler, for every method.
    pub fn route(&self) -> MethodRouter {
        any(self.handler())
    }

    /// Counts one call of a handler.
    pub fn hit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often handlers ran.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// `GET path`, with nothing else.
///
/// # Panics
///
/// If it is not a path.
#[must_use]
pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("the path of a test is one")
}

/// Adds the token to a request.
#[must_use]
pub fn bearer(mut request: Request<Body>, token: &str) -> Request<Body> {
    let value = format!("Bearer {token}").parse().expect("a token is printable");
    request.headers_mut().insert("authorization", value);
    request
}
