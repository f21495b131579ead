//! What is logged: one event per refusal, the tenant once it is proven, and never a part of a token.
//!
//! INVARIANT (secrets stay in).
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::{HeaderMap, HeaderValue, Request};
use serde_json::json;
use tenantry::{
    Algorithm, Anonymous, BoxFuture, Directory, Reason, Rejection, RequireScopeLayer,
    RequiredScope, ScopeNeed, Scoped, Standing, StaticDirectory, TenantId, TenantPrincipal,
};
use tenantry_testkit::{SigningKey, TokenBuilder, request_of};
use tenantry_tests::{Answer, Event, Log, Stack, bearer, get};
use tracing::Level;

const PATH: &str = "/tenant1/journal-entries";

/// The events about refusals since the last time.
fn refusals(log: &Log) -> Vec<Event> {
    let refused = |event: &Event| event.field("message") == Some("request refused");
    log.events().into_iter().filter(refused).collect()
}

/// Asserts that the one event is this, field by field; a cause in our own words may be there, too.
#[track_caller]
fn one(log: &Log, answer: &Answer, level: Level, tenant: Option<&str>) {
    let events = refusals(log);
    let [event] = events.as_slice() else { panic!("{}: {events:#?}", answer.what) };
    let code = answer.code();
    let status = answer.status.as_u16().to_string();
    let mut expected = BTreeMap::from([
        ("message", "request refused"),
        ("reason", code.as_str()),
        ("status", status.as_str()),
    ]);
    expected.extend(tenant.map(|tenant| ("tenant", tenant)));
    let mut fields = event.fields.clone();
    fields.remove("cause");
    let found: BTreeMap<_, _> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(found, expected, "{}", answer.what);
    assert_eq!(event.level, level, "{}", answer.what);
    assert!(event.target.starts_with("tenantry_"), "{}", event.target);
    assert_eq!(answer.handler_calls, 0, "{}", answer.what);
}

fn directory(standing: Standing) -> Arc<StaticDirectory> {
    let known = [("tenant1", standing), ("tenant2", Standing::Active)];
    let known = known.map(|(id, standing)| (id.parse().unwrap(), standing));
    Arc::new(StaticDirectory::new(known).unwrap())
}

#[tokio::test]
async fn a_refusal_is_one_event_and_names_the_tenant_once_it_is_proven() {
    let log = Log::start();
    let stack = Stack::with_issuer(
        |issuer| issuer.tenants(["tenant1", "tenant2"]),
        |server| server.directory(directory(Standing::Active)),
    )
    .await;
    let with_header = |value: &'static str| {
        let mut request = bearer(get(PATH), &stack.token("tenant1").sign());
        request.headers_mut().insert("x-tenant-id", HeaderValue::from_static(value));
        request
    };
    let with = |path: &str, token: TokenBuilder| bearer(get(path), &token.sign());
    let good = || stack.token("tenant1");
    let key = SigningKey::generate(Algorithm::Es256, "es256-9");
    for (tenant, request) in [
        // Nothing was proven.
        (None, get(PATH)),
        (None, get("/tenant1//x")),
        (None, get("/tenant1/x?access_token=x")),
        (None, bearer(get(PATH), "x y")),
        (None, with_header("tenant1,tenant2")),
        (None, with(PATH, good().expires_in(-60))),
        (None, with(PATH, good().tampered())),
        (None, with(PATH, good().signed_by(&key))),
        (None, with(PATH, good().claim("iss", "https://evil.example"))),
        (None, with(PATH, good().without("tenant_id"))),
        (None, with("/tenant2/whoami", good().expires_in(-60))),
        // It contradicts itself.
        (None, with(PATH, good().claim("tenant_id", "tenant2"))),
        (None, with(PATH, stack.token("tenant3"))),
        // It was.
        (Some("tenant1"), with("/tenant2/whoami", good())),
        (Some("tenant1"), with("/tenant1", good())),
        (Some("tenant1"), with_header("tenant2")),
        (Some("tenant1"), with(PATH, good().scope("tenant1.profile"))),
    ] {
        let answer = stack.send(request).await;
        one(&log, &answer, Level::INFO, tenant);
    }
    // Nor is anything else said about a request that is let through.
    let token = good().sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    assert_eq!(log.events(), []);
}

