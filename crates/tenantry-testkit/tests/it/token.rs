//! Right tokens are right, and wrong ones are wrong in the way they say and in no other.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tenantry_core::Algorithm;
use tenantry_testkit::{ManualClock, SigningKey, TestIssuer, TokenBuilder};

use crate::{named_key, parts, raw_parts, verifies, verifies_with};

const NOW: i64 = 1_800_000_000;

fn issuer() -> TestIssuer {
    let clock = ManualClock::new(Duration::from_secs(NOW.unsigned_abs()));
    TestIssuer::builder().clock(Arc::new(clock)).offline()
}

fn token() -> TokenBuilder {
    issuer().token().tenant("tenant1")
}

/// Asserts that the token of `builder` has all the claims of a right one, except for `name`.
#[track_caller]
fn assert_claim(builder: &TokenBuilder, name: &str, value: &Value) {
    let mut claims = parts(&builder.sign()).claims;
    let mut right = parts(&token().sign()).claims;
    assert_eq!(&claims[name], value);
    for claims in [&mut claims, &mut right] {
        let claims = claims.as_object_mut().unwrap();
        claims.remove(name);
        claims.remove("jti");
    }
    assert_eq!(claims, right, "something else changed, too");
}

/// The same for the header.
#[track_caller]
fn assert_header(builder: &TokenBuilder, header: &Value) {
    assert_eq!(&parts(&builder.sign()).header, header);
}

#[test]
fn tokens_of_every_algorithm_verify_under_the_published_key_and_no_other() {
    let issuer = TestIssuer::builder().algorithms(Algorithm::ALL).offline();
    let other = TestIssuer::builder().algorithms(Algorithm::ALL).offline();
    for algorithm in Algorithm::ALL {
        let token = issuer.token().tenant("tenant1").algorithm(algorithm).sign();

        assert_eq!(parts(&token).header["alg"], algorithm.as_str());
        assert!(verifies(&token, named_key(&token, &issuer.jwks()).unwrap()), "{algorithm}");
        assert!(!verifies(&token, named_key(&token, &other.jwks()).unwrap()), "{algorithm}");
    }
}

#[test]
fn the_pem_of_a_key_is_the_key() {
    let issuer = TestIssuer::builder().algorithms(Algorithm::ALL).offline();
    for algorithm in Algorithm::ALL {
        let token = issuer.token().tenant("tenant1").algorithm(algorithm).sign();
        let pem = issuer.key(algorithm).public_pem();
        let lines: Vec<_> = pem.lines().collect();
        let [first, body @ .., last] = lines.as_slice() else { panic!("{pem}") };

        assert_eq!((*first, *last), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert!(body.iter().all(|line| line.len() <= 64));
        let der = BASE64_STANDARD.decode(body.concat()).unwrap();
        assert!(verifies_with(algorithm, &der, &token), "{algorithm}");
    }
}

#[test]
fn ecdsa_signatures_have_the_fixed_length_of_their_curve() {
    for (algorithm, length) in
        [(Algorithm::Es256, 64), (Algorithm::Es384, 96), (Algorithm::Es512, 132)]
    {
        assert_eq!(SigningKey::generate(algorithm, "k").sign(b"message").len(), length);
    }
}

#[test]
fn a_published_key_says_what_it_is_for_and_shows_nothing_private() {
    for algorithm in Algorithm::ALL {
        let jwk = SigningKey::generate(algorithm, "k1").public_jwk();
        let members: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match algorithm {
            Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
                &["alg", "crv", "kid", "kty", "use", "x", "y"]
            }
            _ => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(members, expected);
        assert_eq!(jwk["alg"], algorithm.as_str());
        assert_eq!((&jwk["use"], &jwk["kid"]), (&json!("sig"), &json!("k1")));
    }
}

#[test]
fn a_token_follows_rfc_9068_by_default() {
    let token = token().scope("tenant1.journal.read").sign();
    let parts = parts(&token);
    let mut claims = parts.claims;
    let jwt_id = claims.as_object_mut().unwrap().remove("jti").unwrap();

    assert_eq!(parts.header, json!({ "alg": "ES256", "kid": "es256-1", "typ": "at+jwt" }));
    assert_eq!(
        claims,
        json!({
            "iss": "https://auth.erp.example",
            "aud": "https://api.erp.example/tenant1",
            "exp": NOW + 600,
            "iat": NOW,
            "sub": "journal-sync",
            "client_id": "journal-sync",
            "tenant_id": "tenant1",
            "scope": "tenant1.journal.read",
        })
    );
    assert!(!jwt_id.as_str().unwrap().is_empty());
}

#[test]
fn no_two_tokens_have_one_jti() {
    let token = token();
    assert_ne!(parts(&token.sign()).claims["jti"], parts(&token.sign()).claims["jti"]);
}

#[test]
fn each_knob_changes_its_claim_and_nothing_else() {
    assert_claim(&token(), "scope", &Value::Null);
    assert_claim(&token().scope("a b"), "scope", &json!("a b"));
    assert_claim(&token().subject("somebody"), "sub", &json!("somebody"));
    assert_claim(&token().audience("https://b"), "aud", &json!("https://b"));
    assert_claim(&token().audiences(["https://b", "c"]), "aud", &json!(["https://b", "c"]));
    assert_claim(&token().expires_in(5), "exp", &json!(NOW + 5));
    assert_claim(&token().expires_at(NOW + 7), "exp", &json!(NOW + 7));
    assert_claim(&token().claim("cnf", json!({ "jkt": "x" })), "cnf", &json!({ "jkt": "x" }));
    assert_claim(&token().claim("aud", 5), "aud", &json!(5));
    assert_claim(&token().claim("tenant_id", "tenant2"), "tenant_id", &json!("tenant2"));
    assert_claim(&token().claim("exp", "soon"), "exp", &json!("soon"));
}

#[test]
fn the_subject_is_the_client_unless_it_is_named() {
    let claims = parts(&token().client_id("other").sign()).claims;
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!("other"), &json!("other")));
    let claims = parts(&token().client_id("other").subject("me").sign()).claims;
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!("other"), &json!("me")));
}

