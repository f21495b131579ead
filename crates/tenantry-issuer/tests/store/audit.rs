//! The log of what happened.

use std::time::Duration;

use tenantry_issuer::{AuditEvent, AuditFilter, AuditOutcome, TokenHash};

use crate::fixture::{Fixture, NOW, SECOND, client_id, tenant_id};
use crate::on_both;

on_both! {
    events_are_found_as_they_were_written,
    events_are_read_in_pages,
    more_events_than_one_statement_takes_keep_their_order,
    the_newest_events_are_found_by_whom_they_are_about,
    a_batch_is_written_whole_or_not_at_all,
    what_was_written_cannot_be_changed_even_in_sql,
    events_outlive_their_tenant_and_what_expires,
    events_are_removed_when_they_are_past_and_not_before,
    what_is_not_past_cannot_be_removed_even_in_sql,
    removing_is_in_steps_that_others_write_between,
    replicas_that_remove_at_once_remove_everything_once,
}

fn an_event(action: &str) -> AuditEvent {
    AuditEvent {
        at: NOW,
        actor: "client".into(),
        action: action.into(),
        tenant: Some(tenant_id("acme")),
        client: Some(client_id("sync")),
        grant: Some("client_credentials".into()),
        scopes: vec!["finance.write".into(), "journal.create".into()],
        outcome: AuditOutcome::Done,
        reason: None,
    }
}

async fn events_are_found_as_they_were_written(fixture: Fixture) {
    let bare = AuditEvent {
        at: NOW - SECOND,
        tenant: None,
        client: None,
        grant: None,
        scopes: Vec::new(),
        outcome: AuditOutcome::Refused,
        reason: Some("invalid_client".into()),
        ..an_event("token.issue")
    };
    let failed = AuditEvent { outcome: AuditOutcome::Failed, ..an_event("keys.rotate") };
    let events = [an_event("token.issue"), bare, failed];
    fixture.store.append_audit(&events).await.unwrap();
    fixture.store.append_audit(&[]).await.unwrap();
    let entries = fixture.store.audit(0, 10).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(entries.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), events);
}

async fn events_are_read_in_pages(fixture: Fixture) {
    for number in 0..5 {
        fixture.store.append_audit(&[an_event(&number.to_string())]).await.unwrap();
    }
    let page = async |after, limit| {
        let entries = fixture.store.audit(after, limit).await.unwrap();
        entries.into_iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2).await, [1, 2]);
    assert_eq!(page(2, 2).await, [3, 4]);
    assert_eq!(page(4, u32::MAX).await, [5]);
    assert_eq!(page(5, 2).await, [0; 0]);
    assert_eq!(page(u64::MAX, 2).await, [0; 0]);
    assert_eq!(page(0, 0).await, [0; 0]);
}

async fn more_events_than_one_statement_takes_keep_their_order(fixture: Fixture) {
    fixture.store.append_audit(&[an_event("first")]).await.unwrap();
    let events: Vec<_> = (2..=1203).map(|number: u64| an_event(&number.to_string())).collect();
    fixture.store.append_audit(&events).await.unwrap();
    let mut entries = fixture.store.audit(1, u32::MAX).await.unwrap();
    entries.extend(fixture.store.audit(1001, u32::MAX).await.unwrap());
    assert_eq!(entries.len(), events.len());
    assert!(entries.iter().all(|entry| entry.event.action == entry.number.to_string()));
}

async fn the_newest_events_are_found_by_whom_they_are_about(fixture: Fixture) {
    let of = |tenant: Option<&str>, client: Option<&str>, outcome| AuditEvent {
        tenant: tenant.map(tenant_id),
        client: client.map(client_id),
        outcome,
        ..an_event("token.issue")
    };
    let (done, refused, failed) = (AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Failed);
    let events = [
        of(Some("acme"), Some("sync"), done),
        of(Some("globex"), Some("sync"), refused),
        of(Some("acme"), None, done),
        of(None, None, failed),
        of(Some("acme"), Some("sync"), refused),
        of(Some("acme"), Some("other"), refused),
    ];
    fixture.store.append_audit(&events).await.unwrap();
    let found = async |tenant: Option<&str>, client: Option<&str>, not_done, limit| {
        let filter =
            AuditFilter { tenant: tenant.map(tenant_id), client: client.map(client_id), not_done };
        let entries = fixture.store.newest_audit(&filter, limit).await.unwrap();
        for entry in &entries {
            assert_eq!(entry.event, events[usize::try_from(entry.number).unwrap() - 1]);
        }
        entries.into_iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None, false, u32::MAX).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(found(None, None, false, 2).await, [6, 5]);
    assert_eq!(found(None, None, false, 0).await, [0; 0]);
    assert_eq!(found(None, None, true, 10).await, [6, 5, 4, 2]);
    assert_eq!(found(Some("acme"), None, false, 10).await, [6, 5, 3, 1]);
    assert_eq!(found(None, Some("sync"), false, 10).await, [5, 2, 1]);
    assert_eq!(found(Some("acme"), Some("sync"), false, 10).await, [5, 1]);
    assert_eq!(found(Some("acme"), Some("sync"), true, 10).await, [5]);
    assert_eq!(found(Some("ACME"), None, false, 10).await, [0; 0]);
}

async fn a_batch_is_written_whole_or_not_at_all(fixture: Fixture) {
    let taken = "INSERT INTO audit_event (number, at, actor, action, scopes, outcome) \
                 VALUES (2, 0, 'operator', 'test', '[]', 'done')";
    fixture.run(taken, taken).await.unwrap();
    assert!(fixture.store.append_audit(&[an_event("a"), an_event("b")]).await.is_err());
    assert_eq!(fixture.store.audit(0, 10).await.unwrap().len(), 1);
    // The numbers were not used up.
    fixture.store.append_audit(&[an_event("a")]).await.unwrap();
    assert_eq!(fixture.store.audit(0, 1).await.unwrap()[0].event, an_event("a"));
}

