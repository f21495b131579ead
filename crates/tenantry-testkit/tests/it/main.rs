//! The test kit, seen from outside. What a wrong token is has to be right here.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod isolation;
mod request;
mod server;
mod token;

use aws_lc_rs::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use tenantry_core::Algorithm;

/// A token, taken apart without looking at its signature.
struct Parts {
    header: Value,
    claims: Value,
    signature: Vec<u8>,
}

fn parts(token: &str) -> Parts {
    let [header, claims, signature] = raw_parts(token);
    let header = serde_json::from_slice(&header).unwrap();
    Parts { header, claims: serde_json::from_slice(&claims).unwrap(), signature }
}

fn raw_parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = token.split('.').map(base64url).collect();
    parts.try_into().unwrap()
}

fn base64url(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Judges the signature alone, with `jwk`. jsonwebtoken reads the key and knows every algorithm but
/// ES512.
fn verifies(token: &str, jwk: &Value) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    if jwk["alg"] == "ES512" {
        let coordinate = |name: &str| base64url(jwk[name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        return verifies_with(Algorithm::Es512, &point, token);
    }
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let algorithm = jwk.common.key_algorithm.unwrap().to_string().parse().unwrap();
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap()
}

/// The same with a bare public key: a point, or DER.
fn verifies_with(algorithm: Algorithm, key: &[u8], token: &str) -> bool {
    let rule: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::EdDsa => &sig::ED25519,
        Algorithm::Es256 => &sig::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &sig::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &sig::ECDSA_P521_SHA512_FIXED,
        Algorithm::Ps256 => &sig::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &sig::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &sig::RSA_PSS_2048_8192_SHA512,
        Algorithm::Rs256 => &sig::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &sig::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &sig::RSA_PKCS1_2048_8192_SHA512,
        other => panic!("how is {other} verified?"),
    };
    let (message, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(rule, key).verify(message.as_bytes(), &base64url(signature)).is_ok()
}

/// The key of `jwks` that the token's header names.
fn named_key<'a>(token: &str, jwks: &'a Value) -> Option<&'a Value> {
    let kid = parts(token).header["kid"].clone();
    jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid)
}
