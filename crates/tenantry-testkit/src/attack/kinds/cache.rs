//! What was right a moment ago, changed.

use super::text::{half_signature, other_signature, parts, with_claims_of};
use super::volley::Volley;
use crate::attack::attempt::Expect;
use crate::attack::kind::AttackKind;
use crate::attack::stage::{Role, Stage};

/// What two tokens have in common that a careless cache takes for one.
const SHARED: &str = "attack-suite-shared";

pub(super) async fn run(stage: &mut Stage<'_>, index: usize) {
    changed_token(stage, index).await;
    shared_name(stage, index).await;
    same_address(stage, index).await;
    fewer_scopes(stage, index).await;
}

async fn fire(stage: &mut Stage<'_>, volley: Volley) {
    let leaks = stage.record.is_leaky(volley.index) || stage.record.is_crossed(volley.index);
    for attempt in volley.attempts {
        // What leaks without a cache is known already.
        if !leaks || attempt.expect == Expect::Refused {
            stage.attack(attempt).await;
        }
    }
    stage.look_after_victim(None).await;
    stage.look_at_attacker(AttackKind::Cache).await;
}

/// A token that was accepted, with another payload, signature, or at another address.
async fn changed_token(stage: &mut Stage<'_>, index: usize) {
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let own = stage.token(&attacker, index).sign();
    let theirs = stage.token(&victim, index).sign();
    stage.warm(index, Role::Attacker, &own).await;
    stage.warm(index, Role::Victim, &theirs).await;
    let mut volley = Volley::new(AttackKind::Cache, index);
    let bare = stage.shot(index, Role::Victim);
    let mut refused = |sent: String, token: &str| volley.refused(sent, bare.clone().bearer(token));
    let [_, claims, _] = parts(&theirs);
    refused(
        format!("a token of `{attacker}` that was accepted, with the claims of one of `{victim}`"),
        &with_claims_of(&own, &theirs),
    );
    refused("a token that was accepted, with another signature".into(), &other_signature(&theirs));
    refused(
        "a token that was accepted, with half of its signature".into(),
        &half_signature(&theirs),
    );
    refused(
        "the claims of a token that was accepted, `alg` \"none\"".into(),
        &format!("eyJhbGciOiJub25lIn0.{claims}."),
    );
    if stage.names_tenant(index) {
        let shot = match stage.policy.header().cloned() {
            Some(name) => bare.clone().with(name.as_str(), victim.as_str()),
            None => bare.clone(),
        };
        volley.refused(
            format!("a token of `{attacker}` that was accepted, at the address of `{victim}`"),
            shot.bearer(&own),
        );
    }
    fire(stage, volley).await;
}

/// Right tokens of two tenants with the same `jti`, `sub` and `client_id`.
async fn shared_name(stage: &mut Stage<'_>, index: usize) {
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    for names in [&["jti"][..], &["sub"], &["client_id"], &["jti", "sub", "client_id"]] {
        let shared = |token: crate::TokenBuilder| {
            names.iter().fold(token, |token, name| token.claim(*name, SHARED)).sign()
        };
        let theirs = shared(stage.token(&victim, index));
        let own = shared(stage.token(&attacker, index));
        stage.warm(index, Role::Victim, &theirs).await;
        let mut volley = Volley::new(AttackKind::Cache, index);
        let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let what =
            format!("a right token of `{attacker}` after one of `{victim}` with the same {listed}");
        let shot = stage.crossed_shot(index);
        volley.harmless(what.clone(), shot.bearer(&own));
        if stage.names_tenant(index) {
            let mut shot = stage.shot(index, Role::Victim);
            if let Some(name) = stage.policy.header().cloned() {
                shot = shot.with(name.as_str(), victim.as_str());
            }
            volley.refused(format!("{what}, at the address of `{victim}`"), shot.bearer(&own));
        }
        fire(stage, volley).await;
    }
}

/// Answers that are kept by address.
async fn same_address(stage: &mut Stage<'_>, index: usize) {
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let theirs = stage.token(&victim, index).sign();
    let own = stage.token(&attacker, index).sign();
    stage.warm(index, Role::Victim, &theirs).await;
    let mut volley = Volley::new(AttackKind::Cache, index);
    let address = stage.shot(index, Role::Victim);
    volley.refused(format!("no credentials, right after a request of `{victim}`"), address.clone());
    let shot = stage.crossed_shot(index);
    volley.harmless(
        format!("a right request of `{attacker}`, right after one of `{victim}`"),
        shot.bearer(&own),
    );
    if stage.probe(index).path.contains("{tenant}") {
        volley.refused(
            format!("the token of `{attacker}`, right after `{victim}` at the same address"),
            address.bearer(&own),
        );
    }
    fire(stage, volley).await;
}

/// A permission that is kept by the token's name.
async fn fewer_scopes(stage: &mut Stage<'_>, index: usize) {
    let probe = stage.probe(index);
    if probe.scope_free || probe.scopes.is_empty() || stage.record.is_scopeless(index) {
        return;
    }
    let own = stage.attacker.tenant.clone();
    let full = stage.token(&own, index).claim("jti", SHARED).sign();
    let none = stage.token_with(&own, "").claim("jti", SHARED).sign();
    stage.warm(index, Role::Attacker, &full).await;
    let mut volley = Volley::new(AttackKind::Cache, index);
    let shot = stage.shot(index, Role::Attacker).bearer(&none);
    volley.refused(
        "a token without scopes, after one with scopes and the same `jti`, `sub` and `client_id`",
        shot,
    );
    fire(stage, volley).await;
}
