//! One JWK into one key ([RFC 7517 §4], [RFC 7518 §6], [RFC 8037 §2]).
//!
//! [RFC 7517 §4]: https://www.rfc-editor.org/rfc/rfc7517#section-4
//! [RFC 7518 §6]: https://www.rfc-editor.org/rfc/rfc7518#section-6
//! [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse,
};
use serde_json::Value;
use tenantry_core::{Algorithm, Issuer};

use crate::json::{self, Members};
use crate::key::Key;
use crate::material::{Curve, Material};
use crate::skipped::SkipReason;

/// Members of private and symmetric keys ([RFC 7518 §6.2.2], [RFC 7518 §6.3.2], [RFC 7518 §6.4]).
///
/// [RFC 7518 §6.2.2]: https://www.rfc-editor.org/rfc/rfc7518#section-6.2.2
/// [RFC 7518 §6.3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-6.3.2
/// [RFC 7518 §6.4]: https://www.rfc-editor.org/rfc/rfc7518#section-6.4
const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Prepares the key that `json` writes down, whoever it is for.
pub(crate) fn read(json: &[u8]) -> Result<Key, SkipReason> {
    prepare(json::object(json).ok_or(SkipReason::Malformed)?)
}

/// Prepares the key that `json` writes down, unless it is for another issuer.
pub(crate) fn read_for(issuer: &Issuer, json: &[u8]) -> Result<Key, SkipReason> {
    let members = json::object(json).ok_or(SkipReason::Malformed)?;
    // INVARIANT (isolation): a key is used only for the issuer that it was published for.
    if !is_for(issuer, &members) {
        return Err(SkipReason::Issuer);
    }
    prepare(members)
}

/// A member `issuer` that is a URL says whose tokens the key is for, with `{tenantid}` for any one
/// tenant. Microsoft writes it: its sets have keys for all tenants, and keys for one ([keys]).
///
/// [keys]: https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
fn is_for(issuer: &Issuer, members: &Members) -> bool {
    const TENANT: &str = "{tenantid}";
    let template = match members.get("issuer") {
        Some(Value::String(template)) if template.starts_with("https://") => template,
        _ => return true,
    };
    let issuer = issuer.as_str();
    let Some((before, _)) = template.split_once(TENANT) else {
        return template == issuer;
    };
    let Some(rest) = issuer.strip_prefix(before) else {
        return false;
    };
    let is_id = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let tenant = rest.split(|character| !is_id(character)).next().unwrap_or_default();
    !tenant.is_empty() && template.replace(TENANT, tenant) == issuer
}

fn prepare(mut members: Members) -> Result<Key, SkipReason> {
    // A secret that was published is no secret any more: anyone may sign with it.
    if SECRET_MEMBERS.iter().any(|&name| members.contains_key(name)) {
        return Err(SkipReason::Secret);
    }
    known_key_type(&members)?;
    // An absent member permits more than one that is there, so `null` is not read as absent.
    if ["alg", "key_ops", "kid", "use"].iter().any(|&name| members.get(name) == Some(&Value::Null))
    {
        return Err(SkipReason::Malformed);
    }
    let only = algorithm(&mut members)?;
    let jwk: Jwk =
        serde_json::from_value(Value::Object(members)).map_err(|_| SkipReason::Malformed)?;
    is_for_verifying(&jwk.common)?;
    Key::prepare(jwk.common.key_id.as_deref(), only, material(&jwk.algorithm)?)
}

fn known_key_type(members: &Members) -> Result<(), SkipReason> {
    match members.get("kty") {
        Some(Value::String(kty)) if matches!(kty.as_str(), "EC" | "OKP" | "RSA") => Ok(()),
        Some(Value::String(_)) => Err(SkipReason::KeyType),
        _ => Err(SkipReason::Malformed),
    }
}

/// Takes `alg` out: the JWK type knows neither `ES512` nor `Ed25519`, and reads them as absent.
fn algorithm(members: &mut Members) -> Result<Option<Algorithm>, SkipReason> {
    match members.remove("alg") {
        None => Ok(None),
        Some(Value::String(name)) => name.parse().map(Some).map_err(|_| SkipReason::Algorithm),
        Some(_) => Err(SkipReason::Malformed),
    }
}

