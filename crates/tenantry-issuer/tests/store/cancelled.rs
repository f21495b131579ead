//! A call that is given up, because the client hung up, is made whole or not at all, and leaves nothing
//! behind that is in the way of others.

use tenantry_issuer::{AuditEvent, AuditOutcome, KeyChange, KeyOwner, RefreshUse, Store};

use crate::fixture::{Fixture, NOW, a_key, attempt, family_of, successor};
use crate::on_both;

on_both! {
    a_batch_that_was_given_up_is_written_whole_or_not_at_all,
    a_change_of_keys_that_was_given_up_locks_nobody_out,
    a30_a_refresh_that_was_given_up_leaves_a_way_forward,
}

/// How many calls are given up, each a little later than the one before.
const TIMES: usize = 40;

/// Gives `call` up when `other` has answered so many times.
async fn give_up<T>(other: &Store, times: usize, call: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = call => {}
        () = async {
            for _ in 0..times {
                other.ping().await.unwrap();
            }
        } => {}
    }
}

async fn a_batch_that_was_given_up_is_written_whole_or_not_at_all(fixture: Fixture) {
    let other = fixture.another_store().await;
    let event = |actor: usize| AuditEvent {
        at: NOW,
        actor: actor.to_string(),
        action: "test".into(),
        tenant: None,
        client: None,
        grant: None,
        scopes: Vec::new(),
        outcome: AuditOutcome::Done,
        reason: None,
    };
    for times in 0..TIMES {
        let batch: Vec<_> = (0..4).map(|_| event(times)).collect();
        give_up(&other, times, fixture.store.append_audit(&batch)).await;
    }
    fixture.store.append_audit(&[event(TIMES)]).await.unwrap();

    let mut entries = other.audit(0, 1000).await.unwrap();
    assert_eq!(entries.pop().unwrap().event, event(TIMES));
    let (batches, rest) = entries.as_chunks::<4>();
    assert!(rest.is_empty());
    for (place, batch) in batches.iter().enumerate() {
        let numbers = batch.each_ref().map(|entry| entry.number as usize - place * 4);
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(batch.iter().all(|entry| entry.event == batch[0].event));
    }
}

async fn a_change_of_keys_that_was_given_up_locks_nobody_out(fixture: Fixture) {
    let other = fixture.another_store().await;
    let owner = KeyOwner::Shared;
    for times in 0..TIMES {
        let add = |_: &[_]| {
            let kids = [format!("{times}-a"), format!("{times}-b")];
            kids.iter().map(|kid| KeyChange::Add(a_key(kid))).collect()
        };
        give_up(&other, times, fixture.store.change_keys(&owner, add)).await;
    }
    let stored = other.change_keys(&owner, |_| Vec::new()).await.unwrap();
    assert_eq!(fixture.store.change_keys(&owner, |_| Vec::new()).await.unwrap(), stored);
    for key in &stored {
        let (number, _) = key.kid.split_once('-').unwrap();
        assert_eq!(
            stored.iter().filter(|key| key.kid.split_once('-').unwrap().0 == number).count(),
            2
        );
    }
}

async fn a30_a_refresh_that_was_given_up_leaves_a_way_forward(fixture: Fixture) {
    let other = fixture.another_store().await;
    let client = fixture.register("acme").await;
    for times in 0..TIMES {
        let token = fixture.begin(&client).await;
        let (lost, next) = (successor(&token), successor(&token));
        let lost_attempt = attempt(&client, &token, &lost);
        give_up(&other, times, fixture.store.use_refresh_token(&lost_attempt)).await;

        let used = other.use_refresh_token(&attempt(&client, &token, &next)).await.unwrap();
        assert!(matches!(used, RefreshUse::Rotated(_)), "{used:?}");
        let family = fixture.store.family(family_of(&token)).await.unwrap().unwrap();
        assert!(!family.revoked);
    }
}
