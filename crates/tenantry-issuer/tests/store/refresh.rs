//! Refresh tokens: bound, rotated, ended.

use std::time::Duration;

use tenantry_issuer::{
    Client, FamilyId, NewFamily, RefreshAttempt, RefreshUse, Secret, StoreErrorKind, Tenant,
    TenantStatus,
};

use crate::fixture::{
    Fixture, GRACE, NOW, SECOND, a_client, a_family, a_tenant, attempt, client_id, family_of,
    successor, tenant_id,
};
use crate::on_both;

on_both! {
    a_family_is_found_as_it_began,
    a_token_is_rotated_and_its_family_keeps_what_was_granted,
    a27_a_token_that_was_rotated_twice_revokes_its_family,
    a27_a_token_that_never_was_revokes_its_family,
    a27_the_predecessor_is_accepted_within_its_grace_and_replaces_the_successor,
    a27_the_grace_is_not_extended_by_use,
    a27_the_grace_ends_when_the_successor_is_used,
    a27_without_grace_a_second_use_revokes_the_family,
    isolation_a_family_of_another_tenant_or_client_is_left_as_it_is,
    a28_a_family_ends_however_often_it_is_used,
    a28_a_family_that_is_not_used_ends,
    a28_nothing_is_renewed_once_the_client_is_disabled,
    a28_nothing_is_renewed_once_the_secret_was_exchanged,
    a28_nothing_is_renewed_once_the_tenant_is_suspended,
    nothing_is_renewed_once_the_client_was_removed,
    nothing_is_renewed_while_something_is_switched_off_by_hand,
    families_are_revoked_one_by_one_by_client_and_by_tenant,
    no_family_begins_for_a_client_that_may_obtain_nothing,
    a28_no_family_begins_by_what_proved_the_client_before,
    a27_a_use_that_lies_further_ahead_than_clocks_differ_is_long_past,
    a30_a_token_that_could_not_be_rotated_is_as_good_as_before,
    a30_an_answer_waits_for_the_commit,
}

/// What a use came to, without the family.
#[derive(Debug, PartialEq)]
enum Outcome {
    Gone,
    Reused,
    Rotated,
}

async fn try_use(fixture: &Fixture, attempt: RefreshAttempt<'_>) -> Outcome {
    match fixture.store.use_refresh_token(&attempt).await.unwrap() {
        RefreshUse::Gone => Outcome::Gone,
        RefreshUse::Reused(family) => {
            assert!(family.revoked);
            Outcome::Reused
        }
        RefreshUse::Rotated(family) => {
            assert!(!family.revoked);
            assert_eq!(family.current, attempt.next);
            Outcome::Rotated
        }
    }
}

async fn is_revoked(fixture: &Fixture, family: FamilyId) -> bool {
    fixture.store.family(family).await.unwrap().unwrap().revoked
}

async fn a_family_is_found_as_it_began(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let (new, token) = a_family(&fixture.store, &client).await;
    assert!(fixture.store.open_family(&new).await.unwrap());

    let family = fixture.store.family(new.id).await.unwrap().unwrap();
    assert_eq!((&family.tenant, &family.client), (&new.tenant, &new.client));
    assert_eq!((&family.scopes, &family.audiences), (&new.scopes, &new.audiences));
    assert_eq!((family.current, family.previous, family.rotated_at), (token.hash(), None, None));
    assert_eq!((family.created_at, family.used_at), (NOW, NOW));
    assert_eq!((family.expires_at, family.revoked), (new.expires_at, false));

    assert_eq!(fixture.store.family(FamilyId::generate().unwrap()).await.unwrap(), None);
    // Two families of one id would be one.
    assert!(fixture.store.open_family(&new).await.is_err());
}

async fn a_token_is_rotated_and_its_family_keeps_what_was_granted(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    let began = fixture.store.family(family_of(&first)).await.unwrap().unwrap();
    let mut token = first;
    for step in 1..4 {
        let next = successor(&token);
        let now = NOW + SECOND * step;
        let attempt = RefreshAttempt { now, ..attempt(&client, &token, &next) };
        let used = fixture.store.use_refresh_token(&attempt).await.unwrap();
        let mut expected = began.clone();
        expected.current = next.hash();
        expected.previous = Some(token.hash());
        expected.rotated_at = Some(now);
        expected.used_at = now;
        assert_eq!(used, RefreshUse::Rotated(expected.clone()));
        assert_eq!(fixture.store.family(began.id).await.unwrap(), Some(expected));
        token = next;
    }
}

