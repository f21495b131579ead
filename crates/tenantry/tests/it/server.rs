//! The builder.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::routing::get;
use tenantry::{
    ConfigError, IssuerSettings, KeyLocation, ResourceServer, ResourceServerBuilder, Standing,
    StaticDirectory, TenantPrincipal,
};
use tenantry_testkit::{ManualClock, TestIssuer};

use crate::stack::{Api, NOW, Script, issuer};

fn builder(issuer: &TestIssuer) -> ResourceServerBuilder {
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
}

async fn problem(builder: ResourceServerBuilder) -> String {
    let error: ConfigError = builder.build().await.unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn an_issuer_pattern_without_a_directory_is_refused() {
    let pattern = || {
        ResourceServer::builder()
            .issuer("https://login.example/{tenant}")
            .audience("https://api.erp.example/{tenant}")
            .transport(Arc::new(Script::default()))
    };
    assert_eq!(
        problem(pattern()).await,
        "issuer[0].issuer: an issuer with `{tenant}` needs a directory that lists its tenants: without one, anybody could make this service fetch keys for made-up tenants"
    );
    assert_eq!(
        problem(pattern().directory(Arc::new(tenantry::TrustIssuers))).await,
        problem(pattern()).await,
    );

    let directory = StaticDirectory::new([("tenant1".parse().unwrap(), Standing::Active)]);
    let directory = Arc::new(directory.unwrap());
    assert!(pattern().directory(directory).build().await.is_ok());
}

#[tokio::test]
async fn the_first_setting_that_cannot_be_used_is_named() {
    let (issuer, _) = issuer();
    let complete = || builder(&issuer);
    for (builder, expected) in [
        (
            ResourceServer::builder().audience("https://api.erp.example"),
            "issuer: name at least one issuer",
        ),
        (
            ResourceServer::builder().issuer("https://auth.erp.example"),
            "resource_server.audience: name this resource server as tokens do in `aud`",
        ),
        (
            complete().scope("{tenant}-{scope}"),
            "resource_server.scope: the character after `{tenant}` could belong to a tenant id, so the id would have no end",
        ),
        (
            complete().issuer(
                IssuerSettings::new("https://b.example")
                    .keys(KeyLocation::Jwks("{}".into()))
                    .tenants(["tenant1"]),
            ),
            "issuer[0].tenants: with two or more issuers, list the tenants that this one may speak for",
        ),
        (
            ResourceServer::builder()
                .issuer(
                    IssuerSettings::new("https://b.example")
                        .keys(KeyLocation::Jwks(r#"{"keys": []}"#.into())),
                )
                .audience("https://api.erp.example/{tenant}"),
            "issuer[0]: the keys of issuer `https://b.example` cannot be read: no key in it can be used",
        ),
        (
            ResourceServer::builder()
                .issuer(
                    IssuerSettings::new("https://b.example")
                        .keys(KeyLocation::Pem("not\nPEM".into())),
                )
                .audience("https://api.erp.example/{tenant}"),
            "issuer[0]: the keys of issuer `https://b.example` cannot be read: not a JWK set: an object with one array of keys; nor PEM",
        ),
        (
            ResourceServer::builder()
                .issuer(
                    IssuerSettings::new("https://b.example")
                        .keys(KeyLocation::File("no/such/file.json".into())),
                )
                .audience("https://api.erp.example/{tenant}"),
            "issuer[0].jwks_file: `no/such/file.json` cannot be read: No such file or directory (os error 2)",
        ),
        (
            ResourceServer::builder()
                .issuer("https://auth.erp.example:99999")
                .audience("https://api.erp.example/{tenant}"),
            "issuer[0].issuer: not a URL that can be fetched: look at its host and port",
        ),
    ] {
        let problem = problem(builder).await;
        assert_eq!(problem, expected);
        assert_eq!(problem.lines().count(), 1, "{problem}");
    }
}

#[tokio::test]
async fn time_and_network_are_the_callers() {
    let (issuer, clock) = issuer();
    let script = Script::default();
    script.answer(issuer.jwks());
    let server = ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri("https://keys.example/jwks"))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .transport(Arc::new(script.clone()))
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    assert_eq!(script.wait_for(1).await, ["https://keys.example/jwks"]);
    let api = Api::behind(&server);
    let token = issuer.token().tenant("tenant1").expires_in(60).sign();

    let answer = api.get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "200 tenant1 journal-sync");
    clock.advance_unix(Duration::from_secs(91));
    let answer = api.get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "401 token_expired");
    assert_eq!(script.asked().len(), 1);
}

