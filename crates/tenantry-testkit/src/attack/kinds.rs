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

use super::attempt::{Attempt, Expect};
use super::kind::AttackKind;
use super::stage::{Role, Stage};
use volley::Volley;

/// Plants data for both tenants, and runs the attacks of one kind with every probe.
pub(super) async fn run(kind: AttackKind, stage: &mut Stage<'_>) {
    stage.plant(Role::Victim).await;
    stage.plant(Role::Attacker).await;
    // Now that there is somebody else.
    stage.see(Role::Victim).await;
    if kind == AttackKind::Control {
        control::run(stage).await;
    }
    for index in 0..stage.suite.probes.len() {
        if stage.record.is_useless(index) || stage.record.is_open(index) && !still_tells(kind) {
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

/// Whether a kind of attack tells something about a probe that needs no credentials.
const fn still_tells(kind: AttackKind) -> bool {
    matches!(kind, AttackKind::Credentials | AttackKind::Method | AttackKind::Cache)
}

/// Runs attacks that do not depend on one another.
async fn fire(stage: &mut Stage<'_>, kind: AttackKind, index: usize) {
    // What leaks without the attack would be found again under every name.
    let crossed = matches!(
        kind,
        AttackKind::CrossTenant
            | AttackKind::Claims
            | AttackKind::Header
            | AttackKind::Host
            | AttackKind::Parameter
    );
    let leaks = crossed && stage.leaks_across(index).await;
    let mut any = false;
    let mut attempts = volley(stage, kind, index);
    let mut next = 0;
    while let Some(attempt) = attempts.get(next).cloned() {
        next += 1;
        if leaks && attempt.expect == Expect::Harmless {
            continue;
        }
        let before = stage.victim.values.clone();
        let found = stage.attack(attempt).await;
        any |= found;
        // The first attempts are the plainest: nothing at all is asked for, so all others pass too.
        if found && next == 1 && kind == AttackKind::Credentials {
            stage.record.set_open(index);
            break;
        }
        if found && next == 1 && kind == AttackKind::Scope {
            stage.record.set_scopeless(index);
            break;
        }
        if stage.victim.values != before {
            // What was aimed at is gone, and something else is in its place.
            attempts = volley(stage, kind, index);
        }
    }
    any |= stage.look_after_victim(None).await;
    any |= stage.look_at_attacker(kind).await;
    if any && kind == AttackKind::Object {
        stage.record.set_crossed(index);
    }
}

fn volley(stage: &mut Stage<'_>, kind: AttackKind, index: usize) -> Vec<Attempt> {
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
