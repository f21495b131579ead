//! The private keys of a test issuer.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use aws_lc_rs::signature::{KeyPair as _, RsaEncoding};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use tenantry_core::Algorithm;

/// A key pair that signs tokens, made for one test and never stored.
///
/// Cloning is cheap and gives the same key.
///
/// ```
/// use tenantry_core::Algorithm;
/// use tenantry_testkit::SigningKey;
///
/// let key = SigningKey::generate(Algorithm::Es256, "k1");
///
/// assert_eq!(key.public_jwk()["crv"], "P-256");
/// assert_eq!(key.sign(b"message").len(), 64);
/// ```
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    pair: Pair,
}

#[derive(Clone)]
enum Pair {
    Ecdsa(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

impl SigningKey {
    /// Makes a key that nobody else has, for `algorithm`, named `kid`.
    ///
    /// RSA keys have 2048 bits and take a noticeable part of a second.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    #[must_use]
    pub fn generate(algorithm: Algorithm, kid: impl Into<String>) -> Self {
        let pair = match curve(algorithm) {
            Some(curve) => Pair::Ecdsa(Arc::new(
                EcdsaKeyPair::generate(curve.signing).expect("an EC key can be generated"),
            )),
            None if algorithm == Algorithm::EdDsa => Pair::Ed25519(Arc::new(
                Ed25519KeyPair::generate().expect("an Ed25519 key can be generated"),
            )),
            None => Pair::Rsa(Arc::new(
                RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be generated"),
            )),
        };
        Self { algorithm, kid: Some(kid.into().into()), pair }
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name under which it is published, and that its tokens carry.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The same key under another name.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into().into());
        self
    }

    /// The same key without a name.
    #[must_use]
    pub fn without_kid(mut self) -> Self {
        self.kid = None;
        self
    }

    /// The same RSA key, signing with another RSA algorithm.
    ///
    /// One key should have one algorithm ([RFC 8725 §3.1]); this makes the token that shows whether
    /// somebody checks.
    ///
    /// # Panics
    ///
    /// If this is no RSA key or `algorithm` is no RSA algorithm: a key of another kind cannot sign
    /// that way.
    ///
    /// [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        assert!(
            matches!(self.pair, Pair::Rsa(_)) && rsa_encoding(algorithm).is_some(),
            "a key for {} cannot sign with {algorithm}",
            self.algorithm
        );
        self.algorithm = algorithm;
        self
    }

    /// The public half as a JWK ([RFC 7517 §4]), with `alg`, `use` and, if it has a name, `kid`.
    ///
    /// [RFC 7517 §4]: https://www.rfc-editor.org/rfc/rfc7517#section-4
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.public_numbers();
        jwk.insert("alg".into(), self.algorithm.as_str().into());
        jwk.insert("use".into(), "sig".into());
        if let Some(kid) = self.kid() {
            jwk.insert("kid".into(), kid.into());
        }
        Value::Object(jwk)
    }

    /// The public half as PEM: a `PUBLIC KEY` block, which has neither algorithm nor name
    /// ([RFC 7468 §13]).
    ///
    /// # Panics
    ///
    /// If the key cannot be encoded, which does not happen to a key that was generated.
    ///
    /// [RFC 7468 §13]: https://www.rfc-editor.org/rfc/rfc7468#section-13
    #[must_use]
    pub fn public_pem(&self) -> String {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        let text = BASE64_STANDARD.encode(der.expect("a public key has an encoding").as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            // Base64 is ASCII, so every index is a character boundary.
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    /// Signs `message` and returns the signature as JWS has it ([RFC 7518 §3]): of fixed length
    /// for ECDSA, not DER.
    ///
    /// # Panics
    ///
    /// If the cryptographic library cannot sign, which does not happen to a key that was generated.
    ///
    /// [RFC 7518 §3]: https://www.rfc-editor.org/rfc/rfc7518#section-3
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).expect("an EC key can sign");
                signature.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding = rsa_encoding(self.algorithm).expect("RSA keys have RSA algorithms");
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).expect("an RSA key can sign");
                signature
            }
        }
    }

    fn public_numbers(&self) -> Map<String, Value> {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let curve = curve(self.algorithm).expect("EC keys have EC algorithms");
                // SEC 1 §2.3.3, uncompressed: 04 ‖ x ‖ y, both of the curve's length.
                let (_, point) = pair.public_key().as_ref().split_at(1);
                let (x, y) = point.split_at(point.len() / 2);
                members([
                    ("kty", "EC".into()),
                    ("crv", curve.name.into()),
                    ("x", base64url(x)),
                    ("y", base64url(y)),
                ])
            }
            Pair::Ed25519(pair) => members([
                ("kty", "OKP".into()),
                ("crv", "Ed25519".into()),
                ("x", base64url(pair.public_key().as_ref())),
            ]),
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                members([
                    ("kty", "RSA".into()),
                    ("n", base64url(public.modulus().big_endian_without_leading_zero())),
                    ("e", base64url(public.exponent().big_endian_without_leading_zero())),
                ])
            }
        }
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

struct Curve {
    name: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
}

fn curve(algorithm: Algorithm) -> Option<Curve> {
    let (name, signing) = match algorithm {
        Algorithm::Es256 => ("P-256", &sig::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => ("P-384", &sig::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => ("P-521", &sig::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => return None,
    };
    Some(Curve { name, signing })
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Ps256 => &sig::RSA_PSS_SHA256,
        Algorithm::Ps384 => &sig::RSA_PSS_SHA384,
        Algorithm::Ps512 => &sig::RSA_PSS_SHA512,
        Algorithm::Rs256 => &sig::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &sig::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &sig::RSA_PKCS1_SHA512,
        _ => return None,
    })
}

fn members<const N: usize>(members: [(&str, String); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
