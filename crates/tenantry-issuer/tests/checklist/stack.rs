//! The endpoints over a database, a clock that tests set, and two tenants with like-named clients.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, PRAGMA, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use tenantry_core::{Algorithm, Clock};
use tenantry_issuer::{
    AuditEvent, AuditOutcome, Client, ClientAuth, Grants, KeyRing, OAuthEndpoints, Secret,
    Settings, Store, Tenant, TenantStatus,
};
use tenantry_testkit::{ManualClock, SigningKey};

pub(crate) const ISSUER: &str = "https://auth.erp.example";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECT: &str = "/oauth/introspect";
pub(crate) const REVOKE: &str = "/oauth/revoke";
pub(crate) const NOW: Duration = Duration::from_secs(1_800_000_000);

/// What a refused client is told, whatever the cause.
pub(crate) const INVALID_CLIENT: &str = "client authentication failed: check the tenant, the client \
     id, its credentials and how the client is registered to send them";

/// What is told of a refresh token that does not count, whatever the cause.
pub(crate) const INVALID_GRANT: &str = "the refresh token is not one of this client, or was used, \
     revoked or has expired: start again with the client's credentials";

/// The clients of each tenant.
///
/// | id         | authenticates by      | may use                                    |
/// |------------|-----------------------|--------------------------------------------|
/// | `erp-sync` | `client_secret_basic` | `client_credentials`                       |
/// | `renewing` | `client_secret_basic` | `client_credentials` and `refresh_token`   |
/// | `other`    | `client_secret_basic` | the same                                   |
/// | `posting`  | `client_secret_post`  | `client_credentials`                       |
/// | `signing`  | `private_key_jwt`     | `client_credentials`                       |
/// | `useless`  | `client_secret_basic` | nothing                                    |
pub(crate) struct Stack {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) keys: [SigningKey; 2],
    pub(crate) endpoints: OAuthEndpoints,
    router: Router,
    secrets: [Arc<Secret>; 2],
    events: Arc<Mutex<Vec<AuditEvent>>>,
}

pub(crate) const SCOPES: [&str; 3] = ["finance.write", "journal.create", "journal.read"];

impl Stack {
    pub(crate) async fn new() -> Self {
        Self::over("sqlite::memory:").await
    }

    pub(crate) async fn over(database: &str) -> Self {
        Self::with(settings(), database).await
    }

    pub(crate) async fn with(settings: Settings, database: &str) -> Self {
        let store = Store::open(database).await.unwrap();
        let clock = ManualClock::new(NOW);
        let keys = ["tenant1", "tenant2"].map(|kid| SigningKey::generate(Algorithm::Es256, kid));
        let secrets = [(); 2].map(|()| Arc::new(Secret::generate().unwrap()));
        for (tenant, secret, key) in
            [("tenant1", &secrets[0], &keys[0]), ("tenant2", &secrets[1], &keys[1])]
        {
            register(&store, tenant, secret, key).await;
        }
        Self::assemble(settings, store, clock, keys, secrets).await
    }

