//! What the access tokens say: CHECKLIST, as far as the token itself is concerned.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry_core::TenantId;
use tenantry_issuer::{
    AccessToken, IssuedToken, KeyRingError, KeyRingErrorKind, LONGEST_CLAIMS, Settings,
};

use crate::resource_server::verify;
use crate::site::{
    DAY, ISSUER, MINUTE, SECOND, Site, T, client, json as read, kids, parts, per_tenant, settings,
    tenant,
};

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn claims(issued: &IssuedToken) -> Value {
    parts(&issued.token).1
}

/// A token of tenant1 with this audience and scope.
async fn with(site: &Site, audience: &[&str], scope: &[&str]) -> Result<IssuedToken, KeyRingError> {
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let token = AccessToken {
        settings: &site.settings,
        tenant: &tenant("tenant1"),
        client: &client("tenant1"),
        audience: &text(audience),
        scope: &text(scope),
    };
    site.ring.issue(&token).await
}

const OWN: &str = "https://api.erp.example/tenant1";

#[tokio::test]
async fn a31_a_token_has_the_type_at_jwt_and_is_signed_with_the_algorithm_of_the_settings() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let site = Site::new(settings().algorithm(algorithm)).await;

        let header = parts(&site.issue("tenant1").await.unwrap().token).0;

        let kid = site.active("tenant1").await;
        assert_eq!(header, json!({ "alg": algorithm, "typ": "at+jwt", "kid": kid }));
    }
}

#[tokio::test]
async fn a32_the_claims_of_the_profile_are_always_there() {
    let site = Site::new(settings()).await;

    let issued = site.issue("tenant1").await.unwrap();

    assert_eq!(
        claims(&issued),
        json!({
            "iss": ISSUER,
            "sub": "journal-sync",
            "aud": OWN,
            "client_id": "journal-sync",
            "tenant_id": "tenant1",
            "scope": "tenant1.journal.read",
            "iat": 1_800_000_000,
            "exp": 1_800_000_600,
            "jti": issued.jti,
        })
    );
    assert_eq!((issued.issued_at, issued.expires_at), (T, T + MINUTE * 10));
}

#[tokio::test]
async fn a32_the_scope_is_one_string_and_left_out_where_there_is_none() {
    let site = Site::new(settings()).await;

    let several = with(&site, &[OWN], &["tenant1.a", "tenant1.b.c"]).await.unwrap();
    let none = with(&site, &[OWN], &[]).await.unwrap();

    assert_eq!(claims(&several)["scope"], "tenant1.a tenant1.b.c");
    assert!(!members(&claims(&none)).contains("scope"));
}

#[tokio::test]
async fn a33_the_audience_is_a_string_or_an_array_of_several_and_never_absent() {
    let site = Site::new(settings().audience("https://ledger.erp.example/{tenant}")).await;

    let one = with(&site, &[OWN], &[]).await.unwrap();
    let several = with(&site, &[OWN, "https://ledger.erp.example/tenant1"], &[]).await.unwrap();

    assert_eq!(claims(&one)["aud"], OWN);
    assert_eq!(claims(&several)["aud"], json!([OWN, "https://ledger.erp.example/tenant1"]));
    let error = with(&site, &[], &[]).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Foreign);
}

#[tokio::test]
async fn a33_an_audience_of_all_tenants_is_everybodys() {
    let hub = Settings::builder().issuer(ISSUER).audience("urn:hub");
    let site = Site::new(hub).await;
    let issued = with(&site, &["urn:hub"], &["tenant1.x"]).await.unwrap();
    assert_eq!(claims(&issued)["aud"], "urn:hub");
}

#[tokio::test]
async fn a35_a_token_lives_for_10_minutes_or_what_the_settings_say_in_whole_seconds() {
    let site = Site::new(settings().access_token_lifetime(MINUTE * 5)).await;
    site.clock.advance(std::time::Duration::from_millis(1_999));

    let issued = site.issue("tenant1").await.unwrap();

    assert_eq!(claims(&issued)["iat"], 1_800_000_001);
    assert_eq!(claims(&issued)["exp"], 1_800_000_301);
    // What is remembered of it is what it says.
    assert_eq!(issued.issued_at.as_millis(), 1_800_000_001_000);
    assert_eq!(issued.expires_at - issued.issued_at, MINUTE * 5);
}

#[tokio::test]
async fn a36_the_tenant_is_in_every_claim_that_is_configured() {
    let site = Site::new(settings().tenant_claims(["tenant_id", "customer"])).await;

    let claims = claims(&site.issue("tenant2").await.unwrap());

    assert_eq!((&claims["tenant_id"], &claims["customer"]), (&json!("tenant2"), &json!("tenant2")));
    assert!(!members(&claims).contains("tenant"));
}

#[tokio::test]
async fn a36_a_tenants_own_issuer_signs_with_its_own_keys_whose_kids_nobody_else_has() {
    let site = Site::new(per_tenant()).await;
    let mut all = BTreeSet::new();
    for at in 0..100 {
        let name = format!("t{at}");
        site.store.add_tenant(&tenant(&name)).await.unwrap();
        let issued = site.issue(&name).await.unwrap();
        let (header, claims) = parts(&issued.token);
        assert_eq!(claims["iss"], format!("{ISSUER}/{name}"));
        assert_eq!(claims["tenant_id"], name);
        let published = site.published(&name).await;
        assert!(published.contains(&header["kid"].as_str().unwrap().to_owned()));
        all.extend(published);
    }
    assert_eq!(all.len(), 200);
}

