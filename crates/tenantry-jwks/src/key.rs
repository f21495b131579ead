//! One public key, parsed once and ready to check signatures.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use tenantry_core::Algorithm;

use crate::material::{Curve, Material};
use crate::skipped::SkipReason;

/// A public key of an issuer, prepared when its set was loaded.
///
/// It checks signatures of the algorithms that [`fits`](Self::fits) names and of no others. A
/// symmetric key cannot be made into one.
pub struct Key {
    kid: Option<Box<str>>,
    only: Option<Algorithm>,
    material: Material,
    prepared: Prepared,
}

/// The parsed forms. The backend ties one to an algorithm.
enum Prepared {
    One(ParsedPublicKey),
    /// An RSA key without `alg` fits six algorithms: each form is made at its first use and kept.
    Rsa(Box<[OnceLock<Option<ParsedPublicKey>>; 6]>),
}

impl Key {
    /// Prepares `material`. With `only`, the key fits that algorithm and no other.
    pub(crate) fn prepare(
        kid: Option<&str>,
        only: Option<Algorithm>,
        material: Material,
    ) -> Result<Self, SkipReason> {
        // INVARIANT (isolation): the algorithm is a property of the key, never of the token alone.
        if only.is_some_and(|algorithm| !material.permits(algorithm)) {
            return Err(SkipReason::Algorithm);
        }
        let prepared = match &material {
            Material::Ec { curve, point } => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                ParsedPublicKey::new(algorithm, point).map(Prepared::One)
            }
            Material::Ed25519(x) => ParsedPublicKey::new(&ED25519, x).map(Prepared::One),
            Material::Rsa { n, e } => match only.and_then(rsa_form) {
                Some((_, parameters)) => RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(parameters)
                    .map(Prepared::One),
                None => Ok(Prepared::Rsa(Box::default())),
            },
        };
        // The backend refuses a point that is not on its curve.
        let prepared = prepared.map_err(|_| SkipReason::Parameters)?;
        Ok(Self { kid: kid.map(Box::from), only, material, prepared })
    }

    /// Returns the `kid` of the key ([RFC 7517 §4.5]), if it has one.
    ///
    /// [RFC 7517 §4.5]: https://www.rfc-editor.org/rfc/rfc7517#section-4.5
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns whether a signature by `algorithm` may be judged by this key: its type, its curve and
    /// its own `alg` must all agree ([RFC 8725 §3.1]).
    ///
    /// [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.material.permits(algorithm)
    }

    /// Returns the thumbprint of the key: SHA-256 over its required members ([RFC 7638 §3]).
    ///
    /// It is the same for one key under several names, and of no other key.
    ///
    /// [RFC 7638 §3]: https://www.rfc-editor.org/rfc/rfc7638#section-3
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        let mut thumbprint = [0; 32];
        let digest = digest(&SHA256, self.material.required_members().as_bytes());
        for (byte, hashed) in thumbprint.iter_mut().zip(digest.as_ref()) {
            *byte = *hashed;
        }
        thumbprint
    }

    /// Checks that `signature` is one of `message`, by `algorithm` and this key.
    ///
    /// ECDSA signatures are R and S, 64, 96 or 132 bytes, never DER ([RFC 7518 §3.4]). The salt of a
    /// PSS signature is as long as its hash ([RFC 7518 §3.5]).
    ///
    /// # Errors
    ///
    /// If it is not, or if the key does not [fit](Self::fits) `algorithm`.
    ///
    /// [RFC 7518 §3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
    /// [RFC 7518 §3.5]: https://www.rfc-editor.org/rfc/rfc7518#section-3.5
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if !self.fits(algorithm) {
            return Err(InvalidSignature(()));
        }
        self.form(algorithm)
            .and_then(|key| key.verify_sig(message, signature).ok())
            .ok_or(InvalidSignature(()))
    }

    /// Whether the other is the same key under the same name for the same algorithms.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.kid == other.kid && self.only == other.only && self.material == other.material
    }

    /// Whether there is an algorithm that both fit.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        Algorithm::ALL.into_iter().any(|algorithm| self.fits(algorithm) && other.fits(algorithm))
    }

    fn form(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        match (&self.prepared, &self.material) {
            (Prepared::One(key), _) => Some(key),
            (Prepared::Rsa(forms), Material::Rsa { n, e }) => {
                let (index, parameters) = rsa_form(algorithm)?;
                let components = RsaPublicKeyComponents { n, e };
                forms
                    .get(index)?
                    .get_or_init(|| components.to_parsed_public_key(parameters).ok())
                    .as_ref()
            }
            (Prepared::Rsa(_), _) => None,
        }
    }
}

/// Where the prepared form for an RSA algorithm is kept, and how it is made.
fn rsa_form(algorithm: Algorithm) -> Option<(usize, &'static RsaParameters)> {
    match algorithm {
        Algorithm::Rs256 => Some((0, &RSA_PKCS1_2048_8192_SHA256)),
        Algorithm::Rs384 => Some((1, &RSA_PKCS1_2048_8192_SHA384)),
        Algorithm::Rs512 => Some((2, &RSA_PKCS1_2048_8192_SHA512)),
        Algorithm::Ps256 => Some((3, &RSA_PSS_2048_8192_SHA256)),
        Algorithm::Ps384 => Some((4, &RSA_PSS_2048_8192_SHA384)),
        Algorithm::Ps512 => Some((5, &RSA_PSS_2048_8192_SHA512)),
        _ => None,
    }
}

