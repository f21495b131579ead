//! INVARIANT (fail closed): an error, a missing extension, keys or a directory that cannot be had, or
//! layers in the wrong order never reach the handler.
//!
//! INVARIANT (cannot judge is not invalid): an outage is 503, not 401.
//!
//! INVARIANT (cache the identity, not the decision): what was verified before is judged again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use http::{Extensions, Request, Uri};
use tenantry::{
    Algorithm, Anonymous, BoxFuture, Directory, IssuerSettings, KeyLocation, Reason, Rejection,
    RequestTarget, RequireScopeLayer, RequiredScope, ScopeNeed, Scoped, Standing,
    TenantAwareRequest, TenantExtractorLayer, TenantId, TenantPrincipal,
};
use tenantry_testkit::{SigningKey, TestIssuer, request_of};
use tenantry_tests::{Answer, Calls, Network, Refusal, Stack, bearer, get};
use tower::util::MapRequestLayer;

const PATH: &str = "/tenant1/journal-entries";
const KEYS_DOWN: &str = "keys_unavailable";

fn plant<T: Clone + Send + Sync + 'static>(
    thing: T,
) -> MapRequestLayer<impl Fn(Request<Body>) -> Request<Body> + Clone> {
    MapRequestLayer::new(move |mut request: Request<Body>| {
        request.extensions_mut().insert(thing.clone());
        request
    })
}

// --- The path is judged as a whole.

/// `/{tenant}` is stripped by the outer router, and what is left looks like a path of ours.
fn nested(calls: &Calls) -> Router {
    Router::new().route("/{below}/entries", calls.route())
}

#[tokio::test]
async fn a_layer_in_a_nest_judges_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new().nest("/{tenant}", nested(calls).layer(server.layer()))
    });
    let path = "/tenant2/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_layer_two_nests_down_judges_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let inner = nested(calls).route_layer(server.layer());
        Router::new().nest("/{tenant}", Router::new().nest("/{between}", inner))
    });
    let path = "/tenant2/tenant1/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_nested_service_is_judged_by_the_path_that_the_server_got() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let inner = nested(calls).layer(server.layer());
        Router::new().nest_service("/{tenant}", inner)
    });
    let path = "/tenant2/tenant1/entries";
    let token = stack.token("tenant1").sign();
    stack.get(path, &token).await.assert_refused(&Refusal::foreign_path());
    let token = stack.token("tenant2").sign();
    stack.get(path, &token).await.assert_admitted("tenant2");
}

