//! The public keys of a client: a JWK Set, or one key in PEM.

use std::path::Path;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use serde_json::Value;

use crate::failure::Failure;
use crate::file::read_short;

/// Reads `file` as a JWK Set. Whether its keys can be used is seen when the client is checked.
///
/// A public key in PEM is made into a set, where its thumbprint ([RFC 7638]) is its name.
///
/// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
pub(crate) fn read_keys(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let text = read_short(file)?;
    if text.contains("-----BEGIN ") {
        if text.contains("PRIVATE KEY-----") {
            return Err(Failure::told(format!(
                "{name} holds a private key: register the public one, which `openssl pkey -in {name} -pubout` prints"
            )));
        }
        return of_pem(&text).ok_or_else(|| {
            Failure::told(format!(
                "{name} is not one public key that can be used: EC on P-256 or P-384, Ed25519, or RSA from 2048 bits on, in PEM"
            ))
        });
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(document) if document.get("keys").is_some() => Ok(text),
        Ok(document) if document.get("kty").is_some() => Err(Failure::told(format!(
            "{name} is one JWK: a JWK Set is an object with a list of them, {{\"keys\": [...]}}"
        ))),
        _ => Err(Failure::told(format!(
            "{name} is neither a JWK Set (an object with `keys`) nor a public key in PEM"
        ))),
    }
}

fn of_pem(text: &str) -> Option<String> {
    if text.matches("-----BEGIN ").count() != 1 {
        return None;
    }
    let pem = text.trim().as_bytes();
    let key = DecodingKey::from_ec_pem(pem)
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        .or_else(|_| DecodingKey::from_rsa_pem(pem))
        .ok()?;
    let mut jwk = Jwk::from_decoding_key(&key, None).ok()?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    serde_json::to_string(&JwkSet { keys: vec![jwk] }).ok()
}
