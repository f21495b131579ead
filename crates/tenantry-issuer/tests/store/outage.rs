//! The database goes away while a server runs, and comes back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tenantry_issuer::{
    AuditOutcome, Client, ClientAuth, Grants, IssuerServer, Secret, Settings, Store,
};
use tenantry_testkit::ManualClock;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::fixture::{NOW, a_client, a_tenant};
use crate::postgres::OwnServer;

struct Site {
    router: Router,
    secret: Secret,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Site {
    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let basic = BASE64_STANDARD.encode(format!("{client}:{}", self.secret.expose()));
        let request = Request::post(format!("/acme{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Basic {basic}"));
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn token(&self, client: &str) -> Answer {
        self.post("/oauth/token", client, &[("grant_type", "client_credentials")]).await
    }

    async fn renew(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth/token", "sync", &form).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let body =
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    #[track_caller]
    fn granted(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.body
    }

    #[track_caller]
    fn assert_unavailable(&self) {
        let said = json!({
            "error": "temporarily_unavailable",
            "error_description": "the authorization server cannot judge this now: try again",
        });
        assert_eq!((self.status.as_u16(), &self.body), (503, &said));
        assert_eq!(self.headers["retry-after"], "5");
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
    }
}

/// A secret in common; only `sync` renews its tokens.
async fn register(store: &Store) -> Secret {
    let secret = Secret::generate().unwrap();
    store.add_tenant(&a_tenant("acme")).await.unwrap();
    for (id, refresh_token) in [("sync", true), ("plain", false)] {
        let auth = ClientAuth::Basic(secret.hash());
        let grants = Grants { client_credentials: true, refresh_token };
        let client = Client { auth, grants, ..a_client("acme", id) };
        store.add_client(&client).await.unwrap();
    }
    secret
}

/// A server over `postgres`, by a clock that stands still.
async fn serve(postgres: &OwnServer) -> (IssuerServer, Site, ManualClock) {
    let store = Store::open(&postgres.url).await.unwrap();
    let secret = register(&store).await;
    // After everybody was registered.
    let clock = ManualClock::new(NOW + Duration::from_secs(1));
    let settings = Settings::builder().issuer("https://auth.erp.example");
    let settings = settings.audience("https://api.erp.example/{tenant}").build().unwrap();
    let server = IssuerServer::builder(store, settings);
    let server = server.clock(Arc::new(clock.clone())).build().await.unwrap();
    let router = server.router().merge(server.health());
    (server, Site { router, secret }, clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cannot_judge_is_not_invalid_and_what_comes_back_is_used_without_a_restart() {
    let Some(mut postgres) = OwnServer::start() else { return };
    let (server, site, clock) = serve(&postgres).await;
    let before = site.token("sync").await.granted();
    let (access, refresh) = ("access_token", "refresh_token");
    let [access, refresh] = [access, refresh].map(|kind| before[kind].as_str().unwrap());
    site.token("plain").await.granted();

    postgres.tell("stop");

    // It lives, and says that it cannot work.
    assert_eq!(site.get("/healthz").await.status, StatusCode::OK);
    let ready = site.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body, json!({ "status": "the database does not answer" }));
    // Who is still believed, and needs nothing from the database, goes on.
    site.token("plain").await.granted();
    assert_eq!(site.get("/jwks.json").await.status, StatusCode::OK);
    // What needs it is not refused.
    site.token("sync").await.assert_unavailable();
    site.renew(refresh).await.assert_unavailable();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        for token in [access, refresh] {
            site.post(path, "sync", &[("token", token)]).await.assert_unavailable();
        }
    }
    // Nor is a client that there may be or not, and nobody is believed for ever.
    site.token("nobody").await.assert_unavailable();
    clock.advance(Duration::from_secs(30));
    site.token("plain").await.assert_unavailable();

    postgres.tell("start");

    site.get("/readyz").await.granted();
    site.token("plain").await.granted();
    let form = [("token", access)];
    assert_eq!(site.post("/oauth/introspect", "sync", &form).await.granted()["active"], true);
    // It was not used up.
    site.renew(refresh).await.granted();

    // The trail waited for the database, and lacks nothing.
    assert_eq!(server.audit().lost(), 0);
    server.close().await;
    let store = Store::open(&postgres.url).await.unwrap();
    let outcomes: Vec<_> =
        store.audit(0, 100).await.unwrap().iter().map(|entry| entry.event.outcome).collect();
    let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
    assert_eq!((count(AuditOutcome::Done), count(AuditOutcome::Failed)), (6, 8), "{outcomes:?}");
    store.close().await;
}

/// It takes connections and never answers. The time that is waited for it passes at once here.
#[tokio::test]
async fn a_database_that_hangs_holds_no_request_for_ever() {
    let Some(mut postgres) = OwnServer::start() else { return };
    let (server, site, _) = serve(&postgres).await;
    let before = site.token("sync").await.granted();
    let refresh = before["refresh_token"].as_str().unwrap();

    postgres.tell("hang");
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let ready = site.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body, json!({ "status": "the database does not answer in time" }));
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(site.get("/healthz").await.status, StatusCode::OK);
    // More than there are connections.
    let renewals = futures_util::future::join_all((0..15).map(|_| site.renew(refresh))).await;
    renewals.iter().for_each(Answer::assert_unavailable);
    assert!(began.elapsed() <= Duration::from_secs(2 + 30), "{:?}", began.elapsed());
    postgres.tell("go_on");
    tokio::time::resume();

    site.get("/readyz").await.granted();
    site.renew(refresh).await.granted();
    server.close().await;
}

/// A statement that is given up ends in the database, too. Carried out later, it would use up the token by
/// the time of its request, and its sender would look like a thief when it tries again.
#[tokio::test]
async fn a_renewal_that_waits_for_too_long_is_not_carried_out_afterwards() {
    let Some(postgres) = OwnServer::start() else { return };
    let (server, site, clock) = serve(&postgres).await;
    let before = site.token("sync").await.granted();
    let refresh = before["refresh_token"].as_str().unwrap();
    let mut other = PgConnection::connect(&postgres.url).await.unwrap();
    let lock = "BEGIN; SELECT 1 FROM refresh_family FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();

    site.renew(refresh).await.assert_unavailable();

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    clock.advance(Duration::from_secs(61));
    site.renew(refresh).await.granted();
    server.close().await;
}

/// A database that hangs within a statement does not keep a process from its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_though_its_audit_trail_cannot_be_written() {
    let Some(mut postgres) = OwnServer::start() else { return };
    let (server, site, _) = serve(&postgres).await;
    let mut other = PgConnection::connect(&postgres.url).await.unwrap();
    let lock = "BEGIN; UPDATE audit_number SET last = last";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    site.token("plain").await.granted();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut other).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    postgres.tell("hang");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = server.serve(listener, None, async {});
    // The bound is for a server that never ends: it takes ten seconds.
    let ended = tokio::time::timeout(Duration::from_secs(60), serving).await;
    postgres.tell("go_on");
    assert!(ended.is_ok());
}
