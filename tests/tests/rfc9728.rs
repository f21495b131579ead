//! RFC 9728: what a protected resource says about itself, and where a challenge says that it can be
//! read. One test per requirement, named for its section.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use axum::body::Body;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request};
use serde_json::{Value, json};
use tenantry::{
    IssuerSettings, KeyLocation, PolicyFile, RequireScopeLayer, RequiredScope,
    ResourceServerBuilder, ScopeNeed, Scoped, Standing, StaticDirectory, TenantPrincipal,
};
use tenantry_testkit::TestIssuer;
use tenantry_tests::{Answer, Refusal, Stack, bearer, get};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const PATH: &str = "/tenant1/journal-entries";
const TENANT1: &str = "https://api.erp.example/.well-known/oauth-protected-resource/tenant1";
const TENANT2: &str = "https://api.erp.example/.well-known/oauth-protected-resource/tenant2";

/// The stack with metadata beside the guarded routes.
async fn described(change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> Stack {
    let stack =
        Stack::with(|server| change(server.policy(|policy| policy.resource_metadata()))).await;
    beside(stack)
}

fn beside(stack: Stack) -> Stack {
    // In this order, what matches no route still meets the layer.
    let app = stack.server.metadata_router().merge(stack.app.clone());
    stack.behind(|_, _| app)
}

/// The same without `{tenant}` in the audience: one resource.
async fn one_resource(audience: &str) -> Stack {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    let server = tenantry::ResourceServer::builder()
        .audience(audience)
        .tenant_path("/{tenant}/{*rest}")
        .realm("journal")
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .clock(std::sync::Arc::new(clock.clone()))
        .policy(|policy| policy.resource_metadata());
    beside(Stack::around(server, issuer, clock, Default::default()).await)
}

#[track_caller]
fn document(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.all(CONTENT_TYPE), ["application/json"]);
    assert_eq!(answer.handler_calls, 0);
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn assert_absent(answer: &Answer) {
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.text(), "");
    assert_eq!(answer.all(CACHE_CONTROL), ["no-store"]);
    assert_eq!(answer.handler_calls, 0);
}

#[tokio::test]
async fn s2_the_document_has_the_resource_and_what_the_policy_knows_of_it() {
    let stack = described(|server| {
        server.policy(|policy| policy.scopes_supported(["journal.read", "finance.write"]))
    })
    .await;
    let answer = stack.send(get(&format!("{WELL_KNOWN}/tenant1"))).await;
    assert_eq!(
        document(&answer),
        json!({
            "resource": "https://api.erp.example/tenant1",
            "authorization_servers": [stack.issuer.url()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["tenant1.journal.read", "tenant1.finance.write"],
        })
    );
}

/// `resource`: "the protected resource's resource identifier", an https URL without fragment (1.2).
#[tokio::test]
async fn s1_2_what_is_no_resource_identifier_does_not_start() {
    for (audience, problem) in [
        ("urn:erp:{tenant}", "this is not an https URL"),
        ("http://api.erp.example/{tenant}", "plain http is for loopback only: use https"),
        ("https://api.erp.example/{tenant}#x", "it has a query or a fragment"),
        ("https://api.erp.example/{tenant}?x", "it has a query or a fragment"),
    ] {
        let text = format!(
            "[resource_server]\naudience = \"{audience}\"\nmetadata = true\n\n[[issuer]]\nissuer = \"https://auth.erp.example\"\n"
        );
        let error = PolicyFile::parse(&text, "policy.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "policy.toml:3: resource_server.metadata: the first audience, `{audience}`, would be the resource identifier (RFC 9728), and cannot: {problem}"
            )
        );
        let off = text.replace("metadata = true", "metadata = false");
        assert!(PolicyFile::parse(&off, "policy.toml").is_ok(), "{audience}");
    }
}

#[tokio::test]
async fn s3_a_policy_file_turns_it_on() {
    let text = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"
metadata = true

[[issuer]]
issuer = "https://auth.erp.example"
"#;
    let file = PolicyFile::parse(text, "policy.toml").unwrap();
    let network = std::sync::Arc::new(tenantry_tests::Network::default());
    let file = file.configure(move |server| server.transport(network.clone()));
    let policy = file.build().await.unwrap().policy().clone();
    let url = policy.resource_metadata_url(Some(&"tenant1".parse().unwrap()));
    assert_eq!(url.as_deref(), Some(TENANT1));
}

