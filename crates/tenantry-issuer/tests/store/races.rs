//! Many at once, over two stores: what one alone would have come to.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::TenantId;
use tenantry_issuer::{
    AuditEvent, AuditOutcome, FamilyId, KeyChange, KeyOwner, NewFamily, RefreshAttempt, RefreshUse,
    Store, TokenHash,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixture::{
    Fixture, GRACE, NOW, a_family, a_key, a_tenant, attempt, family_of, successor,
};
use crate::on_both;

on_both! {
    a27_of_twenty_uses_of_one_token_at_once_one_live_token_remains,
    a27_of_twenty_uses_without_grace_one_succeeds,
    a_family_that_begins_while_its_client_is_disabled_is_revoked_or_never_was,
    one_of_twenty_uses_of_an_assertion_is_the_first,
    a_rotation_that_twenty_find_due_happens_once,
    of_two_ids_that_differ_in_case_one_is_registered,
    audit_events_of_many_writers_are_numbered_without_gaps_and_batches_stay_together,
    a_store_is_opened_by_many_at_once,
}

const MANY: usize = 20;

/// Runs `what` many times at once, by turns on one store and on another over the same database.
async fn at_once<T, F>(fixture: &Fixture, what: impl Fn(Store, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let stores = [fixture.store.clone(), fixture.another_store().await];
    let start = Arc::new(Barrier::new(MANY));
    let mut tasks = JoinSet::new();
    for number in 0..MANY {
        let work = what(stores[number % 2].clone(), number);
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            work.await
        });
    }
    tasks.join_all().await
}