    async fn assemble(
        settings: Settings,
        store: Store,
        clock: ManualClock,
        keys: [SigningKey; 2],
        secrets: [Arc<Secret>; 2],
    ) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&events);
        let ring = KeyRing::open(store.clone(), &settings, Arc::new(clock.clone())).await.unwrap();
        let endpoints = OAuthEndpoints::new(
            settings,
            store.clone(),
            ring,
            Arc::new(clock.clone()),
            move |event| written.lock().unwrap().push(event),
        );
        let router = endpoints.router();
        Self { store, clock, keys, endpoints, router, secrets, events }
    }

    /// Another process over the same database.
    pub(crate) async fn replica(&self, database: &str) -> Self {
        let store = Store::open(database).await.unwrap();
        let settings = settings();
        Self::assemble(settings, store, self.clock.clone(), self.keys.clone(), self.secrets.clone())
            .await
    }

    /// A request to `path` by nobody.
    pub(crate) fn post(&self, path: &str) -> Sent<'_> {
        Sent {
            stack: self,
            method: Method::POST,
            path: path.into(),
            headers: HeaderMap::new(),
            form: Vec::new(),
            raw: None,
            address: None,
        }
    }

    /// A request by a client of `tenant`, which it does not name.
    pub(crate) fn post_by(&self, path: &str, tenant: &str, client: &str) -> Sent<'_> {
        self.post(path).basic(client, self.secret(tenant))
    }

    /// The story's own request, by a client of `tenant1`.
    pub(crate) fn token_for(&self, client: &str) -> Sent<'_> {
        self.post_by(TOKEN, "tenant1", client)
            .with("grant_type", "client_credentials")
            .with("audience", "https://api.erp.example/tenant1")
    }

    pub(crate) fn secret(&self, tenant: &str) -> &str {
        self.secrets[usize::from(tenant == "tenant2")].expose()
    }

    pub(crate) fn last_event(&self) -> AuditEvent {
        self.events.lock().unwrap().last().cloned().expect("an event")
    }

    /// Registers a client that may use both grants, now.
    pub(crate) async fn register(
        &self,
        tenant: &str,
        id: &str,
        auth: ClientAuth,
        claims: Map<String, Value>,
    ) {
        let client = Client {
            tenant: tenant.parse().unwrap(),
            id: id.parse().unwrap(),
            name: None,
            auth,
            grants: Grants { client_credentials: true, refresh_token: true },
            scopes: SCOPES.map(String::from).into(),
            audiences: Vec::new(),
            claims,
            enabled: true,
            created_at: self.clock.unix(),
        };
        self.store.add_client(&client).await.unwrap();
    }

    /// An assertion by the client `signing` of tenant1, with members of its own.
    pub(crate) fn assertion(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "signing", "sub": "signing", "aud": ISSUER,
            "exp": NOW.as_secs() + 60, "jti": "1",
        });
        change(&mut claims);
        signed(&self.keys[0], &json!({ "alg": "ES256", "kid": "tenant1" }), &claims)
    }
}

pub(crate) fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes())))
}

async fn register(store: &Store, tenant: &str, secret: &Secret, key: &SigningKey) {
    let id = tenant.parse::<tenantry_core::TenantId>().unwrap();
    let claims = |of: &str| Map::from_iter([("of".into(), Value::from(of))]);
    store
        .add_tenant(&Tenant {
            id: id.clone(),
            name: None,
            status: TenantStatus::Active,
            claims: claims(tenant),
            created_at: NOW,
        })
        .await
        .unwrap();
    let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
    for (client, auth, client_credentials, refresh_token) in [
        ("erp-sync", ClientAuth::Basic(secret.hash()), true, false),
        ("renewing", ClientAuth::Basic(secret.hash()), true, true),
        ("other", ClientAuth::Basic(secret.hash()), true, true),
        ("posting", ClientAuth::Post(secret.hash()), true, false),
        ("signing", ClientAuth::PrivateKeyJwt { jwks }, true, false),
        ("useless", ClientAuth::Basic(secret.hash()), false, false),
    ] {
        let client = Client {
            tenant: id.clone(),
            id: client.parse().unwrap(),
            name: None,
            auth,
            grants: Grants { client_credentials, refresh_token },
            scopes: SCOPES.map(String::from).into(),
            audiences: Vec::new(),
            claims: Map::new(),
            enabled: true,
            created_at: NOW,
        };
        store.add_client(&client).await.unwrap();
    }
}

fn settings() -> Settings {
    let settings = Settings::builder().issuer(ISSUER);
    settings.audience("https://api.erp.example/{tenant}").build().unwrap()
}

/// A request that is being put together.
#[derive(Clone)]
pub(crate) struct Sent<'s> {
    stack: &'s Stack,
    method: Method,
    path: String,
    headers: HeaderMap,
    form: Vec<(String, String)>,
    raw: Option<(String, Vec<u8>)>,
    address: Option<SocketAddr>,
}