/// "… by inserting a well-known URI path suffix … between the host component and the path"; "any
/// terminating slash following the host component MUST be removed".
#[tokio::test]
async fn s3_1_the_path_of_the_resource_follows_the_suffix() {
    for (audience, path) in [
        ("https://api.erp.example", WELL_KNOWN.to_owned()),
        ("https://api.erp.example/", WELL_KNOWN.to_owned()),
        ("https://api.erp.example/erp", format!("{WELL_KNOWN}/erp")),
        ("https://api.erp.example/erp/v1", format!("{WELL_KNOWN}/erp/v1")),
    ] {
        let stack = one_resource(audience).await;
        let url = format!("https://api.erp.example{path}");
        let refused = stack.send(get(PATH)).await;
        refused.assert_refused(&Refusal::unauthenticated().with_metadata(&url));
        assert_eq!(document(&stack.send(get(&path)).await)["resource"], audience);
        assert_absent(&stack.send(get(&format!("{WELL_KNOWN}/tenant1"))).await);
    }
}

/// "A protected resource metadata document MUST be queried using an HTTP GET request."
#[tokio::test]
async fn s3_1_it_is_read_by_get_and_by_nothing_that_writes() {
    let stack = described(|server| server).await;
    let path = format!("{WELL_KNOWN}/tenant1");
    let send = async |method: Method| {
        stack.send(Request::builder().method(method).uri(&path).body(Body::empty()).unwrap()).await
    };
    let head = send(Method::HEAD).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    assert_eq!(head.all(CONTENT_TYPE), ["application/json"]);
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answer = send(method).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (405, ""));
        assert_eq!(answer.all(ALLOW), ["GET,HEAD"]);
        assert_eq!(answer.handler_calls, 0);
    }
}

/// "Parameters with zero values MUST be omitted from the response." And 200, JSON, and no names that
/// the client did not ask about.
#[tokio::test]
async fn s3_2_what_is_empty_is_left_out() {
    let stack = described(|server| server).await;
    let answer = stack.send(get(&format!("{WELL_KNOWN}/tenant1"))).await;
    let members = document(&answer);
    let names: Vec<_> = members.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["authorization_servers", "bearer_methods_supported", "resource"]);
    assert_eq!(answer.all(CACHE_CONTROL), ["public, max-age=300"]);
    assert_eq!(answer.all(ACCESS_CONTROL_ALLOW_ORIGIN), ["*"]);
}

/// "The resource value returned MUST be identical to the protected resource's resource identifier
/// value into which the well-known URI path suffix was inserted."
#[tokio::test]
async fn s3_3_each_document_is_about_the_resource_that_its_url_was_made_of() {
    let stack = described(|server| server).await;
    for tenant in ["tenant1", "tenant2", "org_9aK", "T"] {
        let path = format!("{WELL_KNOWN}/{tenant}");
        let resource = format!("https://api.erp.example/{tenant}");
        assert_eq!(document(&stack.send(get(&path)).await)["resource"], resource);
    }
    // No id, another spelling of one, or more than one: no resource, and nothing is repaired.
    for rest in ["", "/-", "/a.b", "/tenant%31", "/tenant1/", "/tenant1/tenant2", "//tenant1"] {
        let answer = stack.send(get(&format!("{WELL_KNOWN}{rest}"))).await;
        assert_absent(&answer.about(rest));
    }
}

/// The same with the tenant in the host: the well-known path is one for all.
#[tokio::test]
async fn s3_3_with_the_tenant_in_the_host_the_host_says_whose_document_it_is() {
    let clock = Stack::clock();
    let issuer = Stack::issuer(&clock);
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    let server = tenantry::ResourceServer::builder()
        .audience("https://{tenant}.api.erp.example")
        .tenant_host("{tenant}.api.erp.example")
        .realm("journal")
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .policy(|policy| policy.resource_metadata());
    let stack = beside(Stack::around(server, issuer, clock, Default::default()).await);
    let send = async |path: &str, host: &str| {
        let mut request = get(path);
        request.headers_mut().insert("host", host.parse().unwrap());
        stack.send(request).await
    };
    let url = |tenant: &str| format!("https://{tenant}.api.erp.example{WELL_KNOWN}");
    for tenant in ["tenant1", "tenant2"] {
        let host = format!("{tenant}.api.erp.example");
        let resource = format!("https://{host}");
        assert_eq!(document(&send(WELL_KNOWN, &host).await)["resource"], resource);
        let refused = send("/x/whoami", &host).await;
        refused.assert_refused(&Refusal::unauthenticated().with_metadata(&url(tenant)));
    }
    for host in ["api.erp.example", "evil.example", "tenant1.api.erp.example.evil.example"] {
        assert_absent(&send(WELL_KNOWN, host).await);
        send("/x/whoami", host).await.assert_refused(&Refusal::unauthenticated());
    }
}