/// `use` and `key_ops`, where present, say that the key checks signatures ([RFC 7517 §4.2],
/// [RFC 7517 §4.3]) and nothing that is not about signatures.
///
/// [RFC 7517 §4.2]: https://www.rfc-editor.org/rfc/rfc7517#section-4.2
/// [RFC 7517 §4.3]: https://www.rfc-editor.org/rfc/rfc7517#section-4.3
fn is_for_verifying(common: &CommonParameters) -> Result<(), SkipReason> {
    if common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return Err(SkipReason::Use);
    }
    let Some(operations) = &common.key_operations else {
        return Ok(());
    };
    let about_signatures = |operation: &KeyOperations| {
        matches!(operation, KeyOperations::Verify | KeyOperations::Sign | KeyOperations::Other(_))
    };
    // There are eight (RFC 7517, section 4.3), and room for others' own.
    let few = operations.len() <= 16;
    let repeated = || {
        operations
            .iter()
            .enumerate()
            .any(|(at, one)| operations.iter().skip(at + 1).any(|two| one == two))
    };
    let right = operations.contains(&KeyOperations::Verify)
        && operations.iter().all(about_signatures)
        && few
        && !repeated();
    if right { Ok(()) } else { Err(SkipReason::Use) }
}

fn material(parameters: &AlgorithmParameters) -> Result<Material, SkipReason> {
    match parameters {
        AlgorithmParameters::EllipticCurve(ec) => {
            let curve = match ec.curve {
                EllipticCurve::P256 => Curve::P256,
                EllipticCurve::P384 => Curve::P384,
                EllipticCurve::P521 => Curve::P521,
                _ => return Err(SkipReason::Parameters),
            };
            Material::ec(curve, &octets(&ec.x)?, &octets(&ec.y)?)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Material::ed25519(&octets(&pair.x)?)
        }
        AlgorithmParameters::RSA(rsa) => Material::rsa(&octets(&rsa.n)?, &octets(&rsa.e)?),
        // A member is missing or of the wrong type, or the curve is none of ours.
        _ => Err(SkipReason::Parameters),
    }
}