#[test]
fn a_claim_that_is_left_out_is_not_there() {
    for name in ["iss", "aud", "exp", "sub", "client_id", "iat", "jti", "tenant_id"] {
        let claims = parts(&token().without(name).sign()).claims;
        assert!(claims.get(name).is_none(), "{name}");
        assert_eq!(claims.as_object().unwrap().len(), 7, "{name}");
    }
}

#[test]
fn an_expired_token_was_issued_before_it_expired() {
    for builder in [token().expires_in(-60), token().expires_at(NOW - 60)] {
        let claims = parts(&builder.sign()).claims;
        assert_eq!((&claims["exp"], &claims["iat"]), (&json!(NOW - 60), &json!(NOW - 660)));
    }
    // Equal to now is expired (RFC 7519 §4.1.4).
    assert_eq!(parts(&token().expires_in(0).sign()).claims["iat"], NOW - 600);
}

#[test]
fn a_token_without_clock_is_dated_by_the_system() {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let issued_at = parts(&issuer.token().tenant("tenant1").sign()).claims["iat"].as_u64().unwrap();
    assert!((now..now + 60).contains(&issued_at));
}

#[test]
fn a_token_has_no_tenant_unless_one_is_named() {
    let issuer = TestIssuer::builder().audience("https://api.erp.example").offline();
    let claims = parts(&issuer.token().sign()).claims;
    assert!(claims.get("tenant_id").is_none());
    assert_eq!(claims["aud"], "https://api.erp.example");
    // It need not be an id.
    let claims = parts(&issuer.token().tenant("no/id").sign()).claims;
    assert_eq!(claims["tenant_id"], "no/id");
}

#[test]
#[should_panic(expected = "needs a tenant")]
fn an_audience_of_a_tenant_is_not_made_up() {
    let _ = issuer().token().sign();
}

#[test]
fn without_a_tenant_the_audience_can_be_said_or_left_out() {
    let aud = |builder: TokenBuilder| parts(&builder.sign()).claims.get("aud").cloned();
    assert_eq!(aud(issuer().token().audience("x")), Some(json!("x")));
    assert_eq!(aud(issuer().token().claim("aud", json!([]))), Some(json!([])));
    assert_eq!(aud(issuer().token().without("aud")), None);
}

#[test]
fn the_issuer_says_how_claims_are_written() {
    let issuer = TestIssuer::builder()
        .url("https://login.example")
        .audience("urn:{tenant}:journal")
        .scope_pattern("{tenant}.{scope}")
        .tenant_claim("tenant")
        .offline();
    let claims = parts(&issuer.token().tenant("t7").scope("journal.read profile").sign()).claims;

    assert_eq!(claims["iss"], "https://login.example");
    assert_eq!(claims["aud"], "urn:t7:journal");
    assert_eq!(claims["scope"], "t7.journal.read t7.profile");
    assert_eq!(claims["tenant"], "t7");
    assert!(claims.get("tenant_id").is_none());
}

#[test]
fn the_header_can_say_anything() {
    let right = json!({ "alg": "ES256", "kid": "es256-1", "typ": "at+jwt" });
    assert_header(&token(), &right);
    assert_header(&token().typ("JWT"), &json!({ "alg": "ES256", "kid": "es256-1", "typ": "JWT" }));
    assert_header(&token().without_header("kid"), &json!({ "alg": "ES256", "typ": "at+jwt" }));
    assert_header(
        &token().without_header("typ").header("alg", "nOnE").header("crit", json!(["exp"])),
        &json!({ "alg": "nOnE", "kid": "es256-1", "crit": ["exp"] }),
    );
}

#[test]
fn a_header_changes_what_is_said_and_not_who_signs() {
    let issuer = issuer();
    let token = issuer.token().tenant("tenant1").header("kid", "other").header("alg", "RS256");
    assert!(verifies(&token.sign(), &issuer.jwks()["keys"][0]));
}