impl Sent<'_> {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.form.push((name.into(), value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    pub(crate) fn basic(self, client: &str, secret: &str) -> Self {
        let encoded = BASE64_STANDARD.encode(format!("{client}:{secret}"));
        self.header(AUTHORIZATION.as_str(), &format!("Basic {encoded}"))
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sends these bytes, whatever is in the form.
    pub(crate) fn raw(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.raw = Some((kind.into(), body.into()));
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = Some(SocketAddr::new(address.parse().unwrap(), 40_000));
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.form).finish();
        let usual = ("application/x-www-form-urlencoded".to_owned(), form.into_bytes());
        let (kind, body) = self.raw.unwrap_or(usual);
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        if !kind.is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let response = self.stack.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let event = self.stack.events.lock().unwrap().last().cloned();
        Answer { status: parts.status, headers: parts.headers, body: body.to_vec(), event }
    }

    /// Sends it, and returns the tokens that have to come back.
    pub(crate) async fn tokens(self) -> Value {
        let answer = self.send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    event: Option<AuditEvent>,
}

impl Answer {
    pub(crate) fn all(&self, name: HeaderName) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body, which no cache keeps.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.all(CONTENT_TYPE), ["application/json"]);
        assert_eq!(self.all(CACHE_CONTROL), ["no-store"]);
        assert_eq!(self.all(PRAGMA), ["no-cache"]);
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that this is the whole of a refusal: status, body, challenge, and what the log says.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, error: &str, reason: &str) {
        let body = self.json();
        assert_eq!(self.status.as_u16(), status, "{body}");
        assert_eq!(body["error"], error, "{body}");
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
            "{description}"
        );
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let challenge: &[&str] =
            if status == 401 { &[r#"Basic realm="oauth", charset="UTF-8""#] } else { &[] };
        assert_eq!(self.all(WWW_AUTHENTICATE), challenge);
        assert_eq!(self.headers.contains_key(RETRY_AFTER), matches!(status, 429 | 503));
        assert_eq!(self.headers.contains_key(ALLOW), status == 405);
        if status == 405 {
            return;
        }
        let event = self.event.as_ref().expect("a refusal is accounted for");
        assert_eq!(event.reason.as_deref(), Some(reason), "{body}");
        let outcome = if status == 503 { AuditOutcome::Failed } else { AuditOutcome::Refused };
        assert_eq!(event.outcome, outcome);
    }

    /// The same, with the exact text.
    #[track_caller]
    pub(crate) fn assert_refused_with(&self, status: u16, error: &str, reason: &str, text: &str) {
        self.assert_refused(status, error, reason);
        assert_eq!(self.json()["error_description"], text);
    }

    #[track_caller]
    pub(crate) fn assert_invalid_client(&self, reason: &str) {
        self.assert_refused_with(401, "invalid_client", reason, INVALID_CLIENT);
    }

    /// Refused for what was sent, before anybody was looked for: the text says what that was.
    #[track_caller]
    pub(crate) fn assert_no_credentials(&self, reason: &str) {
        let text = match reason {
            "credentials_missing" => {
                "no client credentials: send them by HTTP Basic, as client_id and client_secret, or as \
                 client_assertion"
            }
            "authorization_scheme" => {
                "Authorization is of another scheme than Basic: a client authenticates here, no user \
                 and no token"
            }
            "client_id_malformed" => "the client id is not 1 to 128 letters, digits, ., _, ~ or -",
            "assertion_malformed" => "client_assertion is not a JWT with a sub",
            "client_assertion_type" => {
                "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            }
            _ => panic!("{reason} needs somebody to be looked for"),
        };
        self.assert_refused_with(401, "invalid_client", reason, text);
    }

    #[track_caller]
    pub(crate) fn assert_invalid_grant(&self, reason: &str) {
        self.assert_refused_with(400, "invalid_grant", reason, INVALID_GRANT);
    }
}

/// The claims of an access token. Nobody checks its signature here.
pub(crate) fn claims(tokens: &Value) -> Value {
    part(tokens, 1)
}

/// The header of an access token.
pub(crate) fn header(tokens: &Value) -> Value {
    part(tokens, 0)
}

fn part(tokens: &Value, index: usize) -> Value {
    let token = tokens["access_token"].as_str().unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
