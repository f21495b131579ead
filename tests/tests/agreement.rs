//! INVARIANT (agreement): every configured source that names a tenant names the same one, byte for
//! byte, and what is unsigned can only confirm or refuse.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request};
use tenantry::{
    IssuerSettings, KeyLocation, RequireScopeLayer, ResourceServer, Standing, StaticDirectory,
    TenantPrincipal,
};
use tenantry_testkit::{ManualClock, TestIssuer, TokenBuilder};
use tenantry_tests::{Answer, Calls, Network, Refusal, Stack, bearer, get};

const TENANTS: [&str; 3] = ["tenant1", "tenant2", "tenant10"];
const PATH: &str = "/tenant1/journal-entries";

fn missing_path() -> Refusal {
    Refusal::invalid_request("tenant_missing.path", "the path names no tenant")
}

fn conflict(source: &'static str) -> Refusal {
    let (code, description) = match source {
        "audience" => (
            "token_conflict.audience",
            "the audience names another tenant than the rest of the access token",
        ),
        "claim" => {
            ("token_conflict.claim", "two tenant claims of the access token name different tenants")
        }
        "issuer" => (
            "token_conflict.issuer",
            "the issuer belongs to another tenant than the rest of the access token names",
        ),
        _ => unreachable!(),
    };
    Refusal::invalid_token(code, description)
}

fn mismatch(source: &'static str) -> Refusal {
    let (code, description) = match source {
        "path" => return Refusal::foreign_path(),
        "header" => (
            "tenant_mismatch.header",
            "the tenant header names another tenant than the access token",
        ),
        "host" => ("tenant_mismatch.host", "the host names another tenant than the access token"),
        _ => unreachable!(),
    };
    Refusal::insufficient_scope(code, description)
}

/// Which tenant each source names, or which sources are configured.
#[derive(Clone, Copy, Debug)]
struct Sources<T> {
    claim: T,
    audience: T,
    issuer: T,
    path: T,
    header: T,
    host: T,
}

impl Sources<bool> {
    /// Every subset, by the bits of a number.
    fn all() -> impl Iterator<Item = Self> {
        (0..64).map(|bits: u32| {
            let bit = |at: u32| bits >> at & 1 == 1;
            Self {
                claim: bit(0),
                audience: bit(1),
                issuer: bit(2),
                path: bit(3),
                header: bit(4),
                host: bit(5),
            }
        })
    }

    fn is_signed(self) -> bool {
        self.claim || self.audience || self.issuer
    }

    /// The two tenants, spread over the sources.
    fn tenants(self) -> Sources<&'static str> {
        let tenant = |second| if second { "tenant2" } else { "tenant1" };
        Sources {
            claim: tenant(self.claim),
            audience: tenant(self.audience),
            issuer: tenant(self.issuer),
            path: tenant(self.path),
            header: tenant(self.header),
            host: tenant(self.host),
        }
    }
}

/// The issuers of a test: one with keys for each tenant, and one for all.
struct Issuers {
    clock: ManualClock,
    each: TestIssuer,
    one: TestIssuer,
}

impl Issuers {
    fn new() -> Self {
        let clock = Stack::clock();
        let builder = || TestIssuer::builder().clock(Arc::new(clock.clone()));
        Self { each: builder().keys_per_tenant(TENANTS).offline(), one: builder().offline(), clock }
    }

    /// A server for which exactly these sources count.
    async fn stack(&self, configured: Sources<bool>) -> Stack {
        let network = Network::default();
        for tenant in TENANTS {
            network.publish(self.each.jwks_uri_of(tenant), &self.each.jwks_of(tenant));
        }
        let mut named = match configured.issuer {
            true => IssuerSettings::new(format!("{}/{{tenant}}", self.each.url()))
                .jwks_uri(self.each.jwks_uri_of("{tenant}")),
            false => IssuerSettings::new(self.one.url())
                .keys(KeyLocation::Jwks(self.one.jwks().to_string().into())),
        };
        if !configured.claim {
            named = named.tenant_claims([""; 0]);
        }
        let active = TENANTS.map(|id| (id.parse().unwrap(), Standing::Active));
        let mut server = ResourceServer::builder()
            .issuer(named)
            .realm("journal")
            .audience(match configured.audience {
                true => "https://api.erp.example/{tenant}",
                false => "https://api.erp.example",
            })
            .directory(Arc::new(StaticDirectory::new(active).unwrap()))
            .clock(Arc::new(self.clock.clone()))
            .transport(Arc::new(network.clone()));
        if configured.path {
            server = server.tenant_path("/{tenant}/{*rest}");
        }
        if configured.header {
            server = server.tenant_header("x-tenant-id");
        }
        if configured.host {
            server = server.tenant_host("{tenant}.api.erp.example");
        }
        let issuer = if configured.issuer { &self.each } else { &self.one };
        Stack::around(server, issuer.clone(), self.clock.clone(), network).await
    }