#[test]
fn a_token_signed_by_another_key_says_so_and_is() {
    let issuer = issuer();
    let key = SigningKey::generate(Algorithm::Es384, "mine");
    let token = issuer.token().tenant("tenant1").signed_by(&key).sign();

    assert_eq!(parts(&token).header, json!({ "alg": "ES384", "kid": "mine", "typ": "at+jwt" }));
    assert!(verifies(&token, &key.public_jwk()));

    // Under the name of the issuer's own key.
    let key = SigningKey::generate(Algorithm::Es256, "es256-1");
    let token = issuer.token().tenant("tenant1").signed_by(&key).sign();
    assert_eq!(parts(&token).header["kid"], "es256-1");
    assert!(verifies(&token, &key.public_jwk()));
    assert!(!verifies(&token, named_key(&token, &issuer.jwks()).unwrap()));

    let token = issuer.token().tenant("tenant1").signed_by(&key.without_kid()).sign();
    assert_eq!(parts(&token).header, json!({ "alg": "ES256", "typ": "at+jwt" }));
}

#[test]
fn an_rsa_key_signs_with_another_rsa_algorithm_when_told_to() {
    let key = SigningKey::generate(Algorithm::Rs256, "k");
    let confused = key.clone().with_algorithm(Algorithm::Ps256);
    let token = token().signed_by(&confused).sign();

    assert_eq!(confused.public_jwk()["n"], key.public_jwk()["n"]);
    assert_eq!(parts(&token).header["alg"], "PS256");
    assert!(verifies(&token, &confused.public_jwk()));
    assert!(!verifies(&token, &key.public_jwk()));
}

#[test]
#[should_panic(expected = "a key for ES256 cannot sign with RS256")]
fn a_key_does_not_sign_with_an_algorithm_of_another_kind() {
    let _ = SigningKey::generate(Algorithm::Es256, "k").with_algorithm(Algorithm::Rs256);
}

#[test]
#[should_panic(expected = "the issuer has no key for")]
fn an_issuer_does_not_sign_with_an_algorithm_it_was_not_given() {
    let _ = token().algorithm(Algorithm::EdDsa).sign();
}

#[test]
fn a_tampered_token_says_more_than_was_signed() {
    let issuer = issuer();
    let jwk = &issuer.jwks()["keys"][0];
    let token = issuer.token().tenant("tenant1");

    assert!(verifies(&token.sign(), jwk));
    assert!(!verifies(&token.clone().tampered().sign(), jwk));
    assert_claim(&token.clone().tampered(), "tampered", &json!(true));

    let token = token.raw_claims("{}");
    assert!(verifies(&token.sign(), jwk));
    assert!(!verifies(&token.clone().tampered().sign(), jwk));
    assert_eq!(raw_parts(&token.tampered().sign())[1], b"{} ");
}

#[test]
fn an_unsigned_token_has_an_empty_signature_and_says_none() {
    let token = token().unsigned().sign();
    assert!(token.ends_with('.'));
    assert_eq!(parts(&token).header, json!({ "alg": "none", "typ": "at+jwt" }));
    assert_eq!(parts(&token).signature, b"");
}

#[test]
fn a_token_signed_with_a_secret_says_hs256_and_is() {
    let secret = issuer().key(Algorithm::Es256).public_pem();
    let token = token().signed_with_secret(secret.as_str()).sign();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
    let hs256 = jsonwebtoken::Algorithm::HS256;

    assert_eq!(parts(&token).header, json!({ "alg": "HS256", "typ": "at+jwt" }));
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, hs256).unwrap());
}

#[test]
fn raw_parts_are_taken_as_they_are() {
    let issuer = issuer();
    let token = issuer
        .token()
        .raw_header(r#"{"alg":"ES256","alg":"none"}"#)
        .raw_claims(b"\xFF".to_vec())
        .sign();

    let [header, claims, _] = raw_parts(&token);
    assert_eq!(header, br#"{"alg":"ES256","alg":"none"}"#);
    assert_eq!(claims, b"\xFF");
    assert!(verifies(&token, &issuer.jwks()["keys"][0]), "the raw parts are what was signed");

    let token = self::token().raw_signature([0; 64]).sign();
    assert_eq!(raw_parts(&token)[2], [0; 64]);
    assert_eq!(parts(&token).header["kid"], "es256-1");
}

#[test]
fn nothing_secret_is_in_a_debug_output() {
    let issuer = issuer();
    let token = issuer.token().tenant("tenant1").scope("a").subject("somebody");
    let key = SigningKey::generate(Algorithm::Es256, "k1");
    assert_eq!(format!("{key:?}"), r#"SigningKey { algorithm: Es256, kid: Some("k1"), .. }"#);
    assert_eq!(
        format!("{token:?}"),
        r#"TokenBuilder { issuer: TestIssuer { url: "https://auth.erp.example", .. }, .. }"#
    );
}
