//! Holds the verifier to another implementation: what `jsonwebtoken` signs is verified, and what is
//! changed in it is not.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::Value;
use tenantry_core::{KeyLocation, TrustIssuers};

use crate::testing::{Stage, claims, issuer, policy};
use crate::{JwtVerifier, VerifyErrorKind};

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

fn key(algorithm: Algorithm) -> EncodingKey {
    // Making one takes a while, so the algorithms share it.
    static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The PKCS#1 key inside, after 26 bytes that are the same for all keys of this size.
        pkcs8.as_ref()[26..].to_vec()
    });
    let ec = |curve: &'static EcdsaSigningAlgorithm| {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        EncodingKey::from_ec_der(pkcs8.as_ref())
    };
    match algorithm {
        Algorithm::EdDSA => {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
            EncodingKey::from_ed_der(pkcs8.as_ref())
        }
        Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => EncodingKey::from_rsa_der(&RSA),
    }
}

/// A verifier that knows a key per algorithm, and a token by each.
static STAGE: LazyLock<(JwtVerifier, Vec<String>)> = LazyLock::new(|| {
    let payload: Value = serde_json::from_str(&claims(&[])).unwrap();
    let (jwks, tokens): (Vec<Value>, Vec<String>) = ALGORITHMS
        .iter()
        .map(|algorithm| {
            let key = key(*algorithm);
            let kid = format!("{algorithm:?}");
            let mut jwk =
                serde_json::to_value(Jwk::from_encoding_key(&key, *algorithm).unwrap()).unwrap();
            jwk["kid"] = kid.clone().into();
            let mut header = Header::new(*algorithm);
            header.typ = Some("at+jwt".into());
            header.kid = Some(kid);
            (jwk, jsonwebtoken::encode(&header, &payload, &key).unwrap())
        })
        .unzip();
    let jwks = serde_json::json!({ "keys": jwks }).to_string();
    let settings =
        issuer().keys(KeyLocation::Jwks(jwks.into())).algorithms(tenantry_core::Algorithm::ALL);
    let stage = Stage::with(policy().issuer(settings), Arc::new(TrustIssuers), |builder| {
        builder.with_cache_bytes(0)
    });
    (stage.verifier, tokens)
});

fn verdict(token: &str) -> Result<(), VerifyErrorKind> {
    let (verifier, _) = &*STAGE;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let verified = runtime.block_on(verifier.verify(token));
    verified.map(drop).map_err(|error| error.kind())
}

#[test]
fn what_jsonwebtoken_signs_is_verified() {
    let (_, tokens) = &*STAGE;
    for (algorithm, token) in ALGORITHMS.iter().zip(tokens) {
        assert_eq!(verdict(token), Ok(()), "{algorithm:?}");
    }
}

#[test]
fn a_signature_by_one_algorithm_is_none_by_another() {
    let (_, tokens) = &*STAGE;
    for one in tokens {
        for other in tokens.iter().filter(|other| *other != one) {
            let (input, _) = one.rsplit_once('.').unwrap();
            let (_, signature) = other.rsplit_once('.').unwrap();
            assert_eq!(verdict(&format!("{input}.{signature}")), Err(VerifyErrorKind::Signature));
        }
    }
}

fn changed() -> impl Strategy<Value = (String, String)> {
    let index = any::<prop::sample::Index>();
    let text = prop_oneof![
        "[A-Za-z0-9_-]{1,3}",
        "[ -~]{1,3}",
        "\\PC",
        Just(".".to_owned()),
        Just(String::new())
    ];
    (0..ALGORITHMS.len(), index, 0..4_usize, text).prop_map(|(which, at, length, text)| {
        let token = STAGE.1[which].clone();
        let start = at.index(token.len() + 1);
        let end = (start + length).min(token.len());
        let mut changed = token.clone();
        changed.replace_range(start..end, &text);
        (token, changed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_change_to_a_good_token_is_accepted((token, changed) in changed()) {
        prop_assert_eq!(verdict(&changed).is_ok(), changed == token, "{}", changed);
    }
}