    fn token(&self, configured: Sources<bool>, named: Sources<&str>) -> TokenBuilder {
        let issuer = if configured.issuer { &self.each } else { &self.one };
        let audience = format!("https://api.erp.example/{}", named.audience);
        let token = issuer.token().tenant(named.issuer).claim("tenant_id", named.claim);
        match configured.audience {
            true => token.audience(audience),
            false => token.audiences(["https://api.erp.example".into(), audience]),
        }
    }
}

fn request(named: Sources<&str>, token: &str) -> Request<Body> {
    let mut request = bearer(get(&format!("/{}/whoami", named.path)), token);
    let host = format!("{}.api.erp.example", named.host);
    let headers = request.headers_mut();
    headers.insert("x-tenant-id", named.header.parse().unwrap());
    headers.insert("host", host.parse().unwrap());
    request
}

/// What the decision has to be, in the words of the invariant: the signed sources first.
fn expected(
    configured: Sources<bool>,
    named: Sources<&'static str>,
) -> Result<&'static str, Refusal> {
    let signed = [
        (configured.claim, "claim", named.claim),
        (configured.audience, "audience", named.audience),
        (configured.issuer, "issuer", named.issuer),
    ];
    let unsigned = [
        (configured.path, "path", named.path),
        (configured.header, "header", named.header),
        (configured.host, "host", named.host),
    ];
    let mut signed = signed.into_iter().filter(|(counts, ..)| *counts);
    let (_, _, tenant) = signed.next().unwrap();
    if let Some((_, source, _)) = signed.find(|(.., other)| *other != tenant) {
        return Err(conflict(source));
    }
    let mut unsigned = unsigned.into_iter().filter(|(counts, ..)| *counts);
    match unsigned.find(|(.., other)| *other != tenant) {
        Some((_, source, _)) => Err(mismatch(source)),
        None => Ok(tenant),
    }
}

#[tokio::test]
async fn whichever_sources_are_configured_all_of_them_have_to_name_one_tenant() {
    let issuers = Issuers::new();
    let (mut admitted, mut refused) = (0, 0);
    for configured in Sources::all().filter(|configured| configured.is_signed()) {
        let stack = issuers.stack(configured).await;
        for named in Sources::all().map(Sources::tenants) {
            let token = issuers.token(configured, named).sign();
            let answer = stack.send(request(named, &token)).await;
            let answer = answer.about(format!("{configured:?} {named:?}"));
            match expected(configured, named) {
                Ok(tenant) => {
                    answer.assert_admitted(tenant);
                    admitted += 1;
                }
                Err(refusal) => {
                    answer.assert_refused(&refusal);
                    refused += 1;
                }
            }
        }
    }
    // A source that counts is bound to the tenant, any other may name either. Over three sources
    // that is (1 + 2)^3 ways; for the signed ones less the 2^3 in which none counts.
    let agreeing = 2 * (27 - 8) * 27;
    assert_eq!((admitted, refused), (agreeing, 56 * 64 - agreeing));
}

/// Every source names `tenant1`, and all of them count.
const ALL: Sources<bool> =
    Sources { claim: true, audience: true, issuer: true, path: true, header: true, host: true };

fn tenant1() -> Sources<&'static str> {
    Sources {
        claim: false,
        audience: false,
        issuer: false,
        path: false,
        header: false,
        host: false,
    }
    .tenants()
}

