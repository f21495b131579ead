//! INVARIANT (isolation): a token is judged by the keys and algorithms of the issuer that it was
//! accepted for, and that issuer speaks only for the tenants it is trusted for.
//!
//! INVARIANT (no network for strangers): what a token says causes no request before its issuer, its
//! algorithm and its tenant are known.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use tenantry::{
    Algorithm, Directory, IssuerSettings, KeyLocation, ResourceServerBuilder, Standing,
    StaticDirectory, TenantPrincipal,
};
use tenantry_testkit::{SigningKey, TestIssuer, TokenBuilder};
use tenantry_tests::{Network, Refusal, Stack};

const A: &str = "https://a.erp.example";
const B: &str = "https://b.erp.example";

fn whoami(tenant: &str) -> String {
    format!("/{tenant}/whoami")
}

async fn refused(stack: &Stack, tenant: &str, token: TokenBuilder, refusal: &Refusal) {
    let answer = stack.get(&whoami(tenant), &token.sign()).await;
    answer.assert_refused(refusal);
}

fn not_of_issuer() -> Refusal {
    Refusal::invalid_token(
        "tenant_not_of_issuer",
        "the issuer of the access token does not speak for the tenant it names",
    )
}

fn issuer_conflict() -> Refusal {
    Refusal::invalid_token(
        "token_conflict.issuer",
        "the issuer belongs to another tenant than the rest of the access token names",
    )
}

fn jwks(issuer: &TestIssuer) -> KeyLocation {
    KeyLocation::Jwks(issuer.jwks().to_string().into())
}

fn directory<const N: usize>(tenants: [&str; N]) -> Arc<dyn Directory> {
    let active = tenants.map(|id| (id.parse().unwrap(), Standing::Active));
    Arc::new(StaticDirectory::new(active).unwrap())
}

/// Two issuers with a tenant each. Both call their key `es256-1`.
struct Two {
    a: TestIssuer,
    b: TestIssuer,
    stack: Stack,
}

impl Two {
    async fn new() -> Self {
        Self::with(|a| a, |b| b).await
    }

    async fn with(
        of_a: impl FnOnce(IssuerSettings) -> IssuerSettings,
        of_b: impl FnOnce(IssuerSettings) -> IssuerSettings,
    ) -> Self {
        let clock = Stack::clock();
        let issuer = |url: &str| {
            TestIssuer::builder()
                .url(url)
                .algorithms([Algorithm::Es256, Algorithm::EdDsa])
                .clock(Arc::new(clock.clone()))
        };
        let second = SigningKey::generate(Algorithm::Es256, "only-at-b");
        let (a, b) = (issuer(A).offline(), issuer(B).key(second).offline());
        let settings_a = of_a(IssuerSettings::new(A).keys(jwks(&a)).tenants(["tenant1"]));
        let settings_b = of_b(IssuerSettings::new(B).keys(jwks(&b)).tenants(["tenant2"]));
        let stack =
            Stack::of(a.clone(), clock, |server| server.issuer(settings_a).issuer(settings_b))
                .await;
        Self { a, b, stack }
    }
}

#[tokio::test]
async fn two_issuers_serve_their_own_tenants() {
    let Two { a, b, stack } = Two::new().await;
    for (issuer, tenant) in [(&a, "tenant1"), (&b, "tenant2")] {
        let token = issuer.token().tenant(tenant).sign();
        let answer = stack.get(&whoami(tenant), &token).await;
        answer.assert_admitted(tenant);
    }
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_sign_for_another_whatever_it_is_called() {
    let Two { a, b, stack } = Two::new().await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        // The names are the same, the keys are not.
        let token = a.token().tenant("tenant1").signed_by(&b.key(algorithm));
        refused(&stack, "tenant1", token, &Refusal::bad_signature()).await;
        let token = b.token().tenant("tenant2").signed_by(&a.key(algorithm));
        refused(&stack, "tenant2", token, &Refusal::bad_signature()).await;
    }
    // A name that only the other issuer has.
    let names = b.jwks();
    assert!(names["keys"].as_array().unwrap().iter().any(|key| key["kid"] == "only-at-b"));
    let token = a.token().tenant("tenant1").header("kid", "only-at-b");
    refused(&stack, "tenant1", token, &Refusal::unknown_key()).await;
    // Nor without a name: two keys of the issuer itself do not fit one algorithm here.
    let key = b.key(Algorithm::Es256).without_kid();
    let token = a.token().tenant("tenant1").signed_by(&key);
    refused(&stack, "tenant1", token, &Refusal::bad_signature()).await;
}