#[tokio::test]
async fn a_tenant_that_is_not_served_is_named() {
    let log = Log::start();
    let stack = Stack::with(|server| server.directory(directory(Standing::Suspended))).await;
    for tenant in ["tenant1", "tenant9"] {
        let path = format!("/{tenant}/whoami");
        let answer = stack.get(&path, &stack.token(tenant).sign()).await;
        assert_eq!(answer.status, 403);
        one(&log, &answer, Level::INFO, Some(tenant));
    }
}

#[derive(Debug)]
struct Unreachable;

impl Directory for Unreachable {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        None
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        let rejection = Rejection::new(Reason::DirectoryUnavailable);
        Box::pin(std::future::ready(Err(rejection.with_source("connection refused"))))
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn an_outage_is_a_warning() {
    let log = Log::start();
    let stack = Stack::fetching().await;
    stack.network.fail();
    let answer = stack.get(PATH, &stack.token("tenant1").sign()).await;
    one(&log, &answer, Level::WARN, None);

    let stack = Stack::with(|server| server.directory(Arc::new(Unreachable))).await;
    let answer = stack.get(PATH, &stack.token("tenant1").sign()).await;
    one(&log, &answer, Level::WARN, Some("tenant1"));
    // With its cause.
    let _ = stack.get(PATH, &stack.token("tenant1").sign()).await;
    let events = refusals(&log);
    assert_eq!(events[0].field("cause"), Some("connection refused"));
}

struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::all(&["journal.read"]);
}

#[tokio::test]
async fn layers_in_the_wrong_order_are_an_error_that_says_which() {
    let log = Log::start();
    let usual = Stack::usual().await;
    let token = usual.token("tenant1").sign();
    let order = usual.behind(|server, calls| {
        Router::new()
            .route(PATH, calls.route())
            .layer(server.layer())
            .layer(RequireScopeLayer::all(["journal.read"]))
    });
    let target = usual.behind(|server, calls| {
        Router::new().route(PATH, calls.route()).layer(server.tower_layer())
    });
    let none = usual.behind(|_, calls| {
        let calls = calls.clone();
        Router::new().route(PATH, on_get(move |_: Scoped<Read>| async move { calls.hit() }))
    });
    for (stack, word) in [
        (order, "`RequireScopeLayer` ran before `TenantExtractorLayer`"),
        (target, "request target"),
        (none, "no tenant extractor ran"),
    ] {
        let answer = stack.get(PATH, &token).await.about(word);
        assert_eq!(answer.status, 500);
        one(&log, &answer, Level::ERROR, None);
        let _ = stack.get(PATH, &token).await;
        let events = refusals(&log);
        let cause = events[0].field("cause").unwrap();
        assert!(cause.contains(word), "{cause}");
        // The caller is not told.
        assert!(!answer.text().contains(word));
    }
}

#[tokio::test]
async fn a_refusal_by_a_handlers_argument_is_one_event_too() {
    let log = Log::start();
    let stack = Stack::usual().await.behind(|server, calls| {
        let (scoped, principal) = (calls.clone(), calls.clone());
        Router::new()
            .route(PATH, on_get(move |_: Scoped<Read>| async move { scoped.hit() }))
            .route(
                "/tenant1/whoami",
                on_get(move |_: TenantPrincipal| async move { principal.hit() }),
            )
            .layer(server.layer().optional())
    });
    let token = stack.token("tenant1").scope("tenant1.profile").sign();
    let answer = stack.get(PATH, &token).await;
    assert_eq!(answer.status, 403);
    one(&log, &answer, Level::INFO, Some("tenant1"));
    let answer = stack.send(get("/tenant1/whoami")).await;
    assert_eq!(answer.status, 401);
    one(&log, &answer, Level::INFO, None);
}

