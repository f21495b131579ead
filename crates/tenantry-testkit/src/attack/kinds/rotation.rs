//! Tokens of a key that was withdrawn.

use std::time::Duration;

use super::volley::Volley;
use crate::attack::kind::AttackKind;
use crate::attack::stage::{Role, Stage};

/// Longer than a key set is used whatever the settings are: a day, and a day more while it cannot be
/// fetched.
const LATER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Longer than that, in seconds.
const LIFE: i64 = 30 * 24 * 60 * 60;

pub(super) async fn run(stage: &mut Stage<'_>, index: usize) {
    let victim = stage.victim.tenant.clone();
    let deletes = stage.probe(index).consumes();
    let old = stage.token(&victim, index).expires_in(LIFE).sign();
    stage.warm(index, Role::Victim, &old).await;
    stage.world.issuer.rotate();
    stage.world.clock.advance(LATER);

    let mut volley = Volley::new(AttackKind::Rotation, index);
    let bare = stage.shot(index, Role::Victim);
    volley.refused(
        "a token that was accepted, after its key was withdrawn",
        bare.clone().bearer(&old),
    );
    volley.refused(
        "a token that was accepted, after its key was withdrawn, once more",
        bare.bearer(&old),
    );
    for attempt in volley.attempts {
        stage.attack(attempt).await;
    }
    if !deletes && !stage.right(index, Role::Victim, &[]).await.is_success() {
        let got = "a refusal of a token of the new key";
        stage.unproven(index, "a token of the new key, after a rotation", "2xx", got);
    }
}