#[tokio::test]
async fn a_layer_in_a_nest_without_the_request_target_refuses() {
    let stack = Stack::usual().await;
    for token in [stack.token("tenant1").sign(), stack.token("tenant2").sign()] {
        let stack = stack.behind(|server, calls| {
            Router::new().nest("/{tenant}", nested(calls).layer(server.tower_layer()))
        });
        let answer = stack.get("/tenant2/tenant1/entries", &token).await;
        answer.assert_refused(&Refusal::misconfigured());
    }
    // Where nothing was stripped, too: the layer cannot know.
    let stack = stack.behind(|server, calls| {
        Router::new().route("/{tenant}/entries", calls.route()).layer(server.tower_layer())
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant1/entries", &token).await;
    answer.assert_refused(&Refusal::misconfigured());
}

#[tokio::test]
async fn a_request_target_that_a_caller_planted_is_not_believed() {
    let planted = RequestTarget::from_request_line(Uri::from_static("/tenant1/entries"));
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new()
            .route("/{tenant}/entries", calls.route())
            .layer(server.layer())
            .layer(plant(planted))
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant2/entries", &token).await;
    answer.assert_refused(&Refusal::foreign_path());
}

#[tokio::test]
async fn a_path_that_was_rewritten_on_the_way_is_not_judged() {
    let rewrite = |to: &'static str| {
        MapRequestLayer::new(move |mut request: Request<Body>| {
            *request.uri_mut() = Uri::from_static(to);
            request
        })
    };
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    for to in ["/tenant2/entries", "/tenant1/entries/x", "/ntries", "entries", "*"] {
        let Ok(_) = to.parse::<Uri>() else { continue };
        let stack = stack.behind(|server, calls| {
            let inner = Router::new().fallback(calls.handler()).layer(server.layer());
            Router::new()
                .route_service("/{tenant}/entries", tower::Layer::layer(&rewrite(to), inner))
        });
        let answer = stack.get("/tenant1/entries", &token).await;
        let answer = answer.about(to);
        assert_eq!(answer.handler_calls, 0, "{to}");
        answer.assert_refused(&Refusal::misconfigured());
    }
}

#[tokio::test]
async fn an_original_uri_that_was_planted_does_not_open_another_tenant() {
    // Only code of the service can do this; what is routed on has to be part of it all the same.
    let planted = OriginalUri(Uri::from_static("/tenant1/entries"));
    let mut stack = Stack::usual().await.behind(|server, calls| {
        Router::new().route("/{tenant}/entries", calls.route()).layer(server.layer())
    });
    let service = tower::Layer::layer(&plant(planted), stack.app.clone());
    stack.app = Router::new().fallback_service(service);
    let token = stack.token("tenant1").sign();
    let answer = stack.get("/tenant2/entries", &token).await;
    answer.assert_refused(&Refusal::misconfigured());
}

// --- What others left in the extensions.

/// Answers with what is in the extensions.
async fn left(extensions: Extensions) -> String {
    let tenant = extensions.get::<TenantAwareRequest>().map(|found| found.tenant().to_string());
    let anonymous = extensions.get::<Anonymous>().is_some();
    format!("{tenant:?} {anonymous}")
}

fn counted(calls: &Calls) -> axum::routing::MethodRouter {
    let calls = calls.clone();
    on_get(move |extensions: Extensions| {
        calls.hit();
        left(extensions)
    })
}

#[tokio::test]
async fn a_tenant_aware_request_planted_by_an_outer_layer_is_removed() {
    let planted = request_of("tenant1").with_scope("journal.read").build();
    let usual = Stack::usual().await;
    let stack = usual.behind(|server, calls| {
        let read = RequireScopeLayer::all(["journal.read"]);
        Router::new()
            .route(PATH, counted(calls).layer(read))
            .route("/tenant2/journal-entries", counted(calls))
            .layer(server.layer())
            .layer(plant(planted.clone()))
    });
    stack.send(get(PATH)).await.assert_refused(&Refusal::unauthenticated());
    let token = stack.token("tenant1").tampered().sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::bad_signature());
    let token = stack.token("tenant1").scope("tenant1.profile").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::scope_missing("tenant1.journal.read"));
    // What the handler sees is what was proven. Twice: fresh, and from memory.
    let token = stack.token("tenant2").sign();
    for _ in 0..2 {
        let answer = stack.get("/tenant2/journal-entries", &token).await;
        assert_eq!(answer.text(), r#"Some("tenant2") false"#);
    }

    // On an optional layer a request without credentials is nobody's.
    let stack = usual.behind(|server, calls| {
        Router::new()
            .route(PATH, counted(calls))
            .layer(server.layer().optional())
            .layer(plant(planted.clone()))
    });
    assert_eq!(stack.send(get(PATH)).await.text(), "None true");
}

#[tokio::test]
async fn an_anonymous_planted_by_an_outer_layer_is_removed() {
    let usual = Stack::usual().await;
    let planted = Anonymous::new(usual.server.policy());
    let stack = usual.behind(|server, calls| {
        Router::new().route(PATH, counted(calls)).layer(server.layer()).layer(plant(planted))
    });
    stack.send(get(PATH)).await.assert_refused(&Refusal::unauthenticated());
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        let answer = stack.get(PATH, &token).await;
        assert_eq!(answer.text(), r#"Some("tenant1") false"#);
    }
}

#[tokio::test]
async fn an_inner_layer_does_not_rely_on_an_outer_one() {
    // The outer one admits tenant1 of issuer A; the inner one has never heard of A.
    let outer = Stack::usual().await;
    let other = TestIssuer::offline("https://other.erp.example");
    let named =
        IssuerSettings::new(other.url()).keys(KeyLocation::Jwks(other.jwks().to_string().into()));
    let inner = Stack::of(other, outer.clock.clone(), |server| server.issuer(named)).await;
    let stack = outer.behind(|server, calls| {
        Router::new().route(PATH, calls.route()).layer(inner.server.layer()).layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_issuer());
}

// --- Layers in the wrong order.

struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::all(&["journal.read"]);
}

