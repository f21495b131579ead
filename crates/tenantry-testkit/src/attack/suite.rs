//! The suite: what is attacked, by which policy, and in what order.

use std::fmt;
use std::sync::Arc;

use tenantry::{
    ConfigError, IssuerSettings, PolicyFile, ResourceServer, ResourceServerBuilder, Standing,
    StaticDirectory, TenantId,
};

use super::kind::AttackKind;
use super::kinds;
use super::network::Network;
use super::probe::Probe;
use super::record::Record;
use super::report::AttackReport;
use super::router::IntoRouter;
use super::stage::{Roles, Stage, World};
use crate::{TestIssuer, TokenBuilder};

/// Tries to cross tenants in an axum router, and reports what got through.
///
/// It plants a text in the data of two tenants, through the router's own routes, and sends requests
/// that must not get there: wrong credentials, forged tokens, other tenants in path, headers, host,
/// query and body, other methods, tokens that were right a moment ago. A request that has to be
/// refused and is not is a finding; so is an answer with the other tenant's text in it, whatever its
/// status, and one tenant's text in the other's data.
///
/// The router is made afresh for each kind of attack, with a [`ResourceServer`] whose clock and keys
/// the suite holds. Nothing leaves the process.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
///
/// use axum::{Json, Router, extract::State, routing::{get, post}};
/// use serde_json::{Value, json};
/// use tenantry::{RequireScopeLayer, ResourceServer, TenantPrincipal};
/// use tenantry_testkit::{AttackSuite, Probe, TestIssuer};
///
/// type Notes = Arc<Mutex<HashMap<String, Vec<Value>>>>;
///
/// async fn write(notes: State<Notes>, caller: TenantPrincipal, Json(note): Json<Value>) {
///     notes.lock().unwrap().entry(caller.tenant().to_string()).or_default().push(note);
/// }
///
/// async fn read(notes: State<Notes>, caller: TenantPrincipal) -> Json<Vec<Value>> {
///     Json(notes.lock().unwrap().get(caller.tenant().as_str()).cloned().unwrap_or_default())
/// }
///
/// fn router(server: &ResourceServer) -> Router {
///     Router::new()
///         .route("/{tenant}/notes", post(write).layer(RequireScopeLayer::all(["notes.write"])))
///         .route("/{tenant}/notes", get(read).layer(RequireScopeLayer::all(["notes.read"])))
///         .layer(server.layer())
///         .with_state(Notes::default())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() { // in your tests: #[tokio::test]
/// let issuer = TestIssuer::offline("https://auth.erp.example");
/// let report = AttackSuite::new(&issuer, [
///     Probe::post("/{tenant}/notes").scopes(["notes.write"]).json(|canary| json!({ "text": canary })),
///     Probe::get("/{tenant}/notes").scopes(["notes.read"]),
/// ])
/// .policy(|server| {
///     server
///         .audience("https://api.erp.example/{tenant}")
///         .scope("{tenant}.{scope}")
///         .tenant_path("/{tenant}/{*rest}")
/// })
/// .run(|server| router(&server))
/// .await;
///
/// report.assert_clean();
/// # assert!(report.requests() > 300);
/// # }
/// ```
#[must_use = "a suite does nothing until it is run"]
#[derive(Clone)]
pub struct AttackSuite {
    issuer: TestIssuer,
    pub(super) probes: Vec<Probe>,
    policy: Option<Policy>,
    file: Option<String>,
    settings: Arc<dyn Fn(IssuerSettings) -> IssuerSettings>,
    tokens: Arc<dyn Fn(TokenBuilder) -> TokenBuilder>,
    tenants: [TenantId; 2],
}

type Policy = Arc<dyn Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync>;

impl AttackSuite {
    /// Begins a suite with the requests that the service answers. Their order counts: a probe that
    /// needs an id comes after the one that gives it.
    ///
    /// The keys of `issuer` are copied: the suite rotates its own.
    pub fn new(issuer: &TestIssuer, probes: impl IntoIterator<Item = Probe>) -> Self {
        let tenant = |id: &str| id.parse().expect("a constant is a tenant id");
        Self {
            issuer: issuer.clone(),
            probes: probes.into_iter().collect(),
            policy: None,
            file: None,
            settings: Arc::new(|settings| settings),
            tokens: Arc::new(|token| token),
            // One begins with the other: a comparison that stops early takes them for one.
            tenants: [tenant("tenant1"), tenant("tenant10")],
        }
    }

