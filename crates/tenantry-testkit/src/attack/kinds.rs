//! Every kind of attack: what is sent, and what may come of it.

mod algorithm;
mod cache;
mod claims;
mod control;
mod credentials;
mod cross_tenant;
mod expiry;
mod header;
mod host;
mod key;
mod method;
mod names;
mod object;
mod parameter;
mod path;
mod rotation;
mod scope;
mod text;
mod volley;

use super::kind::AttackKind;
use super::stage::{Role, Stage};
use volley::Volley;

/// Plants data for both tenants, and runs the attacks of one kind with every probe.
pub(super) async fn run(kind: AttackKind, stage: &mut Stage<'_>) {
    stage.plant(Role::Victim).await;
    stage.plant(Role::Attacker).await;
    if kind == AttackKind::Control {
        control::run(stage).await;
    }
    for index in 0..stage.suite.probes.len() {
        if stage.record.is_useless(index) {
            continue;
        }
        match kind {
            AttackKind::Control => {}
            AttackKind::Cache => cache::run(stage, index).await,
            AttackKind::Expiry => expiry::run(stage, index).await,
            AttackKind::Rotation => rotation::run(stage, index).await,
            _ => fire(stage, kind, index).await,
        }
    }
}

/// Runs attacks that do not depend on one another.
async fn fire(stage: &mut Stage<'_>, kind: AttackKind, index: usize) {
    let mut attempts = volley(stage, kind, index);
    let mut next = 0;
    while let Some(attempt) = attempts.get(next).cloned() {
        next += 1;
        let before = stage.victim.values.clone();
        stage.attack(attempt).await;
        if stage.victim.values != before {
            // What was aimed at is gone, and something else is in its place.
            attempts = volley(stage, kind, index);
        }
    }
    stage.look_after_victim(None).await;
}

fn volley(stage: &mut Stage<'_>, kind: AttackKind, index: usize) -> Vec<super::attempt::Attempt> {
    let mut volley = Volley::new(kind, index);
    match kind {
        AttackKind::Credentials => credentials::aim(stage, &mut volley),
        AttackKind::CrossTenant => cross_tenant::aim(stage, &mut volley),
        AttackKind::Algorithm => algorithm::aim(stage, &mut volley),
        AttackKind::Key => key::aim(stage, &mut volley),
        AttackKind::Claims => claims::aim(stage, &mut volley),
        AttackKind::Path => path::aim(stage, &mut volley),
        AttackKind::Header => header::aim(stage, &mut volley),
        AttackKind::Host => host::aim(stage, &mut volley),
        AttackKind::Parameter => parameter::aim(stage, &mut volley),
        AttackKind::Object => object::aim(stage, &mut volley),
        AttackKind::Scope => scope::aim(stage, &mut volley),
        AttackKind::Method => method::aim(stage, &mut volley),
        // Those are sequences, or none.
        AttackKind::Cache | AttackKind::Control | AttackKind::Expiry | AttackKind::Rotation => {}
    }
    volley.attempts
}
