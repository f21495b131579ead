//! The demonstration's authorization server: two tenants, their clients, and a token endpoint.
//!
//! | client         | of                | for                                               |
//! |----------------|-------------------|---------------------------------------------------|
//! | `journal-sync` | each tenant       | everything in the journal of its tenant           |
//! | `files-sync`   | each tenant       | the same, at another service                      |
//! | `shared`       | both, one secret  | what credentials should not be: shared by tenants |

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use reqwest::Client;
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use tenantry_issuer::{
    Endpoints, IssuerServer, KeyEncryptionKey, KeyOwner, NewClient, Secret, Settings, Store,
    Tenant, TenantStatus,
};

use crate::demo::{JOURNAL_SYNC, TENANTS, reachable};
use crate::run_error::RunError;

/// How long its tokens are good for.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What the clients may ask for.
const SCOPES: [&str; 3] = ["finance.write", "journal.create", "journal.read"];

/// Who asks for a token.
#[derive(Debug)]
pub struct Credentials {
    /// A tenant that the client is registered for.
    pub tenant: &'static str,
    /// Its id.
    pub id: &'static str,
    /// What proves it.
    pub secret: Secret,
}

/// An [`IssuerServer`] over a database that is gone with it, serving.
#[derive(Debug)]
pub struct AuthorizationServer {
    server: IssuerServer,
    endpoints: Endpoints,
    clients: Vec<Credentials>,
    /// When it is dropped, the server stops.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    _database: TempDir,
}

type AnyError = Box<dyn Error + Send + Sync>;

impl AuthorizationServer {
    /// Registers tenants and clients, and serves on `address`.
    ///
    /// # Errors
    ///
    /// If the port or the database cannot be had, or the address is not loopback: there is no TLS.
    pub async fn start(address: SocketAddr) -> Result<Self, RunError> {
        if !reachable(address).ip().is_loopback() {
            let why =
                format!("{address} is not loopback; choose an address with --issuer-listen ADDR");
            return Err(RunError::Issuer(why.into()));
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| RunError::Listen {
            what: "the demonstration's issuer",
            address,
            remedy: "choose another address with --issuer-listen ADDR",
            source,
        })?;
        Self::on(listener).await.map_err(RunError::Issuer)
    }

    async fn on(listener: TcpListener) -> Result<Self, AnyError> {
        let settings = Settings::builder()
            .issuer(format!("http://{}", reachable(listener.local_addr()?)))
            .audience("https://api.erp.example/{tenant}")
            .audience("https://files.example/{tenant}")
            .scope("{tenant}.{scope}")
            .access_token_lifetime(TOKEN_LIFETIME)
            .key_encryption_key(random_key()?)
            .build()?;
        let database = TempDir::with_prefix("journal-api-issuer-")?;
        let file = database.path().join("issuer.db");
        let store = Store::open(&format!("sqlite://{}", file.display())).await?;
        let clients = register(&store, &settings).await?;
        let endpoints = Endpoints::of(settings.issuer(), None).ok_or("the issuer is for all")?;
        let server = IssuerServer::builder(store, settings).build().await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn({
            let server = server.clone();
            // Nobody sends: the other end is dropped.
            async move {
                server.serve(listener, None, async { stopped.await.unwrap_or_default() }).await;
            }
        });
        Ok(Self { server, endpoints, clients, stop, serving, _database: database })
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        self.endpoints.issuer()
    }