async fn a27_a_token_that_was_rotated_twice_revokes_its_family(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    let (second, third, fourth) = (successor(&first), successor(&first), successor(&first));
    let bystander = fixture.begin(&client).await;
    assert_eq!(try_use(&fixture, attempt(&client, &first, &second)).await, Outcome::Rotated);
    assert_eq!(try_use(&fixture, attempt(&client, &second, &third)).await, Outcome::Rotated);

    assert_eq!(try_use(&fixture, attempt(&client, &first, &fourth)).await, Outcome::Reused);

    assert!(is_revoked(&fixture, family_of(&first)).await);
    for token in [&first, &second, &third, &fourth] {
        let next = successor(&first);
        assert_eq!(try_use(&fixture, attempt(&client, token, &next)).await, Outcome::Gone);
    }
    let next = successor(&bystander);
    assert_eq!(try_use(&fixture, attempt(&client, &bystander, &next)).await, Outcome::Rotated);
}

async fn a27_a_token_that_never_was_revokes_its_family(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let token = fixture.begin(&client).await;
    let (forged, next) = (successor(&token), successor(&token));
    assert_eq!(try_use(&fixture, attempt(&client, &forged, &next)).await, Outcome::Reused);
    assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Gone);
}

async fn a27_the_predecessor_is_accepted_within_its_grace_and_replaces_the_successor(
    fixture: Fixture,
) {
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    let (lost, second, third) = (successor(&first), successor(&first), successor(&first));
    assert_eq!(try_use(&fixture, attempt(&client, &first, &lost)).await, Outcome::Rotated);
    let again = RefreshAttempt {
        now: NOW + GRACE - Duration::from_millis(1),
        ..attempt(&client, &first, &second)
    };
    assert_eq!(try_use(&fixture, again).await, Outcome::Rotated);

    // The one that was lost is not a second live token.
    let family = fixture.store.family(family_of(&first)).await.unwrap().unwrap();
    assert_eq!((family.current, family.previous), (second.hash(), Some(first.hash())));
    assert!(!family.accepts(&lost.hash(), again.now, GRACE));
    assert_eq!(try_use(&fixture, attempt(&client, &second, &third)).await, Outcome::Rotated);
    assert_eq!(
        try_use(&fixture, attempt(&client, &lost, &successor(&first))).await,
        Outcome::Reused
    );
}

async fn a27_the_grace_is_not_extended_by_use(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    for (after, outcome) in [
        (Duration::ZERO, Outcome::Rotated),
        (GRACE / 2, Outcome::Rotated),
        (GRACE - Duration::from_millis(1), Outcome::Rotated),
        (GRACE, Outcome::Reused),
    ] {
        let next = successor(&first);
        let attempt = RefreshAttempt { now: NOW + after, ..attempt(&client, &first, &next) };
        assert_eq!(try_use(&fixture, attempt).await, outcome, "after {after:?}");
    }
    assert!(is_revoked(&fixture, family_of(&first)).await);
}

async fn a27_the_grace_ends_when_the_successor_is_used(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let first = fixture.begin(&client).await;
    let (second, third) = (successor(&first), successor(&first));
    assert_eq!(try_use(&fixture, attempt(&client, &first, &second)).await, Outcome::Rotated);
    assert_eq!(try_use(&fixture, attempt(&client, &second, &third)).await, Outcome::Rotated);
    let next = successor(&first);
    assert_eq!(try_use(&fixture, attempt(&client, &first, &next)).await, Outcome::Reused);
}

async fn a27_without_grace_a_second_use_revokes_the_family(fixture: Fixture) {
    let client = fixture.register("acme").await;
    // Also one by a replica whose clock is behind.
    for now in [NOW, NOW - SECOND] {
        let first = fixture.begin(&client).await;
        let (second, third) = (successor(&first), successor(&first));
        let once = RefreshAttempt { grace: Duration::ZERO, ..attempt(&client, &first, &second) };
        let twice =
            RefreshAttempt { now, grace: Duration::ZERO, ..attempt(&client, &first, &third) };
        assert_eq!(try_use(&fixture, once).await, Outcome::Rotated);
        let family = fixture.store.family(family_of(&first)).await.unwrap().unwrap();
        assert!(!family.accepts(&first.hash(), now, Duration::ZERO));
        assert_eq!(try_use(&fixture, twice).await, Outcome::Reused);
    }
}