#[tokio::test]
async fn a_scope_layer_around_the_extractor_refuses() {
    let stack = Stack::usual().await.behind(|server, calls| {
        Router::new()
            .route(PATH, calls.route())
            .layer(server.layer())
            .layer(RequireScopeLayer::all(["journal.read"]))
    });
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_refused(&Refusal::misconfigured());
    stack.send(get(PATH)).await.assert_refused(&Refusal::misconfigured());
}

/// A handler per kind of argument.
fn handlers(calls: &Calls) -> Router {
    let of = |calls: &Calls| {
        let calls = calls.clone();
        move || calls.hit()
    };
    let (principal, optional, scoped) = (of(calls), of(calls), of(calls));
    Router::new()
        .route(
            "/tenant1/principal",
            on_get(move |caller: TenantPrincipal| async move {
                principal();
                caller.tenant().to_string()
            }),
        )
        .route(
            "/tenant1/optional",
            on_get(move |caller: Option<TenantPrincipal>| async move {
                optional();
                caller.map_or_else(|| "nobody".into(), |caller| caller.tenant().to_string())
            }),
        )
        .route(
            "/tenant1/scoped",
            on_get(move |caller: Scoped<Read>| async move {
                scoped();
                caller.tenant().to_string()
            }),
        )
        .route("/tenant1/layered", calls.route().layer(RequireScopeLayer::all(["journal.read"])))
}

#[tokio::test]
async fn a_handler_that_asks_for_a_tenant_does_not_run_without_an_extractor() {
    let stack = Stack::usual().await.behind(|_, calls| handlers(calls));
    let token = stack.token("tenant1").sign();
    for path in ["/tenant1/principal", "/tenant1/optional", "/tenant1/scoped", "/tenant1/layered"] {
        stack.get(path, &token).await.assert_refused(&Refusal::misconfigured());
        stack.send(get(path)).await.assert_refused(&Refusal::misconfigured());
    }
}

#[tokio::test]
async fn with_the_extractor_each_kind_of_argument_gets_the_tenant() {
    let stack = Stack::usual().await.behind(|server, calls| handlers(calls).layer(server.layer()));
    let token = stack.token("tenant1").sign();
    let weak = stack.token("tenant1").scope("tenant1.profile").sign();
    let missing = Refusal::scope_missing("tenant1.journal.read");
    for (path, needs_scope) in [
        ("/tenant1/principal", false),
        ("/tenant1/optional", false),
        ("/tenant1/scoped", true),
        ("/tenant1/layered", true),
    ] {
        stack.get(path, &token).await.assert_admitted("tenant1");
        stack.send(get(path)).await.assert_refused(&Refusal::unauthenticated());
        let answer = stack.get(path, &weak).await;
        match needs_scope {
            true => answer.assert_refused(&missing),
            false => answer.assert_admitted("tenant1"),
        }
    }
}

#[tokio::test]
async fn an_optional_layer_lets_through_who_names_nobody_and_no_bad_token() {
    let stack = Stack::usual()
        .await
        .behind(|server, calls| handlers(calls).layer(server.layer().optional()));
    let answer = stack.send(get("/tenant1/optional")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "nobody"));
    assert_eq!(answer.handler_calls, 1);
    for path in ["/tenant1/principal", "/tenant1/scoped", "/tenant1/layered"] {
        stack.send(get(path)).await.assert_refused(&Refusal::unauthenticated());
    }

    let path = "/tenant1/optional";
    let good = stack.token("tenant1");
    stack.get(path, &good.sign()).await.assert_admitted("tenant1");
    for (token, refusal) in [
        (good.clone().expires_in(-60).sign(), Refusal::expired()),
        (good.clone().tampered().sign(), Refusal::bad_signature()),
        (stack.token("tenant2").sign(), Refusal::foreign_path()),
        (
            "x".into(),
            Refusal::invalid_token(
                "token_malformed",
                "the access token is not a JWT of three parts",
            ),
        ),
        (
            "x y".into(),
            Refusal::invalid_request(
                "credentials_malformed",
                "the Authorization field is not the word Bearer, a space and one token",
            ),
        ),
    ] {
        stack.get(path, &token).await.assert_refused(&refusal);
    }
    stack.send(get("/tenant1/optional?access_token=x")).await.assert_refused(
        &Refusal::invalid_request(
            "credentials_in_query",
            "the request has an access token in its query",
        ),
    );
    // Nobody may read a path in two ways, either.
    let answer = stack.send(get("/tenant1//optional")).await;
    answer.assert_refused(&Refusal::ambiguous_path());
}