#[tokio::test]
async fn an_iss_that_is_exchanged_makes_another_issuer_judge() {
    let Two { a, b, stack } = Two::new().await;
    for tenant in ["tenant1", "tenant2"] {
        let token = b.token().tenant(tenant).claim("iss", A);
        refused(&stack, tenant, token, &Refusal::bad_signature()).await;
        let token = a.token().tenant(tenant).claim("iss", B);
        refused(&stack, tenant, token, &Refusal::bad_signature()).await;
    }
    for iss in [
        json!("https://a.erp.example/"),
        json!("https://A.erp.example"),
        json!("https://a.erp.example:443"),
        json!("https://a.erp.example#"),
        json!("http://a.erp.example"),
        json!("a.erp.example"),
        json!("https://a.erp.exampl"),
        json!("https://a.erp.example.evil.example"),
        json!(" https://a.erp.example"),
    ] {
        let token = a.token().tenant("tenant1").claim("iss", iss);
        refused(&stack, "tenant1", token, &Refusal::unknown_issuer()).await;
    }
    let malformed = Refusal::invalid_token(
        "claim_malformed",
        "a claim of the access token has the wrong type or form",
    );
    for iss in [json!([A]), json!([A, B]), json!({ "url": A }), json!(null), json!(1), json!("")] {
        let token = a.token().tenant("tenant1").claim("iss", iss);
        refused(&stack, "tenant1", token, &malformed).await;
    }
}

#[tokio::test]
async fn an_issuer_does_not_speak_for_the_tenant_of_another() {
    let Two { a, b, stack } = Two::new().await;
    refused(&stack, "tenant2", a.token().tenant("tenant2"), &not_of_issuer()).await;
    refused(&stack, "tenant1", b.token().tenant("tenant1"), &not_of_issuer()).await;
    // Nor for one that nobody speaks for, nor for one that looks alike.
    for tenant in ["tenant3", "tenant10", "Tenant1", "tenant"] {
        refused(&stack, tenant, a.token().tenant(tenant), &not_of_issuer()).await;
    }
    // The path does not matter: the token itself is no good.
    refused(&stack, "tenant1", a.token().tenant("tenant2"), &not_of_issuer()).await;
}

#[tokio::test]
async fn the_algorithms_of_one_issuer_are_not_those_of_another() {
    let Two { a, b, stack } =
        Two::with(|a| a.algorithms([Algorithm::EdDsa]), |b| b.algorithms([Algorithm::Es256])).await;
    let of = |issuer: &TestIssuer, tenant: &str, algorithm| {
        issuer.token().tenant(tenant).algorithm(algorithm)
    };
    for (issuer, tenant, right, wrong) in [
        (&a, "tenant1", Algorithm::EdDsa, Algorithm::Es256),
        (&b, "tenant2", Algorithm::Es256, Algorithm::EdDsa),
    ] {
        let answer = stack.get(&whoami(tenant), &of(issuer, tenant, right).sign()).await;
        answer.assert_admitted(tenant);
        let token = of(issuer, tenant, wrong);
        refused(&stack, tenant, token, &Refusal::algorithm_not_allowed()).await;
    }
}