async fn what_was_written_cannot_be_changed_even_in_sql(fixture: Fixture) {
    fixture.store.append_audit(&[an_event("a")]).await.unwrap();
    let replace = "INSERT OR REPLACE INTO audit_event (number, at, actor, action, scopes, outcome) \
                   VALUES (1, 0, 'operator', 'test', '[]', 'done')";
    for (sqlite, postgres) in [
        ("UPDATE audit_event SET actor = ''", "UPDATE audit_event SET actor = ''"),
        ("DELETE FROM audit_event", "DELETE FROM audit_event"),
        (replace, "TRUNCATE audit_event"),
    ] {
        let refused = fixture.run(sqlite, postgres).await.unwrap_err();
        assert!(refused.contains("audit events are immutable"), "{sqlite}: {refused}");
    }
    assert_eq!(fixture.store.audit(0, 10).await.unwrap()[0].event, an_event("a"));
}

async fn events_outlive_their_tenant_and_what_expires(fixture: Fixture) {
    let client = fixture.register("acme").await;
    fixture.store.append_audit(&[an_event("a")]).await.unwrap();
    fixture.store.remove_tenant(&client.tenant).await.unwrap();
    fixture.store.prune(NOW + SECOND * 1_000_000).await.unwrap();
    assert_eq!(fixture.store.audit(0, 10).await.unwrap()[0].event, an_event("a"));
}

fn at(at: Duration) -> AuditEvent {
    AuditEvent { at, ..an_event("token.issue") }
}

async fn numbers(fixture: &Fixture) -> Vec<u64> {
    let entries = fixture.store.audit(0, 10).await.unwrap();
    entries.into_iter().map(|entry| entry.number).collect()
}

async fn events_are_removed_when_they_are_past_and_not_before(fixture: Fixture) {
    let store = &fixture.store;
    let millisecond = Duration::from_millis(1);
    // The clocks of replicas differ, so times are not in the order of numbers.
    let events = [at(NOW), at(NOW - millisecond), at(NOW + SECOND), at(NOW - SECOND)];
    store.append_audit(&events).await.unwrap();

    assert_eq!(store.prune_audit(NOW - SECOND).await.unwrap(), 0);
    assert_eq!(store.prune_audit(NOW).await.unwrap(), 2);
    assert_eq!(numbers(&fixture).await, [1, 3]);
    // A longer life from now on brings nothing back, and removes nothing.
    assert_eq!(store.prune_audit(NOW - SECOND).await.unwrap(), 0);
    assert_eq!(store.prune_audit(NOW + SECOND * 2).await.unwrap(), 2);
    store.append_audit(&[at(NOW + SECOND * 3)]).await.unwrap();
    assert_eq!(numbers(&fixture).await, [5], "a number is not used again");
}

async fn what_is_not_past_cannot_be_removed_even_in_sql(fixture: Fixture) {
    let store = &fixture.store;
    store.append_audit(&[at(NOW), at(NOW + SECOND)]).await.unwrap();
    assert_eq!(store.prune_audit(NOW).await.unwrap(), 0);
    // What was said last counts, not what is said with an earlier time.
    assert_eq!(store.prune_audit(NOW - SECOND).await.unwrap(), 0);
    let past = at(NOW - SECOND);
    store.append_audit(&[past]).await.unwrap();

    for sql in [
        "DELETE FROM audit_event WHERE number = 1",
        "DELETE FROM audit_event WHERE number = 2",
        "DELETE FROM audit_event",
        // It may be removed, and not be changed.
        "UPDATE audit_event SET actor = '' WHERE number = 3",
    ] {
        let refused = fixture.run(sql, sql).await.unwrap_err();
        assert!(refused.contains("audit events are immutable"), "{sql}: {refused}");
    }
    let removed = "DELETE FROM audit_event WHERE number = 3";
    fixture.run(removed, removed).await.unwrap();
    assert_eq!(numbers(&fixture).await, [1, 2]);
}

async fn removing_is_in_steps_that_others_write_between(fixture: Fixture) {
    const STEPS: usize = 20;
    let store = &fixture.store;
    let past = vec![at(NOW - SECOND); 500 * STEPS];
    store.append_audit(&past).await.unwrap();

    let written = std::sync::atomic::AtomicUsize::new(0);
    let write = async {
        for number in 0.. {
            let hash = TokenHash::of(&format!("{number}"));
            assert!(store.first_use(&hash, NOW).await.unwrap());
            written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let removed = tokio::select! {
        removed = store.prune_audit(NOW) => removed.unwrap(),
        () = write => unreachable!("it goes on"),
    };

    assert_eq!(removed, past.len() as u64);
    let written = written.into_inner();
    assert!(written >= STEPS / 2, "{written} writes while {STEPS} steps were made");
}

async fn replicas_that_remove_at_once_remove_everything_once(fixture: Fixture) {
    let past = vec![at(NOW - SECOND); 3_000];
    fixture.store.append_audit(&past).await.unwrap();
    fixture.store.append_audit(&[at(NOW)]).await.unwrap();
    let stores = [fixture.another_store().await, fixture.another_store().await];
    let [one, other] =
        stores.map(|store| tokio::spawn(async move { store.prune_audit(NOW).await }));

    let removed = one.await.unwrap().unwrap() + other.await.unwrap().unwrap();

    assert_eq!(removed, past.len() as u64);
    assert_eq!(numbers(&fixture).await, [3_001]);
}