#[tokio::test]
async fn a_verifier_of_another_policy_is_a_mistake_and_not_a_permission() {
    let (one, other) = (Stack::usual().await, Stack::usual().await);
    let keys = tenantry_jwks::KeyStore::new(
        tenantry::KeySettings::default(),
        Arc::new(one.network.clone()),
        Arc::new(one.clock.clone()),
    );
    let verifier = tenantry_jwt::JwtVerifier::builder(
        one.server.policy().clone(),
        keys,
        Arc::new(tenantry::TrustIssuers),
        Arc::new(one.clock.clone()),
    );
    let layer = TenantExtractorLayer::new(
        other.server.policy().clone(),
        Arc::new(verifier.build().unwrap()),
        Arc::new(tenantry::TrustIssuers),
    );
    let stack =
        one.behind(|_, calls| Router::new().route(PATH, calls.route()).layer(layer.uri_is_whole()));
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_refused(&Refusal::misconfigured());
    }
}

// --- Keys.

#[tokio::test]
async fn a_token_without_kid_when_two_keys_fit_is_refused() {
    let clock = Stack::clock();
    let second = SigningKey::generate(Algorithm::Es256, "second");
    let of = |builder: tenantry_testkit::TestIssuerBuilder| {
        builder.clock(Arc::new(clock.clone())).offline()
    };
    let two = of(TestIssuer::builder().key(second.clone()));
    let ambiguous = Refusal::invalid_token(
        "key_ambiguous",
        "more than one key of the issuer fits the access token",
    );
    let stack = |issuer: &TestIssuer| {
        let named = IssuerSettings::new(issuer.url())
            .keys(KeyLocation::Jwks(issuer.jwks().to_string().into()));
        Stack::of(issuer.clone(), clock.clone(), |server| server.issuer(named))
    };
    let with_two = stack(&two).await;
    let good = || with_two.token("tenant1");
    for token in [
        good().without_header("kid"),
        good().signed_by(&second).without_header("kid"),
        // Whoever signed it: no key is tried.
        good().signed_by(&SigningKey::generate(Algorithm::Es256, "x")).without_header("kid"),
        good().raw_signature(vec![0; 64]).without_header("kid"),
    ] {
        with_two.get(PATH, &token.sign()).await.assert_refused(&ambiguous);
    }
    for token in [good(), good().signed_by(&second)] {
        with_two.get(PATH, &token.sign()).await.assert_admitted("tenant1");
    }
    // One that fits is enough, beside others of other algorithms.
    let one = of(TestIssuer::builder().algorithms([Algorithm::Es256, Algorithm::EdDsa]));
    let with_one = stack(&one).await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let token = with_one.token("tenant1").algorithm(algorithm).without_header("kid");
        with_one.get(PATH, &token.sign()).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_gets_503_and_heals_by_itself() {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let network = Network::default();
    network.fail();
    let server = Stack::builder(&clock, &network)
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri()));
    // The start does not fail, and does not wait.
    let stack = Stack::around(server, issuer, clock, network).await;
    assert!(!stack.server.readiness().is_ready());
    let token = stack.token("tenant1").expires_in(7200).sign();
    let down = Refusal::unavailable(KEYS_DOWN, "1");
    stack.get(PATH, &token).await.assert_refused(&down);
    assert!(!stack.server.readiness().is_ready());

    stack.network.publish(stack.issuer.jwks_uri(), &stack.issuer.jwks());
    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    assert!(stack.server.readiness().is_ready());
}