/// Claims are deserialized once per verified token: two requests that share them share the token.
#[tokio::test]
async fn a_cache_of_no_bytes_keeps_nothing_and_judges_the_same() {
    async fn claims(principal: TenantPrincipal) -> String {
        let claims = principal.claims::<serde_json::Value>().unwrap();
        HELD.lock().unwrap().push(claims);
        "served".into()
    }
    static HELD: Mutex<Vec<Arc<serde_json::Value>>> = Mutex::new(Vec::new());

    let (issuer, clock) = issuer();
    let token = issuer.token().tenant("tenant1").sign();
    for (bytes, shared) in [(None, true), (Some(0), false)] {
        let mut builder = builder(&issuer).clock(Arc::new(clock.clone()));
        if let Some(bytes) = bytes {
            builder = builder.token_cache_bytes(bytes);
        }
        let server = builder.build().await.unwrap();
        let api = Api::new(&server, get(claims));
        HELD.lock().unwrap().clear();
        for _ in 0..2 {
            let answer = api.get("/tenant1/whoami", &token).await;
            assert_eq!(answer.outcome(), "200 served");
            let foreign = api.get("/tenant2/whoami", &token).await;
            assert_eq!(foreign.outcome(), "403 tenant_mismatch.path");
        }
        let held = HELD.lock().unwrap();
        assert_eq!(held.len(), 2);
        assert_eq!(Arc::ptr_eq(&held[0], &held[1]), shared, "{bytes:?}");
    }
}

#[test]
fn building_needs_no_runtime_and_the_first_question_inside_one_starts_the_fetch() {
    let (issuer, _) = issuer();
    let script = Script::default();
    script.answer(issuer.jwks());
    let server = now(ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri("https://keys.example/jwks"))
        .audience("https://api.erp.example/{tenant}")
        .transport(Arc::new(script.clone()))
        .clock(Arc::new(ManualClock::new(NOW)))
        .build())
    .unwrap();
    assert!(!server.readiness().is_ready());
    assert!(script.asked().is_empty());

    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        assert!(!server.readiness().is_ready());
        assert_eq!(script.wait_for(1).await, ["https://keys.example/jwks"]);
        assert!(server.readiness().is_ready());
    });
}

/// The result of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn the_tenants_of_a_directory_are_checked_against_the_policy() {
    let (issuer, _) = issuer();
    let directory = |id: &str| {
        let listed = StaticDirectory::new([(id.parse().unwrap(), Standing::Active)]);
        builder(&issuer)
            .tenant_host("{tenant}.api.erp.example")
            .directory(Arc::new(listed.unwrap()))
    };
    assert_eq!(
        problem(directory("Tenant1")).await,
        "directory.tenant: `Tenant1` cannot stand in a host: with tenant.host, ids are lower case without `_`"
    );
    assert!(directory("tenant1").build().await.is_ok());
}

#[tokio::test]
async fn debug_shows_no_key() {
    let (issuer, _) = issuer();
    let server = builder(&issuer).build().await.unwrap();
    let x = issuer.jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    for shown in [format!("{server:?}"), format!("{:?}", builder(&issuer))] {
        assert!(shown.contains("https://auth.erp.example"), "{shown}");
        assert!(!shown.contains(&x), "{shown}");
    }
}

#[tokio::test]
async fn two_issuers_with_one_key_file_are_refused_however_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let jwks = TestIssuer::offline("https://a.example").jwks().to_string();
    std::fs::write(folder.path().join("keys.json"), jwks).unwrap();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let settings = |name: &str, tenant: &str, file: &str| {
        let keys = KeyLocation::File(folder.path().join(file));
        IssuerSettings::new(name).tenants([tenant]).keys(keys)
    };
    let build = |shared: bool| {
        ResourceServer::builder()
            .issuer(settings("https://a.example", "a", "keys.json").shared_keys(shared))
            .issuer(settings("https://b.example", "b", "below/../keys.json").shared_keys(shared))
            .audience("https://api.erp.example/{tenant}")
            .build()
    };
    let error = build(false).await.unwrap_err().to_string();
    assert!(error.starts_with("issuer[1].jwks_file: issuer[0] has the same file"), "{error}");
    assert!(build(true).await.is_ok());
}