async fn isolation_a_family_of_another_tenant_or_client_is_left_as_it_is(fixture: Fixture) {
    let ours = fixture.register("ours").await;
    let theirs = fixture.register("theirs").await;
    let colleague = a_client("ours", "colleague");
    fixture.store.add_client(&colleague).await.unwrap();
    let token = fixture.begin(&ours).await;
    let before = fixture.store.family(family_of(&token)).await.unwrap();
    let forged = successor(&token);
    for stranger in [&theirs, &colleague] {
        for presented in [&token, &forged] {
            let next = successor(&token);
            let outcome = try_use(&fixture, attempt(stranger, presented, &next)).await;
            assert_eq!(outcome, Outcome::Gone);
            assert_eq!(fixture.store.family(family_of(&token)).await.unwrap(), before);
        }
    }
    let next = successor(&token);
    assert_eq!(try_use(&fixture, attempt(&ours, &token, &next)).await, Outcome::Rotated);
}

async fn a28_a_family_ends_however_often_it_is_used(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let mut token = fixture.begin(&client).await;
    let end = NOW + SECOND * 3600;
    for (now, outcome) in [
        (NOW + SECOND * 1800, Outcome::Rotated),
        (end - Duration::from_millis(1), Outcome::Rotated),
        (end, Outcome::Gone),
        (end + SECOND, Outcome::Gone),
    ] {
        let next = successor(&token);
        let attempt = RefreshAttempt { now, ..attempt(&client, &token, &next) };
        let family = fixture.store.family(family_of(&token)).await.unwrap().unwrap();
        assert_eq!(family.has_ended(now, None), outcome == Outcome::Gone);
        assert_eq!(try_use(&fixture, attempt).await, outcome);
        if outcome == Outcome::Rotated {
            token = next;
        }
    }
}

async fn a28_a_family_that_is_not_used_ends(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let mut token = fixture.begin(&client).await;
    let idle = SECOND * 600;
    let mut now = NOW;
    for (after, outcome) in [
        (idle - Duration::from_millis(1), Outcome::Rotated),
        (idle - Duration::from_millis(1), Outcome::Rotated),
        (idle, Outcome::Gone),
    ] {
        now += after;
        let next = successor(&token);
        let attempt = RefreshAttempt { now, idle: Some(idle), ..attempt(&client, &token, &next) };
        let family = fixture.store.family(family_of(&token)).await.unwrap().unwrap();
        assert_eq!(family.has_ended(now, Some(idle)), outcome == Outcome::Gone);
        assert_eq!(try_use(&fixture, attempt).await, outcome);
        if outcome == Outcome::Rotated {
            token = next;
        }
    }
    // A longer time than there was since the epoch is no limit, and no error.
    let (grace, idle) = (Duration::MAX, Some(Duration::MAX));
    let next = successor(&token);
    let forever = RefreshAttempt { now, grace, idle, ..attempt(&client, &token, &next) };
    assert_eq!(try_use(&fixture, forever).await, Outcome::Rotated);
}

/// Presents a good token after `happen`, and again after `undo`.
async fn is_refused_for_good_after(
    fixture: &Fixture,
    client: &Client,
    happen: impl AsyncFnOnce(),
    undo: impl AsyncFnOnce(),
) {
    let token = fixture.begin(client).await;
    happen().await;
    assert!(is_revoked(fixture, family_of(&token)).await);
    let next = successor(&token);
    assert_eq!(try_use(fixture, attempt(client, &token, &next)).await, Outcome::Gone);
    undo().await;
    assert!(is_revoked(fixture, family_of(&token)).await);
    assert_eq!(try_use(fixture, attempt(client, &token, &next)).await, Outcome::Gone);

    let token = fixture.begin(client).await;
    let next = successor(&token);
    assert_eq!(try_use(fixture, attempt(client, &token, &next)).await, Outcome::Rotated);
}

async fn a28_nothing_is_renewed_once_the_client_is_disabled(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let set = async |enabled| {
        fixture.store.set_client_enabled(&client.tenant, &client.id, enabled).await.unwrap();
    };
    is_refused_for_good_after(
        &fixture,
        &client,
        async || set(false).await,
        async || {
            set(true).await;
        },
    )
    .await;
    // To enable a client that is enabled revokes nothing.
    let token = fixture.begin(&client).await;
    set(true).await;
    assert!(!is_revoked(&fixture, family_of(&token)).await);
}

async fn a28_nothing_is_renewed_once_the_secret_was_exchanged(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let exchange = async || {
        let secret = Secret::generate().unwrap().hash();
        fixture.store.set_client_secret(&client.tenant, &client.id, &secret).await.unwrap();
    };
    is_refused_for_good_after(&fixture, &client, exchange, async || {}).await;
}

