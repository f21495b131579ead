//! A server with tenants and clients, as the program `tenantry` puts it together.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use base64::prelude::{BASE64_STANDARD, Engine};
use tenantry_issuer::{
    AccessToken, Client, ClientAuth, Grants, IssuedToken, IssuerServer, Secret, Settings, Store, Tenant, TenantStatus,
};
use tower::Service;

use crate::Failed;

const TENANTS: usize = 100;

/// Which server there is to be.
pub(crate) struct Site {
    pub(crate) database: &'static str,
    pub(crate) url: String,
    pub(crate) algorithm: &'static str,
}

/// A server that is there, and who asks it.
pub(crate) struct Open {
    pub(crate) server: IssuerServer,
    router: Router,
    plain: Vec<Known>,
    renewable: Vec<Known>,
    /// How many requests were sent, each of which leaves an event.
    sent: usize,
}

/// A client, and what it sends.
struct Known {
    tenant: Tenant,
    client: Client,
    authorization: String,
    body: String,
}

impl Site {
    /// Opens the server over an empty database, and lets it see each client once.
    pub(crate) async fn open(&self) -> Result<Open, Failed> {
        let settings = Settings::builder()
            .issuer("https://auth.erp.example")
            .audience("https://api.erp.example/{tenant}")
            .algorithm(self.algorithm)
            .build()?;
        let store = Store::open(&self.url).await?;
        let (mut plain, mut renewable) = (Vec::new(), Vec::new());
        for at in 0..TENANTS {
            let tenant = tenant(&format!("tenant{at}"))?;
            store.add_tenant(&tenant).await?;
            for (clients, refresh_token) in [(&mut plain, false), (&mut renewable, true)] {
                let known = Known::new(&tenant, refresh_token)?;
                store.add_client(&known.client).await?;
                clients.push(known);
            }
        }
        let server = IssuerServer::builder(store, settings).build().await?;
        let router = server.router();
        let mut open = Open { server, router, plain, renewable, sent: 0 };
        for renewable in [false, true] {
            for _ in 0..TENANTS {
                let request = open.request(renewable);
                open.ask(request).await;
            }
        }
        open.settle().await?;
        Ok(open)
    }
}

impl Open {
    /// The request of the client whose turn it is.
    pub(crate) fn request(&self, renewable: bool) -> Request<Body> {
        let clients = if renewable { &self.renewable } else { &self.plain };
        clients[self.sent % TENANTS].request()
    }

    /// Sends a request, and reads the answer to its end.
    pub(crate) async fn ask(&mut self, request: Request<Body>) {
        self.sent += 1;
        let answer = self.router.call(request).await.expect("infallible");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!to_bytes(answer.into_body(), 1 << 16).await.expect("a body").is_empty());
    }

    /// Issues what a request would get, without the request.
    pub(crate) async fn issue(&self, at: usize) -> IssuedToken {
        let Known { tenant, client, .. } = &self.plain[at % TENANTS];
        let settings = &self.server.settings();
        let audience = &[format!("https://api.erp.example/{}", tenant.id)];
        let scope = &["finance.write", "journal.create"].map(|scope| format!("{}.{scope}", tenant.id));
        let token = AccessToken { settings, tenant, client, audience, scope };
        self.server.keys().issue(&token).await.expect("a token")
    }

    /// Waits until every event is in the table.
    pub(crate) async fn settle(&self) -> Result<(), Failed> {
        let before = u64::try_from(self.sent)? - 1;
        while self.server.store().audit(before, 1).await?.is_empty() {
            assert_eq!(self.server.audit().lost(), 0, "more requests in a turn than the queue holds");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

impl Known {
    fn new(tenant: &Tenant, refresh_token: bool) -> Result<Self, Failed> {
        let secret = Secret::generate()?;
        let id = if refresh_token { "journal-app" } else { "journal-sync" };
        let tenant = tenant.clone();
        let client = Client {
            tenant: tenant.id.clone(),
            id: id.parse()?,
            name: None,
            auth: ClientAuth::Basic(secret.hash()),
            grants: Grants { client_credentials: true, refresh_token },
            scopes: ["finance.write", "journal.create", "journal.read"].map(Into::into).into(),
            audiences: Vec::new(),
            claims: Default::default(),
            enabled: true,
            created_at: Duration::ZERO,
        };
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{}", secret.expose())));
        let of = &tenant.id;
        let body = format!(
            "grant_type=client_credentials&scope={of}.finance.write+{of}.journal.create\
             &audience=https%3A%2F%2Fapi.erp.example%2F{of}"
        );
        Ok(Self { tenant, client, authorization, body })
    }

    fn request(&self) -> Request<Body> {
        Request::post("/oauth/token")
            .header(header::HOST, "auth.erp.example")
            .header(header::USER_AGENT, "journal-sync/1")
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::CONTENT_LENGTH, self.body.len())
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 40_000))))
            .body(Body::from(self.body.clone()))
            .expect("a request")
    }
}

fn tenant(id: &str) -> Result<Tenant, Failed> {
    Ok(Tenant {
        id: id.parse()?,
        name: None,
        status: TenantStatus::Active,
        claims: Default::default(),
        created_at: Duration::ZERO,
    })
}
