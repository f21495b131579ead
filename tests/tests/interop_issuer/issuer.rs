//! An authorization server of ours with two tenants, for one test.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tenantry_core::TenantId;
use tenantry_issuer::{
    Endpoints, Grants, IssuerServer, NewClient, Settings, Store, Tenant, TenantStatus,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::program::Outcome;

/// The tenant of the client that asks.
pub(crate) const TENANT: &str = "tenant1";
/// Libraries write some of its characters as `%2D` in HTTP Basic, and some do not.
pub(crate) const CLIENT: &str = "journal-sync_1.0~a";
pub(crate) const AUDIENCE: &str = "https://api.erp.example/tenant1";
pub(crate) const SCOPE: &str = "tenant1.finance.write tenant1.journal.create";
pub(crate) const FOREIGN_AUDIENCE: &str = "https://api.erp.example/tenant2";
pub(crate) const FOREIGN_SCOPE: &str = "tenant2.finance.write";

/// How a client names its tenant, apart from the audience.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Naming {
    /// One issuer for all tenants: by a parameter; the audience is in `audience`.
    Parameter,
    /// An issuer per tenant: by the path that its metadata has; the audience is in `resource`.
    Path,
}

impl Naming {
    pub(crate) const ALL: [Self; 2] = [Self::Parameter, Self::Path];
}

/// How the client authenticates.
pub(crate) enum Auth {
    /// A secret by HTTP Basic.
    Secret,
    /// Assertions that are signed with this JWK (RFC 7523).
    Key(Value),
}

/// The server ends with it.
pub(crate) struct Issuer {
    pub(crate) secret: String,
    pub(crate) endpoints: Endpoints,
    naming: Naming,
    private_key: Option<Value>,
    algorithm: String,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Issuer {
    pub(crate) async fn start(naming: Naming, algorithm: &str, auth: &Auth) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let path = match naming {
            Naming::Parameter => "",
            Naming::Path => "/{tenant}",
        };
        let settings = Settings::builder()
            .issuer(format!("http://{}{path}", listener.local_addr()?))
            .audience("https://api.erp.example/{tenant}")
            .scope("{tenant}.{scope}")
            .algorithm(algorithm)
            .build()?;
        let own: TenantId = TENANT.parse()?;
        let tenant = settings.issuer().has_tenant().then_some(&own);
        let endpoints = Endpoints::of(settings.issuer(), tenant).ok_or("no such issuer")?;

        let folder = tempfile::tempdir()?;
        let file = folder.path().join("tenantry.db");
        let store = Store::open(&format!("sqlite://{}", file.display())).await?;
        let secret = register(&store, &settings, TENANT, auth).await?;
        // The same id: a secret that opens the other tenant would not be noticed otherwise.
        register(&store, &settings, "tenant2", &Auth::Secret).await?;
        let server = IssuerServer::builder(store, settings).build().await?;
        let serving = tokio::spawn(async move {
            server.serve(listener, None, std::future::pending()).await;
        });
        let private_key = match auth {
            Auth::Secret => None,
            Auth::Key(key) => Some(key.clone()),
        };
        let algorithm = algorithm.to_owned();
        Ok(Self { secret, endpoints, naming, private_key, algorithm, serving, _folder: folder })
    }

    /// What a client sends with every request.
    pub(crate) fn parameters(&self) -> &'static [(&'static str, &'static str)] {
        match self.naming {
            Naming::Parameter => &[("tenant_id", TENANT)],
            Naming::Path => &[],
        }
    }

    /// The parameter that says who a token is for.
    pub(crate) fn target(&self) -> &'static str {
        match self.naming {
            Naming::Parameter => "audience",
            Naming::Path => "resource",
        }
    }

    /// What a program is told.
    pub(crate) fn task(&self) -> Value {
        let parameters: Map<_, _> = self
            .parameters()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        json!({
            "issuer": self.endpoints.issuer(),
            "metadata": self.endpoints.metadata(),
            "jwks_uri": self.endpoints.jwks(),
            "algorithm": self.algorithm,
            "client_id": CLIENT,
            "client_secret": self.secret,
            "private_key": self.private_key,
            "parameters": parameters,
            "target": self.target(),
            "audience": AUDIENCE,
            "scope": SCOPE,
            "foreign": { "audience": FOREIGN_AUDIENCE, "scope": FOREIGN_SCOPE },
        })
    }

    /// RFC 9068 section 2.2, and the tenant.
    #[track_caller]
    pub(crate) fn assert_claims(&self, claims: &Value) {
        for (name, value) in [
            ("iss", self.endpoints.issuer()),
            ("aud", AUDIENCE),
            ("sub", CLIENT),
            ("client_id", CLIENT),
            ("tenant_id", TENANT),
            ("scope", SCOPE),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        assert!(claims["jti"].is_string(), "{claims}");
        assert!(claims["exp"].as_u64() > claims["iat"].as_u64(), "{claims}");
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn register(
    store: &Store,
    settings: &Settings,
    tenant: &str,
    auth: &Auth,
) -> Outcome<String> {
    let id: TenantId = tenant.parse()?;
    store
        .add_tenant(&Tenant {
            id: id.clone(),
            name: None,
            status: TenantStatus::Active,
            claims: Map::new(),
            created_at: Duration::ZERO,
        })
        .await?;
    let mut client = NewClient::of(id)
        .id(CLIENT.parse()?)
        .grants(Grants { client_credentials: true, refresh_token: true })
        .scope("finance.write")
        .scope("journal.create")
        .scope("journal.read");
    if let Auth::Key(key) = auth {
        let mut key = key.clone();
        key.as_object_mut().ok_or("no key")?.remove("d");
        client = client.private_key_jwt(json!({ "keys": [key] }).to_string());
    }
    let (client, secret) = client.check(settings, Duration::ZERO)?;
    store.add_client(&client).await?;
    Ok(secret.map(|secret| secret.expose().to_owned()).unwrap_or_default())
}