async fn a28_nothing_is_renewed_once_the_tenant_is_suspended(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let other = fixture.register("other").await;
    let bystander = fixture.begin(&other).await;
    let set = async |status| {
        fixture.store.set_tenant_status(&client.tenant, status).await.unwrap();
    };
    is_refused_for_good_after(
        &fixture,
        &client,
        async || set(TenantStatus::Suspended).await,
        async || set(TenantStatus::Active).await,
    )
    .await;
    let next = successor(&bystander);
    assert_eq!(try_use(&fixture, attempt(&other, &bystander, &next)).await, Outcome::Rotated);
}

async fn nothing_is_renewed_once_the_client_was_removed(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let token = fixture.begin(&client).await;
    assert!(fixture.store.remove_client(&client.tenant, &client.id).await.unwrap());
    fixture.store.add_client(&client).await.unwrap();
    let next = successor(&token);
    assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Gone);
    assert_eq!(fixture.store.family(family_of(&token)).await.unwrap(), None);
}

async fn nothing_is_renewed_while_something_is_switched_off_by_hand(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let mut token = fixture.begin(&client).await;
    for (off, on) in [
        ("UPDATE client SET enabled = FALSE", "UPDATE client SET enabled = TRUE"),
        ("UPDATE tenant SET status = 'suspended'", "UPDATE tenant SET status = 'active'"),
    ] {
        let next = successor(&token);
        fixture.run(off, off).await.unwrap();
        assert!(is_revoked(&fixture, family_of(&token)).await);
        assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Gone);
        fixture.run(on, on).await.unwrap();
        assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Rotated);
        token = next;
    }
}

async fn families_are_revoked_one_by_one_by_client_and_by_tenant(fixture: Fixture) {
    let store = &fixture.store;
    let sync = fixture.register("acme").await;
    let other = a_client("acme", "other");
    store.add_client(&other).await.unwrap();
    let elsewhere = fixture.register("elsewhere").await;
    let mut tokens = Vec::new();
    for client in [&sync, &sync, &other, &elsewhere] {
        tokens.push(family_of(&fixture.begin(client).await));
    }
    let revoked = async || {
        let mut revoked = Vec::new();
        for family in &tokens {
            revoked.push(is_revoked(&fixture, *family).await);
        }
        revoked
    };
    assert_eq!(revoked().await, [false, false, false, false]);

    assert!(store.revoke_family(tokens[0], NOW).await.unwrap());
    assert!(!store.revoke_family(tokens[0], NOW).await.unwrap());
    assert!(!store.revoke_family(FamilyId::generate().unwrap(), NOW).await.unwrap());
    assert_eq!(revoked().await, [true, false, false, false]);

    assert!(store.revoke_families_of(&sync.tenant, Some(&sync.id)).await.unwrap());
    assert_eq!(revoked().await, [true, true, false, false]);
    assert!(!store.revoke_families_of(&sync.tenant, Some(&client_id("no"))).await.unwrap());

    assert!(store.revoke_families_of(&sync.tenant, None).await.unwrap());
    assert_eq!(revoked().await, [true, true, true, false]);
}

async fn no_family_begins_for_a_client_that_may_obtain_nothing(fixture: Fixture) {
    let store = &fixture.store;
    let client = fixture.register("acme").await;
    let opens = async |family: NewFamily| {
        let family = NewFamily { id: FamilyId::generate().unwrap(), ..family };
        store.open_family(&family).await.unwrap()
    };
    let family = async || a_family(store, &client).await.0;
    assert!(opens(family().await).await);

    store.set_client_enabled(&client.tenant, &client.id, false).await.unwrap();
    assert!(!opens(family().await).await);
    store.set_client_enabled(&client.tenant, &client.id, true).await.unwrap();
    assert!(opens(family().await).await);

    let good = family().await;
    assert!(!opens(NewFamily { client: client_id("nobody"), ..good.clone() }).await);
    assert!(!opens(NewFamily { tenant: tenant_id("nobody"), ..good }).await);
    store.set_tenant_status(&client.tenant, TenantStatus::Suspended).await.unwrap();
    assert!(!opens(family().await).await);
}