/// base64url without padding, and with one spelling per value ([RFC 7515 §2], [RFC 4648 §3.5]).
///
/// [RFC 7515 §2]: https://www.rfc-editor.org/rfc/rfc7515#section-2
/// [RFC 4648 §3.5]: https://www.rfc-editor.org/rfc/rfc4648#section-3.5
fn octets(text: &str) -> Result<Vec<u8>, SkipReason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SkipReason::Parameters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{base64, ed25519, rsa};

    fn read_value(jwk: &Value) -> Result<Key, SkipReason> {
        read(jwk.to_string().as_bytes())
    }

    fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
        jwk[name] = value.into();
        jwk
    }

    fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    /// The public key of RFC 7515 §A.3.1.
    fn p256() -> Value {
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        })
    }

    #[track_caller]
    fn refused(jwk: &Value, reason: SkipReason) {
        assert_eq!(read_value(jwk).err(), Some(reason), "{jwk}");
    }

    #[test]
    fn a_key_of_each_type_is_read() {
        for (jwk, algorithms) in [
            (p256(), vec![Algorithm::Es256]),
            (ed25519("a"), vec![Algorithm::EdDsa]),
            (
                rsa(),
                vec![
                    Algorithm::Ps256,
                    Algorithm::Ps384,
                    Algorithm::Ps512,
                    Algorithm::Rs256,
                    Algorithm::Rs384,
                    Algorithm::Rs512,
                ],
            ),
            (with(rsa(), "alg", "PS384"), vec![Algorithm::Ps384]),
            (with(ed25519("a"), "alg", "Ed25519"), vec![Algorithm::EdDsa]),
            (with(ed25519("a"), "alg", "EdDSA"), vec![Algorithm::EdDsa]),
        ] {
            let key = read_value(&jwk).unwrap();
            let fitting: Vec<_> =
                Algorithm::ALL.into_iter().filter(|&algorithm| key.fits(algorithm)).collect();
            assert_eq!(fitting, algorithms, "{jwk}");
        }
    }

    #[test]
    fn members_that_are_not_known_are_ignored() {
        let jwk = with(with(p256(), "x-ours", json!({"a": [1]})), "exp", 1);
        assert!(read_value(&jwk).is_ok());
    }

    #[test]
    fn a_key_for_another_issuer_is_skipped() {
        const ISSUER: &str = "https://login.example/0b2e-1/v2.0";
        let read = |issuer: Value| {
            let jwk = with(rsa(), "issuer", issuer);
            read_for(&Issuer::new(ISSUER), jwk.to_string().as_bytes()).err()
        };
        for template in [
            ISSUER,
            "https://login.example/{tenantid}/v2.0",
            // No URL: it says something else, or nothing.
            "CN=login.example",
            "",
        ] {
            assert_eq!(read(template.into()), None, "{template}");
        }
        for no_text in [json!(null), json!(1), json!(["https://login.example/0b2e-2/v2.0"])] {
            assert_eq!(read(no_text.clone()), None, "{no_text}");
        }
        for template in [
            "https://login.example/0b2e-2/v2.0",
            "https://login.example/0b2e-1/v2.0/",
            "https://login.example/0B2E-1/v2.0",
            "https://login.example/{tenantid}",
            "https://login.example/{tenantid}/v2",
            "https://login.example/{tenantid}/v2.0/",
            "https://login.example/0b2e-1/v2.0{tenantid}",
            "https://login.example/{tenantid}/{tenantid}/v2.0",
            "https://{tenantid}/0b2e-1/v2.0",
            "https://login.example/{tenant}/v2.0",
        ] {
            assert_eq!(read(template.into()), Some(SkipReason::Issuer), "{template}");
        }
        // One tenant, wherever it stands.
        let twice = with(rsa(), "issuer", "https://{tenantid}.login.example/{tenantid}/v2.0");
        for (issuer, skipped) in [
            ("https://a.login.example/a/v2.0", None),
            ("https://a.login.example/b/v2.0", Some(SkipReason::Issuer)),
            ("https://.login.example//v2.0", Some(SkipReason::Issuer)),
        ] {
            let result = read_for(&Issuer::new(issuer), twice.to_string().as_bytes());
            assert_eq!(result.err(), skipped, "{issuer}");
        }
        assert!(read_for(&Issuer::new(ISSUER), rsa().to_string().as_bytes()).is_ok());
    }

    #[test]
    fn an_alg_of_another_type_or_family_is_refused() {
        for (jwk, alg) in [
            (p256(), "ES384"),
            (p256(), "RS256"),
            (p256(), "EdDSA"),
            (rsa(), "ES256"),
            (rsa(), "RSA-OAEP"),
            (rsa(), "HS256"),
            (rsa(), "none"),
            (rsa(), "rs256"),
            (rsa(), ""),
            (ed25519("a"), "ES256"),
            (ed25519("a"), "Ed448"),
        ] {
            refused(&with(jwk, "alg", alg), SkipReason::Algorithm);
        }
        refused(&with(rsa(), "alg", json!(["RS256"])), SkipReason::Malformed);
        refused(&with(rsa(), "alg", Value::Null), SkipReason::Malformed);
    }

    #[test]
    fn a_key_that_is_not_for_checking_signatures_is_refused() {
        assert!(read_value(&with(rsa(), "use", "sig")).is_ok());
        for other in ["enc", "SIG", "", "tls"] {
            refused(&with(rsa(), "use", other), SkipReason::Use);
        }
        refused(&with(rsa(), "use", json!(["sig"])), SkipReason::Malformed);

        for good in [json!(["verify"]), json!(["sign", "verify"]), json!(["verify", "x-ours"])] {
            assert!(read_value(&with(rsa(), "key_ops", good.clone())).is_ok(), "{good}");
        }
        for bad in [json!([]), json!(["sign"]), json!(["encrypt"]), json!(["verify", "encrypt"])] {
            refused(&with(rsa(), "key_ops", bad), SkipReason::Use);
        }
        refused(&with(rsa(), "key_ops", json!(["verify", "verify"])), SkipReason::Use);
        let many: Vec<_> = (0..16).map(|at| format!("x-{at}")).chain(["verify".into()]).collect();
        refused(&with(rsa(), "key_ops", many), SkipReason::Use);
        for name in ["kid", "key_ops", "use"] {
            refused(&with(rsa(), name, Value::Null), SkipReason::Malformed);
        }
        refused(&with(rsa(), "key_ops", "verify"), SkipReason::Malformed);
        // Both are there, and one of them forbids it.
        refused(&with(with(rsa(), "use", "sig"), "key_ops", json!(["wrapKey"])), SkipReason::Use);
        refused(&with(with(rsa(), "use", "enc"), "key_ops", json!(["verify"])), SkipReason::Use);
    }

    #[test]
    fn private_and_symmetric_keys_are_refused() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            refused(&with(rsa(), name, "AQAB"), SkipReason::Secret);
            refused(&with(p256(), name, Value::Null), SkipReason::Secret);
        }
        refused(&json!({ "kty": "oct", "k": "AQAB", "alg": "HS256" }), SkipReason::Secret);
        refused(&json!({ "kty": "oct" }), SkipReason::KeyType);
    }

    #[test]
    fn an_rsa_key_written_as_a_symmetric_one_is_no_key() {
        // The n of an RSA key as `k`: the confusion of algorithms in JWK clothes.
        let n = rsa()["n"].clone();
        refused(&with(json!({ "kty": "oct", "alg": "HS256" }), "k", n), SkipReason::Secret);
    }

    #[test]
    fn other_types_and_curves_are_refused() {
        refused(&with(p256(), "kty", "AKP"), SkipReason::KeyType);
        refused(&with(p256(), "kty", "ec"), SkipReason::KeyType);
        refused(&with(p256(), "kty", 1), SkipReason::Malformed);
        refused(&without(p256(), "kty"), SkipReason::Malformed);
        for crv in ["secp256k1", "P-384", "Ed25519", "p-256"] {
            refused(&with(p256(), "crv", crv), SkipReason::Parameters);
        }
        for crv in ["X25519", "Ed448", "P-256"] {
            refused(&with(ed25519("a"), "crv", crv), SkipReason::Parameters);
        }
        refused(&with(p256(), "kty", "RSA"), SkipReason::Parameters);
    }

    #[test]
    fn a_missing_parameter_is_refused() {
        for (jwk, names) in
            [(p256(), &["crv", "x", "y"][..]), (ed25519("a"), &["crv", "x"]), (rsa(), &["n", "e"])]
        {
            for name in names {
                refused(&without(jwk.clone(), name), SkipReason::Parameters);
                refused(&with(jwk.clone(), name, 7), SkipReason::Parameters);
            }
        }
    }

    #[test]
    fn base64url_has_one_spelling() {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        // Padded; unused bits set; a blank; the other alphabet.
        let other = "x+FEzRu9m36HLN/tue659LNpXW6pCyStikYjKIWI5a0";
        refused(&with(p256(), "x", format!("{x}=")), SkipReason::Parameters);
        refused(&with(p256(), "x", x.replace("VEU", "VEV")), SkipReason::Parameters);
        refused(&with(p256(), "x", format!("{x} ")), SkipReason::Parameters);
        refused(&with(p256(), "y", other), SkipReason::Parameters);
        refused(&with(rsa(), "e", "AQAB===="), SkipReason::Parameters);
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut y = octets(p256()["y"].as_str().unwrap()).unwrap();
        y[31] ^= 1;
        refused(&with(p256(), "y", base64(&y)), SkipReason::Parameters);
        refused(&with(p256(), "y", base64(&[0; 32])), SkipReason::Parameters);
        refused(
            &with(with(p256(), "x", base64(&[0; 32])), "y", base64(&[0; 32])),
            SkipReason::Parameters,
        );
    }

    #[test]
    fn the_limits_of_rsa_hold_for_a_jwk() {
        refused(&with(rsa(), "n", base64(&[0xff; 128])), SkipReason::RsaModulus);
        refused(&with(rsa(), "e", "AQ"), SkipReason::RsaExponent);
        refused(&with(rsa(), "e", "AQAA"), SkipReason::RsaExponent);
    }

    #[test]
    fn repeated_members_are_refused_even_if_they_agree() {
        let jwk = p256().to_string().replacen('{', r#"{"kty": "EC", "#, 1);
        assert_eq!(read(jwk.as_bytes()).err(), Some(SkipReason::Malformed));
    }

    #[test]
    fn a_kid_is_a_string() {
        assert_eq!(read_value(&with(p256(), "kid", "1")).unwrap().kid(), Some("1"));
        assert_eq!(read_value(&p256()).unwrap().kid(), None);
        refused(&with(p256(), "kid", 1), SkipReason::Malformed);
    }
}
