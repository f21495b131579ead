//! Other tenants in the query, the body, or another segment of the path.

use serde_json::Value;

use super::names;
use super::volley::Volley;
use crate::attack::shot::Content;
use crate::attack::stage::{Role, Stage};
use crate::attack::values::holes;

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let token = stage.token(&attacker, index).sign();
    let own = stage.crossed_shot(index).bearer(&token);
    let of = format!("the token of `{attacker}`");
    for name in names::TENANT {
        let sent = format!("{of}, and `{victim}` in the query, as `{name}`");
        volley.harmless(sent, own.clone().asking(&format!("{name}={victim}")));
    }
    for name in names::TENANT {
        let mut shot = own.clone();
        match &mut shot.content {
            Content::Json(Value::Object(members)) => {
                members.insert(name.into(), victim.as_str().into());
            }
            Content::Text(kind, text) if kind.starts_with("application/x-www-form-urlencoded") => {
                text.push_str(&format!("&{name}={victim}"));
            }
            _ => break,
        }
        volley.harmless(format!("{of}, and `{victim}` in the body, as `{name}`"), shot);
    }
    // What the user's own body says about the tenant.
    let content = stage.shot(index, Role::Victim);
    let shot = own.clone().renewed(content.canary.clone());
    if !same(&shot.content, &content.content) {
        let shot = crate::attack::shot::Shot { content: content.content, ..shot };
        volley.harmless(format!("{of}, and `{victim}` in the body where the tenant was"), shot);
    }
    let template = stage.probe(index).path.clone();
    for hole in holes(&template) {
        let values = stage.attacker.values.with(hole, victim.as_str());
        let shot = stage.shot_of(index, &values).bearer(&token);
        volley.harmless(format!("{of}, and `{victim}` in the path, as `{hole}`"), shot);
    }
    segments(stage, volley, &token);
}

/// Each literal segment of the path in turn: some route below may take it for a parameter.
fn segments(stage: &mut Stage<'_>, volley: &mut Volley, token: &str) {
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let template = stage.probe(volley.index).path.clone();
    let template = template.split('?').next().unwrap_or_default();
    let parts: Vec<_> = template.split('/').collect();
    for (place, part) in parts.iter().enumerate() {
        if part.is_empty() || part.contains('{') {
            continue;
        }
        let changed = parts.iter().enumerate();
        let changed: Vec<_> =
            changed.map(|(at, part)| if at == place { victim.as_str() } else { part }).collect();
        let path = stage.attacker.values.fill(&changed.join("/"));
        let shot = stage.shot(volley.index, Role::Attacker).at(path).bearer(token);
        let sent =
            format!("the token of `{attacker}`, and `{victim}` in the path, instead of `{part}`");
        volley.harmless(sent, shot);
    }
}

pub(super) fn same(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (Content::Json(one), Content::Json(other)) => one == other,
        (Content::Text(_, one), Content::Text(_, other)) => one == other,
        _ => true,
    }
}
