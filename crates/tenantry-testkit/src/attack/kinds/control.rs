//! What has to work, so that a refusal means something.

use crate::attack::stage::{Role, Stage};

/// Asks of every probe whether it can prove anything.
pub(super) async fn run(stage: &mut Stage<'_>) {
    if stage.suite.probes.is_empty() {
        stage.unproven(0, "nothing", "requests", "there is none");
        return;
    }
    for index in 0..stage.suite.probes.len() {
        let probe = stage.probe(index);
        if probe.consumes() {
            for role in [Role::Victim, Role::Attacker] {
                stage.control(index, role).await;
                stage.plant(role).await;
            }
        }
        if stage.record.is_useless(index) || probe.unseen {
            continue;
        }
        if probe.reads() {
            let got = if let Some(answer) = stage.fails_later(index) {
                format!("{answer}, where it had succeeded: does another probe revoke the token?")
            } else if !stage.tells_apart(index) {
                "an answer that is the same for both tenants".into()
            } else {
                continue;
            };
            stage.unproven(index, "right requests of both tenants", "each one's own data", got);
        } else if probe.payload.is_some() && !stage.is_shown(index, Role::Victim).await {
            let got = "what it wrote: no probe that reads shows it";
            stage.unproven(index, "a right request", "its canary in a later answer", got);
        }
    }
}
