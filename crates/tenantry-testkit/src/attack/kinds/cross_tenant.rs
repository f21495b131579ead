//! A right token of one tenant at another's address, and tenants whose ids look alike.

use tenantry::TenantId;

use super::volley::Volley;
use crate::attack::stage::{Role, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    if stage.names_tenant(index) {
        let everywhere = stage.shot(index, Role::Victim);
        let everywhere = match stage.policy.header().cloned() {
            Some(name) => everywhere.with(name.as_str(), victim.as_str()),
            None => everywhere,
        };
        let token = stage.token(&attacker, index).sign();
        volley.refused(
            format!("the token of `{attacker}` at the address of `{victim}`"),
            everywhere.clone().bearer(&token),
        );
        let scopes = stage.probe(index).scopes.clone();
        let both = format!("{} {}", stage.scope(&attacker, &scopes), stage.scope(&victim, &scopes));
        let token = stage.token_with(&attacker, both.trim()).sign();
        volley.refused(
            format!("the token of `{attacker}`, with the scopes of `{victim}` too, at the address of `{victim}`"),
            everywhere.bearer(&token),
        );
    }
    if stage.probe(index).path.contains("{tenant}") {
        let token = stage.token(&attacker, index).sign();
        let path = stage.shot(index, Role::Victim).path;
        let shot = stage.shot(index, Role::Attacker).at(path);
        volley.refused(
            format!("the token of `{attacker}` at the path of `{victim}`"),
            shot.bearer(&token),
        );
    }
    if !stage.world.has_issuer_per_tenant() {
        for look in lookalikes(&victim) {
            // The attacker has been there.
            if look != attacker {
                lookalike(stage, volley, &look, &victim);
            }
        }
    }
}

/// A right token of a tenant whose id a sloppy comparison takes for the victim's.
fn lookalike(stage: &mut Stage<'_>, volley: &mut Volley, look: &TenantId, victim: &TenantId) {
    let index = volley.index;
    let token = stage.token(look, index).sign();
    // The victim's objects, at an address of its own.
    let values = stage.victim.values.with("tenant", look.as_str());
    let own = stage.shot_of(index, &values);
    volley.harmless(
        format!("a right request of a tenant that is called almost like `{victim}`"),
        own.bearer(&token),
    );
    if let Some(last) = volley.attempts.last_mut() {
        last.sent = format!("{}: {}", last.sent, difference(look, victim));
    }
    if stage.names_tenant(index) {
        let shot = stage.shot(index, Role::Victim).bearer(&token);
        let shot = match stage.policy.header().cloned() {
            Some(name) => shot.with(name.as_str(), victim.as_str()),
            None => shot,
        };
        volley.refused(
            format!(
                "a token of a tenant that is called almost like `{victim}` ({}), at the address of `{victim}`",
                difference(look, victim),
            ),
            shot,
        );
    }
}

fn difference(look: &TenantId, victim: &TenantId) -> &'static str {
    let (look, victim) = (look.as_str(), victim.as_str());
    if look.eq_ignore_ascii_case(victim) {
        "in upper case"
    } else if look.len() < victim.len() {
        "without the end"
    } else if look.len() > victim.len() {
        "with more at the end"
    } else {
        "with `_`, a wildcard of SQL"
    }
}

fn lookalikes(victim: &TenantId) -> Vec<TenantId> {
    let id = victim.as_str();
    let short = id.get(..id.len() - 1).unwrap_or_default();
    [
        id.to_ascii_uppercase(),
        id.to_ascii_lowercase(),
        short.to_owned(),
        format!("{id}0"),
        format!("{id}-"),
        format!("{short}_"),
    ]
    .iter()
    .filter(|look| look.as_str() != id)
    .filter_map(|look| look.parse().ok())
    .collect()
}
