//! Signatures that are none, or belong to something else.

use serde_json::Value;
use tenantry::Algorithm;

use super::text::{half_signature, other_signature, parts, with_claims_of, with_signature};
use super::volley::Volley;
use crate::attack::stage::{Role, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let bare = stage.shot(index, Role::Victim);
    let good = || stage.token(&victim, index);
    let right = good().sign();
    let own = stage.token(&attacker, index).sign();
    let mut refused = |sent: String, token: &str| volley.refused(sent, bare.clone().bearer(token));

    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let token = good().unsigned().header("alg", alg);
        refused(format!("a made-up token, unsigned, `alg` \"{alg}\""), &token.sign());
        let named = stage
            .world
            .issuer
            .signing_key(stage.world.issuer.signer_of(Some(victim.as_str())), None);
        let token = token.header("kid", named.kid().unwrap_or_default());
        refused(
            format!("a made-up token, unsigned, `alg` \"{alg}\", with a known `kid`"),
            &token.sign(),
        );
    }
    refused(
        "a made-up token without `alg`".into(),
        &good().unsigned().without_header("alg").sign(),
    );

    let key =
        stage.world.issuer.signing_key(stage.world.issuer.signer_of(Some(victim.as_str())), None);
    let (pem, jwk) = (key.public_pem(), key.public_jwk());
    let number = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let secrets = [
        ("the public key as PEM", pem.clone()),
        ("the public key as PEM without its last line break", pem.trim_end().to_owned()),
        ("the public key as JWK", jwk.to_string()),
        ("the key set", stage.world.issuer.jwks().to_string()),
        ("the number `x` of the public key", number("x")),
        ("the number `n` of the public key", number("n")),
        ("nothing", String::new()),
        ("\"secret\"", "secret".to_owned()),
    ];
    for (what, secret) in secrets {
        for alg in ["HS256", key.algorithm().as_str()] {
            let token = good()
                .signed_with_secret(secret.clone().into_bytes())
                .header("alg", alg)
                .header("kid", key.kid().unwrap_or_default());
            refused(
                format!("a token signed by HMAC with {what} as the secret, `alg` \"{alg}\""),
                &token.sign(),
            );
        }
    }
    for other in Algorithm::ALL.iter().filter(|other| **other != key.algorithm()) {
        let token = good().header("alg", other.as_str()).sign();
        refused(format!("a right signature under another `alg`, \"{other}\""), &token);
    }
    refused("a token without its signature".into(), &with_signature(&right, ""));
    refused("a token of two parts".into(), right.rsplit_once('.').map_or("", |(start, _)| start));
    refused("a token with half of its signature".into(), &half_signature(&right));
    refused("a token with another signature".into(), &other_signature(&right));
    refused("a token signed with zeros".into(), &good().raw_signature(vec![0; 64]).sign());
    let [_, _, signature] = parts(&own);
    refused(
        format!("a token of `{victim}` with the signature of one of `{attacker}`"),
        &with_signature(&right, signature),
    );
    refused(
        format!("a token of `{attacker}` with the claims of one of `{victim}`"),
        &with_claims_of(&own, &right),
    );
    refused("a token with a claim added after it was signed".into(), &good().tampered().sign());
    refused("a token with text after it".into(), &format!("{right}.x"));
}
