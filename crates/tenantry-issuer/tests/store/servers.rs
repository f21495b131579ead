//! Two whole servers over one database behave as one, apart from what each remembers of a client for
//! [`BOUND`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tenantry_core::Algorithm;
use tenantry_issuer::{
    Client, ClientAuth, Grants, IssuerServer, KeyOwner, Secret, Settings, TenantStatus,
};
use tenantry_jwks::{KeySet, Selection};
use tenantry_jwt::verify_signature;
use tenantry_testkit::{ManualClock, SigningKey};
use tower::ServiceExt;

use crate::fixture::{Fixture, NOW, a_client, a_tenant, client_id, tenant_id};
use crate::on_both;

on_both! {
    a_token_of_one_is_renewed_at_the_other_and_a_reuse_ends_it_at_both,
    a_client_that_one_disables_is_refused_by_the_other_when_the_bound_is_over,
    a_tenant_that_one_suspends_is_refused_by_the_other_when_the_bound_is_over,
    a_secret_that_one_rotates_works_at_the_other_at_once_and_the_old_one_until_the_bound,
    a_client_that_one_removes_is_unknown_to_the_other_when_the_bound_is_over,
    what_one_switches_off_is_renewed_by_neither_at_once,
    what_one_revokes_is_inactive_at_the_other_at_once,
    an_access_token_of_what_one_switches_off_is_inactive_at_the_other_when_the_bound_is_over,
    a_token_that_one_signs_is_good_by_the_keys_of_the_other,
    a14_an_assertion_that_one_has_seen_is_refused_by_the_other,
    what_is_past_is_pruned_by_whichever_by_the_settings_in_force,
}

/// How long a server may believe what it knows of a client.
const BOUND: Duration = Duration::from_secs(30);

const MILLISECOND: Duration = Duration::from_millis(1);

const ISSUER: &str = "https://auth.erp.example";

/// A client `sync` of acme with a secret, which renews its tokens; `plain`, which does not; `reader`,
/// which sees the tokens of both; and `signing`, which has a key.
struct Two {
    fixture: Fixture,
    clock: ManualClock,
    secret: Secret,
    key: SigningKey,
    a: Server,
    b: Server,
}

struct Server {
    server: IssuerServer,
    router: Router,
}

impl Two {
    async fn over(fixture: Fixture) -> Self {
        // After everybody was registered.
        let clock = ManualClock::new(NOW + Duration::from_secs(1));
        let secret = Secret::generate().unwrap();
        let key = SigningKey::generate(Algorithm::Es256, "k1");
        fixture.store.add_tenant(&a_tenant("acme")).await.unwrap();
        let only_credentials = Grants { client_credentials: true, refresh_token: false };
        let with_secret = ClientAuth::Basic(secret.hash());
        let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
        for (id, auth, grants) in [
            ("sync", with_secret.clone(), a_client("acme", "sync").grants),
            ("plain", with_secret.clone(), only_credentials),
            ("reader", with_secret, only_credentials),
            ("signing", ClientAuth::PrivateKeyJwt { jwks }, only_credentials),
        ] {
            let client = Client { auth, grants, ..a_client("acme", id) };
            fixture.store.add_client(&client).await.unwrap();
        }
        let a = Server::over(&fixture, &clock).await;
        let b = Server::over(&fixture, &clock).await;
        Self { fixture, clock, secret, key, a, b }
    }

    async fn end(self) {
        self.a.server.close().await;
        self.b.server.close().await;
        drop(self.fixture);
    }

    /// Asks for a token as the client with this id.
    async fn token(&self, server: &Server, client: &str) -> Answer {
        self.token_with(server, client, &self.secret).await
    }

    async fn token_with(&self, server: &Server, client: &str, secret: &Secret) -> Answer {
        let form = [("grant_type", "client_credentials")];
        server.post("/oauth/token", Some((client, secret)), &form).await
    }

    async fn renew(&self, server: &Server, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        server.post("/oauth/token", Some(("sync", &self.secret)), &form).await
    }

    async fn is_active(&self, server: &Server, by: &str, token: &str) -> bool {
        let form = [("token", token)];
        let answer = server.post("/oauth/introspect", Some((by, &self.secret)), &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        let active = answer.body["active"].as_bool().unwrap();
        // An inactive token is nothing else.
        assert!(active || answer.body == json!({ "active": false }), "{:?}", answer.body);
        active
    }
}

struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn granted(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.body
    }

