//! Metadata and key sets: CHECKLIST.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::{Value, json};
use tenantry_core::{IssuerSettings, KeyLocation};
use tenantry_issuer::{
    Document, Endpoints, KeyOwner, KeyRingErrorKind, KeyState, Settings, SettingsBuilder,
    TenantStatus, no_document, oauth_metadata, openid_metadata,
};

use crate::resource_server::{Network, verifier};
use crate::site::{ISSUER, MINUTE, Site, id, json as read, kids, parts, per_tenant, settings};

fn build(settings: SettingsBuilder) -> Settings {
    settings.build().unwrap()
}

fn oauth(settings: &Settings, tenant: Option<&str>) -> Option<Document> {
    let schedule = tenantry_issuer::Schedule::of(settings);
    oauth_metadata(settings, &schedule, tenant.map(id).as_ref())
}

fn openid(settings: &Settings, tenant: Option<&str>) -> Option<Document> {
    let schedule = tenantry_issuer::Schedule::of(settings);
    openid_metadata(settings, &schedule, tenant.map(id).as_ref())
}

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn get(document: &Document) -> http::Response<bytes::Bytes> {
    document.answer(&Method::GET, &HeaderMap::new())
}

#[test]
fn a49_metadata_is_where_the_well_known_part_is_inserted_before_the_issuers_path() {
    for (issuer, tenant, metadata, openid) in [
        (
            "https://as.example",
            None,
            "https://as.example/.well-known/oauth-authorization-server",
            "https://as.example/.well-known/openid-configuration",
        ),
        (
            "https://as.example/a/b",
            None,
            "https://as.example/.well-known/oauth-authorization-server/a/b",
            "https://as.example/a/b/.well-known/openid-configuration",
        ),
        (
            "https://as.example:8443/{tenant}",
            Some("tenant1"),
            "https://as.example:8443/.well-known/oauth-authorization-server/tenant1",
            "https://as.example:8443/tenant1/.well-known/openid-configuration",
        ),
    ] {
        let endpoints = Endpoints::of(&issuer.parse().unwrap(), tenant.map(id).as_ref()).unwrap();
        assert_eq!(endpoints.metadata(), metadata);
        assert_eq!(endpoints.openid_metadata(), openid);
    }
}

#[test]
fn a49_metadata_is_answered_with_200_and_json() {
    let answer = get(&oauth(&build(settings()), None).unwrap());
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/json");
    read(answer.body());
}

#[tokio::test]
async fn a50_the_issuer_is_that_of_the_tokens_and_every_address_is_below_it() {
    for (mode, tenant, iss) in [
        (settings as fn() -> _, None, ISSUER.to_owned()),
        (per_tenant, Some("tenant1"), format!("{ISSUER}/tenant1")),
    ] {
        let site = Site::new(mode()).await;

        let metadata = read(oauth(&site.settings, tenant).unwrap().body());

        let token = site.issue("tenant1").await.unwrap().token;
        assert_eq!(metadata["issuer"], parts(&token).1["iss"]);
        assert_eq!(metadata["issuer"], iss);
        assert_eq!(metadata["token_endpoint"], format!("{iss}/oauth/token"));
        assert_eq!(metadata["introspection_endpoint"], format!("{iss}/oauth/introspect"));
        assert_eq!(metadata["revocation_endpoint"], format!("{iss}/oauth/revoke"));
        assert_eq!(metadata["jwks_uri"], format!("{iss}/jwks.json"));
        // Required and not to be empty, and nothing better is true: see the module.
        assert_eq!(metadata["response_types_supported"], json!(["none"]));
    }
}

#[tokio::test]
async fn a50_a_resource_server_finds_the_keys_by_either_document() {
    for (mode, tenant, iss) in [
        (settings as fn() -> SettingsBuilder, None, ISSUER.to_owned()),
        (per_tenant, Some("tenant1"), format!("{ISSUER}/tenant1")),
    ] {
        let site = Site::new(mode().openid_configuration(true)).await;
        let endpoints = Endpoints::of(site.settings.issuer(), tenant.map(id).as_ref()).unwrap();
        let documents = [
            (endpoints.metadata(), oauth(&site.settings, tenant).unwrap()),
            (endpoints.openid_metadata(), openid(&site.settings, tenant).unwrap()),
        ];
        for (url, document) in documents {
            let network = Arc::new(Network::default());
            network.serve(url, document);
            network.serve(endpoints.jwks(), site.keys("tenant1").await.jwks().clone());
            let issuer = IssuerSettings::new(site.settings.issuer().as_str());
            let server = verifier(issuer.keys(KeyLocation::Discovery), network, &site.clock);

            let token = site.issue("tenant1").await.unwrap().token;

            let verified = server.verify(&token).await.unwrap();
            assert_eq!(verified.facts().issuer.as_str(), iss);
        }
    }
}

