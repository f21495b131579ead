//! One private key, ready to sign, and its public half.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use tenantry_core::Algorithm;

/// A key pair that signs access tokens.
///
/// Its `kid` is its thumbprint ([RFC 7638]): no two keys share one, whoever's they are.
///
/// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    kid: Box<str>,
    /// The first part of a token, with the dot after it.
    header: Box<str>,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// The library could not make, read or use a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CryptoError;

impl SigningKey {
    /// Makes a key that nobody else has.
    ///
    /// RSA keys have 2048 bits and take a noticeable part of a second: see [`is_slow`](Self::is_slow).
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, CryptoError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa)
            }
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            _ => return Err(CryptoError),
        };
        Self::new(algorithm, pair.map_err(|_| CryptoError)?)
    }

    /// Whether making a key for `algorithm` would hold up a thread.
    pub(crate) fn is_slow(algorithm: Algorithm) -> bool {
        algorithm == Algorithm::Rs256
    }

    /// Reads what [`to_pkcs8`](Self::to_pkcs8) wrote.
    pub(crate) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, CryptoError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::Ecdsa)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
            _ => return Err(CryptoError),
        };
        Self::new(algorithm, pair.map_err(|_| CryptoError)?)
    }

    fn new(algorithm: Algorithm, pair: Pair) -> Result<Self, CryptoError> {
        let kid = thumbprint(&pair)?;
        // `typ` is that of an access token, whoever asks: the keys sign nothing else.
        let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"{kid}"}}"#);
        let header = format!("{}.", base64url(header.as_bytes()));
        Ok(Self { algorithm, kid: kid.into(), header: header.into(), pair })
    }

    /// The private key as PKCS #8 ([RFC 5208]). It is wiped when it is dropped.
    ///
    /// [RFC 5208]: https://www.rfc-editor.org/rfc/rfc5208
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let document = |der: &[u8]| Zeroizing::new(der.to_vec());
        match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| document(der.as_ref())),
            Pair::Ed25519(pair) => pair.to_pkcs8().map(|der| document(der.as_ref())),
            Pair::Rsa(pair) => pair.as_der().map(|der: Pkcs8V1Der<'_>| document(der.as_ref())),
        }
        .map_err(|_| CryptoError)
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK ([RFC 7517 §4]).
    ///
    /// INVARIANT (secrets stay in): it is made of the public key alone.
    ///
    /// [RFC 7517 §4]: https://www.rfc-editor.org/rfc/rfc7517#section-4
    pub(crate) fn public_jwk(&self) -> Result<Value, CryptoError> {
        let mut jwk: Map<String, Value> = required_members(&self.pair)?
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        for (name, value) in [("alg", self.algorithm.as_str()), ("kid", self.kid()), ("use", "sig")]
        {
            jwk.insert(name.into(), value.into());
        }
        Ok(Value::Object(jwk))
    }

    /// Signs `claims`, which are JSON, as an access token: a JWS in the compact form
    /// ([RFC 7515 §7.1]).
    ///
    /// [RFC 7515 §7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
    pub(crate) fn sign(&self, claims: &[u8]) -> Result<String, CryptoError> {
        // 342 characters are an RSA signature with 2048 bits.
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 346);
        token.push_str(&self.header);
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let message = token.as_bytes();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature =
                    pair.sign(&SystemRandom::new(), message).map_err(|_| CryptoError)?;
                push_signature(&mut token, signature.as_ref());
            }
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(message).map_err(|_| CryptoError)?;
                push_signature(&mut token, signature.as_ref());
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| CryptoError)?;
                push_signature(&mut token, &signature);
            }
        }
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

fn push_signature(token: &mut String, signature: &[u8]) {
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, token);
}

/// The members that make the key, in the order of their names ([RFC 7638 §3.2], [RFC 8037 §2]).
///
/// [RFC 7638 §3.2]: https://www.rfc-editor.org/rfc/rfc7638#section-3.2
/// [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
fn required_members(pair: &Pair) -> Result<Vec<(&'static str, String)>, CryptoError> {
    Ok(match pair {
        Pair::Ecdsa(pair) => {
            // SEC 1 §2.3.3, uncompressed: 04 ‖ x ‖ y, both of the curve's length.
            let point = pair.public_key().as_ref();
            let (x, y) = match point.split_first() {
                Some((4, numbers)) if numbers.len() == 64 => numbers.split_at(32),
                _ => return Err(CryptoError),
            };
            vec![
                ("crv", "P-256".into()),
                ("kty", "EC".into()),
                ("x", base64url(x)),
                ("y", base64url(y)),
            ]
        }
        Pair::Ed25519(pair) => vec![
            ("crv", "Ed25519".into()),
            ("kty", "OKP".into()),
            ("x", base64url(pair.public_key().as_ref())),
        ],
        Pair::Rsa(pair) => {
            let public = pair.public_key();
            vec![
                ("e", base64url(public.exponent().big_endian_without_leading_zero())),
                ("kty", "RSA".into()),
                ("n", base64url(public.modulus().big_endian_without_leading_zero())),
            ]
        }
    })
}

/// The thumbprint of a public key: SHA-256 over its required members ([RFC 7638 §3]).
///
/// [RFC 7638 §3]: https://www.rfc-editor.org/rfc/rfc7638#section-3
fn thumbprint(pair: &Pair) -> Result<String, CryptoError> {
    // The values are base64url and names of curves: nothing needs escaping.
    let members: Vec<_> = required_members(pair)?
        .into_iter()
        .map(|(name, value)| format!(r#""{name}":"{value}""#))
        .collect();
    let json = format!("{{{}}}", members.join(","));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, json.as_bytes());
    Ok(base64url(digest.as_ref()))
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_8037_appendix_a_3() {
        let seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        let seed = BASE64_URL_SAFE_NO_PAD.decode(seed).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let key = SigningKey::new(Algorithm::EdDsa, Pair::Ed25519(pair)).unwrap();

        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.public_jwk().unwrap()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }

    #[test]
    fn a_key_that_was_written_and_read_is_the_same() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert_eq!(again.kid(), key.kid());
        }
    }

    #[test]
    fn a_key_of_another_kind_and_an_algorithm_without_keys_are_refused() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap().to_pkcs8().unwrap();
        assert!(SigningKey::from_pkcs8(Algorithm::EdDsa, &key).is_err());
        assert!(SigningKey::from_pkcs8(Algorithm::Es384, &key).is_err());
        assert!(SigningKey::generate(Algorithm::Ps256).is_err());
    }
}
