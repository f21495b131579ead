//! `RequestFacts::read`: what can be read in two ways is a 400, before any token is looked at.

use tenantry_core::{Policy, PolicyBuilder, Reason, RequestFacts};

use crate::{Sent, assert_refused, decided, erp, sent, token_of};

fn refused(builder: PolicyBuilder, sent: &Sent, reason: Reason) {
    let policy = builder.build().unwrap();
    assert_refused(sent.read(&policy), 400, "invalid_request", reason);
}

/// Whether the request is read, and as one of tenant1.
fn names_tenant1(policy: &Policy, sent: &Sent) -> bool {
    decided(policy, sent, token_of("tenant1")).is_ok()
}

/// What [`http::Uri`] lets through of what two readers could read in two ways.
const AMBIGUOUS: [&str; 26] = [
    "//tenant1/x",
    "/tenant1//x",
    "/tenant1/x//",
    "/./tenant1/x",
    "/tenant1/./x",
    "/tenant1/x/.",
    "/tenant2/../tenant1/x",
    "/tenant1/x/..",
    "/..",
    "/tenant1;v=1/x",
    "/tenant1/..;/x",
    "/tenant1%2fx",
    "/tenant1/x%2F..",
    "/tenant1/%2e%2e/x",
    "/tenant1/%2E./x",
    "/tenant1/a%5cb",
    "/tenant1/x%00",
    "/tenant1/x%0d%0a",
    "/tenant1/x%7f",
    "/tenant1/x%",
    "/tenant1/x%4",
    "/tenant1%3Bv=1/x",
    "/tenant1/%252e%252e/x",
    "/tenant1/x%25252Fy",
    "/tenant1/%c0%ae/x",
    "/tenant1/\u{e9}",
];

#[test]
fn an_ambiguous_path_is_refused_whether_the_path_is_a_source_or_not() {
    for path in AMBIGUOUS {
        refused(erp().tenant_path("/{tenant}/{*rest}"), &sent(path), Reason::PathAmbiguous);
        refused(erp(), &sent(path), Reason::PathAmbiguous);
    }
    // In the query it is data.
    let policy = erp().tenant_path("/{tenant}/{*rest}").build().unwrap();
    assert!(names_tenant1(&policy, &sent("/tenant1/x?next=//a/../b;c%2f")));
}

#[test]
fn an_escape_in_the_tenants_segment_is_refused_and_elsewhere_let_through() {
    let builder = || erp().tenant_path("/v1/{tenant}/{*rest}");
    for path in
        ["/v1/%74enant1/x", "/v1/tenant%31/x", "/v1/tenant1%20/x", "/v1/%C3%A9/x", "/v1/tenant%31"]
    {
        refused(builder(), &sent(path), Reason::PathAmbiguous);
    }
    let policy = builder().build().unwrap();
    assert!(names_tenant1(&policy, &sent("/v1/tenant1/a%20b/%C3%A9/100%25")));
    // A literal part that is escaped is another path: it names nobody.
    assert_refused(
        decided(&policy, &sent("/%761/tenant1/x"), token_of("tenant1")),
        400,
        "invalid_request",
        Reason::TenantMissingPath,
    );
    // Without the path as a source there is no tenant's segment.
    assert!(sent("/tenant%31/x").read(&erp().build().unwrap()).is_ok());
}

#[test]
fn an_escape_of_an_escape_is_refused_however_deep() {
    let policy = erp().build().unwrap();
    // As deep as a request target goes, on a stack as small as a server's worker may have.
    let deep = |end: &str| format!("/%{}{end}", "25".repeat(32_000));
    let judge = move || {
        let refused = |path: String| sent(&path).read(&policy).is_err();
        (refused(deep("2f")), refused(deep("zz")), refused("/a%25zz".into()))
    };
    let worker = std::thread::Builder::new().stack_size(512 * 1024).spawn(judge).unwrap();
    assert_eq!(worker.join().unwrap(), (true, true, false));
}

#[test]
fn the_path_is_judged_in_absolute_form_too() {
    let policy = erp().tenant_path("/{tenant}/{*rest}").build().unwrap();
    assert!(names_tenant1(&policy, &sent("http://api.erp.example/tenant1/x")));
    assert!(!names_tenant1(&policy, &sent("http://api.erp.example/tenant2/x")));
    refused(erp(), &sent("http://api.erp.example//x"), Reason::PathAmbiguous);
}

fn by_header() -> PolicyBuilder {
    erp().tenant_header("X-Tenant-ID")
}

#[test]
fn a_tenant_header_that_is_there_twice_is_refused_even_if_both_agree() {
    for values in [["tenant1", "tenant1"], ["tenant1", "tenant2"], ["", "tenant1"], ["tenant1", ""]]
    {
        let request = values.iter().fold(sent("/"), |sent, value| sent.with("x-tenant-id", value));
        refused(by_header(), &request, Reason::TenantRepeatedHeader);
    }
}

#[test]
fn a_tenant_header_that_is_no_id_is_refused() {
    let long = "a".repeat(129);
    for value in [
        "",
        " ",
        "tenant1,tenant1",
        "tenant1, tenant2",
        "tenant1;q=1",
        "tenant 1",
        "tenant1 ",
        "-tenant1",
        "_tenant1",
        "tenant.1",
        "\"tenant1\"",
        "t\u{e9}nant1",
        "%74enant1",
        &long,
    ] {
        refused(by_header(), &sent("/").with("x-tenant-id", value), Reason::TenantMalformedHeader);
    }
    let policy = by_header().build().unwrap();
    assert!(names_tenant1(&policy, &sent("/").with("x-tenant-id", "tenant1")));
    assert!(names_tenant1(&policy, &sent("/")));
    // An id of another case is another id.
    assert!(!names_tenant1(&policy, &sent("/").with("x-tenant-id", "Tenant1")));
}