#[test]
fn a51_grants_and_methods_are_listed_for_every_endpoint() {
    let metadata = read(oauth(&build(settings()), None).unwrap().body());

    assert_eq!(metadata["grant_types_supported"], json!(["client_credentials", "refresh_token"]));
    for endpoint in ["token", "introspection", "revocation"] {
        assert_eq!(
            metadata[format!("{endpoint}_endpoint_auth_methods_supported")],
            json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])
        );
        let algorithms =
            &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        let algorithms: Vec<_> =
            algorithms.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(["ES256", "EdDSA", "RS256"].iter().all(|name| algorithms.contains(name)));
        assert!(!algorithms.iter().any(|name| *name == "none" || name.starts_with("HS")));
    }
}

#[test]
fn a52_an_openid_configuration_agrees_and_has_what_is_required_there() {
    for (algorithm, algorithms) in
        [("ES256", json!(["ES256", "RS256"])), ("RS256", json!(["RS256"]))]
    {
        let settings = build(settings().algorithm(algorithm).openid_configuration(true));
        let oauth = read(oauth(&settings, None).unwrap().body());
        let openid = read(openid(&settings, None).unwrap().body());

        for (name, value) in oauth.as_object().unwrap() {
            assert_eq!(openid[name], *value, "{name}");
        }
        let more: BTreeSet<_> = members(&openid).difference(&members(&oauth)).copied().collect();
        assert_eq!(
            more,
            [
                "authorization_endpoint",
                "id_token_signing_alg_values_supported",
                "subject_types_supported",
            ]
            .into()
        );
        assert_eq!(openid["authorization_endpoint"], format!("{ISSUER}/oauth/authorize"));
        assert_eq!(openid["subject_types_supported"], json!(["public"]));
        assert_eq!(openid["id_token_signing_alg_values_supported"], algorithms);
    }
}

#[test]
fn a52_there_is_no_openid_configuration_unless_it_was_asked_for() {
    assert!(openid(&build(settings()), None).is_none());
}

#[tokio::test]
async fn a53_a_published_key_has_public_members_alone_and_its_thumbprint_as_kid() {
    for (algorithm, expected) in [
        ("ES256", ["alg", "crv", "kid", "kty", "use", "x", "y"].as_slice()),
        ("EdDSA", &["alg", "crv", "kid", "kty", "use", "x"]),
        ("RS256", &["alg", "e", "kid", "kty", "n", "use"]),
    ] {
        let site = Site::new(settings().algorithm(algorithm)).await;

        let jwks = site.jwks("tenant1").await;

        assert_eq!(members(&jwks), ["keys"].into());
        for key in jwks["keys"].as_array().unwrap() {
            assert_eq!(members(key), expected.iter().copied().collect());
            assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!(algorithm)));
            if let Some(modulus) = key["n"].as_str() {
                assert_eq!(modulus.len(), 342, "2048 bits");
            }
            let jwk: Jwk = serde_json::from_value(key.clone()).unwrap();
            assert_eq!(key["kid"], jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
        }
        let stored = site.store.signing_keys(&KeyOwner::Shared).await.unwrap();
        let stored: Vec<_> = stored.iter().map(|key| read(key.public_jwk.as_bytes())).collect();
        assert_eq!(jwks["keys"], Value::Array(stored));
    }
}

#[tokio::test]
async fn a53_the_next_key_is_published_before_it_signs_and_a_retired_one_until_its_tokens_expire() {
    let site = Site::new(settings()).await;
    let [first, second] = site.published("tenant1").await.try_into().unwrap();
    let list = site.keys("tenant1").await.list(site.ring.now());
    assert_eq!(list[1].state, KeyState::Next);

    site.clock.advance(list[1].active_at - site.ring.now());

    assert_eq!(site.active("tenant1").await, second);
    assert!(site.published("tenant1").await.contains(&first));
    let removed = site.keys("tenant1").await.list(site.ring.now())[0].removed_at.unwrap();
    site.clock.advance(removed - site.ring.now());
    assert!(!site.published("tenant1").await.contains(&first));
}