#[tokio::test]
async fn each_source_is_compared_with_each_other_source() {
    let issuers = Issuers::new();
    let stack = issuers.stack(ALL).await;
    for (source, named, refusal) in [
        ("claim", Sources { claim: "tenant2", ..tenant1() }, conflict("audience")),
        ("audience", Sources { audience: "tenant2", ..tenant1() }, conflict("audience")),
        ("issuer", Sources { issuer: "tenant2", ..tenant1() }, conflict("issuer")),
        ("path", Sources { path: "tenant2", ..tenant1() }, mismatch("path")),
        ("header", Sources { header: "tenant2", ..tenant1() }, mismatch("header")),
        ("host", Sources { host: "tenant2", ..tenant1() }, mismatch("host")),
        // As bytes: neither a prefix, nor by case.
        ("claim", Sources { claim: "tenant10", ..tenant1() }, conflict("audience")),
        ("claim", Sources { claim: "Tenant1", ..tenant1() }, conflict("audience")),
        ("audience", Sources { audience: "tenant10", ..tenant1() }, conflict("audience")),
        ("path", Sources { path: "tenant10", ..tenant1() }, mismatch("path")),
        ("path", Sources { path: "TENANT1", ..tenant1() }, mismatch("path")),
        ("header", Sources { header: "tenant", ..tenant1() }, mismatch("header")),
        ("host", Sources { host: "tenant10", ..tenant1() }, mismatch("host")),
    ] {
        let token = issuers.token(ALL, named).sign();
        let answer = stack.send(request(named, &token)).await;
        answer.about(format!("{source}: {named:?}")).assert_refused(&refusal);
    }
    let token = issuers.token(ALL, tenant1()).sign();
    stack.send(request(tenant1(), &token)).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn a_host_is_compared_without_case_port_and_final_dot() {
    let issuers = Issuers::new();
    let stack = issuers.stack(ALL).await;
    let token = issuers.token(ALL, tenant1()).sign();
    let with_hosts = |hosts: &[&str]| {
        let mut request = request(tenant1(), &token);
        request.headers_mut().remove("host");
        for host in hosts {
            let host = HeaderValue::from_bytes(host.as_bytes()).unwrap();
            request.headers_mut().append("host", host);
        }
        request
    };
    for host in [
        "tenant1.api.erp.example",
        "TENANT1.Api.ERP.example",
        "tenant1.api.erp.example:8443",
        "tenant1.api.erp.example.",
    ] {
        let answer = stack.send(with_hosts(&[host])).await.about(host);
        answer.assert_admitted("tenant1");
    }
    let missing = Refusal::invalid_request("tenant_missing.host", "the host names no tenant");
    for host in [
        "api.erp.example",
        "x.tenant1.api.erp.example",
        "tenant1.api.erp.example.evil.example",
        "tenant1.api.erp.example-evil.example",
        "tenant_1.api.erp.example",
        "127.0.0.1",
    ] {
        let answer = stack.send(with_hosts(&[host])).await.about(host);
        answer.assert_refused(&missing);
    }
    let ambiguous =
        Refusal::invalid_request("host_ambiguous", "the request does not name one host");
    for hosts in [
        &[][..],
        &[""],
        &["tenant1.api.erp.example", "tenant1.api.erp.example"],
        &["tenant1.api.erp.example", "tenant2.api.erp.example"],
        &["tenant1.api.erp.example:x"],
        &["tenant1.api.erp.example/x"],
        &["tenant2@tenant1.api.erp.example"],
        &["tenant1.api.erp.example,tenant2.api.erp.example"],
        &["tenant1.api.erp.example\u{e9}"],
    ] {
        let answer = stack.send(with_hosts(hosts)).await;
        answer.about(format!("{hosts:?}")).assert_refused(&ambiguous);
    }
}

#[tokio::test]
async fn rfc9112_s3_2_2_a_request_target_with_a_host_agrees_with_the_host_field() {
    let issuers = Issuers::new();
    let stack = issuers.stack(ALL).await;
    let token = issuers.token(ALL, tenant1()).sign();
    let absolute = |target: &str, host: Option<&str>| {
        let uri = format!("https://{target}/tenant1/whoami");
        let mut request = request(tenant1(), &token);
        *request.uri_mut() = uri.parse().unwrap();
        request.headers_mut().remove("host");
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        request
    };
    let one = "tenant1.api.erp.example";
    let other = "tenant2.api.erp.example";
    for host in [None, Some(one)] {
        stack.send(absolute(one, host)).await.assert_admitted("tenant1");
    }
    let ambiguous =
        Refusal::invalid_request("host_ambiguous", "the request does not name one host");
    stack.send(absolute(one, Some(other))).await.assert_refused(&ambiguous);
    stack.send(absolute(other, Some(one))).await.assert_refused(&ambiguous);
    stack.send(absolute(other, None)).await.assert_refused(&mismatch("host"));
}

#[tokio::test]
async fn a_signed_source_that_is_configured_has_to_be_there() {
    let issuers = Issuers::new();
    let stack = issuers.stack(ALL).await;
    let good = || issuers.token(ALL, tenant1());
    let missing = || {
        Refusal::invalid_token(
            "claim_missing",
            "the access token lacks a claim that is required of its issuer",
        )
    };
    let malformed = || {
        Refusal::invalid_token(
            "claim_malformed",
            "a claim of the access token has the wrong type or form",
        )
    };
    let other =
        || Refusal::invalid_token("audience_mismatch", "the access token is for another audience");
    for (what, token, refusal) in [
        ("no claim", good().without("tenant_id"), missing()),
        ("another claim", good().without("tenant_id").claim("tenant", "tenant1"), missing()),
        ("empty", good().claim("tenant_id", ""), malformed()),
        ("null", good().claim("tenant_id", serde_json::Value::Null), malformed()),
        ("a list of two", good().claim("tenant_id", vec!["tenant1", "tenant2"]), malformed()),
        ("a list of one twice", good().claim("tenant_id", vec!["tenant1"; 2]), malformed()),
        ("an empty list", good().claim("tenant_id", Vec::<String>::new()), malformed()),
        ("an object", good().claim("tenant_id", serde_json::json!({"tenant1": {}})), malformed()),
        ("a number", good().claim("tenant_id", 1), malformed()),
        ("a blank around", good().claim("tenant_id", "tenant1 "), malformed()),
        ("two in one", good().claim("tenant_id", "tenant1,tenant2"), malformed()),
        ("no audience", good().without("aud"), missing()),
        ("audience without tenant", good().audience("https://api.erp.example"), other()),
        ("audience with an end", good().audience("https://api.erp.example/tenant1/x"), other()),
        ("audience, no id", good().audience("https://api.erp.example/"), other()),
        ("no issuer", good().without("iss"), missing()),
        (
            "issuer without tenant",
            good().claim("iss", issuers.each.url()),
            Refusal::unknown_issuer(),
        ),
    ] {
        let answer = stack.send(request(tenant1(), &token.sign())).await;
        answer.about(what).assert_refused(&refusal);
    }
}

#[tokio::test]
async fn a_tenant_claim_that_is_a_list_of_one_agrees_or_disagrees_like_a_string() {
    let issuers = Issuers::new();
    let stack = issuers.stack(ALL).await;
    let of = |tenant: &str| issuers.token(ALL, tenant1()).claim("tenant_id", vec![tenant]).sign();

    stack.send(request(tenant1(), &of("tenant1"))).await.assert_admitted("tenant1");
    let answer = stack.send(request(tenant1(), &of("tenant2"))).await;
    answer.assert_refused(&conflict("audience"));
}

#[tokio::test]
async fn a_source_of_the_request_is_required_or_optional_as_the_policy_says() {
    let issuers = Issuers::new();
    let named = tenant1();
    let token = issuers.token(ALL, named).sign();
    let without = |name: &str| {
        let mut request = request(named, &token);
        request.headers_mut().remove(name);
        request
    };
    let stack = issuers.stack(ALL).await;
    // A header that is absent confirms nothing, and need not.
    stack.send(without("x-tenant-id")).await.assert_admitted("tenant1");

    let one = IssuerSettings::new(issuers.one.url())
        .keys(KeyLocation::Jwks(issuers.one.jwks().to_string().into()));
    let stack = Stack::of(issuers.one.clone(), issuers.clock.clone(), |server| {
        server
            .issuer(one)
            .tenant_host("{tenant}.api.erp.example")
            .policy(|policy| policy.required_sources(["header"]).optional_sources(["host"]))
    })
    .await;
    let token = issuers.one.token().tenant("tenant1").sign();
    let send = |header: Option<&'static str>, host: &'static str| {
        let mut request = bearer(get("/tenant1/whoami"), &token);
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static(host));
        if let Some(header) = header {
            headers.insert("x-tenant-id", HeaderValue::from_static(header));
        }
        stack.send(request)
    };
    let own = Some("tenant1");
    send(own, "tenant1.api.erp.example").await.assert_admitted("tenant1");
    // Optional: a host that names nobody is no source, one that names another is.
    send(own, "api.erp.example").await.assert_admitted("tenant1");
    send(own, "tenant2.api.erp.example").await.assert_refused(&mismatch("host"));
    send(None, "tenant1.api.erp.example").await.assert_refused(&Refusal::invalid_request(
        "tenant_missing.header",
        "the tenant header is required and absent",
    ));
}