    /// Where its keys are.
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        self.endpoints.jwks()
    }

    /// Where tokens are issued.
    #[must_use]
    pub fn token_url(&self) -> String {
        self.endpoints.token()
    }

    /// Where tokens of `tenant` are issued, for clients that cannot name it in another way.
    #[must_use]
    pub fn token_url_of(&self, tenant: &str) -> String {
        format!("{}/{tenant}{}", self.url(), Endpoints::TOKEN)
    }

    /// Returns the client `id` of `tenant`.
    #[must_use]
    pub fn client(&self, tenant: &str, id: &str) -> Option<&Credentials> {
        self.clients.iter().find(|client| client.tenant == tenant && client.id == id)
    }

    /// Asks the token endpoint over HTTP, as any client does, with HTTP Basic and the client
    /// credentials grant. Returns the status and the body of the answer.
    ///
    /// # Errors
    ///
    /// If there is no answer. One that is not JSON would be a fault of ours: its body is null.
    pub async fn ask(
        &self,
        http: &Client,
        by: &Credentials,
        form: &[(&str, &str)],
    ) -> Result<(u16, Value), reqwest::Error> {
        let form = [&[("grant_type", "client_credentials")], form].concat();
        let request = http.post(self.token_url()).form(&form);
        let answer = request.basic_auth(by.id, Some(by.secret.expose())).send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
    }

    /// Asks for a token for `audience`, with every scope that the client `id` of `tenant` may have.
    ///
    /// # Errors
    ///
    /// If there is no such client, or it gets no token.
    pub async fn token(
        &self,
        http: &Client,
        tenant: &str,
        id: &str,
        audience: &str,
    ) -> Result<String, AnyError> {
        let client = self.client(tenant, id).ok_or_else(|| format!("no client {id}"))?;
        let (_, body) = self.ask(http, client, &[("audience", audience)]).await?;
        let token = body.get("access_token").and_then(Value::as_str);
        Ok(token.ok_or_else(|| format!("no token for {id} of {tenant}"))?.to_owned())
    }

    /// Withdraws the key that signs and the one that is published to follow it, as if both had
    /// leaked. What signs from now on is a key that no service has seen.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn replace_keys(&self) -> Result<(), AnyError> {
        let keys = self.server.keys();
        for key in keys.keys(&KeyOwner::Shared).await?.list(keys.now()) {
            keys.retire(&KeyOwner::Shared, &key.kid).await?;
        }
        Ok(())
    }

    /// Finishes the requests under way and closes the database.
    pub async fn stop(self) {
        drop(self.stop);
        // What failed now has no consequences: the process ends.
        let _ = self.serving.await;
    }
}

async fn register(store: &Store, settings: &Settings) -> Result<Vec<Credentials>, AnyError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut clients = Vec::new();
    for tenant in TENANTS {
        store
            .add_tenant(&Tenant {
                id: tenant.parse()?,
                name: None,
                status: TenantStatus::Active,
                claims: Map::new(),
                created_at: now,
            })
            .await?;
        for (id, service) in [(JOURNAL_SYNC, "api.erp.example"), ("files-sync", "files.example")] {
            let audience = format!("https://{service}/{tenant}");
            let new = SCOPES.into_iter().fold(NewClient::of(tenant.parse()?), NewClient::scope);
            let new = new.id(id.parse()?).audience(audience);
            let (client, secret) = new.check(settings, now)?;
            store.add_client(&client).await?;
            let secret = secret.ok_or("a client with HTTP Basic has a secret")?;
            clients.push(Credentials { tenant, id, secret });
        }
    }
    clients.push(register_shared(store, settings, now).await?);
    Ok(clients)
}

/// The mistake of the story: one id and one secret, in the hands of two tenants.
async fn register_shared(
    store: &Store,
    settings: &Settings,
    now: Duration,
) -> Result<Credentials, AnyError> {
    let [first, second] = TENANTS;
    let new = SCOPES.into_iter().fold(NewClient::of(first.parse()?), NewClient::scope);
    let (mut client, secret) = new.id("shared".parse()?).check(settings, now)?;
    store.add_client(&client).await?;
    client.tenant = second.parse()?;
    store.add_client(&client).await?;
    let secret = secret.ok_or("a client with HTTP Basic has a secret")?;
    Ok(Credentials { tenant: first, id: "shared", secret })
}

/// The database is gone with the process, and so is the key to what is encrypted in it.
fn random_key() -> Result<KeyEncryptionKey, AnyError> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| "the system gave no random numbers")?;
    Ok(KeyEncryptionKey::new(key))
}