#[tokio::test]
async fn a54_documents_have_an_etag_and_a_max_age_and_may_be_read_by_any_page() {
    let site = Site::new(settings().openid_configuration(true)).await;
    let documents = [
        site.keys("tenant1").await.jwks().clone(),
        oauth(&site.settings, None).unwrap(),
        openid(&site.settings, None).unwrap(),
    ];
    let mut tags = BTreeSet::new();
    for document in &documents {
        let answer = get(document);
        assert_eq!(answer.headers()["cache-control"], "public, max-age=600");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        let etag = answer.headers()["etag"].clone();
        tags.insert(etag.to_str().unwrap().to_owned());

        for held in [etag.clone(), weak(&etag), list(&etag), HeaderValue::from_static("*")] {
            let headers: HeaderMap = [(http::header::IF_NONE_MATCH, held)].into_iter().collect();
            for method in [Method::GET, Method::HEAD] {
                let answer = document.answer(&method, &headers);
                assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
                assert!(answer.body().is_empty());
                assert_eq!(answer.headers()["etag"], etag);
                assert_eq!(answer.headers()["cache-control"], "public, max-age=600");
                assert_eq!(answer.headers()["access-control-allow-origin"], "*");
            }
        }
        // A page may see the tag, to ask with it.
        assert_eq!(answer.headers()["access-control-expose-headers"], "etag");
        let other = [(http::header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""))];
        let mut headers: HeaderMap = other.into_iter().collect();
        let answer = document.answer(&Method::GET, &headers);
        assert_eq!(answer.status(), StatusCode::OK);
        headers.append(http::header::IF_NONE_MATCH, etag);
        let answer = document.answer(&Method::GET, &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "a list may have several lines");
    }
    assert_eq!(tags.len(), 3);
    // Another set, another tag.
    site.ring.rotate_at_once(&KeyOwner::Shared).await.unwrap();
    let answer = get(site.keys("tenant1").await.jwks());
    assert!(!tags.contains(answer.headers()["etag"].to_str().unwrap()));
}

fn weak(etag: &HeaderValue) -> HeaderValue {
    HeaderValue::try_from(format!("W/{}", etag.to_str().unwrap())).unwrap()
}

fn list(etag: &HeaderValue) -> HeaderValue {
    HeaderValue::try_from(format!("\"a\" , {}", etag.to_str().unwrap())).unwrap()
}

#[test]
fn a54_other_methods_are_not_for_documents() {
    let document = oauth(&build(settings()), None).unwrap();

    let preflight = document.answer(&Method::OPTIONS, &HeaderMap::new());
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET, HEAD");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "if-none-match");
    assert_eq!(preflight.headers()["access-control-max-age"], "86400");

    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = document.answer(&method, &HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS");
        assert!(answer.body().is_empty());
    }
}

#[tokio::test]
async fn a54_no_document_names_a_tenant_that_was_not_asked_about() {
    for mode in [settings as fn() -> SettingsBuilder, per_tenant] {
        let site = Site::new(mode().openid_configuration(true)).await;
        let tenant = site.settings.issuer().has_tenant().then_some("tenant1");
        for document in [
            oauth(&site.settings, tenant).unwrap(),
            openid(&site.settings, tenant).unwrap(),
            site.keys("tenant1").await.jwks().clone(),
        ] {
            let text = String::from_utf8(document.body().to_vec()).unwrap();
            assert!(!text.contains("tenant2"), "{text}");
            assert_eq!(text.contains("tenant1"), tenant.is_some() && text.contains("issuer"));
        }
    }
}

#[tokio::test]
async fn a55_an_unknown_tenant_and_an_issuer_that_is_none_have_no_document() {
    let (shared, own) = (Site::new(settings()).await, Site::new(per_tenant()).await);

    let error = own.ring.keys(&KeyOwner::Tenant(id("nobody"))).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::UnknownTenant);
    assert!(oauth(&shared.settings, Some("tenant1")).is_none());
    assert!(oauth(&own.settings, None).is_none());

    let answer = no_document();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert!(answer.body().is_empty());
    assert_eq!(answer.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a55_a_suspended_tenant_has_its_key_set_as_before() {
    let site = Site::new(per_tenant()).await;
    let before = site.published("tenant1").await;

    site.store.set_tenant_status(&id("tenant1"), TenantStatus::Suspended).await.unwrap();
    site.clock.advance(MINUTE);

    assert_eq!(site.published("tenant1").await, before);
    assert_eq!(kids(&site.jwks("tenant1").await).len(), 2);
}

#[test]
fn a56_what_is_not_there_is_not_named() {
    let metadata = read(oauth(&build(settings()), None).unwrap().body());
    let expected = [
        "grant_types_supported",
        "introspection_endpoint",
        "introspection_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "revocation_endpoint",
        "revocation_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
        "token_endpoint",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    ];
    assert_eq!(members(&metadata), expected.into());
    // RFC 8414, section 3.2.
    let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    assert!(!metadata.as_object().unwrap().values().any(empty));
}
