//! What a policy says about its resource: which audiences can be one, where the metadata is, what it
//! lists, and which of it a challenge names.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Uri};
use tenantry_core::{
    Anonymous, IssuerSettings, Policy, PolicyBuilder, Reason, Rejection, ResourceMetadata,
    ScopeNeed, Standing, TenantId, Unobserved,
};

use crate::{Sent, agreed, decided, erp, erp_everywhere, scoped, sent, sent_everywhere, token_of};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

/// A policy of one issuer, and these audiences.
fn of(audiences: &[&str]) -> PolicyBuilder {
    let start = Policy::builder().issuer("https://auth.erp.example");
    audiences.iter().fold(start, |policy, audience| policy.audience(*audience)).resource_metadata()
}

fn url(policy: &Policy, id: Option<&str>) -> Option<String> {
    policy.resource_metadata_url(id.map(tenant).as_ref())
}

fn at(policy: &Policy, target: &str, host: &str) -> Option<String> {
    let uri: Uri = target.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_str(host).unwrap());
    policy.resource_metadata_at(&uri, &headers).map(|metadata| metadata.resource().into())
}

#[test]
fn the_metadata_is_between_the_host_and_the_path_of_the_first_audience() {
    for (audience, id, expected) in [
        ("https://api.erp.example", None, "https://api.erp.example/W"),
        ("https://api.erp.example/", None, "https://api.erp.example/W"),
        ("https://api.erp.example/erp", None, "https://api.erp.example/W/erp"),
        ("https://api.erp.example/erp/", None, "https://api.erp.example/W/erp/"),
        ("https://api.erp.example:8443/erp", None, "https://api.erp.example:8443/W/erp"),
        ("https://api.erp.example/{tenant}", Some("t1"), "https://api.erp.example/W/t1"),
        ("https://api.erp.example/v1/{tenant}/x", Some("t1"), "https://api.erp.example/W/v1/t1/x"),
        ("https://{tenant}.api.erp.example", Some("t1"), "https://t1.api.erp.example/W"),
        (
            "https://{tenant}.api.erp.example:8443/v1",
            Some("t1"),
            "https://t1.api.erp.example:8443/W/v1",
        ),
        ("http://localhost:8080/{tenant}", Some("t1"), "http://localhost:8080/W/t1"),
        ("http://[::1]:8080/{tenant}", Some("t1"), "http://[::1]:8080/W/t1"),
    ] {
        let policy = of(&[audience, &audience.replace("https", "urn")]).build().unwrap();
        let expected = expected.replace("/W", WELL_KNOWN);
        assert_eq!(url(&policy, id).as_deref(), Some(&*expected), "{audience}");
        // Found where it is said to be, and it says its own name.
        let host = expected.split('/').nth(2).unwrap();
        let path = expected.split_once(host).unwrap().1;
        let resource = audience.replace("{tenant}", id.unwrap_or_default());
        assert_eq!(at(&policy, path, host), Some(resource), "{audience}");
    }
}

#[test]
fn an_audience_that_is_no_plain_https_url_is_no_resource_identifier() {
    for (audience, problem) in [
        ("urn:erp", "this is not an https URL"),
        ("erp-api", "this is not an https URL"),
        ("http://api.erp.example", "plain http is for loopback only: use https"),
        ("ftp://api.erp.example", "this is not an https URL"),
        ("https://api.erp.example?x=1", "it has a query or a fragment"),
        ("https://api.erp.example/#x", "it has a query or a fragment"),
        ("https://api.erp.example/a b", "a URL to fetch from has no fragment and no blanks"),
        ("https://api.erp.example/\"", "it has a character that no URL has"),
        ("https://api\".erp.example/", "it has a character that no URL has"),
        ("https://me@api.erp.example", "a URL to fetch from has no user name"),
        ("https://API.erp.example", "write the host in lower case, without a dot at its end"),
        ("https:///x", "the URL has no host"),
    ] {
        let error = of(&[audience, "https://api.erp.example"]).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "resource_server.metadata: the first audience, `{audience}`, would be the resource identifier (RFC 9728), and cannot: {problem}"
            )
        );
        // The others may be anything.
        assert!(of(&["https://api.erp.example", audience]).build().is_ok(), "{audience}");
    }
}

#[test]
fn nothing_is_said_unless_it_is_turned_on() {
    let policy = erp().audience("urn:{tenant}:erp").build().unwrap();
    assert_eq!(url(&policy, Some("tenant1")), None);
    assert_eq!(policy.resource_metadata(Some(&tenant("tenant1"))), None);
    assert_eq!(at(&policy, &format!("{WELL_KNOWN}/tenant1"), "api.erp.example"), None);
}