#[tokio::test]
async fn around_the_handler_there_is_a_span_with_tenant_and_client() {
    let log = Log::start();
    let stack = Stack::usual().await.behind(|server, calls| {
        let calls = calls.clone();
        let handler = move || {
            // Before the future is polled, in it, and after a pause.
            tracing::info!("called");
            async move {
                tracing::info!("polled");
                tokio::task::yield_now().await;
                tracing::info!("polled again");
                calls.hit();
            }
        };
        Router::new().route(PATH, on_get(handler)).layer(server.layer().optional())
    });
    let token = stack.token("tenant1").client_id("journal-sync-7").sign();
    // Fresh, and from memory.
    for _ in 0..2 {
        assert_eq!(stack.get(PATH, &token).await.status, 200);
        let expected = [("client_id", "journal-sync-7"), ("tenant", "tenant1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spans = log.spans();
        let [span] = spans.as_slice() else { panic!("{spans:#?}") };
        assert_eq!(span.fields, BTreeMap::from(expected.clone()));
        let events = log.events();
        let messages: Vec<_> = events.iter().filter_map(|event| event.field("message")).collect();
        assert_eq!(messages, ["called", "polled", "polled again"]);
        for event in events {
            assert_eq!(event.spans, [BTreeMap::from(expected.clone())], "{event:?}");
        }
        // It ends with the request.
        tracing::info!("afterwards");
        assert!(log.events()[0].spans.is_empty());
    }
    // Nobody has no span, and neither has who is refused.
    assert_eq!(stack.send(get(PATH)).await.status, 200);
    let foreign = stack.get("/tenant2/journal-entries", &token).await;
    assert_ne!(foreign.status, 200);
    let expired = stack.token("tenant1").expires_in(-60).sign();
    assert_eq!(stack.get(PATH, &expired).await.status, 401);
    assert_eq!(log.spans(), []);
}

#[tokio::test]
async fn a_plain_service_is_in_the_span_from_its_call_on() {
    let log = Log::start();
    let stack = Stack::usual().await;
    let service = tower::service_fn(|_: Request<Body>| {
        tracing::info!("called");
        async { Ok::<_, Infallible>(http::Response::new(())) }
    });
    let service = tower::Layer::layer(&stack.server.tower_layer().uri_is_whole(), service);
    let token = stack.token("tenant1").sign();
    // Fresh, and from memory.
    for _ in 0..2 {
        let request = bearer(get(PATH), &token);
        tower::ServiceExt::oneshot(service.clone(), request).await.unwrap();
        let events = log.events();
        assert_eq!(events[0].field("message"), Some("called"));
        assert_eq!(events[0].spans[0]["tenant"], "tenant1");
    }
}

#[tokio::test]
async fn a_client_that_the_token_does_not_name_is_left_out_of_the_span() {
    let log = Log::start();
    let stack = Stack::with_issuer(|issuer| issuer.required_claims(["sub"]), |server| server).await;
    let token = stack.token("tenant1").without("client_id").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    let spans = log.spans();
    assert_eq!(spans[0].field("tenant"), Some("tenant1"));
    assert_eq!(spans[0].field("client_id"), None);
}

/// In every claim and header member, and nowhere else.
const MARK: &str = "zzSECRETzz";

/// A token with the mark wherever a string may stand, and then changed.
fn marked(stack: &Stack) -> TokenBuilder {
    stack
        .token("tenant1")
        .subject(format!("sub-{MARK}"))
        .claim("jti", format!("jti-{MARK}"))
        .claim("email", format!("{MARK}@example"))
        .claim(format!("name-{MARK}"), json!({ MARK: [MARK] }))
        .scope(format!("tenant1.{MARK} tenant2.{MARK} {MARK} tenant1.journal.read"))
        .header("x", MARK)
}

#[tokio::test]
async fn no_part_of_a_token_is_ever_logged() {
    let log = Log::start();
    let stack = Stack::with(|server| {
        server.policy(|policy| policy.plain_scopes(["finance.write"]).refuse_foreign_scopes())
    })
    .await;
    let lenient = Stack::fetching().await;
    let evil = SigningKey::generate(Algorithm::Es256, MARK);
    let mut answers = 0;
    for stack in [&stack, &lenient] {
        let good = || marked(stack);
        let claim = |name: &str| marked(stack).claim(name, MARK).sign();
        let header = |name: &str| marked(stack).header(name, MARK).sign();
        let mut tokens = vec![
            good().sign(),
            good().tampered().sign(),
            good().unsigned().sign(),
            good().signed_by(&evil).sign(),
            good().signed_with_secret(MARK).sign(),
            good().raw_signature(MARK).sign(),
            good().raw_claims(format!("{{\"{MARK}\":")).sign(),
            good().raw_claims(format!(r#"{{"{MARK}":1,"{MARK}":2}}"#)).sign(),
            good().raw_header(format!(r#"{{"{MARK}":1,"{MARK}":2}}"#)).sign(),
            good().raw_header(MARK).sign(),
            good().expires_in(-60).sign(),
            good().claim("nbf", 1_900_000_000).sign(),
            good().claim("cnf", json!({ "jkt": MARK })).sign(),
            good().claim("aud", json!([MARK, "https://api.erp.example/tenant2"])).sign(),
            good().audience(format!("https://api.erp.example/{MARK}")).sign(),
            good().claim("iss", format!("https://auth.erp.example/{MARK}")).sign(),
            good().claim("scope", format!("\"{MARK}")).sign(),
            good().claim("client_id", json!({ "x": MARK })).sign(),
            good().header("crit", vec![MARK]).sign(),
            good().claim("x", MARK.repeat(2000)).sign(),
            good().claim("tenant_id", "tenant2").sign(),
            format!("{MARK}.{MARK}.{MARK}"),
            MARK.into(),
            format!("{MARK} {MARK}"),
            format!("{}\"{MARK}", good().sign()),
            format!("{}, Bearer {MARK}", good().sign()),
        ];
        tokens.extend(["iss", "aud", "exp", "nbf", "iat", "tenant_id", "cnf"].map(claim));
        tokens.extend(["alg", "typ", "kid", "crit", "zip", "b64"].map(header));
        for token in tokens {
            for path in [PATH, "/tenant2/whoami", "/tenant1", "/tenant1/whoami"] {
                // Twice, for what is remembered.
                for _ in 0..2 {
                    let answer = stack.get(path, &token).await;
                    answers += usize::from(!answer.status.is_success());
                }
                let query = format!("{path}?access_token={token}");
                if let Ok(request) = Request::get(query).body(Body::empty()) {
                    let _ = stack.send(request).await;
                }
            }
            let kept = format!("{:?} {:?}", log.events(), log.spans());
            hides(&kept, &token);
        }
    }
    assert!(answers > 100, "only {answers} refusals were looked at");
}

/// Asserts that neither the mark nor any piece of the token is in `text`.
#[track_caller]
fn hides(text: &str, token: &str) {
    assert!(!text.contains("SECRET"), "{text}");
    for part in token.split(['.', ' ']).filter(|part| part.len() >= 16) {
        for at in (0..part.len() - 15).step_by(4) {
            let piece = &part[at..at + 16];
            assert!(!text.contains(piece), "`{piece}` is in {text}");
        }
    }
}

#[tokio::test]
async fn whoever_prints_the_headers_prints_no_token() {
    let stack = Stack::usual().await.behind(|server, _| {
        let handler = |headers: HeaderMap| async move { format!("{headers:?}") };
        Router::new().route(PATH, on_get(handler)).layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("authorization"));
    hides(answer.text(), &token);
}

#[tokio::test]
async fn debug_shows_no_token_and_no_claim() {
    let shown = Arc::new(Mutex::new(String::new()));
    let show = |thing: &dyn Debug, into: &Mutex<String>| {
        let mut into = into.lock().unwrap();
        into.push_str(&format!("{thing:?} {thing:#?}\n"));
    };
    let seen = Arc::clone(&shown);
    let stack = Stack::usual().await.behind(|server, _| {
        let handler = move |caller: TenantPrincipal, scoped: Scoped<Read>| async move {
            show(&caller, &seen);
            show(&scoped, &seen);
            show(&*caller, &seen);
            show(&caller.identity(), &seen);
            show(&caller.subject(), &seen);
            show(&caller.client_id(), &seen);
            show(&caller.claims::<Claims>().map(drop), &seen);
            show(&caller.claims::<Odd>().map(drop), &seen);
        };
        Router::new().route(PATH, on_get(handler)).layer(server.layer())
    });
    let token = marked(&stack).client_id(format!("client-{MARK}")).sign();
    assert_eq!(stack.get(PATH, &token).await.status, 200);

    let refused = |reason: Reason| Rejection::new(reason).under(&stack.server.policy());
    show(&stack.server, &shown);
    show(&stack.server.layer(), &shown);
    show(&stack.server.layer().optional(), &shown);
    show(&stack.server.tower_layer(), &shown);
    show(&stack.server.readiness(), &shown);
    show(&stack.server.policy(), &shown);
    show(&Anonymous::new(&stack.server.policy()), &shown);
    show(&refused(Reason::TokenExpired), &shown);
    show(&tenantry::AccessToken::new(token.as_str()), &shown);
    show(&request_of("tenant1").with_subject(MARK).with_scope(MARK).build(), &shown);
    let service = tower::Layer::layer(&stack.server.tower_layer().uri_is_whole(), ());
    show(&service, &shown);

    let shown = shown.lock().unwrap();
    assert!(shown.contains("tenant1"), "{shown}");
    hides(&shown, &token);
    // Nor the keys that the policy holds.
    let jwks = stack.issuer.jwks();
    for coordinate in ["x", "y"] {
        let key = jwks["keys"][0][coordinate].as_str().unwrap();
        assert!(!shown.contains(key), "{shown}");
    }
}

#[derive(serde::Deserialize)]
struct Claims {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    email: String,
}

/// Not what the token says.
#[derive(serde::Deserialize)]
struct Odd {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    email: u64,
}

/// What a `Verifier` of one's own sees of a token.
#[tokio::test]
async fn debug_of_a_verified_token_shows_no_claim() {
    use tenantry_core::{Scope, TenantClaim, TokenFacts, VerifiedToken};
    let stack = Stack::usual().await;
    let facts = TokenFacts {
        issuer: tenantry::Issuer::new(stack.issuer.url()),
        subject: Some(tenantry::Subject::new(MARK)),
        client_id: Some(tenantry::ClientId::new(MARK)),
        audience: vec![MARK.into()],
        tenant_claims: vec![TenantClaim { name: "tenant_id".into(), value: MARK.into() }],
        scope: Scope::parse(MARK).unwrap(),
        expires_at: std::time::Duration::from_secs(1_900_000_000),
        issued_at: None,
        jwt_id: Some(MARK.into()),
        claims: MARK.as_bytes().into(),
    };
    let bytes = format!("{:?}", MARK.as_bytes());
    let shown = format!("{facts:?} {facts:#?} {:?}", facts.tenant_claims);
    let token = VerifiedToken::assert_verified(&stack.server.policy(), facts);
    let shown = format!("{shown} {token:?} {token:#?}");
    hides(&shown, MARK);
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}