async fn a28_no_family_begins_by_what_proved_the_client_before(fixture: Fixture) {
    let store = &fixture.store;
    let secret = Secret::generate().unwrap().hash();
    for event in ["secret", "disabled", "revoked", "revoked-2", "suspended", "removed", "removed-2"]
    {
        let client = fixture.register(event).await;
        let (tenant, id) = (&client.tenant, &client.id);
        let later = Client { created_at: client.created_at + SECOND, ..client.clone() };
        let (family, _) = a_family(store, &client).await;
        match event {
            "secret" => assert!(store.set_client_secret(tenant, id, &secret).await.unwrap()),
            "disabled" => {
                assert!(store.set_client_enabled(tenant, id, false).await.unwrap());
                assert!(store.set_client_enabled(tenant, id, true).await.unwrap());
            }
            "revoked" => assert!(store.revoke_families_of(tenant, Some(id)).await.unwrap()),
            "revoked-2" => assert!(store.revoke_families_of(tenant, None).await.unwrap()),
            "suspended" => {
                let (suspended, active) = (TenantStatus::Suspended, TenantStatus::Active);
                assert!(store.set_tenant_status(tenant, suspended).await.unwrap());
                assert!(store.set_tenant_status(tenant, active).await.unwrap());
            }
            "removed" => {
                assert!(store.remove_client(tenant, id).await.unwrap());
                store.add_client(&later).await.unwrap();
            }
            _ => {
                assert!(store.remove_tenant(tenant).await.unwrap());
                let tenant = Tenant { created_at: NOW + SECOND, ..a_tenant(event) };
                store.add_tenant(&tenant).await.unwrap();
                // A record that was taken over from elsewhere, with its date.
                store.add_client(&client).await.unwrap();
            }
        }
        assert!(!store.open_family(&family).await.unwrap(), "{event}");
        let (family, _) = a_family(store, &client).await;
        assert!(store.open_family(&family).await.unwrap(), "{event}");
    }
}

async fn a27_a_use_that_lies_further_ahead_than_clocks_differ_is_long_past(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let skew = SECOND * 300;
    for (ahead, outcome) in
        [(skew, Outcome::Rotated), (skew + Duration::from_millis(1), Outcome::Reused)]
    {
        let first = fixture.begin(&client).await;
        let (second, third) = (successor(&first), successor(&first));
        let used = RefreshAttempt { now: NOW + ahead, ..attempt(&client, &first, &second) };
        assert_eq!(try_use(&fixture, used).await, Outcome::Rotated);
        let family = fixture.store.family(family_of(&first)).await.unwrap().unwrap();
        let accepted = family.accepts(&first.hash(), NOW, GRACE);
        assert_eq!(accepted, matches!(outcome, Outcome::Rotated));

        assert_eq!(try_use(&fixture, attempt(&client, &first, &third)).await, outcome);
    }
}

async fn a30_a_token_that_could_not_be_rotated_is_as_good_as_before(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let token = fixture.begin(&client).await;
    let before = fixture.store.family(family_of(&token)).await.unwrap();
    let (lost, next) = (successor(&token), successor(&token));

    fixture.fill_disk("refresh_family").await;
    let error =
        fixture.store.use_refresh_token(&attempt(&client, &token, &lost)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(error.to_string(), "the database did not answer as it should");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("disk full"));
    assert_eq!(fixture.store.family(family_of(&token)).await.unwrap(), before);

    fixture.empty_disk("refresh_family").await;
    assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Rotated);
}

async fn a30_an_answer_waits_for_the_commit(fixture: Fixture) {
    let client = fixture.register("acme").await;
    let token = fixture.begin(&client).await;
    let before = fixture.store.family(family_of(&token)).await.unwrap();
    let (lost, next) = (successor(&token), successor(&token));

    // The statement gives its row, and fails when it is to be committed.
    let sqlite = "CREATE TABLE parent (id INTEGER PRIMARY KEY); \
        CREATE TABLE orphan (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED); \
        CREATE TRIGGER orphans AFTER UPDATE ON refresh_family \
        BEGIN INSERT INTO orphan (id) VALUES (1); END;";
    let postgres = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'not committed'; END $$; \
        CREATE CONSTRAINT TRIGGER orphans AFTER UPDATE ON refresh_family \
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();";
    fixture.run(sqlite, postgres).await.unwrap();
    let used = fixture.store.use_refresh_token(&attempt(&client, &token, &lost)).await;
    assert_eq!(used.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(fixture.store.family(family_of(&token)).await.unwrap(), before);

    let again = "DROP TRIGGER orphans ON refresh_family";
    fixture.run("DROP TRIGGER orphans", again).await.unwrap();
    assert_eq!(try_use(&fixture, attempt(&client, &token, &next)).await, Outcome::Rotated);
}