#[test]
fn with_a_resource_per_tenant_nothing_is_there_for_nobody() {
    let policy = erp().resource_metadata().build().unwrap();
    assert_eq!(url(&policy, None), None);
    assert_eq!(policy.resource_metadata(None), None);
    for path in ["", "/", "/tenant1/", "/tenant1/x", "//tenant1", "/tenant%31", "/-", "/a.b"] {
        let target = format!("{WELL_KNOWN}{path}");
        assert_eq!(at(&policy, &target, "api.erp.example"), None, "{target}");
    }
    assert_eq!(at(&policy, "/tenant1", "api.erp.example"), None);
    // The host says nothing where the path names the tenant.
    let path = format!("{WELL_KNOWN}/tenant1");
    for host in ["api.erp.example", "10.0.0.1:8080", "tenant2.api.erp.example"] {
        let resource = at(&policy, &path, host);
        assert_eq!(resource.as_deref(), Some("https://api.erp.example/tenant1"));
    }
}

#[test]
fn a_tenant_in_the_host_is_found_in_the_host_in_its_one_spelling() {
    let policy = of(&["https://{tenant}.api.erp.example/v1"]).build().unwrap();
    let path = format!("{WELL_KNOWN}/v1");
    let resource = Some("https://acme.api.erp.example/v1".to_owned());
    for host in ["acme.api.erp.example", "ACME.api.erp.example.", "acme.api.erp.example:8443"] {
        assert_eq!(at(&policy, &path, host), resource, "{host}");
    }
    for host in [
        "api.erp.example",
        "acme.api.erp.example.evil.example",
        "x.acme.api.erp.example",
        "a_b.api.erp.example",
        "[::1]",
        "a,b",
    ] {
        assert_eq!(at(&policy, &path, host), None, "{host}");
    }
    assert_eq!(at(&policy, WELL_KNOWN, "acme.api.erp.example"), None);
    for id in ["Acme", "a_b"] {
        assert_eq!(url(&policy, Some(id)), None, "{id}");
        assert_eq!(policy.resource_metadata(Some(&tenant(id))), None, "{id}");
    }
    // Two hosts: neither is believed.
    let mut headers = HeaderMap::new();
    headers.append("host", HeaderValue::from_static("acme.api.erp.example"));
    headers.append("host", HeaderValue::from_static("acme.api.erp.example"));
    assert_eq!(policy.resource_metadata_at(&path.parse().unwrap(), &headers), None);
}

fn servers(policy: &Policy, id: Option<&str>) -> Option<Vec<String>> {
    let metadata = policy.resource_metadata(id.map(tenant).as_ref())?;
    Some(metadata.authorization_servers().to_vec())
}

#[test]
fn the_authorization_servers_are_those_that_may_speak_for_the_tenant() {
    let issuers = |audience: &str| {
        Policy::builder()
            .audience(audience)
            .issuer(
                IssuerSettings::new("https://a.example")
                    .tenants(["t1", "t2"])
                    .shared_tenants(["t2"]),
            )
            .issuer(
                IssuerSettings::new("https://b.example/{tenant}")
                    .tenants(["t2", "t3"])
                    .shared_tenants(["t2"]),
            )
            .issuer(
                IssuerSettings::new("not-a-url")
                    .keys(tenantry_core::KeyLocation::File("keys.json".into()))
                    .tenants(["t4"]),
            )
            .resource_metadata()
            .build()
            .unwrap()
    };
    let per_tenant = issuers("https://api.erp.example/{tenant}");
    let list = |servers: &[&str]| Some(servers.iter().map(ToString::to_string).collect());
    assert_eq!(servers(&per_tenant, Some("t1")), list(&["https://a.example"]));
    assert_eq!(
        servers(&per_tenant, Some("t2")),
        list(&["https://a.example", "https://b.example/t2"])
    );
    assert_eq!(servers(&per_tenant, Some("t3")), list(&["https://b.example/t3"]));
    // It has an issuer, which is no authorization server that a client could find.
    assert_eq!(servers(&per_tenant, Some("t4")), list(&[]));
    assert_eq!(servers(&per_tenant, Some("t5")), None);
    assert_eq!(servers(&per_tenant, Some("T1")), None);
    // One document for all names no tenant.
    let one = issuers("https://api.erp.example");
    assert_eq!(servers(&one, None), list(&["https://a.example"]));
    assert_eq!(servers(&one, Some("t3")), list(&["https://a.example"]));
}