pub(crate) async fn a27_of_twenty_uses_of_one_token_at_once_one_live_token_remains(
    fixture: Fixture,
) {
    let client = fixture.register("acme").await;
    let token = Arc::new(fixture.begin(&client).await);
    let rotated = at_once(&fixture, |store, _| {
        let (client, token) = (client.clone(), Arc::clone(&token));
        async move {
            let next = successor(&token);
            match store.use_refresh_token(&attempt(&client, &token, &next)).await.unwrap() {
                RefreshUse::Rotated(_) => next,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert_eq!(rotated.len(), MANY);

    let family = fixture.store.family(family_of(&token)).await.unwrap().unwrap();
    assert!(!family.revoked);
    let live: Vec<_> =
        rotated.iter().filter(|next| family.accepts(&next.hash(), NOW, GRACE)).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(family.current, live[0].hash());
    assert_eq!(family.previous, Some(token.hash()));

    let next = successor(&token);
    let used = fixture.store.use_refresh_token(&attempt(&client, live[0], &next)).await.unwrap();
    assert!(matches!(used, RefreshUse::Rotated(_)), "{used:?}");
    // Any other of them is a reuse.
    let replaced = rotated.iter().find(|other| other.hash() != live[0].hash()).unwrap();
    let again = attempt(&client, replaced, &next);
    let used = fixture.store.use_refresh_token(&again).await.unwrap();
    assert!(matches!(used, RefreshUse::Reused(_)), "{used:?}");
}

async fn a27_of_twenty_uses_without_grace_one_succeeds(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let token = Arc::new(fixture.begin(&client).await);
    let mut outcomes = at_once(&fixture, |store, _| {
        let (client, token) = (client.clone(), Arc::clone(&token));
        async move {
            let next = successor(&token);
            let attempt =
                RefreshAttempt { grace: Duration::ZERO, ..attempt(&client, &token, &next) };
            match store.use_refresh_token(&attempt).await.unwrap() {
                RefreshUse::Rotated(_) => 0,
                RefreshUse::Reused(_) => 1,
                RefreshUse::Gone => 2,
            }
        }
    })
    .await;
    outcomes.sort_unstable();
    let mut expected = vec![2; MANY];
    expected[..2].copy_from_slice(&[0, 1]);
    assert_eq!(outcomes, expected);
}

async fn a_family_that_begins_while_its_client_is_disabled_is_revoked_or_never_was(
    fixture: Fixture,
) {
    let client = fixture.register("acme").await;
    for _ in 0..5 {
        let (family, _) = a_family(&fixture.store, &client).await;
        let begun: Vec<Option<FamilyId>> = at_once(&fixture, |store, number| {
            let (client, family) = (client.clone(), family.clone());
            async move {
                if number == MANY / 2 {
                    let disabled =
                        store.set_client_enabled(&client.tenant, &client.id, false).await;
                    assert!(disabled.unwrap());
                    return None;
                }
                let family = NewFamily { id: FamilyId::generate().unwrap(), ..family };
                store.open_family(&family).await.unwrap().then_some(family.id)
            }
        })
        .await;
        fixture.store.set_client_enabled(&client.tenant, &client.id, true).await.unwrap();
        for family in begun.into_iter().flatten() {
            assert!(fixture.store.family(family).await.unwrap().unwrap().revoked);
        }
    }
}

async fn one_of_twenty_uses_of_an_assertion_is_the_first(fixture: Fixture) {
    let hash = TokenHash::of("assertion");
    let first =
        at_once(&fixture, |store, _| async move { store.first_use(&hash, NOW).await.unwrap() })
            .await;
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
}

async fn a_rotation_that_twenty_find_due_happens_once(fixture: Fixture) {
    let tenant = fixture.register("acme").await.tenant;
    // The second time, the row that is locked is there already.
    for (owner, due) in [KeyOwner::Shared, KeyOwner::Tenant(tenant)]
        .into_iter()
        .flat_map(|owner| (0..3).map(move |due| (owner.clone(), due)))
    {
        let seen = at_once(&fixture, |store, number| {
            let owner = owner.clone();
            async move {
                let kid = format!("{owner:?}-{due}-{number}");
                let change = |keys: &[_]| match keys.len() {
                    count if count == due => vec![KeyChange::Add(a_key(&kid))],
                    _ => Vec::new(),
                };
                store.change_keys(&owner, change).await.unwrap()
            }
        })
        .await;
        let stored = fixture.store.signing_keys(&owner).await.unwrap();
        assert_eq!(stored.len(), due + 1);
        assert!(seen.iter().all(|keys| *keys == stored));
    }
}

async fn of_two_ids_that_differ_in_case_one_is_registered(fixture: Fixture) {
    let registered: Vec<Option<TenantId>> = at_once(&fixture, |store, number| async move {
        let tenant = a_tenant(if number % 2 == 0 { "acme" } else { "ACME" });
        store.add_tenant(&tenant).await.is_ok().then_some(tenant.id)
    })
    .await;
    let registered: Vec<_> = registered.into_iter().flatten().collect();
    let found = fixture.store.tenants(None, 10).await.unwrap();
    assert_eq!(registered, found.into_iter().map(|tenant| tenant.id).collect::<Vec<_>>());
    assert_eq!(registered.len(), 1);
}

async fn audit_events_of_many_writers_are_numbered_without_gaps_and_batches_stay_together(
    fixture: Fixture,
) {
    let event = |actor: usize, action: usize| AuditEvent {
        at: NOW,
        actor: actor.to_string(),
        action: action.to_string(),
        tenant: None,
        client: None,
        grant: None,
        scopes: Vec::new(),
        outcome: AuditOutcome::Done,
        reason: None,
    };
    at_once(&fixture, |store, number| {
        let batch: Vec<_> = (0..5).map(|action| event(number, action)).collect();
        async move { store.append_audit(&batch).await.unwrap() }
    })
    .await;
    let entries = fixture.store.audit(0, 1000).await.unwrap();
    assert_eq!(entries.len(), 5 * MANY);
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.number, place as u64 + 1);
        let first = &entries[place / 5 * 5].event;
        assert_eq!(entry.event, event(first.actor.parse().unwrap(), place % 5));
    }
}

async fn a_store_is_opened_by_many_at_once(fixture: Fixture) {
    // The tables are made anew: none of the openers finds them.
    fixture.store.close().await;
    let url = fixture.start_anew().await;
    let mut tasks = JoinSet::new();
    for number in 0..6 {
        let url = url.clone();
        tasks.spawn(async move {
            let store = Store::open(&url).await.unwrap();
            store.add_tenant(&a_tenant(&format!("t{number}"))).await.unwrap();
            store
        });
    }
    let stores = tasks.join_all().await;
    for store in stores {
        assert_eq!(store.tenants(None, 10).await.unwrap().len(), 6);
    }
}
