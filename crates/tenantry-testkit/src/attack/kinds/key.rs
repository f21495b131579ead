//! Keys of strangers, of other issuers, of other tenants, and keys in the token itself.

use tenantry::Algorithm;

use super::volley::Volley;
use crate::SigningKey;
use crate::attack::stage::{Role, STRANGER, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let bare = stage.shot(index, Role::Victim);
    let good = || stage.token(&victim, index);
    let world = &stage.world;
    let per_tenant = world.has_issuer_per_tenant();
    let own = world.issuer.signing_key(world.issuer.signer_of(Some(victim.as_str())), None);
    let kid = own.kid().unwrap_or_default();
    let mut refused = |sent: String, token: String| {
        volley.refused(sent, bare.clone().bearer(&token));
    };

    let strange = SigningKey::generate(own.algorithm(), kid);
    let document = format!("{STRANGER}/jwks.json");
    let forged = |key: &SigningKey| good().signed_by(key);
    refused("a token of a made-up key under a known `kid`".into(), forged(&strange).sign());
    let unnamed = strange.clone().without_kid();
    refused("a token of a made-up key without `kid`".into(), forged(&unnamed).sign());
    let renamed = strange.clone().with_kid("attack-suite");
    refused("a token of a made-up key under an unknown `kid`".into(), forged(&renamed).sign());
    for (named, key) in [("a known", &strange), ("an unknown", &renamed), ("no", &unnamed)] {
        let carried = |member: &str| {
            format!("a token of a made-up key with {named} `kid`, and the key in `{member}`")
        };
        refused(carried("jwk"), forged(key).header("jwk", key.public_jwk()).sign());
        refused(carried("jku"), forged(key).header("jku", document.as_str()).sign());
        refused(carried("x5u"), forged(key).header("x5u", document.as_str()).sign());
        refused(carried("x5c"), forged(key).header("x5c", vec!["MIIB"]).sign());
    }
    for name in ["../../../../dev/null", "x' UNION SELECT 'secret", document.as_str()] {
        for secret in ["", "secret"] {
            let token = good().signed_with_secret(secret).header("kid", name);
            refused(
                format!("a token with the `kid` `{name}`, signed with `{secret}`"),
                token.sign(),
            );
        }
    }

    // A trusted issuer, for another tenant. Its key has a `kid` of the first one's.
    let others = world.other.key(Algorithm::Es256).with_kid(kid);
    refused("a token signed by another trusted issuer's key".into(), forged(&others).sign());
    for (whose, issuer) in
        [("another trusted issuer", &world.other), ("an unknown issuer", &world.stranger)]
    {
        let key = issuer.key(Algorithm::Es256);
        let token = forged(&key).claim("iss", issuer.url());
        refused(format!("a token of {whose} for `{victim}`"), token.sign());
    }
    if per_tenant {
        let theirs = world.issuer.signing_key(Some(attacker.as_str()), None);
        refused(
            format!("a token for `{victim}` signed by the key of `{attacker}`"),
            forged(&theirs).sign(),
        );
        refused(
            format!(
                "a token for `{victim}` signed by the key of `{attacker}` under the `kid` of `{victim}`"
            ),
            forged(&theirs.clone().with_kid(kid)).sign(),
        );
        let iss = world.issuer.issuer_of(attacker.as_str());
        refused(
            format!("a token of the issuer of `{attacker}` for `{victim}`"),
            forged(&theirs).claim("iss", iss).sign(),
        );
    }
}