/// "resource_metadata: The URL of the protected resource metadata", in every challenge.
#[tokio::test]
async fn s5_1_every_challenge_says_where_the_metadata_is() {
    let directory = StaticDirectory::new([
        ("tenant1".parse().unwrap(), Standing::Active),
        ("tenant3".parse().unwrap(), Standing::Suspended),
    ]);
    let directory = std::sync::Arc::new(directory.unwrap());
    let stack = described(|server| server.directory(directory)).await;
    let token = stack.token("tenant1").sign();
    let at = |refusal: Refusal| refusal.with_metadata(TENANT1);

    // 401: no token, a bad one, one that is too large, one that was never one.
    stack.send(get(PATH)).await.assert_refused(&at(Refusal::unauthenticated()));
    let stranger = TestIssuer::offline("https://stranger.example");
    let strange = stranger.token().tenant("tenant1").sign();
    stack.get(PATH, &strange).await.assert_refused(&at(Refusal::unknown_issuer()));
    let large = "a".repeat(16 * 1024 + 1);
    let description = "the access token is larger than is accepted";
    let refusal = Refusal::invalid_token("token_too_large", description);
    stack.get(PATH, &large).await.assert_refused(&at(refusal));
    let description = "the audience names another tenant than the rest of the access token";
    let torn = stack.token("tenant1").audience("https://api.erp.example/tenant2").sign();
    let refusal = Refusal::invalid_token("token_conflict.audience", description);
    stack.get(PATH, &torn).await.assert_refused(&at(refusal));

    // 400: credentials that cannot be read.
    let description = "the request has an access token in its query";
    let refusal = Refusal::invalid_request("credentials_in_query", description);
    let query = format!("{PATH}?access_token=x");
    stack.send(get(&query)).await.assert_refused(&at(refusal));
    let mut malformed = get(PATH);
    malformed.headers_mut().insert("authorization", "Bearer a,b".parse().unwrap());
    let description = "the Authorization field is not the word Bearer, a space and one token";
    let refusal = Refusal::invalid_request("credentials_malformed", description);
    stack.send(malformed).await.assert_refused(&at(refusal));

    // 403: scopes, and standing. Once verified, and from memory.
    let poor = stack.issuer.token().tenant("tenant1").scope("tenant1.nothing").sign();
    for _ in 0..2 {
        let refusal = Refusal::scope_missing("tenant1.journal.read");
        stack.get(PATH, &poor).await.assert_refused(&at(refusal));
        let description = "the tenant of the access token is suspended";
        let refusal = Refusal::insufficient_scope("tenant_suspended", description);
        let refusal = refusal.with_metadata(&TENANT1.replace("tenant1", "tenant3"));
        let suspended = stack.token("tenant3").sign();
        stack.get("/tenant3/whoami", &suspended).await.assert_refused(&refusal);
    }
    stack.get(PATH, &token).await.assert_admitted("tenant1");
}

