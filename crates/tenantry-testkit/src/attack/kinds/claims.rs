//! Claims that are absent, wrong, or disagree, under a right signature.

use serde_json::json;
use tenantry::TokenProfile;

use super::names;
use super::volley::Volley;
use crate::TokenBuilder;
use crate::attack::stage::{Role, STRANGER, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    wrong(stage, volley);
    disagreeing(stage, volley);
    beside_the_point(stage, volley);
}

/// Tokens of the victim that lack something.
fn wrong(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let victim = stage.victim.tenant.clone();
    let bare = stage.shot(index, Role::Victim);
    let good = || stage.token(&victim, index);
    let now = stage.world.now();
    let mut refused =
        |sent: &str, token: TokenBuilder| volley.refused(sent, bare.clone().bearer(&token.sign()));

    let url = stage.world.issuer.issuer_of(victim.as_str());
    refused("a token without `iss`", good().without("iss"));
    refused("a token with another `iss`", good().claim("iss", STRANGER));
    refused("a token with `/` after `iss`", good().claim("iss", format!("{url}/")));
    refused("a token with `iss` in upper case", good().claim("iss", url.to_ascii_uppercase()));
    refused("a token without `aud`", good().without("aud"));
    refused("a token with another `aud`", good().claim("aud", "https://attack-suite.example"));
    refused("a token with an empty `aud`", good().claim("aud", json!([])));
    refused("a token without `exp`", good().without("exp"));
    refused("a token with `exp` as text", good().claim("exp", (now + 3600).to_string()));
    refused(
        "a token that is bound to a key",
        good().claim("cnf", json!({ "jkt": "attack-suite" })),
    );
    refused("a token with an extension that is critical", good().header("crit", json!(["exp2"])));
    refused("a token with `b64` false", good().header("b64", false));

    let issuer = stage.policy.issuer_for(&url);
    if issuer.as_ref().is_some_and(|issuer| issuer.policy.profile() == TokenProfile::Rfc9068) {
        for typ in ["JWT", "id_token+jwt", "dpop+jwt", "logout+jwt"] {
            refused(&format!("a token of another kind, `typ` \"{typ}\""), good().typ(typ));
        }
        refused("a token without `typ`", good().without_header("typ"));
    }
    let claims = issuer.map(|issuer| issuer.policy.tenant_claims().to_vec()).unwrap_or_default();
    if !claims.is_empty() {
        let all = |change: &dyn Fn(TokenBuilder, &str) -> TokenBuilder| {
            claims.iter().fold(good(), |token, name| change(token, name))
        };
        refused("a token without its tenant", all(&|token, name| token.without(name)));
        let attacker = stage.attacker.tenant.as_str();
        let both = json!([attacker, victim.as_str()]);
        refused("a token with two tenants", all(&|token, name| token.claim(name, both.clone())));
        refused("a token with an empty tenant", all(&|token, name| token.claim(name, "")));
    }
}

/// Signed claims that name two tenants.
fn disagreeing(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let iss = stage.world.issuer.issuer_of(attacker.as_str());
    let claims = stage.policy.issuer_for(&iss).map(|issuer| issuer.policy.tenant_claims().to_vec());
    let claims = claims.unwrap_or_default();
    let audience =
        stage.policy.audiences().first().filter(|audience| audience.has_tenant()).cloned();
    let (Some(audience), false) = (audience, claims.is_empty()) else { return };
    let token = stage.token(&attacker, index);
    let in_audience = token.clone().audience(audience.render(&victim));
    let in_both = token.clone().audiences([audience.render(&attacker), audience.render(&victim)]);
    let in_claim =
        claims.iter().fold(token, |token, name| token.claim(name.as_ref(), victim.as_str()));
    for (what, token) in [
        (format!("a token of `{attacker}` with the audience of `{victim}`"), in_audience),
        (
            format!("a token of `{attacker}` with the audiences of `{attacker}` and `{victim}`"),
            in_both,
        ),
        (format!("a token of `{attacker}` with the tenant claim of `{victim}`"), in_claim),
    ] {
        for (role, whose) in [(Role::Victim, &victim), (Role::Attacker, &attacker)] {
            let shot = stage.shot(index, role).bearer(&token.sign());
            volley.refused(format!("{what}, at the address of `{whose}`"), shot);
        }
    }
}

/// Right tokens in which something else names the victim.
fn beside_the_point(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let iss = stage.world.issuer.issuer_of(attacker.as_str());
    let issuer = stage.policy.issuer_for(&iss);
    let judged: Vec<_> =
        issuer.map(|issuer| issuer.policy.tenant_claims().to_vec()).unwrap_or_default();
    let own = ["sub", "client_id", "azp", "jti", "groups", "roles"];
    let named =
        names::TENANT.iter().chain(&own).filter(|name| judged.iter().all(|j| **j != ***name));
    for name in named {
        let shot = stage.crossed_shot(index);
        let token = stage.token(&attacker, index).claim(*name, victim.as_str()).sign();
        let sent = format!("a right token of `{attacker}` with `{victim}` in the claim `{name}`");
        volley.harmless(sent, shot.bearer(&token));
    }
}
