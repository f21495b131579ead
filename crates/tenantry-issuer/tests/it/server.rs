//! The server as a router: which path leads where, and what stays in force.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use tenantry_issuer::{
    AuditEvent, AuditOutcome, IssuerServer, NewClient, Settings, SettingsBuilder, Store, Tenant,
    TenantStatus,
};
use tenantry_testkit::ManualClock;
use tower::ServiceExt;

/// A server with tenant1, which is active, and tenant2, which is suspended; each has a client `js`.
struct Running {
    server: IssuerServer,
    secrets: [String; 2],
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn settings(issuer: &str) -> SettingsBuilder {
    Settings::builder().issuer(issuer).audience("https://api.erp.example/{tenant}")
}

impl Running {
    async fn new(issuer: &str) -> Self {
        let settings = settings(issuer).openid_configuration(true).build().unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        let mut secrets = [String::new(), String::new()];
        for (id, secret) in ["tenant1", "tenant2"].into_iter().zip(&mut secrets) {
            let tenant = Tenant {
                id: id.parse().unwrap(),
                name: None,
                status: TenantStatus::Active,
                claims: Map::new(),
                created_at: Duration::ZERO,
            };
            store.add_tenant(&tenant).await.unwrap();
            let client = NewClient::of(tenant.id).id("js".parse().unwrap()).scope("journal.read");
            let (client, shown) = client.check(&settings, Duration::ZERO).unwrap();
            store.add_client(&client).await.unwrap();
            *secret = shown.unwrap().expose().into();
        }
        let tenant2 = "tenant2".parse().unwrap();
        store.set_tenant_status(&tenant2, TenantStatus::Suspended).await.unwrap();
        let server = IssuerServer::builder(store, settings)
            .clock(Arc::new(ManualClock::new(Duration::from_secs(1_763_000_000))))
            .figures(|| "figures".into())
            .build()
            .await
            .unwrap();
        Self { server, secrets }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let app = self.server.router().merge(self.server.health()).merge(self.server.metrics());
        let answer = app.oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap().into();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Asks for a token as the client of tenant1.
    async fn token(&self, path: &str, form: &str) -> Answer {
        let basic = BASE64_STANDARD.encode(format!("js:{}", self.secrets[0]));
        let request = Request::post(path)
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

const CLIENT: &str = "grant_type=client_credentials";

/// Where metadata says that something is, without the origin.
fn path_in(metadata: &Value, member: &str, origin: &str) -> String {
    metadata[member].as_str().unwrap().strip_prefix(origin).unwrap().to_owned()
}

#[tokio::test]
async fn every_endpoint_is_where_the_metadata_says_that_it_is() {
    for (issuer, metadata) in [
        ("https://erp.example", "/.well-known/oauth-authorization-server"),
        ("https://erp.example/auth", "/.well-known/oauth-authorization-server/auth"),
        ("https://erp.example/{tenant}", "/.well-known/oauth-authorization-server/tenant1"),
        ("https://erp.example/a/{tenant}", "/.well-known/oauth-authorization-server/a/tenant1"),
    ] {
        let running = Running::new(issuer).await;
        let metadata = running.get(metadata).await.json();
        let name = issuer.replace("{tenant}", "tenant1");
        assert_eq!(metadata["issuer"], name);
        let place = |member| path_in(&metadata, member, "https://erp.example");
        assert_eq!(running.get(&place("jwks_uri")).await.status, StatusCode::OK, "{issuer}");

        let form = format!("{CLIENT}&tenant_id=tenant1");
        let token = running.token(&place("token_endpoint"), &form).await;
        assert_eq!(token.status, StatusCode::OK, "{issuer}: {:?}", token.json());
        for member in ["introspection_endpoint", "revocation_endpoint"] {
            let form = format!("tenant_id=tenant1&token={}", token.json()["access_token"]);
            let answer = running.token(&place(member), &form.replace('"', "")).await;
            assert_eq!(answer.status, StatusCode::OK, "{issuer} {member}");
        }
        let openid = format!("{name}/.well-known/openid-configuration");
        let openid = running.get(openid.strip_prefix("https://erp.example").unwrap()).await.json();
        assert_eq!(openid["jwks_uri"], metadata["jwks_uri"], "{issuer}");
        let authorization = path_in(&openid, "authorization_endpoint", "https://erp.example");
        let answer = running.get(&authorization).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{issuer}");
        assert_eq!(answer.json()["error"], "unsupported_response_type");
    }
}

/// CHECKLIST A 55.
#[tokio::test]
async fn a55_the_documents_of_an_unknown_tenant_are_not_there_and_those_of_a_suspended_one_are() {
    let running = Running::new("https://erp.example/{tenant}").await;
    for path in [
        "/.well-known/oauth-authorization-server/{}",
        "/{}/.well-known/openid-configuration",
        "/{}/jwks.json",
    ] {
        let unknown = running.get(&path.replace("{}", "tenant3")).await;
        let malformed = running.get(&path.replace("{}", "tenant.3")).await;
        for answer in [&unknown, &malformed] {
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_FOUND, 0), "{path}");
            assert_eq!(answer.headers, unknown.headers, "{path}");
        }
        let suspended = running.get(&path.replace("{}", "tenant2")).await;
        assert_eq!(suspended.status, StatusCode::OK, "{path}");
    }
}

/// CHECKLIST A 36.
#[tokio::test]
async fn a36_tenants_with_issuers_of_their_own_have_keys_of_their_own() {
    let running = Running::new("https://erp.example/{tenant}").await;
    let kids = |answer: Answer| {
        let set = answer.json();
        let keys = set["keys"].as_array().unwrap().clone();
        keys.into_iter().map(|key| key["kid"].to_string()).collect::<Vec<_>>()
    };
    let first = kids(running.get("/tenant1/jwks.json").await);
    let second = kids(running.get("/tenant2/jwks.json").await);
    assert!(!first.is_empty() && !second.is_empty());
    assert!(first.iter().all(|kid| !second.contains(kid)));
}

/// CHECKLIST A 54: nobody learns who the tenants are.
#[tokio::test]
async fn a54_with_one_issuer_for_all_there_is_nothing_below_a_tenant() {
    let running = Running::new("https://erp.example").await;
    for tenant in ["tenant1", "tenant3"] {
        for path in ["/.well-known/oauth-authorization-server/{}", "/{}/jwks.json"] {
            let answer = running.get(&path.replace("{}", tenant)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[tokio::test]
async fn the_openid_alias_is_an_option() {
    let running = Running::new("https://erp.example").await;
    running.server.replace(settings("https://erp.example").build().unwrap()).unwrap();
    for path in ["/.well-known/openid-configuration", "/oauth/authorize"] {
        assert_eq!(running.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn other_settings_are_in_force_from_the_next_request_on() {
    let running = Running::new("https://erp.example").await;
    let before = running.token("/tenant1/oauth/token", CLIENT).await.json();
    assert_eq!(before["expires_in"], 600);
    let shorter = settings("https://erp.example").access_token_lifetime(Duration::from_secs(60));
    running.server.replace(shorter.build().unwrap()).unwrap();
    let after = running.token("/tenant1/oauth/token", CLIENT).await.json();
    assert_eq!(after["expires_in"], 60);
}

#[tokio::test]
async fn what_needs_a_restart_changes_nothing() {
    let running = Running::new("https://erp.example").await;
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap();
    for (other, setting) in [
        (settings("https://login.example"), "issuer"),
        (settings("https://erp.example").tenant_claims(["customer"]), "tenant_claims"),
        (settings("https://erp.example").algorithm("EdDSA"), "algorithm"),
        (settings("https://erp.example").key_rotation(Duration::from_secs(86_400)), "key_rotation"),
        (settings("https://erp.example").key_encryption_key(key), "key_encryption_key_file"),
    ] {
        let other = other.access_token_lifetime(Duration::from_secs(60)).build().unwrap();
        let error = running.server.replace(other).unwrap_err();
        assert_eq!(error.setting(), Some(setting));
        assert_eq!(running.server.settings().access_token_lifetime(), Duration::from_secs(600));
    }
}

#[tokio::test]
async fn it_is_alive_whatever_happens_and_ready_if_the_database_answers() {
    let running = Running::new("https://erp.example").await;
    assert_eq!(running.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(running.get("/metrics").await.body, b"figures");
    running.server.close().await;
    assert_eq!(running.get("/healthz").await.status, StatusCode::OK);
    let answer = running.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.json()["status"], "the database does not answer");
}

/// A database that is away is no refusal: nobody is told that a tenant does not exist.
#[tokio::test]
async fn a_document_that_cannot_be_had_is_not_one_that_is_not_there() {
    let running = Running::new("https://erp.example/{tenant}").await;
    running.server.close().await;
    for path in ["/.well-known/oauth-authorization-server/tenant1", "/tenant1/jwks.json"] {
        let answer = running.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers["retry-after"], "5", "{path}");
    }
}

#[tokio::test]
async fn what_was_asked_for_is_in_the_audit_trail_when_the_server_has_closed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = format!("sqlite://{}", file.path().display());
    let settings = settings("https://erp.example").build().unwrap();
    let store = Store::open(&url).await.unwrap();
    let server = IssuerServer::builder(store, settings).build().await.unwrap();
    let running = Running { server, secrets: Default::default() };
    let answer = running.token("/tenant1/oauth/token", CLIENT).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    running.server.close().await;

    let store = Store::open(&url).await.unwrap();
    let trail = store.audit(0, 10).await.unwrap();
    let [entry] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!(entry.event.action, "token.issue");
    assert_eq!(entry.event.outcome.as_str(), "refused");
}

/// It sends its head and then nothing more, or a byte now and then.
#[tokio::test]
async fn a_body_that_does_not_end_is_refused_after_ten_seconds() {
    let running = Running::new("https://erp.example").await;
    tokio::time::pause();
    for (path, trickles) in [
        ("/oauth/token", false),
        ("/tenant1/oauth/token", true),
        ("/oauth/introspect", true),
        ("/oauth/revoke", true),
    ] {
        let bytes = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("a"), ()))
        });
        let body = if trickles {
            Body::from_stream(bytes)
        } else {
            Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>())
        };
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .unwrap();
        let began = tokio::time::Instant::now();
        let answer = running.send(request).await;
        assert_eq!(began.elapsed().as_secs(), 10, "{path}");
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{path}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let said = json!({
            "error": "invalid_request", "error_description": "the body took longer than 10 seconds",
        });
        assert_eq!(answer.json(), said);
    }
}

#[tokio::test]
async fn what_is_past_is_removed_without_being_asked_after_ten_minutes() {
    let running = Running::new("https://erp.example").await;
    let store = running.server.store();
    let event = AuditEvent {
        at: Duration::ZERO,
        actor: "operator".into(),
        action: "test".into(),
        tenant: None,
        client: None,
        grant: None,
        scopes: Vec::new(),
        outcome: AuditOutcome::Done,
        reason: None,
    };
    store.append_audit(&[event]).await.unwrap();
    let pass = async |minutes: u64| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
        tokio::time::resume();
    };
    pass(9).await;
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 1);
    pass(1).await;
    let removed = async {
        while !store.audit(0, 10).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), removed).await.is_ok());
}

#[tokio::test]
async fn a_server_that_was_stopped_has_closed_its_database() {
    let running = Running::new("https://auth.erp.example").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(running.server.store().ping().await.is_ok());

    running.server.serve(listener, None, async {}).await;

    // So what waited for it, the audit trail above all, is written.
    assert!(running.server.store().ping().await.is_err());
}