#[tokio::test]
async fn an_audience_array_that_names_two_tenants_is_refused_for_both() {
    let stack = Stack::usual().await;
    let aud = |tenant: &str| format!("https://api.erp.example/{tenant}");
    for claim in ["tenant1", "tenant2"] {
        for order in [["tenant1", "tenant2"], ["tenant2", "tenant1"]] {
            let token = stack.token(claim).audiences(order.map(aud)).sign();
            for path in ["/tenant1/journal-entries", "/tenant2/journal-entries"] {
                let answer = stack.get(path, &token).await;
                answer.assert_refused(&conflict("audience"));
            }
        }
    }
    // Elements that do not match say nothing; the same tenant twice is one.
    for others in [
        vec![aud("tenant1"), "https://other.example/tenant2".into()],
        vec!["journal-sync".into(), aud("tenant1")],
        vec![aud("tenant1"), aud("tenant1")],
    ] {
        let token = stack.token("tenant1").audiences(others).sign();
        stack.get(PATH, &token).await.assert_admitted("tenant1");
    }
}

#[tokio::test]
async fn tenant_claims_that_are_present_agree() {
    let stack =
        Stack::with_issuer(|issuer| issuer.tenant_claims(["tenant_id", "tenant"]), |server| server)
            .await;
    let good = || stack.token("tenant1");
    for token in [
        good(),
        good().claim("tenant", "tenant1"),
        good().without("tenant_id").claim("tenant", "tenant1"),
    ] {
        stack.get(PATH, &token.sign()).await.assert_admitted("tenant1");
    }
    // No claim comes first: whichever is the other's, the token is refused for both.
    for token in [
        good().claim("tenant", "tenant2"),
        good().claim("tenant", "tenant1").claim("tenant_id", "tenant2"),
    ] {
        for path in ["/tenant1/whoami", "/tenant2/whoami"] {
            let answer = stack.get(path, &token.sign()).await;
            answer.assert_refused(&conflict("claim"));
        }
    }
}