#[tokio::test]
async fn a37_every_jti_is_another() {
    let site = Site::new(settings()).await;
    let mut seen = BTreeSet::new();
    for _ in 0..1000 {
        let issued = site.issue("tenant1").await.unwrap();
        assert_eq!(issued.jti.len(), 22, "128 bits");
        assert!(seen.insert(issued.jti));
    }
}

#[tokio::test]
async fn a37_the_longest_token_is_accepted_and_the_usual_one_is_as_long_as_documented() {
    let longest: TenantId = "t".repeat(128).parse().unwrap();
    let site = Site::new(settings()).await;
    let usual = site.issue("tenant1").await.unwrap();
    assert!((500..=700).contains(&usual.token.len()), "{}", usual.token.len());

    let mut long = (tenant(longest.as_str()), client(longest.as_str()));
    long.1.id = "c".repeat(128).parse().unwrap();
    let filler = |name: &str| json!({ name: "x".repeat(LONGEST_CLAIMS - name.len() - 7) });
    long.0.claims = filler("cost_center").as_object().unwrap().clone();
    long.1.claims = filler("cost_centre").as_object().unwrap().clone();
    assert_eq!(serde_json::to_vec(&long.0.claims).unwrap().len(), LONGEST_CLAIMS);

    let issued = site.issue_for(&long.0, &long.1).await.unwrap();

    assert!(issued.token.len() < 16 * 1024, "{}", issued.token.len());
    let jwks = site.jwks("tenant1").await;
    verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
}

#[tokio::test]
async fn nothing_is_signed_that_names_another_tenant() {
    let site = Site::new(settings()).await;
    let foreign = async |audience: &[&str], scope: &[&str]| {
        with(&site, audience, scope).await.unwrap_err().to_string()
    };

    let audience = "an audience is not the tenant's, or there is none";
    assert_eq!(foreign(&["https://api.erp.example/tenant2"], &[]).await, audience);
    assert_eq!(foreign(&[OWN, "https://api.erp.example/tenant2"], &[]).await, audience);
    assert_eq!(foreign(&[OWN, "https://elsewhere.example"], &[]).await, audience);
    let scope = "a scope is not the tenant's";
    assert_eq!(foreign(&[OWN], &["tenant2.journal.read"]).await, scope);
    assert_eq!(foreign(&[OWN], &["tenant1.journal.read", "tenant2.journal.read"]).await, scope);
    assert_eq!(foreign(&[OWN], &["plain"]).await, scope);

    let error = site.issue_for(&tenant("tenant1"), &client("tenant2")).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Foreign);
    assert_eq!(error.to_string(), "the client is another tenant's");
}

#[tokio::test]
async fn scopes_are_plain_where_the_settings_say_so() {
    let site = Site::new(settings().scope("{scope}")).await;
    let issued = with(&site, &[OWN], &["journal.read", "tenant2.x"]).await.unwrap();
    assert_eq!(claims(&issued)["scope"], "journal.read tenant2.x");
}

#[tokio::test]
async fn claims_of_the_client_come_before_those_of_its_tenant() {
    let site = Site::new(settings()).await;
    let (mut tenant, mut client) = (tenant("tenant1"), client("tenant1"));
    tenant.claims = json!({ "region": "eu", "cost_center": "1" }).as_object().unwrap().clone();
    client.claims =
        json!({ "cost_center": "2", "limits": { "rows": 10 } }).as_object().unwrap().clone();

    let issued = site.issue_for(&tenant, &client).await.unwrap();

    // Each is there once: a name that is there twice makes a token that is refused.
    let jwks = site.jwks("tenant1").await;
    verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
    let claims = claims(&issued);
    assert_eq!(claims["region"], "eu");
    assert_eq!(claims["cost_center"], "2");
    assert_eq!(claims["limits"], json!({ "rows": 10 }));
}

#[tokio::test]
async fn claims_that_were_registered_do_not_replace_those_of_the_issuer_whatever_the_database_says()
{
    let site = Site::new(settings().tenant_claims(["tenant_id", "customer"])).await;
    let (mut tenant, mut client) = (tenant("tenant1"), client("tenant1"));
    let plain = site.issue_for(&tenant, &client).await.unwrap();
    let evil = json!({
        "iss": "https://evil.example", "sub": "root", "aud": "x", "exp": 9e9, "tenant_id": "tenant2",
        "customer": "tenant2", "Customer": "tenant2", "tid": "tenant2", "scope": "tenant2.x",
        "cnf": {}, "roles": ["admin"], "scp": "x",
    });
    for (of_tenant, of_client) in [(json!({}), evil.clone()), (evil, json!({}))] {
        tenant.claims = of_tenant.as_object().unwrap().clone();
        client.claims = of_client.as_object().unwrap().clone();

        let issued = site.issue_for(&tenant, &client).await.unwrap();

        let (mut claims, mut expected) = (claims(&issued), self::claims(&plain));
        (claims["jti"], expected["jti"]) = (Value::Null, Value::Null);
        assert_eq!(claims, expected);
        let jwks = site.jwks("tenant1").await;
        verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_accepted_until_it_expires_and_then_not() {
    let site = Site::new(settings()).await;
    let issued = site.issue("tenant1").await.unwrap();
    let jwks = read(site.keys("tenant1").await.jwks().body());
    assert_eq!(kids(&jwks).len(), 2);

    // 30 seconds are the resource server's own tolerance.
    site.clock.advance(MINUTE * 10 + SECOND * 29);
    verify(ISSUER, &jwks, &site.clock, &issued.token).await.unwrap();
    site.clock.advance(SECOND);
    let refused = verify(ISSUER, &jwks, &site.clock, &issued.token).await;
    assert_eq!(refused.err(), Some(tenantry_jwt::VerifyErrorKind::Expired));
    assert!(site.settings.access_token_lifetime() < DAY);
}