    #[track_caller]
    fn access_token(self) -> String {
        self.granted()["access_token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn refresh_token(self) -> String {
        self.granted()["refresh_token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, error: &str, description: &str) {
        let said = json!({ "error": error, "error_description": description });
        assert_eq!((self.status.as_u16(), &self.body), (status, &said));
    }

    #[track_caller]
    fn assert_grant_ended(&self) {
        let text = "the refresh token is not one of this client, or was used, revoked or has \
                    expired: start again with the client's credentials";
        self.assert_refused(400, "invalid_grant", text);
    }

    #[track_caller]
    fn assert_unknown_client(&self) {
        let text = "client authentication failed: check the tenant, the client id, its credentials \
                    and how the client is registered to send them";
        self.assert_refused(401, "invalid_client", text);
    }
}

impl Server {
    async fn over(fixture: &Fixture, clock: &ManualClock) -> Self {
        let settings = Settings::builder().issuer(ISSUER);
        let settings = settings.audience("https://api.erp.example/{tenant}").build().unwrap();
        let server = IssuerServer::builder(fixture.another_store().await, settings)
            .clock(Arc::new(clock.clone()))
            .build()
            .await
            .unwrap();
        Self { router: server.router(), server }
    }

    async fn post(
        &self,
        path: &str,
        client: Option<(&str, &Secret)>,
        form: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(format!("/acme{path}"))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some((client, secret)) = client {
            let basic = BASE64_STANDARD.encode(format!("{client}:{}", secret.expose()));
            request = request.header("authorization", format!("Basic {basic}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn keys(&self) -> KeySet {
        let request = Request::get("/jwks.json").body(Body::empty()).unwrap();
        let answer = self.send(request).await.granted();
        KeySet::parse(answer.to_string().as_bytes()).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let body =
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
        Answer { status: parts.status, body }
    }
}

async fn a_token_of_one_is_renewed_at_the_other_and_a_reuse_ends_it_at_both(fixture: Fixture) {
    let two = Two::over(fixture).await;
    let first = two.token(&two.a, "sync").await.refresh_token();
    let second = two.renew(&two.a, &first).await.refresh_token();
    let third = two.renew(&two.b, &second).await.refresh_token();
    assert!(two.is_active(&two.a, "sync", &third).await);

    two.renew(&two.a, &first).await.assert_grant_ended();

    for server in [&two.b, &two.a] {
        assert!(!two.is_active(server, "sync", &third).await);
        two.renew(server, &third).await.assert_grant_ended();
    }
    two.end().await;
}

async fn a_client_that_one_disables_is_refused_by_the_other_when_the_bound_is_over(
    fixture: Fixture,
) {
    let two = Two::over(fixture).await;
    two.token(&two.b, "plain").await.granted();
    let (acme, plain) = (tenant_id("acme"), client_id("plain"));
    assert!(two.a.server.store().set_client_enabled(&acme, &plain, false).await.unwrap());
    let assert_disabled = |answer: Answer| {
        answer.assert_refused(400, "unauthorized_client", "the client is disabled");
    };
    // Who has not heard of the client asks.
    assert_disabled(two.token(&two.a, "plain").await);

    two.clock.advance(BOUND - MILLISECOND);
    two.token(&two.b, "plain").await.granted();
    two.clock.advance(MILLISECOND);
    assert_disabled(two.token(&two.b, "plain").await);

    // A refusal does not rest on what was known, so what is enabled again works at once.
    assert!(two.a.server.store().set_client_enabled(&acme, &plain, true).await.unwrap());
    two.token(&two.b, "plain").await.granted();
    two.end().await;
}

async fn a_tenant_that_one_suspends_is_refused_by_the_other_when_the_bound_is_over(
    fixture: Fixture,
) {
    let two = Two::over(fixture).await;
    two.token(&two.b, "plain").await.granted();
    let acme = tenant_id("acme");
    let set = async |status| two.a.server.store().set_tenant_status(&acme, status).await.unwrap();
    assert!(set(TenantStatus::Suspended).await);
    let assert_suspended = |answer: Answer| {
        answer.assert_refused(400, "unauthorized_client", "the tenant is suspended");
    };
    assert_suspended(two.token(&two.a, "plain").await);

    two.clock.advance(BOUND - MILLISECOND);
    two.token(&two.b, "plain").await.granted();
    two.clock.advance(MILLISECOND);
    assert_suspended(two.token(&two.b, "plain").await);

    assert!(set(TenantStatus::Active).await);
    two.token(&two.b, "plain").await.granted();
    two.end().await;
}

async fn a_secret_that_one_rotates_works_at_the_other_at_once_and_the_old_one_until_the_bound(
    fixture: Fixture,
) {
    let two = Two::over(fixture).await;
    two.token(&two.b, "plain").await.granted();
    let next = Secret::generate().unwrap();
    let (acme, plain) = (tenant_id("acme"), client_id("plain"));
    let rotated = two.a.server.store().set_client_secret(&acme, &plain, &next.hash()).await;
    assert!(rotated.unwrap());

    two.clock.advance(BOUND - MILLISECOND);
    two.token(&two.b, "plain").await.granted();
    two.clock.advance(MILLISECOND);
    two.token(&two.b, "plain").await.assert_unknown_client();

    // The other way round: the new one was never presented before, and ends the old one's time.
    let last = Secret::generate().unwrap();
    two.token_with(&two.b, "plain", &next).await.granted();
    let rotated = two.a.server.store().set_client_secret(&acme, &plain, &last.hash()).await;
    assert!(rotated.unwrap());
    two.token_with(&two.b, "plain", &last).await.granted();
    two.token_with(&two.b, "plain", &next).await.assert_unknown_client();
    two.end().await;
}

async fn a_client_that_one_removes_is_unknown_to_the_other_when_the_bound_is_over(
    fixture: Fixture,
) {
    let two = Two::over(fixture).await;
    two.token(&two.b, "plain").await.granted();
    let (acme, plain) = (tenant_id("acme"), client_id("plain"));
    assert!(two.a.server.store().remove_client(&acme, &plain).await.unwrap());

    two.token(&two.a, "plain").await.assert_unknown_client();
    two.clock.advance(BOUND - MILLISECOND);
    two.token(&two.b, "plain").await.granted();
    two.clock.advance(MILLISECOND);
    two.token(&two.b, "plain").await.assert_unknown_client();
    two.end().await;
}

/// Refresh tokens are in the database alone, so nothing about them is remembered.
async fn what_one_switches_off_is_renewed_by_neither_at_once(fixture: Fixture) {
    let two = Two::over(fixture).await;
    let (acme, sync) = (tenant_id("acme"), client_id("sync"));
    let store = two.a.server.store().clone();
    let client_off = async |off: bool| store.set_client_enabled(&acme, &sync, !off).await.unwrap();
    let tenant_off = async |off: bool| {
        let status = if off { TenantStatus::Suspended } else { TenantStatus::Active };
        store.set_tenant_status(&acme, status).await.unwrap()
    };
    for tenant in [false, true] {
        let switch = async |off| if tenant { tenant_off(off).await } else { client_off(off).await };
        let token = two.token(&two.b, "sync").await.refresh_token();
        let token = two.renew(&two.b, &token).await.refresh_token();
        assert!(switch(true).await);

        two.renew(&two.b, &token).await.assert_grant_ended();
        // Nor does it get another one: the server still believes in the client, and the database not.
        two.token(&two.b, "sync").await.assert_refused(
            400,
            "unauthorized_client",
            if tenant { "the tenant is suspended" } else { "the client is disabled" },
        );
        // What was switched on again has to begin anew.
        assert!(switch(false).await);
        two.renew(&two.b, &token).await.assert_grant_ended();
        let token = two.token(&two.b, "sync").await.refresh_token();
        two.renew(&two.b, &token).await.granted();
    }
    two.end().await;
}

async fn what_one_revokes_is_inactive_at_the_other_at_once(fixture: Fixture) {
    let two = Two::over(fixture).await;
    let granted = two.token(&two.a, "sync").await.granted();
    let sync = Some(("sync", &two.secret));
    for kind in ["access_token", "refresh_token"] {
        let token = granted[kind].as_str().unwrap();
        for server in [&two.a, &two.b] {
            assert!(two.is_active(server, "sync", token).await);
        }
        two.a.post("/oauth/revoke", sync, &[("token", token)]).await.granted();
        for server in [&two.a, &two.b] {
            assert!(!two.is_active(server, "sync", token).await, "{kind}");
        }
    }
    let refresh_token = granted["refresh_token"].as_str().unwrap();
    two.renew(&two.b, refresh_token).await.assert_grant_ended();
    two.end().await;
}

async fn an_access_token_of_what_one_switches_off_is_inactive_at_the_other_when_the_bound_is_over(
    fixture: Fixture,
) {
    let two = Two::over(fixture).await;
    let token = two.token(&two.a, "plain").await.access_token();
    let acme = tenant_id("acme");
    assert!(two.is_active(&two.b, "reader", &token).await);
    let store = two.a.server.store();
    store.set_client_enabled(&acme, &client_id("plain"), false).await.unwrap();

    two.clock.advance(BOUND - MILLISECOND);
    assert!(two.is_active(&two.b, "reader", &token).await);
    two.clock.advance(MILLISECOND);
    assert!(!two.is_active(&two.b, "reader", &token).await);

    // In a suspended tenant there is nobody left who may ask.
    store.set_client_enabled(&acme, &client_id("plain"), true).await.unwrap();
    two.clock.advance(BOUND);
    assert!(two.is_active(&two.b, "reader", &token).await);
    store.set_tenant_status(&acme, TenantStatus::Suspended).await.unwrap();
    two.clock.advance(BOUND);
    let form = [("token", token.as_str())];
    let answer = two.b.post("/oauth/introspect", Some(("reader", &two.secret)), &form).await;
    answer.assert_refused(400, "unauthorized_client", "the tenant is suspended");
    two.end().await;
}

async fn a_token_that_one_signs_is_good_by_the_keys_of_the_other(fixture: Fixture) {
    let two = Two::over(fixture).await;
    let keys_of_b = two.b.keys().await;
    let kid = |token: &str| {
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    let verify = |token: &str| {
        let Selection::One(key) = keys_of_b.select(Some(&kid(token)), Algorithm::Es256) else {
            panic!("the key is not there");
        };
        verify_signature(token, 16 * 1024, key).unwrap()
    };

    let before = two.token(&two.a, "plain").await.access_token();
    two.a.server.keys().rotate_at_once(&KeyOwner::Shared).await.unwrap();
    let after = two.token(&two.a, "plain").await.access_token();

    assert_ne!(kid(&before), kid(&after));
    for token in [&before, &after] {
        let claims: Value = serde_json::from_slice(&verify(token)).unwrap();
        assert_eq!(claims["tenant_id"], "acme");
        assert!(two.is_active(&two.b, "reader", token).await);
    }
    two.end().await;
}

async fn a14_an_assertion_that_one_has_seen_is_refused_by_the_other(fixture: Fixture) {
    let two = Two::over(fixture).await;
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let assertion = |jti: &str| {
        let header = encode(json!({ "alg": "ES256", "kid": "k1" }));
        let claims = encode(json!({
            "iss": "signing", "sub": "signing", "aud": ISSUER,
            "exp": NOW.as_secs() + 60, "jti": jti,
        }));
        let signature = two.key.sign(format!("{header}.{claims}").as_bytes());
        format!("{header}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
    let ask = async |server: &Server, jti: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion(jti)),
        ];
        server.post("/oauth/token", None, &form).await
    };

    ask(&two.a, "one").await.granted();
    ask(&two.b, "one").await.assert_unknown_client();
    ask(&two.b, "another").await.granted();
    ask(&two.a, "another").await.assert_unknown_client();
    two.end().await;
}

async fn what_is_past_is_pruned_by_whichever_by_the_settings_in_force(fixture: Fixture) {
    const DAY: Duration = Duration::from_secs(86_400);
    let two = Two::over(fixture).await;
    two.token(&two.a, "sync").await.granted();
    // Closing writes the event down. It is the only one: the other server is not asked for anything.
    two.a.server.close().await;
    let events = async || two.b.server.store().audit(0, 10).await.unwrap().len();
    assert_eq!(events().await, 1);

    // The grant has ended, and what was done is still known.
    two.clock.advance(DAY * 31);
    assert_eq!(two.b.server.prune().await.unwrap(), 1);
    assert_eq!(two.fixture.store.prune(two.b.server.keys().now()).await.unwrap(), 0);
    two.clock.advance(DAY * 59);
    assert_eq!(two.b.server.prune().await.unwrap(), 0);
    assert_eq!(events().await, 1);

    let settings = Settings::builder().issuer(ISSUER).audience("https://api.erp.example/{tenant}");
    let shorter = settings.audit_retention(DAY * 89).build().unwrap();
    two.b.server.replace(shorter).unwrap();
    assert_eq!(two.b.server.prune().await.unwrap(), 1);
    two.end().await;
}