#[test]
fn a_tenant_header_that_connection_names_is_refused() {
    for connection in [
        "x-tenant-id",
        "X-Tenant-Id",
        "close, x-tenant-id",
        "x-tenant-id,close",
        "close ,\tX-TENANT-ID , te",
    ] {
        let request = sent("/").with("x-tenant-id", "tenant1").with("connection", connection);
        refused(by_header(), &request, Reason::HeaderInConnection);
        // The header may have been dropped already.
        refused(by_header(), &sent("/").with("connection", connection), Reason::HeaderInConnection);
    }
    // In the second of two fields, too.
    let request = sent("/").with("connection", "close").with("connection", "x-tenant-id");
    refused(by_header(), &request, Reason::HeaderInConnection);

    let policy = by_header().build().unwrap();
    for connection in ["close", "x-tenant", "x-tenant-id-2", "keep-alive, te", "x tenant-id"] {
        assert!(sent("/").with("connection", connection).read(&policy).is_ok(), "{connection}");
    }
    // A policy without the header has nothing to lose.
    assert!(sent("/").with("connection", "x-tenant-id").read(&erp().build().unwrap()).is_ok());
}

fn by_host() -> PolicyBuilder {
    erp().tenant_host("{tenant}.api.erp.example")
}

#[test]
fn a_host_is_compared_without_case_port_and_trailing_dot() {
    let policy = by_host().build().unwrap();
    for host in [
        "tenant1.api.erp.example",
        "TENANT1.API.erp.Example",
        "tenant1.api.erp.example:8443",
        "tenant1.api.erp.example:",
        "tenant1.api.erp.example.",
        "Tenant1.api.erp.example.:443",
    ] {
        assert!(names_tenant1(&policy, &sent("/").with("host", host)), "{host}");
    }
    for host in ["tenant2.api.erp.example", "TENANT10.api.erp.example"] {
        let verdict = decided(&policy, &sent("/").with("host", host), token_of("tenant1"));
        assert_refused(verdict, 403, "insufficient_scope", Reason::TenantMismatchHost);
    }
    for host in [
        "api.erp.example",
        "tenant1.api.erp.example.evil.example",
        "xtenant1.tenant1.api.erp.example",
        "tenant1.api.erp.example..",
        ".api.erp.example",
        "tenant1.erp.example",
        "tenant_1.api.erp.example",
        "127.0.0.1:80",
    ] {
        let verdict = decided(&policy, &sent("/").with("host", host), token_of("tenant1"));
        assert_refused(verdict, 400, "invalid_request", Reason::TenantMissingHost);
    }
}

#[test]
fn a_request_with_two_hosts_or_none_is_refused() {
    let host = "tenant1.api.erp.example";
    let target = format!("http://{host}/");
    let requests = [
        sent("/"),
        sent("/").with("host", host).with("host", host),
        sent(&target).with("host", host).with("host", host),
        sent(&target).with("host", "tenant2.api.erp.example"),
        sent("http://tenant2.api.erp.example/").with("host", host),
        sent(&target).with("host", "tenant1.api.erp.example:80"),
        sent("/").with("host", ""),
        sent("/").with("host", "."),
        sent("/").with("host", ":80"),
        sent("/").with("host", "tenant1.api.erp.example:x"),
        sent("/").with("host", "tenant1.api.erp.example:80:80"),
        sent("/").with("host", "user@tenant1.api.erp.example"),
        sent("/").with("host", "tenant1.api.erp.example/"),
        sent("/").with("host", "tenant1.api.erp.example, tenant1.api.erp.example"),
        sent("/").with("host", "t\u{e9}nant1.api.erp.example"),
        sent("http://user@tenant1.api.erp.example/"),
        sent("http://tenant1.api.erp.example:80@evil.example/"),
    ];
    for request in &requests {
        refused(by_host(), request, Reason::HostAmbiguous);
        refused(by_host().optional_sources(["host"]), request, Reason::HostAmbiguous);
    }
}

#[test]
fn the_target_is_a_host_as_good_as_the_field_and_agrees_with_it_without_case() {
    let policy = by_host().build().unwrap();
    assert!(names_tenant1(&policy, &sent("https://tenant1.api.erp.example/x")));
    assert!(names_tenant1(&policy, &sent("https://Tenant1.api.erp.example:443/x")));
    let both = sent("http://tenant1.api.erp.example/").with("host", "Tenant1.API.erp.example");
    assert!(names_tenant1(&policy, &both));
    assert!(!names_tenant1(&policy, &sent("https://tenant2.api.erp.example/x")));
}

#[test]

fn an_address_is_a_host_that_names_no_tenant() {
    let policy = by_host().optional_sources(["host"]).build().unwrap();
    assert!(names_tenant1(&policy, &sent("/").with("host", "[::1]:8080")));
    assert!(names_tenant1(&policy, &sent("/").with("host", "[::1]")));
}

#[test]
fn a_policy_without_sources_in_the_request_reads_none() {
    let policy = erp().build().unwrap();
    let request = sent("/tenant2/x").with("x-tenant-id", "?").with("host", "a").with("host", "b");
    assert_eq!(request.read(&policy).unwrap(), sent("/").read(&policy).unwrap());
}

#[test]
fn a_copy_names_the_same() {
    let policy = crate::erp_everywhere().build().unwrap();
    let request = crate::sent_everywhere("tenant1");
    let facts = request.read(&policy).unwrap();
    let copy: RequestFacts<'static> = facts.clone().into_owned();
    assert_eq!(copy, facts);
    let other = crate::sent_everywhere("tenant2");
    assert_ne!(copy, other.read(&policy).unwrap());
}