    /// Sets the policy as the service sets it, but for the issuer, its keys, the transport and the
    /// clock: these are the suite's.
    ///
    /// With [`policy_file`](Self::policy_file), it sets what the service sets by
    /// [`PolicyFile::configure`], such as a source of tenants. Without either, the audience is
    /// `https://api.erp.example/{tenant}`, scopes are written `{tenant}.{scope}`, and the path is
    /// judged by `/{tenant}/{*rest}`.
    pub fn policy(
        mut self,
        policy: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Takes the policy from the text of a policy file: `include_str!("../policy.toml")`. The issuer
    /// in it has to be the one that the suite was given, with keys that are fetched.
    pub fn policy_file(mut self, text: impl Into<String>) -> Self {
        self.file = Some(text.into());
        self
    }

    /// Changes the settings of the issuer, where no [`policy_file`](Self::policy_file) has them: other
    /// names of claims, algorithms, a profile.
    pub fn issuer(mut self, settings: impl Fn(IssuerSettings) -> IssuerSettings + 'static) -> Self {
        self.settings = Arc::new(settings);
        self
    }

    /// Changes every token, for a service that asks for more than the policy says.
    pub fn tokens(mut self, change: impl Fn(TokenBuilder) -> TokenBuilder + 'static) -> Self {
        self.tokens = Arc::new(change);
        self
    }

    /// Names the two tenants, which attack each other: `tenant1` and `tenant10` if it is not called.
    /// It is for services that know their tenants by a list.
    ///
    /// # Panics
    ///
    /// If one is no tenant id, or both are the same.
    pub fn tenants(mut self, one: &str, other: &str) -> Self {
        let tenant =
            |id: &str| id.parse().unwrap_or_else(|error| panic!("`{id}` is no tenant id: {error}"));
        assert_ne!(one, other, "an attack needs two tenants");
        self.tenants = [tenant(one), tenant(other)];
        self
    }

    /// Runs every attack. `router` makes the router of the service around a server, at once or as a
    /// future; it is called more than thirty times, and each time its data has to be empty, or at
    /// least not to stand in the way.
    ///
    /// # Panics
    ///
    /// If the policy cannot be used, or there is no Tokio runtime with time.
    pub async fn run<R, Made>(self, mut router: impl FnMut(ResourceServer) -> R) -> AttackReport
    where
        R: IntoRouter<Made>,
    {
        let mut record = Record::new();
        let [one, other] = self.tenants.clone();
        for (attacker, victim) in [(&one, &other), (&other, &one)] {
            for kind in AttackKind::ALL {
                let world = World::new(&self.issuer);
                let server = self.serve(&world, kind).await;
                let policy = server.policy().clone();
                let made = router(server).into_router().await;
                let roles = Roles { attacker: attacker.clone(), victim: victim.clone() };
                let mut stage = Stage::new(&self, &mut record, world, policy, made, roles);
                kinds::run(kind, &mut stage).await;
            }
        }
        record.into_report(self.probes.len())
    }

    pub(super) fn changed(&self, token: TokenBuilder) -> TokenBuilder {
        (self.tokens)(token)
    }

    /// Builds the server: with a second trusted issuer, where the policy has room for one.
    async fn serve(&self, world: &World, kind: AttackKind) -> ResourceServer {
        // A tenant whose id differs from another's in case alone cannot be listed with it.
        if kind != AttackKind::CrossTenant
            && let Ok(server) = self.build(world, true).await
        {
            return server;
        }
        match self.build(world, false).await {
            Ok(server) => server,
            Err(error) => panic!("the policy of the suite cannot be used: {error}"),
        }
    }

    async fn build(&self, world: &World, two: bool) -> Result<ResourceServer, ConfigError> {
        let World { clock, issuer, other, stranger } = world;
        let network = Arc::new(Network::of(&[issuer, other, stranger]));
        let clock = Arc::new(clock.clone());
        let second = two.then(|| world.settings_of_other());
        let around = move |server: ResourceServerBuilder| {
            let server = server.transport(network.clone()).clock(clock.clone());
            match &second {
                Some(issuer) => server.issuer(issuer.clone()),
                None => server,
            }
        };
        if let Some(text) = &self.file {
            let file = PolicyFile::parse(text, "policy")?;
            let file = match self.policy.clone() {
                Some(policy) => file.configure(move |server| policy(server)),
                None => file,
            };
            return file.configure(around).build().await;
        }
        let mut settings = world.settings();
        let mut server = ResourceServer::builder();
        if world.has_issuer_per_tenant() {
            let known = self.tenants.iter().map(|id| (id.clone(), Standing::Active));
            server = server.directory(Arc::new(StaticDirectory::new(known)?));
        } else if two {
            settings = settings.tenants(self.tenants.iter().map(TenantId::as_str));
        }
        let server = match &self.policy {
            Some(policy) => policy(server),
            None => usual(server),
        };
        around(server.issuer((self.settings)(settings))).build().await
    }
}

/// The policy of a service that says nothing about its own.
fn usual(server: ResourceServerBuilder) -> ResourceServerBuilder {
    server
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .tenant_path("/{tenant}/{*rest}")
}

impl fmt::Debug for AttackSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttackSuite").field("probes", &self.probes).finish_non_exhaustive()
    }
}