#[tokio::test]
async fn a_tenant_of_two_issuers_has_its_subjects_apart() {
    let Two { a, b, stack } = Two::with(
        |a| a.shared_tenants(["tenant1"]),
        |b| b.tenants(["tenant1", "tenant2"]).shared_tenants(["tenant1"]),
    )
    .await;
    let identities = Arc::new(std::sync::Mutex::new(HashSet::new()));
    let seen = Arc::clone(&identities);
    let stack = stack.behind(|server, _| {
        let handler = move |caller: TenantPrincipal| async move {
            let identity = caller.identity().unwrap();
            let mut seen = seen.lock().unwrap();
            seen.insert((
                identity.issuer.as_str().to_owned(),
                identity.tenant.as_str().to_owned(),
                identity.subject.as_str().to_owned(),
            ));
        };
        axum::Router::new()
            .route("/{tenant}/whoami", axum::routing::get(handler))
            .layer(server.layer())
    });
    for (issuer, tenant) in [(&a, "tenant1"), (&b, "tenant1"), (&b, "tenant2")] {
        let token = issuer.token().tenant(tenant).subject("alice").sign();
        assert_eq!(stack.get(&whoami(tenant), &token).await.status, 200);
    }
    assert_eq!(identities.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn rfc8725_s3_1_a_public_key_is_never_an_hmac_secret() {
    let clock = Stack::clock();
    let issuer = TestIssuer::builder()
        .algorithms([Algorithm::Rs256])
        .clock(Arc::new(clock.clone()))
        .offline();
    let named = IssuerSettings::new(issuer.url()).keys(jwks(&issuer));
    let stack = Stack::of(issuer, clock, |server| server.issuer(named)).await;
    let good = || stack.token("tenant1");
    let answer = stack.get("/tenant1/whoami", &good().sign()).await;
    answer.assert_admitted("tenant1");

    let key = stack.issuer.key(Algorithm::Rs256);
    let pem = key.public_pem();
    let jwk = key.public_jwk();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap());
    for secret in [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().into(),
        modulus.unwrap(),
        Vec::new(),
    ] {
        let token = good().signed_with_secret(secret);
        let named = token.clone().header("kid", "rs256-1");
        for token in [token, named.clone()] {
            refused(&stack, "tenant1", token, &Refusal::algorithm_not_allowed()).await;
        }
        // And under the name of the key's own algorithm.
        let token = named.header("alg", "RS256");
        refused(&stack, "tenant1", token, &Refusal::bad_signature()).await;
    }
    for alg in ["HS256", "HS384", "HS512", "ES256", "PS256", "RS512", "rs256", "RSA", ""] {
        let token = good().header("alg", alg);
        let answer = stack.get("/tenant1/whoami", &token.sign()).await;
        let refusal = match alg {
            // Allowed by default, and the key does not fit it.
            "ES256" => Refusal::unknown_key(),
            _ => Refusal::algorithm_not_allowed(),
        };
        answer.about(alg).assert_refused(&refusal);
    }
}

#[tokio::test]
async fn rfc9068_s4_none_is_refused_however_it_is_spelled() {
    let stack = Stack::usual().await;
    for alg in ["none", "None", "NONE", "nOnE", "none ", "none\0"] {
        let bare = stack.token("tenant1").unsigned().header("alg", alg);
        let named = bare.clone().header("kid", "es256-1");
        let signed = stack.token("tenant1").header("alg", alg);
        for token in [bare, named, signed] {
            refused(&stack, "tenant1", token, &Refusal::algorithm_not_allowed()).await;
        }
    }
    // An empty signature under the right name.
    let token = stack.token("tenant1").raw_signature(Vec::new());
    refused(&stack, "tenant1", token, &Refusal::bad_signature()).await;
    let malformed =
        Refusal::invalid_token("token_malformed", "the access token is not a JWT of three parts");
    for alg in [json!(null), json!(["ES256"]), json!(1)] {
        let token = stack.token("tenant1").header("alg", alg);
        refused(&stack, "tenant1", token, &malformed).await;
    }
    refused(&stack, "tenant1", stack.token("tenant1").without_header("alg"), &malformed).await;
}

#[tokio::test]
async fn rfc8725_s3_10_a_key_in_the_header_selects_nothing_and_fetches_nothing() {
    const EVIL: &str = "https://evil.example/jwks.json";
    let stack = Stack::fetching().await;
    let evil = SigningKey::generate(Algorithm::Es256, "evil");
    let twin = SigningKey::generate(Algorithm::Es256, "es256-1");
    for key in [&evil, &twin] {
        stack.network.publish(EVIL, &json!({ "keys": [key.public_jwk()] }));
        let refusal = match key.kid() {
            Some("evil") => Refusal::unknown_key(),
            _ => Refusal::bad_signature(),
        };
        let forged = || stack.token("tenant1").signed_by(key);
        for token in [
            forged(),
            forged().header("jwk", key.public_jwk()),
            forged().header("jku", EVIL),
            forged().header("x5u", EVIL),
            forged().header("x5c", vec!["MIIB"]),
            forged().header("jwk", key.public_jwk()).header("jku", EVIL),
        ] {
            refused(&stack, "tenant1", token, &refusal).await;
        }
        let token = forged().header("kid", EVIL).header("jku", EVIL);
        refused(&stack, "tenant1", token, &Refusal::unknown_key()).await;
    }
    // Without a name, the one key of the issuer judges.
    let token = stack
        .token("tenant1")
        .signed_by(&evil)
        .without_header("kid")
        .header("jwk", evil.public_jwk());
    refused(&stack, "tenant1", token, &Refusal::bad_signature()).await;
    // On a good token they are ignored.
    let token = stack.token("tenant1").header("jku", EVIL).header("jwk", evil.public_jwk()).sign();
    stack.get("/tenant1/whoami", &token).await.assert_admitted("tenant1");

    let uri = stack.issuer.jwks_uri();
    assert!(stack.network.fetched().iter().all(|fetched| *fetched == uri));
    assert!(!stack.network.fetched().is_empty());
}

#[tokio::test]
async fn rfc8414_s3_3_metadata_of_another_issuer_leads_to_no_keys() {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let stack = Stack::of(issuer, clock, |server| server.issuer("https://auth.erp.example")).await;
    let url = stack.issuer.url();
    let at = [
        format!("{url}/.well-known/oauth-authorization-server"),
        format!("{url}/.well-known/openid-configuration"),
    ];
    let token = stack.token("tenant1").sign();
    for named in
        ["https://evil.example", "https://auth.erp.example/", "https://AUTH.erp.example", ""]
    {
        for at in &at {
            stack.network.publish_metadata(at, named, &stack.issuer.jwks_uri());
        }
        stack.clock.advance(std::time::Duration::from_secs(61));
        let answer = stack.get("/tenant1/whoami", &token).await;
        assert_eq!((answer.status.as_u16(), answer.handler_calls), (503, 0), "{named}");
        assert_eq!(answer.code(), "keys_unavailable");
    }
    assert!(!stack.network.fetched().contains(&stack.issuer.jwks_uri()));

    stack.network.publish_metadata(&at[1], url, &stack.issuer.jwks_uri());
    stack.clock.advance(std::time::Duration::from_secs(61));
    stack.get("/tenant1/whoami", &token).await.assert_admitted("tenant1");
}

/// An issuer pattern: `tenant1` and `tenant2` have issuers and keys of their own.
async fn pattern(discovered: bool) -> Stack {
    let clock = Stack::clock();
    let issuer = TestIssuer::builder()
        .clock(Arc::new(clock.clone()))
        .keys_per_tenant(["tenant1", "tenant2", "tenant99"])
        .offline();
    let url = issuer.url().to_owned();
    let mut named = IssuerSettings::new(format!("{url}/{{tenant}}"));
    if !discovered {
        named = named.jwks_uri(issuer.jwks_uri_of("{tenant}"));
    }
    let stack = Stack::of(issuer, clock, |server| {
        server.issuer(named).directory(directory(["tenant1", "tenant2"]))
    })
    .await;
    let Stack { issuer, network, .. } = &stack;
    for tenant in ["tenant1", "tenant2", "tenant99"] {
        let uri = issuer.jwks_uri_of(tenant);
        let at = format!("{url}/.well-known/oauth-authorization-server/{tenant}");
        network.publish_metadata(&at, &issuer.issuer_of(tenant), &uri);
        network.publish(uri, &issuer.jwks_of(tenant));
    }
    stack
}

#[tokio::test]
async fn a_tenants_key_does_not_sign_for_another_tenant_of_the_pattern() {
    for discovered in [false, true] {
        let stack = pattern(discovered).await;
        for tenant in ["tenant1", "tenant2"] {
            let token = stack.token(tenant).sign();
            stack.get(&whoami(tenant), &token).await.assert_admitted(tenant);
        }
        let key = stack.issuer.key_of("tenant1", Algorithm::Es256);
        for (token, refusal) in [
            (stack.token("tenant2").signed_by(&key), Refusal::unknown_key()),
            (
                stack.token("tenant2").signed_by(&key.clone().with_kid("tenant2-es256-1")),
                Refusal::bad_signature(),
            ),
            (
                stack.token("tenant2").signed_by(&key.clone().without_kid()),
                Refusal::bad_signature(),
            ),
            // With its own `iss` its key is right, and what it says of another tenant is not.
            (stack.token("tenant1").claim("tenant_id", "tenant2"), conflict_audience()),
            (
                stack
                    .token("tenant1")
                    .claim("tenant_id", "tenant2")
                    .audience("https://api.erp.example/tenant2"),
                issuer_conflict(),
            ),
        ] {
            for tenant in ["tenant1", "tenant2"] {
                refused(&stack, tenant, token.clone(), &refusal).await;
            }
        }
    }
}

fn conflict_audience() -> Refusal {
    Refusal::invalid_token(
        "token_conflict.audience",
        "the audience names another tenant than the rest of the access token",
    )
}

#[tokio::test]
async fn a_made_up_tenant_fetches_nothing() {
    for discovered in [false, true] {
        let stack = pattern(discovered).await;
        // It exists at the issuer, with keys, and is not known here.
        let token = stack.token("tenant99");
        refused(&stack, "tenant99", token, &Refusal::unknown_issuer()).await;
        let url = stack.issuer.url();
        for iss in [
            format!("{url}/tenant98"),
            format!("{url}/Tenant1"),
            format!("{url}/tenant1/"),
            format!("{url}/tenant1/x"),
            format!("{url}/.well-known"),
            format!("{url}/tenant1?x"),
            format!("{url}/{}", "t".repeat(200)),
            format!("{url}/"),
            url.into(),
        ] {
            let token = stack.token("tenant1").claim("iss", iss.as_str());
            refused(&stack, "tenant1", token, &Refusal::unknown_issuer()).await;
        }
        assert!(stack.network.fetched().is_empty(), "{:?}", stack.network.fetched());
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_a_token_that_is_refused_for_its_form() {
    let stack = pattern(false).await;
    let good = || stack.token("tenant1");
    for token in [
        good().unsigned().sign(),
        good().typ("JWT").sign(),
        good().header("crit", vec!["x"]).sign(),
        good().header("b64", false).sign(),
        good().signed_with_secret("x").sign(),
        good().claim("x", "x".repeat(17_000)).sign(),
        good().raw_claims("{}").sign(),
        good().raw_claims(r#"{"iss":"a","iss":"b"}"#).sign(),
        good().raw_header(r#"{"alg":"ES256","alg":"ES256","typ":"at+jwt"}"#).sign(),
        format!("{}.x", good().sign()),
        "a.b".into(),
        "..".into(),
    ] {
        let answer = stack.get("/tenant1/whoami", &token).await;
        assert_eq!((answer.status.as_u16(), answer.handler_calls), (401, 0), "{answer:?}");
    }
    assert!(stack.network.fetched().is_empty(), "{:?}", stack.network.fetched());
}

/// An issuer per tenant whose clients are global: the issuer of `tenant1` signs for a client of
/// `tenant2`, with `tenant2`'s audience and scopes.
#[tokio::test]
async fn a_token_of_tenant1s_issuer_for_tenant2_is_refused_for_both() {
    let stack = pattern(false).await;
    let token = || {
        stack
            .token("tenant1")
            .audience("https://api.erp.example/tenant2")
            .scope("tenant2.journal.read")
    };
    for tenant in ["tenant1", "tenant2"] {
        // With a claim of either tenant.
        refused(&stack, tenant, token().claim("tenant_id", "tenant2"), &issuer_conflict()).await;
        refused(&stack, tenant, token(), &conflict_audience()).await;
    }
    // With issuers that are listed one by one it is the list that refuses.
    let Two { a, stack, .. } = Two::new().await;
    let token = a.token().tenant("tenant2").scope("tenant2.journal.read");
    for tenant in ["tenant1", "tenant2"] {
        refused(&stack, tenant, token.clone(), &not_of_issuer()).await;
    }
}

/// The one line that stops the start.
async fn stopped(change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> String {
    let (clock, network) = (Stack::clock(), Network::default());
    let built = change(Stack::builder(&clock, &network)).build().await;
    let line = built.expect_err("the start fails").to_string();
    assert!(!line.contains('\n'), "{line}");
    assert!(network.fetched().is_empty());
    line
}

#[track_caller]
fn says(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
}

#[tokio::test]
async fn two_issuers_without_lists_of_tenants_stop_the_start() {
    let line = stopped(|server| server.issuer(A).issuer(B)).await;
    says(&line, &["issuer[0].tenants", "list the tenants"]);
    let listed = || IssuerSettings::new(A).tenants(["tenant1"]);
    let line = stopped(|server| server.issuer(listed()).issuer(B)).await;
    says(&line, &["issuer[1].tenants", "list the tenants"]);
}

#[tokio::test]
async fn two_issuers_for_one_tenant_stop_the_start() {
    let one = |name: &str| IssuerSettings::new(name).tenants(["tenant1"]);
    let line = stopped(|server| server.issuer(one(A)).issuer(one(B))).await;
    says(&line, &["issuer[1].tenants", "`tenant1`", "shared_tenants"]);
    // Both have to say so.
    let line =
        stopped(|server| server.issuer(one(A).shared_tenants(["tenant1"])).issuer(one(B))).await;
    says(&line, &["shared_tenants"]);
}

#[tokio::test]
async fn two_issuers_that_match_one_iss_stop_the_start() {
    let pattern = || IssuerSettings::new("https://login.erp.example/{tenant}");
    let exact = || IssuerSettings::new("https://login.erp.example/tenant1").tenants(["tenant1"]);
    let twice = || IssuerSettings::new(A);
    let known = || directory(["tenant1", "tenant2"]);
    for (what, one, other) in [
        ("a pattern twice", pattern(), pattern()),
        ("a name and a pattern", exact(), pattern()),
        ("a pattern and a name", pattern(), exact()),
        ("a name twice", twice().tenants(["tenant1"]), twice().tenants(["tenant2"])),
        (
            "patterns with a tenant in common",
            pattern().tenants(["tenant1", "tenant2"]).shared_tenants(["tenant1"]),
            pattern().tenants(["tenant1"]).shared_tenants(["tenant1"]),
        ),
    ] {
        let line = stopped(|server| server.issuer(one).issuer(other).directory(known())).await;
        assert!(line.contains("issuer[1]"), "{what}: {line}");
        says(&line, &["matches the same `iss`"]);
    }
}

#[tokio::test]
async fn a_pattern_with_one_pooled_key_set_stops_the_start() {
    let name = "https://login.erp.example/{tenant}";
    let known = || directory(["tenant1", "tenant2"]);
    let pooled = IssuerSettings::new(name).jwks_uri("https://login.erp.example/jwks.json");
    let line = stopped(|server| server.issuer(pooled).directory(known())).await;
    says(&line, &["issuer[0].jwks_uri", "shared_keys = true"]);

    let document = TestIssuer::offline("https://login.erp.example");
    let pooled = IssuerSettings::new(name).keys(jwks(&document));
    let line = stopped(|server| server.issuer(pooled).directory(known())).await;
    says(&line, &["issuer[0]", "shared_keys = true"]);
}

#[tokio::test]
async fn a_pattern_without_a_directory_stops_the_start() {
    let named = || IssuerSettings::new("https://login.erp.example/{tenant}");
    let line = stopped(|server| server.issuer(named())).await;
    says(&line, &["issuer[0].issuer", "directory"]);
    let line =
        stopped(|server| server.issuer(named()).directory(Arc::new(tenantry::TrustIssuers))).await;
    says(&line, &["issuer[0].issuer", "directory"]);
}

#[tokio::test]
async fn two_issuers_with_the_same_keys_stop_the_start() {
    let issuer = TestIssuer::offline(A);
    let named =
        |name: &str, tenant: &str| IssuerSettings::new(name).keys(jwks(&issuer)).tenants([tenant]);
    let line =
        stopped(|server| server.issuer(named(A, "tenant1")).issuer(named(B, "tenant2"))).await;
    says(&line, &["issuer[1]", "same keys"]);
}

#[tokio::test]
async fn nothing_signed_that_names_a_tenant_stops_the_start() {
    let named = IssuerSettings::new(A).tenant_claims([""; 0]);
    let built = tenantry::ResourceServer::builder()
        .issuer(named)
        .audience("https://api.erp.example")
        .tenant_header("x-tenant-id")
        .tenant_path("/{tenant}/{*rest}")
        .build()
        .await;
    says(&built.unwrap_err().to_string(), &["issuer[0].tenant_claim"]);
}

/// A store that compares without case would take them for one.
#[tokio::test]
async fn ids_that_differ_only_in_case_stop_the_start() {
    let one = |name: &str, tenant: &str| IssuerSettings::new(name).tenants([tenant]);
    let line = stopped(|server| server.issuer(one(A, "tenant1")).issuer(one(B, "Tenant1"))).await;
    says(&line, &["issuer[1].tenants", "`Tenant1`", "only in case"]);
    let line = stopped(|server| server.issuer(IssuerSettings::new(A).tenants(["x", "X"]))).await;
    says(&line, &["issuer[0].tenants", "only in case"]);
    let twins = ["tenant1", "TENANT1"].map(|id| (id.parse().unwrap(), Standing::Active));
    assert!(StaticDirectory::new(twins).is_err());
}
