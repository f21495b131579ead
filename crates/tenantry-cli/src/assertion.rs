//! What a client with a key authenticates by: a JWT that it signs ([RFC 7523 §3]).
//!
//! [RFC 7523 §3]: https://www.rfc-editor.org/rfc/rfc7523#section-3

use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use tenantry_issuer::{ClientId, Secret};

use crate::clock::now;
use crate::failure::Failure;
use crate::file::read_short;

/// How long an assertion is good, in seconds: for one request.
const LIFETIME: u64 = 60;

/// Signs that it is `client` who asks `issuer`, with the private key in `file`.
pub(crate) fn sign(
    file: &Path,
    kid: Option<&str>,
    client: &ClientId,
    issuer: &str,
) -> Result<String, Failure> {
    let text = read_short(file)?;
    let jti = Secret::generate().map_err(|error| Failure::told(error.to_string()))?;
    let now = now().as_secs();
    let claims = json!({
        "iss": client.as_str(),
        "sub": client.as_str(),
        // The issuer alone (RFC 7523, section 3): another server cannot pass it on.
        "aud": issuer,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": jti.expose(),
    });
    signed(text.trim().as_bytes(), kid, &claims).ok_or_else(|| {
        Failure::told(format!(
            "{name} is not a private key that can be used: EC on P-256 or P-384, Ed25519, or RSA from \
             2048 bits on, in PEM as PKCS #8, which `openssl pkcs8 -topk8 -nocrypt -in {name}` prints",
            name = file.display()
        ))
    })
}

fn signed(pem: &[u8], kid: Option<&str>, claims: &Value) -> Option<String> {
    let (key, algorithms) = if let Ok(key) = EncodingKey::from_ec_pem(pem) {
        // Only the one of its curve takes it.
        (key, &[Algorithm::ES256, Algorithm::ES384][..])
    } else if let Ok(key) = EncodingKey::from_ed_pem(pem) {
        (key, &[Algorithm::EdDSA][..])
    } else {
        (EncodingKey::from_rsa_pem(pem).ok()?, &[Algorithm::RS256][..])
    };
    algorithms.iter().find_map(|algorithm| {
        let header = Header { kid: kid.map(Into::into), ..Header::new(*algorithm) };
        encode(&header, claims, &key).ok()
    })
}