#[test]
fn an_issuer_without_a_list_speaks_for_every_id() {
    for issuer in ["https://auth.erp.example", "https://{tenant}.login.erp.example/"] {
        let policy = Policy::builder()
            .audience("https://api.erp.example/{tenant}")
            .issuer(issuer)
            .resource_metadata()
            .build()
            .unwrap();
        let documents: BTreeSet<_> = ["t1", "nobody", "Z_9-"]
            .into_iter()
            .map(|id| {
                let metadata = policy.resource_metadata(Some(&tenant(id))).unwrap();
                String::from_utf8(metadata.to_json().to_vec()).unwrap().replace(id, "ID")
            })
            .collect();
        assert_eq!(documents.len(), 1, "{documents:?}");
    }
}

fn json(metadata: Option<ResourceMetadata>) -> serde_json::Value {
    serde_json::from_slice(&metadata.unwrap().to_json()).unwrap()
}

#[test]
fn scopes_are_listed_if_they_were_given_and_as_tokens_write_them() {
    let listed = |policy: PolicyBuilder, id: Option<&str>| {
        let policy = policy.build().unwrap();
        json(policy.resource_metadata(id.map(tenant).as_ref()))["scopes_supported"].clone()
    };
    let scopes = ["journal.read", "finance.write"];
    let per_tenant = erp().resource_metadata();
    assert_eq!(listed(per_tenant.clone(), Some("t1")), serde_json::Value::Null);
    assert_eq!(
        listed(per_tenant.scopes_supported(scopes), Some("t1")),
        serde_json::json!(["t1.journal.read", "t1.finance.write"])
    );
    let plain = of(&["https://api.erp.example"]).scope("{scope}").scopes_supported(scopes);
    assert_eq!(listed(plain, None), serde_json::json!(scopes));
}

#[test]
fn scopes_that_cannot_be_listed_are_refused() {
    let refused = |policy: PolicyBuilder, problem: &str| {
        let error = policy.build().unwrap_err();
        assert_eq!(error.setting(), "resource_server.scopes_supported");
        assert!(error.problem().starts_with(problem), "{error}");
    };
    refused(
        erp().scopes_supported(["a"]),
        "they are listed in the metadata, which is not turned on",
    );
    refused(erp().resource_metadata().scopes_supported(["a b"]), "`a b` is not a scope");
    refused(
        of(&["https://api.erp.example"]).scopes_supported(["a"]),
        "scopes name their tenant and the audience names none",
    );
}

#[track_caller]
fn challenge(rejection: &Rejection) -> String {
    rejection.challenge().unwrap().to_string()
}

/// The URL in a challenge, and what stands before it.
fn split(challenge: &str) -> (&str, Option<&str>) {
    match challenge.split_once(r#", resource_metadata=""#) {
        Some((before, url)) => (before, Some(url.strip_suffix('"').unwrap())),
        None => (challenge, None),
    }
}

fn refused_by(policy: &Policy, request: &Sent, tenant: &str) -> String {
    challenge(&decided(policy, request, token_of(tenant)).unwrap_err())
}

const BASE: &str = "https://api.erp.example/.well-known/oauth-protected-resource/";

#[test]
fn a_challenge_names_the_metadata_of_the_tenant_that_the_request_asks_for() {
    let policy = erp().tenant_path("/{tenant}/{*rest}").resource_metadata().build().unwrap();
    let off = erp().tenant_path("/{tenant}/{*rest}").build().unwrap();
    let foreign = sent("/tenant2/journal-entries");
    let said = refused_by(&policy, &foreign, "tenant1");
    assert_eq!(
        split(&said),
        (&*refused_by(&off, &foreign, "tenant1"), Some(&*format!("{BASE}tenant2")))
    );
    // Signed parts that disagree prove nobody; the request asks all the same.
    let mut torn = token_of("tenant1");
    torn.audience = vec!["https://api.erp.example/tenant3".into()];
    let said = challenge(&decided(&policy, &foreign, torn).unwrap_err());
    assert_eq!(split(&said).1, Some(&*format!("{BASE}tenant2")));
    // Nothing signed names a tenant.
    let mut nobody = token_of("tenant1");
    nobody.tenant_claims.clear();
    nobody.audience.clear();
    let said = challenge(&decided(&policy, &foreign, nobody).unwrap_err());
    assert_eq!(split(&said).1, Some(&*format!("{BASE}tenant2")));
    // It names none.
    let said = refused_by(&policy, &sent("/"), "tenant1");
    assert_eq!(split(&said), (&*refused_by(&off, &sent("/"), "tenant1"), None));
}

