//! Tokens past their time, or before it.

use std::time::Duration;

use super::volley::Volley;
use crate::attack::kind::AttackKind;
use crate::attack::stage::{Role, Stage};

/// How long the token lives, in seconds.
const LIFE: i64 = 60;

pub(super) async fn run(stage: &mut Stage<'_>, index: usize) {
    let victim = stage.victim.tenant.clone();
    let skew = stage.policy.clock_skew();
    let seconds = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX / 4);
    let deletes = stage.probe(index).consumes();

    let token = stage.token(&victim, index).expires_in(LIFE).sign();
    stage.warm(index, Role::Victim, &token).await;
    stage.world.clock.advance(skew + Duration::from_secs(LIFE.unsigned_abs() + 1));

    let mut volley = Volley::new(AttackKind::Expiry, index);
    let bare = stage.shot(index, Role::Victim);
    volley.refused("a token that was accepted, after its `exp`", bare.clone().bearer(&token));
    let good = || stage.token(&victim, index);
    let expired = good().expires_in(-seconds - 1).sign();
    volley.refused("a token after its `exp`", bare.clone().bearer(&expired));
    let long_ago = good().expires_at(1).sign();
    volley.refused("a token of 1970", bare.clone().bearer(&long_ago));
    let early = good().claim("nbf", stage.world.now() + seconds + 60).sign();
    volley.refused("a token before its `nbf`", bare.bearer(&early));
    for attempt in volley.attempts {
        stage.attack(attempt).await;
    }
    if !deletes && !stage.right(index, Role::Victim, &[]).await.is_success() {
        let got = "a refusal of a new token, too, after the clock was moved";
        stage.unproven(index, "a new token, after another has expired", "2xx", got);
    }
}