// INVARIANT (secrets stay in): no key material, and no `kid`, gets into a log by way of `Debug`.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.material {
            Material::Ec { curve: Curve::P256, .. } => "P-256",
            Material::Ec { curve: Curve::P384, .. } => "P-384",
            Material::Ec { curve: Curve::P521, .. } => "P-521",
            Material::Ed25519(_) => "Ed25519",
            Material::Rsa { .. } => "RSA",
        };
        f.debug_struct("Key").field("kind", &kind).field("only", &self.only).finish_non_exhaustive()
    }
}

/// The signature is not one of this message by this key.
///
/// It does not say why: that would help nobody but the one who made it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidSignature(());

impl fmt::Display for InvalidSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not match")
    }
}

impl Error for InvalidSignature {}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{self, KeySize};
    use aws_lc_rs::signature::{
        self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::der;
    use crate::jwk;
    use crate::testing::{base64, ec, ed25519, ed25519_pair};

    const MESSAGE: &[u8] = b"header.payload";

    fn key(jwk: &Value) -> Key {
        jwk::read(jwk.to_string().as_bytes()).unwrap()
    }

    /// The signature is accepted for its algorithm and message and for no other.
    fn accepts_only(key: &Key, algorithm: Algorithm, signature: &[u8]) {
        for other in Algorithm::ALL {
            let verdict = key.verify(other, MESSAGE, signature);
            assert_eq!(verdict.is_ok(), other == algorithm, "{algorithm} read as {other}");
        }
        assert!(key.verify(algorithm, b"header.payloaD", signature).is_err());
        let mut changed = signature.to_vec();
        changed[5] ^= 1;
        for wrong in [&changed[..], &signature[1..], &[signature, &[0]].concat(), &[]] {
            assert!(key.verify(algorithm, MESSAGE, wrong).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn eddsa_signatures_are_judged() {
        let signature = ed25519_pair("a").sign(MESSAGE);
        accepts_only(&key(&ed25519("a")), Algorithm::EdDsa, signature.as_ref());
        assert!(key(&ed25519("b")).verify(Algorithm::EdDsa, MESSAGE, signature.as_ref()).is_err());
    }

    #[test]
    fn ecdsa_signatures_are_r_and_s_at_full_length() {
        let cases: [(_, _, &EcdsaSigningAlgorithm, _); 3] = [
            (Algorithm::Es256, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, 64),
            (Algorithm::Es384, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, 96),
            (Algorithm::Es512, "P-521", &ECDSA_P521_SHA512_FIXED_SIGNING, 132),
        ];
        for (algorithm, crv, signing, len) in cases {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap();
            assert_eq!(signature.as_ref().len(), len);
            let key = key(&ec(crv, &pair));
            accepts_only(&key, algorithm, signature.as_ref());
            assert!(key.verify(algorithm, MESSAGE, &vec![0; len]).is_err(), "r = s = 0");
        }
    }

    #[test]
    fn an_ecdsa_signature_in_der_is_refused() {
        let signing = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap();
        let key = key(&ec("P-256", &pair));
        assert!(key.verify(Algorithm::Es256, MESSAGE, signature.as_ref()).is_err());
    }

    #[test]
    fn rsa_signatures_are_judged_by_one_algorithm_each() {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let Ok(Material::Rsa { n, e }) = der::rsa_public_key(pair.public_key().as_ref()) else {
            panic!("not an RSA key");
        };
        let any = json!({ "kty": "RSA", "n": base64(&n), "e": base64(&e) });
        let encodings: [(_, &'static dyn signature::RsaEncoding); 6] = [
            (Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
            (Algorithm::Rs384, &signature::RSA_PKCS1_SHA384),
            (Algorithm::Rs512, &signature::RSA_PKCS1_SHA512),
            (Algorithm::Ps256, &signature::RSA_PSS_SHA256),
            (Algorithm::Ps384, &signature::RSA_PSS_SHA384),
            (Algorithm::Ps512, &signature::RSA_PSS_SHA512),
        ];
        for (algorithm, encoding) in encodings {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), MESSAGE, &mut signature).unwrap();
            let any_key = key(&any);
            accepts_only(&any_key, algorithm, &signature);
            assert!(any_key.verify(algorithm, MESSAGE, &signature).is_ok(), "a second time");

            let mut one = any.clone();
            one["alg"] = algorithm.as_str().into();
            accepts_only(&key(&one), algorithm, &signature);

            one["alg"] = if algorithm == Algorithm::Rs256 { "PS256" } else { "RS256" }.into();
            let other = key(&one);
            assert!(!other.fits(algorithm));
            assert!(other.verify(algorithm, MESSAGE, &signature).is_err());
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638_and_of_the_key_alone() {
        // RFC 7638, section 3.1.
        let rsa = json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        });
        // RFC 8037, section A.2 and A.3.
        let okp = json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        for (jwk, expected) in [
            (&rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (&okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            assert_eq!(base64(&key(jwk).thumbprint()), expected);
        }
        for (crv, signing) in [
            ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            ("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
        ] {
            let mut jwk = ec(crv, &EcdsaKeyPair::generate(signing).unwrap());
            let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
            let members = format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#);
            let expected = digest(&SHA256, members.as_bytes());
            assert_eq!(key(&jwk).thumbprint(), expected.as_ref());
            jwk["kid"] = "another name".into();
            assert_eq!(key(&jwk).thumbprint(), expected.as_ref());
        }
    }

    #[test]
    fn debug_shows_neither_the_key_nor_its_name() {
        let jwk = ed25519("name-of-it");
        let shown = format!("{:?}", key(&jwk));
        assert_eq!(shown, r#"Key { kind: "Ed25519", only: None, .. }"#);
    }
}