#[test]
fn a_request_that_names_two_tenants_asks_for_neither() {
    let policy = erp_everywhere().resource_metadata().build().unwrap();
    let url = |request: &Sent| {
        let said = challenge(
            &Anonymous::for_request(&policy, &request.read(&policy).unwrap()).unauthenticated(),
        );
        split(&said).1.map(Into::<String>::into)
    };
    assert_eq!(url(&sent_everywhere("tenant2")), Some(format!("{BASE}tenant2")));
    let named = |path: &str, header: &str, host: &str| {
        let host = format!("{host}.api.erp.example");
        url(&sent(&format!("/{path}/x")).with("x-tenant-id", header).with("host", &host))
    };
    assert_eq!(named("t1", "t1", "t1"), Some(format!("{BASE}t1")));
    for (path, header, host) in [("t2", "t1", "t1"), ("t1", "t2", "t1"), ("t1", "t1", "t2")] {
        assert_eq!(named(path, header, host), None);
    }
    // Any one of them is enough.
    let other = "www.erp.example";
    assert_eq!(url(&sent("/t1/x").with("host", other)), Some(format!("{BASE}t1")));
    assert_eq!(
        url(&sent("/").with("host", other).with("x-tenant-id", "t1")),
        Some(format!("{BASE}t1"))
    );
    assert_eq!(url(&sent("/").with("host", "t1.api.erp.example")), Some(format!("{BASE}t1")));
    assert_eq!(url(&sent("/").with("host", other)), None);
}

#[test]
fn a_refusal_of_a_proven_tenant_names_its_metadata() {
    let policy = erp().resource_metadata().build().unwrap();
    let request = sent("/journal-entries");
    let expected = format!("{BASE}tenant1");
    for standing in [Standing::Suspended, Standing::Unknown] {
        let agreed = agreed(&policy, &request, token_of("tenant1")).unwrap();
        let said = challenge(&agreed.admit(standing, &mut Unobserved).unwrap_err());
        assert_eq!(split(&said).1, Some(&*expected));
    }
    let admitted = decided(&policy, &request, scoped("tenant1", "tenant1.journal.read")).unwrap();
    let said = challenge(&admitted.require(&ScopeNeed::all(&["finance.write"])).unwrap_err());
    assert_eq!(
        said,
        format!(
            r#"Bearer realm="journal", error="insufficient_scope", error_description="the access token lacks a scope of its tenant", scope="tenant1.finance.write", resource_metadata="{expected}""#
        )
    );
}

#[test]
fn with_one_resource_every_challenge_names_its_metadata() {
    let policy =
        of(&["https://api.erp.example/erp"]).tenant_path("/{tenant}/{*rest}").build().unwrap();
    let expected = "https://api.erp.example/.well-known/oauth-protected-resource/erp";
    for &reason in Reason::ALL {
        let rejection = Rejection::new(reason).under(&policy);
        let said = rejection.challenge().map(|challenge| challenge.to_string());
        let has_challenge = !matches!(rejection.status().as_u16(), 500 | 503);
        assert_eq!(said.is_some(), has_challenge);
        if let Some(said) = said {
            assert_eq!(split(&said).1, Some(expected), "{reason}");
        }
    }
    let unread = sent("//tenant1").read(&policy).unwrap_err();
    assert_eq!(split(&challenge(&unread)).1, Some(expected));
    assert_eq!(split(&challenge(&Anonymous::new(&policy).unauthenticated())).1, Some(expected));
}

#[test]
fn facts_of_another_policy_name_no_metadata() {
    let policy = || erp().tenant_path("/{tenant}/{*rest}").resource_metadata().build().unwrap();
    let (policy, other) = (policy(), policy());
    let request = sent("/tenant1/x");
    let facts = request.read(&other).unwrap();
    let rejection = Rejection::new(Reason::TokenExpired).under_request(&policy, &facts);
    assert_eq!(split(&challenge(&rejection)).1, None);
    let anonymous = Anonymous::for_request(&policy, &facts).unauthenticated();
    assert_eq!(split(&challenge(&anonymous)).1, None);
}

#[test]
fn a_policy_that_explains_nothing_says_where_the_metadata_is() {
    let policy = of(&["https://api.erp.example"]).problem_details(false).build().unwrap();
    let rejection = Rejection::new(Reason::TokenExpired).under(&policy);
    assert_eq!(
        challenge(&rejection),
        format!(
            r#"Bearer realm="tenantry", error="invalid_token", resource_metadata="https://api.erp.example{WELL_KNOWN}""#
        )
    );
}