#[tokio::test]
async fn a_path_outside_the_pattern_is_refused() {
    let stack = Stack::usual().await;
    let stack = stack.behind(|server, calls| {
        Router::new()
            .route("/healthz", calls.route())
            .route("/", calls.route())
            .fallback(calls.handler())
            .layer(server.layer())
    });
    let token = stack.token("tenant1").sign();
    for path in ["/", "/healthz", "/tenant1", "/tenant1/", "/tenant.1/x", "/-tenant1/x"] {
        stack.get(path, &token).await.assert_refused(&missing_path());
    }
    stack.get("/tenant1/x", &token).await.assert_admitted("tenant1");
    stack.get("/tenant1/x/", &token).await.assert_admitted("tenant1");
}

/// Values of the tenant header, and the answer.
async fn with_headers(fields: &[(&str, &[u8])]) -> Answer {
    let stack = Stack::usual().await;
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    let mut request = bearer(get(PATH), &stack.token("tenant1").sign());
    request.headers_mut().extend(headers);
    let shown = |value: &&[u8]| String::from_utf8_lossy(value).into_owned();
    let shown: Vec<_> = fields.iter().map(|(n, v)| (*n, shown(v))).collect();
    stack.send(request).await.about(format!("{shown:?}"))
}

#[tokio::test]
async fn a_tenant_header_holds_one_id_and_stands_there_once() {
    let malformed = Refusal::invalid_request(
        "tenant_malformed.header",
        "the tenant header does not hold one tenant id",
    );
    for value in [
        "",
        " ",
        " tenant1",
        "tenant1 ",
        "tenant1,tenant1",
        "tenant1, tenant2",
        "tenant1;v=1",
        "\"tenant1\"",
        "tenant%31",
        "../tenant1",
        "_tenant1",
        "tenant1é",
        &"t".repeat(129),
    ] {
        with_headers(&[("x-tenant-id", value.as_bytes())]).await.assert_refused(&malformed);
    }
    with_headers(&[("x-tenant-id", b"tenant1\xff")]).await.assert_refused(&malformed);
    let repeated = Refusal::invalid_request(
        "tenant_repeated.header",
        "the tenant header is there more than once",
    );
    for (one, other) in [("tenant1", "tenant1"), ("tenant1", "tenant2"), ("", "tenant1")] {
        with_headers(&[("x-tenant-id", one.as_bytes()), ("X-Tenant-ID", other.as_bytes())])
            .await
            .assert_refused(&repeated);
    }
    with_headers(&[("X-TENANT-ID", b"tenant1")]).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn rfc9110_s7_6_1_a_tenant_header_that_a_proxy_would_drop_is_refused() {
    let refusal = Refusal::invalid_request(
        "header_in_connection",
        "the Connection field names the tenant header",
    );
    for connection in [
        "x-tenant-id",
        "X-Tenant-ID",
        "close, x-tenant-id",
        "x-tenant-id,close",
        "close,\tX-TENANT-ID ,x",
    ] {
        let named = ("connection", connection.as_bytes());
        with_headers(&[named, ("x-tenant-id", b"tenant1")]).await.assert_refused(&refusal);
        // Also when it was dropped already.
        with_headers(&[named]).await.assert_refused(&refusal);
        with_headers(&[("connection", b"close"), named]).await.assert_refused(&refusal);
    }
    for connection in [&b"close"[..], b"x-tenant-id2, x-tenant"] {
        with_headers(&[("connection", connection)]).await.assert_admitted("tenant1");
    }
}

/// Paths that two readers could read in two ways, each beginning with the token's own tenant or
/// leading to it.
const AMBIGUOUS: [&str; 37] = [
    "//tenant1/entries",
    "/tenant1//entries",
    "/tenant1/entries//",
    "/./tenant1/entries",
    "/tenant1/./entries",
    "/tenant1/entries/.",
    "/tenant1/../tenant2/entries",
    "/tenant2/../tenant1/entries",
    "/tenant1/entries/..",
    "/tenant1/%2e%2e/tenant2/entries",
    "/tenant1/%2E%2E/tenant2/entries",
    "/tenant1/.%2e/tenant2/entries",
    "/tenant1/%2e/entries",
    "/tenant1%2Fentries",
    "/tenant1%2fentries/x",
    "/tenant1/entries%2f..%2f..%2ftenant2",
    "/tenant1/..%2ftenant2/entries",
    "/tenant1/entries;v=1",
    "/tenant1;v=1/entries",
    "/tenant1/..;/tenant2/entries",
    "/tenant1/..;x/tenant2/entries",
    "/tenant1%5Centries/x",
    "/tenant1/..%5ctenant2/entries",
    "/%74enant1/entries",
    "/tenant%31/entries",
    "/tenant1%20/entries",
    "/tenant1%00/entries",
    "/tenant1/entries%00",
    "/tenant1/entries%0d%0a",
    "/tenant1/entries%7f",
    "/tenant1/entries%",
    "/tenant1/entries%zz",
    // For whoever decodes twice, or without looking at what is no UTF-8.
    "/tenant1/..%252f..%252ftenant2/entries",
    "/tenant1/%252e%252e/tenant2/entries",
    "/tenant1/entries%3Bv=1",
    "/tenant1/%c0%ae%c0%ae/tenant2/entries",
    "/tenant1/..%c0%aftenant2/entries",
];

#[tokio::test]
async fn nothing_reaches_a_handler_on_an_ambiguous_path() {
    let usual = Stack::usual().await;
    let token = usual.token("tenant1").sign();
    let wide = |calls: &Calls| Router::new().route("/{*all}", calls.route());
    let inner = |calls: &Calls| {
        Router::new().route("/entries", calls.route()).route("/{*rest}", calls.route())
    };
    // Where the layer stands around all that can be reached, the answer is always 400.
    let everywhere: [(&str, Stack); 5] = [
        ("layer", usual.behind(|server, calls| wide(calls).layer(server.layer()))),
        (
            "fallback",
            usual.behind(|server, calls| {
                Router::new().fallback(calls.handler()).layer(server.layer())
            }),
        ),
        (
            "fallback_service",
            usual.behind(|server, calls| {
                Router::new()
                    .fallback_service(wide(calls).fallback(calls.handler()))
                    .layer(server.layer())
            }),
        ),
        (
            "nest",
            usual.behind(|server, calls| {
                Router::new().nest("/{tenant}", inner(calls)).layer(server.layer())
            }),
        ),
        (
            "merge",
            usual.behind(|server, calls| {
                Router::new()
                    .route("/{tenant}/entries", calls.route())
                    .merge(Router::new().route("/{tenant}/more/{*rest}", calls.route()))
                    .fallback(calls.handler())
                    .layer(server.layer())
            }),
        ),
    ];
    // Where it stands around a part, what it does not see is no route at all.
    let partly: [(&str, Stack); 3] = [
        ("route_layer", usual.behind(|server, calls| wide(calls).route_layer(server.layer()))),
        (
            "layer in a nest",
            usual.behind(|server, calls| {
                Router::new().nest("/{tenant}", inner(calls).layer(server.layer()))
            }),
        ),
        (
            "layer of a method router",
            usual.behind(|server, calls| {
                Router::new().route("/{*all}", calls.route().layer(server.layer()))
            }),
        ),
    ];
    for path in AMBIGUOUS {
        for (shape, stack) in &everywhere {
            let answer = stack.get(path, &token).await;
            answer.about(format!("{shape}: {path}")).assert_refused(&Refusal::ambiguous_path());
        }
        for (shape, stack) in &partly {
            let answer = stack.get(path, &token).await;
            assert_eq!(answer.handler_calls, 0, "{shape}: {path}");
            assert!([400, 404].contains(&answer.status.as_u16()), "{shape}: {path}");
        }
    }
    for (shape, stack) in everywhere.iter().chain(&partly) {
        let answer = stack.get("/tenant1/entries", &token).await;
        answer.about(*shape).assert_admitted("tenant1");
        let answer = stack.get("/tenant2/entries", &token).await;
        answer.about(*shape).assert_refused(&Refusal::foreign_path());
        let answer = stack.send(get("/tenant1/entries")).await;
        answer.about(*shape).assert_refused(&Refusal::unauthenticated());
    }
}

#[tokio::test]
async fn an_ambiguous_path_is_refused_before_its_token_is_looked_at() {
    let stack = Stack::fetching().await;
    stack.network.fail();
    for path in AMBIGUOUS {
        let answer = stack.get(path, "x").await;
        answer.assert_refused(&Refusal::ambiguous_path());
        let answer = stack.send(get(path)).await;
        answer.assert_refused(&Refusal::ambiguous_path());
    }
}

#[tokio::test]
async fn a_merged_router_without_the_layer_does_not_get_it() {
    let stack = Stack::usual().await.behind(|server, calls| {
        let (open, closed) = (calls.clone(), calls.clone());
        let closed = move |_: TenantPrincipal| async move { closed.hit() };
        Router::new().route("/{tenant}/entries", calls.route()).layer(server.layer()).merge(
            Router::new()
                .route("/healthz", axum::routing::get(|| async move { open.hit() }))
                .route("/{tenant}/unguarded", axum::routing::get(closed)),
        )
    });
    let token = stack.token("tenant1").sign();
    let answer = stack.send(get("/healthz")).await;
    assert_eq!((answer.status.as_u16(), answer.handler_calls), (200, 1));
    let answer = stack.get("/tenant1/entries", &token).await;
    answer.assert_admitted("tenant1");
    // A handler that asks for a tenant does not run where nobody looked for one.
    let answer = stack.get("/tenant1/unguarded", &token).await;
    answer.assert_refused(&Refusal::misconfigured());
}

/// What is held, what is needed, and whether it is enough.
async fn permits(stack: &Stack, tenant: &str, held: &str, needed: &'static str) -> bool {
    let stack = stack.behind(|server, calls| {
        Router::new()
            .route("/{tenant}/x", calls.route().layer(RequireScopeLayer::all([needed])))
            .layer(server.layer())
    });
    let token = stack.issuer.token().tenant(tenant).scope(held).sign();
    let answer = stack.get(&format!("/{tenant}/x"), &token).await;
    let answer = answer.about(format!("{tenant}: `{held}` for `{needed}`"));
    if answer.status == 200 {
        answer.assert_admitted(tenant);
        return true;
    }
    answer.assert_refused(&Refusal::scope_missing(&format!("{tenant}.{needed}")));
    false
}

#[tokio::test]
async fn a_scope_of_another_tenant_satisfies_nothing() {
    let stack = Stack::usual().await;
    for (held, enough) in [
        ("tenant1.journal.read", true),
        ("tenant2.journal.read tenant1.journal.read", true),
        ("tenant2.journal.read", false),
        ("tenant10.journal.read", false),
        ("tenant.journal.read", false),
        ("Tenant1.journal.read", false),
        ("journal.read", false),
        (".journal.read", false),
        ("tenant1journal.read", false),
        ("tenant1.tenant1.journal.read", false),
        ("tenant2.tenant1.journal.read", false),
        ("tenant1.journal", false),
        ("tenant1.journal.read.all", false),
        ("tenant1.journal.*", false),
        ("tenant1.*", false),
        ("*", false),
        ("tenant1.Journal.read", false),
        ("tenant1:journal.read", false),
    ] {
        assert_eq!(permits(&stack, "tenant1", held, "journal.read").await, enough, "{held}");
    }
    assert!(!permits(&stack, "tenant10", "tenant1.journal.read", "journal.read").await);
    assert!(!permits(&stack, "tenant10", "tenant1.0.journal.read", "journal.read").await);
    assert!(permits(&stack, "tenant10", "tenant10.journal.read", "journal.read").await);
}

#[tokio::test]
async fn a_foreign_scope_is_ignored_or_refuses_the_token_as_the_policy_says() {
    let lenient = Stack::usual().await;
    let strict = Stack::with(|server| server.policy(|policy| policy.refuse_foreign_scopes())).await;
    let foreign =
        Refusal::invalid_token("scope_foreign", "the access token holds a scope of another tenant");
    for scope in [
        "tenant1.journal.read tenant2.journal.read",
        "tenant2.journal.read tenant1.journal.read",
        "tenant1.journal.read tenant10.x",
    ] {
        let token = lenient.token("tenant1").scope(scope).sign();
        let answer = lenient.get(PATH, &token).await;
        answer.assert_admitted("tenant1");
        // Even where no scope is needed.
        for path in [PATH, "/tenant1/whoami"] {
            let token = strict.token("tenant1").scope(scope).sign();
            strict.get(path, &token).await.assert_refused(&foreign);
        }
    }
    // A scope that names no tenant is nobody's.
    let token = strict.token("tenant1").scope("profile tenant1.journal.read");
    strict.get(PATH, &token.sign()).await.assert_admitted("tenant1");
}

#[tokio::test]
async fn while_migrating_a_plain_scope_is_never_read_in_two_ways() {
    let stack = Stack::with(|server| {
        server.policy(|policy| policy.plain_scopes(["finance.write", "profile"]))
    })
    .await;
    let ambiguous = Refusal::invalid_token(
        "scope_ambiguous",
        "a scope of the access token can be read in two ways",
    );
    // `finance` could have been given `write`, or everybody's `finance.write`.
    for scope in ["finance.write", "finance.journal.read finance.write"] {
        let token = stack.issuer.token().tenant("finance").scope(scope).sign();
        for path in ["/finance/whoami", "/finance/journal-entries"] {
            stack.get(path, &token).await.assert_refused(&ambiguous);
        }
    }
    assert!(permits(&stack, "finance", "finance.finance.write", "finance.write").await);

    // The list is closed, and its members are whole tokens.
    for (held, enough) in [
        ("finance.write", true),
        ("tenant1.finance.write", true),
        ("tenant2.finance.write", false),
        ("finance.writer", false),
        ("finance", false),
        ("write", false),
    ] {
        assert_eq!(permits(&stack, "tenant1", held, "finance.write").await, enough, "{held}");
    }
    assert!(permits(&stack, "tenant1", "profile", "profile").await);
    assert!(!permits(&stack, "tenant1", "journal.read", "journal.read").await);
}

#[tokio::test]
async fn a_plain_scope_of_a_known_tenant_stops_the_start() {
    let (clock, network) = (Stack::clock(), Network::default());
    let issuer = Stack::issuer(&clock);
    let named = IssuerSettings::new(issuer.url())
        .keys(KeyLocation::Jwks(issuer.jwks().to_string().into()))
        .tenants(["tenant1", "finance"]);
    let error = Stack::builder(&clock, &network)
        .issuer(named)
        .policy(|policy| policy.plain_scopes(["finance.write"]))
        .build()
        .await
        .unwrap_err();
    let line = error.to_string();
    assert!(line.contains("plain_scopes") && line.contains("`finance`"), "{line}");
}

/// As `[directory]` of a policy file: what the directory is known to hold is checked when it is given.
#[tokio::test]
async fn a_plain_scope_of_a_tenant_in_the_directory_stops_the_start() {
    let (clock, network) = (Stack::clock(), Network::default());
    let issuer = Stack::issuer(&clock);
    let named =
        IssuerSettings::new(issuer.url()).keys(KeyLocation::Jwks(issuer.jwks().to_string().into()));
    let tenants = ["tenant1", "finance"].map(|id| (id.parse().unwrap(), Standing::Active));
    let error = Stack::builder(&clock, &network)
        .issuer(named)
        .directory(Arc::new(StaticDirectory::new(tenants).unwrap()))
        .policy(|policy| policy.plain_scopes(["finance.write"]))
        .build()
        .await
        .unwrap_err();
    let line = error.to_string();
    assert!(line.contains("plain_scopes") && line.contains("`finance`"), "{line}");
}

#[tokio::test]
async fn with_plain_scopes_the_tenant_claim_alone_binds() {
    let stack = Stack::with(|server| server.scope("{scope}")).await;
    let stack = stack.behind(|server, calls| {
        let need = RequireScopeLayer::all(["journal.read"]);
        Router::new().route("/{tenant}/x", calls.route().layer(need)).layer(server.layer())
    });
    for tenant in ["tenant1", "tenant2"] {
        let path = format!("/{tenant}/x");
        let plain = stack.issuer.token().tenant(tenant).scope("journal.read");
        let answer = stack.get(&path, &plain.sign()).await;
        answer.assert_admitted(tenant);
        let qualified = plain.scope("tenant1.journal.read");
        let answer = stack.get(&path, &qualified.sign()).await;
        answer.assert_refused(&Refusal::scope_missing("journal.read"));
    }
    let token = stack.issuer.token().tenant("tenant1").scope("journal.read");
    let answer = stack.get("/tenant2/x", &token.sign()).await;
    answer.assert_refused(&Refusal::foreign_path());
}