/// What the client called is what the metadata has to be about (3.3).
#[tokio::test]
async fn s5_1_it_is_the_metadata_of_the_tenant_that_was_asked_for_not_of_the_tokens() {
    let stack = described(|server| server).await;
    let token = stack.token("tenant1").sign();
    // Before the token was verified, and when it is remembered.
    for _ in 0..2 {
        let answer = stack.get("/tenant2/journal-entries", &token).await;
        answer.assert_refused(&Refusal::foreign_path().with_metadata(TENANT2));
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn s5_1_a_request_that_names_no_tenant_or_two_is_told_of_none() {
    let stack = described(|server| server).await;
    let token = stack.token("tenant1").sign();
    stack.send(get("/")).await.assert_refused(&Refusal::unauthenticated());
    let mut two = get(PATH);
    two.headers_mut().insert("x-tenant-id", "tenant2".parse().unwrap());
    stack.send(two).await.assert_refused(&Refusal::unauthenticated());
    // What cannot be read is not copied.
    for path in ["/tenant1//x", "/tenant1%22/x", "/tenant1;a=b/x"] {
        let answer = stack.get(path, &token).await;
        answer.assert_refused(&Refusal::ambiguous_path());
    }
    for id in ["a\" b", "tenant1, tenant2", "tenant1\"", "-"] {
        let mut request = bearer(get(PATH), &token);
        request.headers_mut().insert("x-tenant-id", id.parse().unwrap());
        let description = "the tenant header does not hold one tenant id";
        let refusal = Refusal::invalid_request("tenant_malformed.header", description);
        stack.send(request).await.assert_refused(&refusal);
    }
}

/// `Scoped`, an anonymous request that needs a tenant after all, and a layer after an optional one.
#[tokio::test]
async fn s5_1_handlers_that_refuse_say_it_too() {
    struct Book;
    impl RequiredScope for Book {
        const NEED: ScopeNeed = ScopeNeed::all(&["finance.write"]);
    }
    let stack = described(|server| server).await.behind(|server, calls| {
        let (one, two) = (calls.clone(), calls.clone());
        axum::Router::new()
            .route("/{tenant}/scoped", axum::routing::get(async move |_: Scoped<Book>| one.hit()))
            .route(
                "/{tenant}/principal",
                axum::routing::get(async move |_: TenantPrincipal| two.hit()),
            )
            .route(
                "/{tenant}/layer",
                calls.route().layer(RequireScopeLayer::all(["finance.write"])),
            )
            .layer(server.layer().optional())
    });
    for path in ["/tenant1/scoped", "/tenant1/principal", "/tenant1/layer"] {
        let answer = stack.send(get(path)).await;
        answer.assert_refused(&Refusal::unauthenticated().with_metadata(TENANT1));
    }
    let poor = stack.issuer.token().tenant("tenant1").scope("tenant2.finance.write").sign();
    let refusal = Refusal::scope_missing("tenant1.finance.write").with_metadata(TENANT1);
    for path in ["/tenant1/scoped", "/tenant1/layer"] {
        stack.get(path, &poor).await.assert_refused(&refusal);
    }
}

/// Not of the RFC, but of SECURITY.md: what strangers can tell.
#[tokio::test]
async fn s7_without_lists_a_tenant_looks_the_same_whether_it_exists_or_not() {
    let directory = StaticDirectory::new([("tenant1".parse().unwrap(), Standing::Active)]);
    let directory = std::sync::Arc::new(directory.unwrap());
    let stack = described(|server| server.directory(directory)).await;
    let seen = async |tenant: &str| {
        let metadata = stack.send(get(&format!("{WELL_KNOWN}/{tenant}"))).await;
        let refused = stack.send(get(&format!("/{tenant}/whoami"))).await;
        let token = stack.token("tenant1").sign();
        let foreign = stack.get(&format!("/{tenant}/whoami"), &token).await;
        [metadata, refused, foreign].map(|answer| {
            let text = format!("{} {:?} {}", answer.status, answer.headers, answer.text());
            text.replace(tenant, "TENANT")
        })
    };
    assert_eq!(seen("tenant2").await, seen("nobody2").await);
    assert_eq!(seen("tenant1").await[..2], seen("nobody1").await[..2]);
}

#[tokio::test]
async fn s7_with_lists_only_the_metadata_tells_who_is_listed() {
    let standings = ["tenant2", "tenant4"].map(|id| (id.parse().unwrap(), Standing::Active));
    let directory = std::sync::Arc::new(StaticDirectory::new(standings).unwrap());
    let stack = Stack::with_issuer(
        |issuer| issuer.tenants(["tenant1", "tenant2"]).shared_tenants(["tenant2"]),
        |server| {
            let other = IssuerSettings::new("https://login.example/{tenant}")
                .tenants(["tenant2", "tenant3"])
                .shared_tenants(["tenant2"]);
            let server = server.issuer(other).directory(directory);
            server.policy(|policy| policy.resource_metadata())
        },
    );
    let stack = beside(stack.await);
    let issuer = stack.issuer.url();
    for (tenant, servers) in [
        ("tenant1", vec![issuer]),
        ("tenant2", vec![issuer, "https://login.example/tenant2"]),
        ("tenant3", vec!["https://login.example/tenant3"]),
    ] {
        let answer = stack.send(get(&format!("{WELL_KNOWN}/{tenant}"))).await;
        assert_eq!(document(&answer)["authorization_servers"], json!(servers));
    }
    // The directory knows one of these two, and neither is listed.
    for tenant in ["tenant4", "tenant5"] {
        assert_absent(&stack.send(get(&format!("{WELL_KNOWN}/{tenant}"))).await);
    }
    for tenant in ["tenant1", "tenant4", "tenant5"] {
        let url = TENANT1.replace("tenant1", tenant);
        let refused = stack.send(get(&format!("/{tenant}/whoami"))).await;
        refused.assert_refused(&Refusal::unauthenticated().with_metadata(&url));
    }
}

#[tokio::test]
async fn by_default_there_is_neither_document_nor_parameter() {
    let stack = beside(Stack::usual().await);
    for path in [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/tenant1")] {
        assert_absent(&stack.send(get(&path)).await);
    }
    stack.send(get(PATH)).await.assert_refused(&Refusal::unauthenticated());
}