#[tokio::test]
async fn an_issuer_without_traffic_heals_because_readiness_is_asked() {
    let stack = Stack::fetching().await;
    stack.network.fail();
    settle().await;
    assert!(!stack.server.readiness().is_ready());
    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    let _ = stack.server.readiness();
    settle().await;
    assert!(stack.server.readiness().is_ready());
}

#[tokio::test]
async fn whatever_the_issuer_answers_instead_of_keys_is_503() {
    use serde_json::json;
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "es256-1"});
    for (what, document) in [
        ("no keys", json!({"keys": []})),
        ("not a set", json!({"error": "login required"})),
        ("a list", json!([])),
        ("an odd key only", json!({"keys": [{"kty": "X"}]})),
        ("a symmetric key only", json!({"keys": [symmetric]})),
        ("a page", json!("<html>")),
    ] {
        let stack = Stack::fetching().await;
        stack.network.publish(stack.issuer.jwks_uri(), &document);
        let token = stack.token("tenant1").sign();
        let answer = stack.get(PATH, &token).await.about(what);
        answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
    }
}

#[tokio::test]
async fn a_transport_that_panics_is_503() {
    let stack = Stack::fetching().await;
    stack.network.panic();
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_hangs_is_503_after_the_time_of_a_fetch() {
    let stack = Stack::fetching().await;
    stack.network.hang();
    let token = stack.token("tenant1").sign();
    let before = tokio::time::Instant::now();
    let answer = stack.get(PATH, &token).await;
    answer.assert_refused(&Refusal::unavailable(KEYS_DOWN, "1"));
    assert!(before.elapsed() <= Duration::from_secs(6), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_the_fetch_for_others() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").sign();
    {
        let mut gone = std::pin::pin!(stack.get(PATH, &token));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
    }
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    assert_eq!(stack.network.fetched().len(), 1);
}

/// Lets tasks in the background come to an end; nothing here takes time.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

// --- What was verified before.

#[tokio::test]
async fn a_token_that_was_accepted_is_refused_once_it_expires() {
    for stack in [Stack::usual().await, Stack::fetching().await] {
        let token = stack.token("tenant1").expires_in(600).sign();
        for (seconds, valid) in [(0, true), (0, true), (600, true), (29, true), (1, false)] {
            stack.clock.advance_unix(Duration::from_secs(seconds));
            let answer = stack.get(PATH, &token).await;
            match valid {
                true => answer.assert_admitted("tenant1"),
                false => answer.assert_refused(&Refusal::expired()),
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_is_not_valid_before_its_time() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // Somebody sets the clock back, beyond the skew.
    stack.clock.set_unix(Duration::from_secs(1_800_000_000 - 31));
    stack.get(PATH, &token).await.assert_refused(&Refusal::invalid_token(
        "token_not_yet_valid",
        "the access token is not valid yet",
    ));
}

#[tokio::test]
async fn a_token_that_was_accepted_goes_with_its_key() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(7200).sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
    // The issuer withdraws it. Within the soft lifetime nobody knows; then it is asked.
    stack.issuer.rotate();
    stack.network.publish(stack.issuer.jwks_uri(), &stack.issuer.jwks());
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    stack.clock.advance(Duration::from_secs(600));
    let _ = stack.get(PATH, &token).await;
    settle().await;
    stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_key());
    let token = stack.token("tenant1").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn a_key_exchanged_under_the_same_name_takes_its_tokens_along() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(7200).sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    let other = SigningKey::generate(Algorithm::Es256, "es256-1");
    let document = serde_json::json!({ "keys": [other.public_jwk()] });
    stack.network.publish(stack.issuer.jwks_uri(), &document);
    stack.clock.advance(Duration::from_secs(600));
    let _ = stack.get(PATH, &token).await;
    settle().await;
    stack.get(PATH, &token).await.assert_refused(&Refusal::bad_signature());
}

#[tokio::test]
async fn in_an_outage_known_keys_serve_on_and_not_for_ever() {
    let stack = Stack::fetching().await;
    let token = stack.token("tenant1").expires_in(4 * 3600).sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    stack.network.fail();
    // 10 min, and 1 h beyond.
    for minutes in [10, 30, 29] {
        stack.clock.advance(Duration::from_secs(60 * minutes));
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        settle().await;
        // Also for a token that nobody has seen.
        let other = stack.token("tenant1").sign();
        stack.get(PATH, &other).await.assert_admitted("tenant1");
        settle().await;
    }
    stack.clock.advance(Duration::from_secs(60));
    let answer = stack.get(PATH, &token).await;
    assert_eq!((answer.status.as_u16(), answer.handler_calls), (503, 0));
    assert_eq!(answer.code(), KEYS_DOWN);
    assert!(answer.all(http::header::WWW_AUTHENTICATE).is_empty());
    assert!(!stack.server.readiness().is_ready());

    stack.network.recover();
    stack.clock.advance(Duration::from_secs(61));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn what_is_remembered_is_who_and_not_what_it_permits() {
    let stack = Stack::usual().await;
    let token = stack.token("tenant1").scope("tenant1.journal.read").sign();
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    let mut post = bearer(get(PATH), &token);
    *post.method_mut() = http::Method::POST;
    stack
        .send(post)
        .await
        .assert_refused(&Refusal::scope_missing("tenant1.finance.write tenant1.journal.create"));
    stack.get("/tenant2/journal-entries", &token).await.assert_refused(&Refusal::foreign_path());
    let tampered = format!("{}A{}", &token[..token.len() - 2], &token[token.len() - 1..]);
    let answer = stack.get(PATH, &tampered).await;
    assert_eq!((answer.status.as_u16(), answer.handler_calls), (401, 0));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn without_a_cache_the_answers_are_the_same() {
    let stack = Stack::with(|server| server.token_cache_bytes(0)).await;
    let token = stack.token("tenant1").sign();
    for _ in 0..2 {
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        stack
            .get("/tenant2/journal-entries", &token)
            .await
            .assert_refused(&Refusal::foreign_path());
    }
}

// --- The directory.

/// A directory that does as it is told.
#[derive(Debug)]
struct Told {
    answer: std::sync::Mutex<Behaviour>,
    asked: AtomicUsize,
    remembers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Fails,
    Hangs,
    Says(Standing),
}

impl Told {
    fn new(answer: Behaviour, remembers: bool) -> Arc<Self> {
        let answer = std::sync::Mutex::new(answer);
        Arc::new(Self { answer, asked: AtomicUsize::new(0), remembers })
    }

    fn now(&self, answer: Behaviour) {
        *self.answer.lock().unwrap() = answer;
    }

    fn answer(&self) -> Behaviour {
        *self.answer.lock().unwrap()
    }
}

impl Directory for Told {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        match self.answer() {
            Behaviour::Says(standing) if self.remembers => Some(standing),
            _ => None,
        }
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer();
        Box::pin(async move {
            match answer {
                Behaviour::Fails => Err(Rejection::new(Reason::DirectoryUnavailable)),
                Behaviour::Hangs => std::future::pending().await,
                Behaviour::Says(standing) => Ok(standing),
            }
        })
    }

    fn trusts_issuers(&self) -> bool {
        false
    }
}

fn suspended() -> Refusal {
    Refusal::insufficient_scope("tenant_suspended", "the tenant of the access token is suspended")
}

#[tokio::test]
async fn a_directory_that_fails_is_503() {
    let directory = Told::new(Behaviour::Fails, false);
    let stack = Stack::with(|server| server.directory(directory.clone())).await;
    let token = stack.token("tenant1").sign();
    for asked in 1..4 {
        let answer = stack.get(PATH, &token).await;
        answer.assert_refused(&Refusal::unavailable("directory_unavailable", "5"));
        assert_eq!(directory.asked.load(Ordering::Relaxed), asked);
    }
    directory.now(Behaviour::Says(Standing::Active));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // A foreign tenant's request does not get so far as to ask.
    let before = directory.asked.load(Ordering::Relaxed);
    let answer = stack.get("/tenant2/journal-entries", &token).await;
    answer.assert_refused(&Refusal::foreign_path());
    assert_eq!(directory.asked.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_hangs_is_503_in_bounded_time() {
    let directory = Told::new(Behaviour::Hangs, false);
    let stack = Stack::with(|server| server.directory(directory.clone())).await;
    let token = stack.token("tenant1").sign();
    // Fresh, and then with a token that is known.
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_secs(60), stack.get(PATH, &token)).await;
        assert_eq!(stack.handler_calls(), 0);
        let answer: Answer = answer.expect("the request hangs with the directory");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.code(), "directory_unavailable");
    }
}

#[tokio::test]
async fn a_suspension_counts_for_tokens_that_were_accepted() {
    for remembers in [false, true] {
        let directory = Told::new(Behaviour::Says(Standing::Active), remembers);
        let stack = Stack::with(|server| server.directory(directory.clone())).await;
        let token = stack.token("tenant1").sign();
        stack.get(PATH, &token).await.assert_admitted("tenant1");
        directory.now(Behaviour::Says(Standing::Suspended));
        stack.get(PATH, &token).await.assert_refused(&suspended());
        directory.now(Behaviour::Says(Standing::Unknown));
        stack.get(PATH, &token).await.assert_refused(&Refusal::insufficient_scope(
            "tenant_unknown",
            "the tenant of the access token is not known here",
        ));
        directory.now(Behaviour::Says(Standing::Active));
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
}

/// An issuer pattern whose tenants `directory` knows, or not.
async fn pattern(directory: Arc<Told>) -> Stack {
    let clock = Stack::clock();
    let issuer =
        TestIssuer::builder().clock(Arc::new(clock.clone())).keys_per_tenant(["tenant1"]).offline();
    let named = IssuerSettings::new(format!("{}/{{tenant}}", issuer.url()))
        .jwks_uri(issuer.jwks_uri_of("{tenant}"));
    let stack = Stack::of(issuer, clock, |server| server.issuer(named).directory(directory)).await;
    let uri = stack.issuer.jwks_uri_of("tenant1");
    stack.network.publish(uri, &stack.issuer.jwks_of("tenant1"));
    stack
}

#[tokio::test]
async fn with_an_issuer_pattern_nothing_is_fetched_while_the_directory_is_down() {
    let directory = Told::new(Behaviour::Fails, false);
    let stack = pattern(directory.clone()).await;
    let token = stack.token("tenant1").sign();
    let down = Refusal::unavailable("directory_unavailable", "5");
    stack.get(PATH, &token).await.assert_refused(&down);
    assert!(stack.network.fetched().is_empty());
    directory.now(Behaviour::Says(Standing::Active));
    stack.get(PATH, &token).await.assert_admitted("tenant1");
    // What was verified counts no more when the directory cannot be asked.
    directory.now(Behaviour::Fails);
    stack.get(PATH, &token).await.assert_refused(&down);
}

#[tokio::test]
async fn with_an_issuer_pattern_a_tenant_that_is_taken_off_loses_its_tokens() {
    for remembers in [false, true] {
        let directory = Told::new(Behaviour::Says(Standing::Active), remembers);
        let stack = pattern(directory.clone()).await;
        let token = stack.token("tenant1").sign();
        for _ in 0..2 {
            stack.get(PATH, &token).await.assert_admitted("tenant1");
        }
        directory.now(Behaviour::Says(Standing::Unknown));
        stack.get(PATH, &token).await.assert_refused(&Refusal::unknown_issuer());
        directory.now(Behaviour::Says(Standing::Suspended));
        stack.get(PATH, &token).await.assert_refused(&suspended());
    }
}

// --- The handler.

#[tokio::test]
async fn an_answer_of_the_handler_is_handed_on_as_it_is() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let calls = calls.clone();
        let handler = move |_: TenantPrincipal| async move {
            calls.hit();
            (http::StatusCode::IM_A_TEAPOT, [("x-own", "1")], "short and stout").into_response()
        };
        Router::new().route(PATH, on_get(handler)).layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.get(PATH, &token).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (418, "short and stout"));
    assert_eq!(answer.headers["x-own"], "1");
    assert_eq!(answer.headers["content-length"], "15");
}
