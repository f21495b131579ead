//! What is in the database, and who can read it.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tenantry_issuer::{
    EncryptedKeys, KeyChange, KeyEncryptionKey, KeyOwner, KeyRing, KeyRingErrorKind, KeyState,
    Schedule, SealedKey, SettingsBuilder, Store,
};
use tenantry_testkit::ManualClock;

use crate::site::{DAY, MINUTE, Site, T, per_tenant, settings, tenant};

fn key(byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new([byte; 32])
}

fn encrypted(byte: u8) -> SettingsBuilder {
    settings().key_encryption_key(key(byte))
}

async fn private_keys(store: &Store) -> Vec<Vec<u8>> {
    let stored = store.signing_keys(&KeyOwner::Shared).await.unwrap();
    stored.into_iter().map(|stored| stored.private_key.bytes).collect()
}

fn is_private_key(bytes: &[u8]) -> bool {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).is_ok()
}

#[tokio::test]
async fn private_keys_are_stored_encrypted_if_there_is_a_key_for_it() {
    let (clear, sealed) = (Site::new(settings()).await, Site::new(encrypted(1)).await);

    // The first shows that the second can fail.
    assert!(private_keys(&clear.store).await.iter().all(|bytes| is_private_key(bytes)));
    for bytes in private_keys(&sealed.store).await {
        assert!((0..bytes.len()).all(|start| !is_private_key(&bytes[start..])));
    }
    let again = Site::over(sealed.store.clone(), encrypted(1)).await.unwrap();
    assert_eq!(again.published("tenant1").await, sealed.published("tenant1").await);
}

#[tokio::test]
async fn a_wrong_encryption_key_is_a_clear_error_at_the_start() {
    for per_tenant in [false, true] {
        let mode = |settings: SettingsBuilder| match per_tenant {
            true => settings.issuer("https://auth.erp.example/{tenant}"),
            false => settings,
        };
        let site = Site::new(mode(encrypted(1))).await;
        let whose = if per_tenant { " of tenant1" } else { "" };
        let kid = format!("`{}`{whose}", site.active("tenant1").await);
        let error = async |settings: SettingsBuilder| {
            let error = Site::over(site.store.clone(), mode(settings)).await.err().unwrap();
            assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
            error.to_string()
        };

        assert_eq!(
            error(encrypted(2)).await,
            format!(
                "signing key {kid} is encrypted with another key encryption key: \
                 set the one that it was stored with, or go over to this one \
                 (`tenantry keys encrypt --old-key-file`)"
            )
        );
        assert_eq!(
            error(settings()).await,
            format!(
                "signing key {kid} is encrypted: \
                 set the key encryption key that it was stored with"
            )
        );
    }
}

#[tokio::test]
async fn a_key_that_is_not_encrypted_is_not_used_where_keys_are_to_be() {
    let site = Site::new(settings()).await;
    let kid = site.active("tenant1").await;

    let error = Site::over(site.store.clone(), encrypted(1)).await.err().unwrap();

    assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
    assert_eq!(
        error.to_string(),
        format!(
            "signing key `{kid}` is stored without encryption, but there is a key encryption key: \
             encrypt the stored keys (`tenantry keys encrypt`), or retire this one"
        )
    );
}

#[tokio::test]
async fn a_start_finds_the_key_of_any_tenant_that_it_could_not_decrypt() {
    let site = Site::new(per_tenant().key_encryption_key(key(1))).await;
    site.keys("tenant1").await;
    // The last of many, by its name.
    site.store.add_tenant(&tenant("zzz")).await.unwrap();
    let other = unread(&site.store, per_tenant().key_encryption_key(key(2)));
    let keys = other.keys(&site.owner("zzz")).await.unwrap().list(T);

    let error = Site::over(site.store.clone(), per_tenant().key_encryption_key(key(1))).await;

    let error = error.err().unwrap();
    assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
    let start = format!("signing key `{}` of zzz is encrypted with another", keys[0].kid);
    assert!(error.to_string().starts_with(&start), "{error}");
}

#[tokio::test]
async fn keys_of_tenants_do_not_matter_where_there_is_one_issuer_for_all() {
    let site = Site::new(per_tenant().key_encryption_key(key(1))).await;
    site.keys("tenant1").await;
    let shared = Site::over(site.store.clone(), encrypted(2)).await.unwrap();
    shared.issue("tenant1").await.unwrap();
    // Nor the other way round.
    Site::over(site.store.clone(), per_tenant().key_encryption_key(key(1))).await.unwrap();
}

/// A ring that has looked at nothing yet.
fn unread(store: &Store, settings: SettingsBuilder) -> KeyRing {
    let settings = settings.build().unwrap();
    let clock = Arc::new(ManualClock::new(T));
    KeyRing::unread(store.clone(), &settings, Schedule::of(&settings), clock).unwrap()
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_listed_and_can_be_retired_one_after_the_other() {
    // In clear, where they are to be encrypted; encrypted with another key; and with one that is lost.
    for (before, after) in
        [(settings(), encrypted(1)), (encrypted(1), encrypted(2)), (encrypted(1), settings())]
    {
        let site = Site::new(before).await;
        let stored = site.published("tenant1").await;
        let ring = unread(&site.store, after.clone());
        let list = ring.list(&KeyOwner::Shared).await.unwrap();
        assert_eq!(list, site.keys("tenant1").await.list(T));

        // No key is made that those could not read who can read the other.
        let left = ring.retire(&KeyOwner::Shared, &stored[0]).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!((&left[0].kid, left[0].state), (&stored[1], KeyState::Active));
        assert_eq!(left[0].retired_at, None);
        let error = ring.keys(&KeyOwner::Shared).await.unwrap_err();
        assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
        assert_eq!(ring.list(&KeyOwner::Shared).await.unwrap(), left);
        assert_eq!(ring.retire(&KeyOwner::Shared, &stored[1]).await.unwrap(), []);

        // None was made for the last one either.
        assert_eq!(ring.list(&KeyOwner::Shared).await.unwrap(), []);
        let after = Site::over(site.store.clone(), after).await.unwrap();
        assert_eq!(after.published("tenant1").await.len(), 2);
    }
}

#[tokio::test]
async fn who_can_read_the_keys_makes_the_next_one_after_another_retired_one() {
    let site = Site::new(encrypted(1)).await;
    let [active, next] = site.published("tenant1").await.try_into().unwrap();

    unread(&site.store, settings()).retire(&KeyOwner::Shared, &active).await.unwrap();

    site.clock.advance(MINUTE);
    let published = site.published("tenant1").await;
    assert_eq!((published.len(), &published[0]), (2, &next));
    assert_eq!(site.active("tenant1").await, next);
    let list = site.ring.list(&KeyOwner::Shared).await.unwrap();
    assert!(list.iter().all(|key| key.encrypted), "{list:?}");
}

#[tokio::test]
async fn a_rotation_with_a_key_that_is_not_what_was_written_changes_nothing() {
    let site = Site::new(encrypted(1)).await;
    let mut stored = site.store.signing_keys(&KeyOwner::Shared).await.unwrap();
    stored[0].private_key.bytes[20] ^= 1;
    let change = vec![KeyChange::Replace(stored[0].clone())];
    site.store.change_keys(&KeyOwner::Shared, |_| change).await.unwrap();

    let ring = unread(&site.store, encrypted(1));
    let error = ring.rotate_at_once(&KeyOwner::Shared).await.unwrap_err();

    assert_eq!(error.kind(), KeyRingErrorKind::Corrupt);
    assert_eq!(site.store.signing_keys(&KeyOwner::Shared).await.unwrap(), stored);
    // It can be withdrawn, and then there is a next one again.
    let left = ring.retire(&KeyOwner::Shared, &stored[0].kid).await.unwrap();
    assert_eq!((left.len(), &left[0].kid), (2, &stored[1].kid));
    ring.keys(&KeyOwner::Shared).await.unwrap();
}

#[tokio::test]
async fn a_process_with_another_encryption_key_makes_no_key_when_a_rotation_is_due() {
    let site = Site::new(encrypted(1)).await;
    let before = site.store.signing_keys(&KeyOwner::Shared).await.unwrap();
    site.clock.advance(DAY * 30);

    for wrong in [settings(), encrypted(2)] {
        let started = Site::at(site.store.clone(), wrong, site.clock.clone()).await;
        assert_eq!(started.err().unwrap().kind(), KeyRingErrorKind::Encryption);
    }

    assert_eq!(site.store.signing_keys(&KeyOwner::Shared).await.unwrap(), before);
    site.issue("tenant1").await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_given_to_another_tenant_in_the_database_is_not_used() {
    let site = Site::new(per_tenant().key_encryption_key(key(1))).await;
    let (one, two) = (site.owner("tenant1"), site.owner("tenant2"));
    site.keys("tenant1").await;
    site.keys("tenant2").await;
    let stolen = site.store.signing_keys(&one).await.unwrap().remove(0);
    let take = |_: &[_]| vec![KeyChange::Remove(stolen.kid.clone())];
    site.store.change_keys(&one, take).await.unwrap();
    let give = |_: &[_]| vec![KeyChange::Add(stolen.clone())];
    site.store.change_keys(&two, give).await.unwrap();

    site.clock.advance(MINUTE);

    let error = site.ring.keys(&two).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Corrupt);
    let kid = stolen.kid;
    assert_eq!(
        error.to_string(),
        format!(
            "signing key `{kid}` of tenant2 is not what was written: retire it, or restore the database"
        )
    );
    // As it says.
    site.ring.retire(&two, &kid).await.unwrap();
    site.issue("tenant2").await.unwrap();
}

const fn found(now: usize, before: usize) -> EncryptedKeys {
    EncryptedKeys { now, before }
}

#[tokio::test]
async fn stored_keys_are_encrypted_afterwards_and_with_another_key() {
    for mode in [settings as fn() -> SettingsBuilder, per_tenant] {
        let site = Site::new(mode()).await;
        let before = site.published("tenant1").await;
        site.jwks("tenant2").await;
        let (store, owner) = (&site.store, site.owner("tenant1"));
        let count = if site.settings.issuer().has_tenant() { 4 } else { 2 };

        for (key, old, expected) in [
            (key(1), None, found(count, 0)),
            (key(1), None, found(0, count)),
            (key(1), Some(key(3)), found(0, count)),
            (key(2), Some(key(1)), found(count, 0)),
        ] {
            assert_eq!(KeyRing::encrypt(store, &key, old.as_ref()).await.unwrap(), expected);
        }

        let with = mode().key_encryption_key(key(2));
        let site = Site::over(store.clone(), with).await.unwrap();
        assert_eq!(site.published("tenant1").await, before);
        let stored = store.signing_keys(&owner).await.unwrap();
        assert!(stored.iter().all(|stored| !is_private_key(&stored.private_key.bytes)));
        site.issue("tenant1").await.unwrap();
    }
}

#[tokio::test]
async fn keys_in_clear_and_under_the_old_key_are_encrypted_together() {
    let site = Site::new(per_tenant()).await;
    site.keys("tenant1").await;
    let store = &site.store;
    KeyRing::encrypt(store, &key(1), None).await.unwrap();
    site.keys("tenant2").await;

    let both = KeyRing::encrypt(store, &key(2), Some(&key(1))).await.unwrap();

    assert_eq!(both, found(4, 0));
    Site::over(store.clone(), per_tenant().key_encryption_key(key(2))).await.unwrap();
}

#[tokio::test]
async fn nothing_is_encrypted_if_one_key_cannot_be_read() {
    let site = Site::new(per_tenant()).await;
    site.keys("tenant1").await;
    let (one, two) = (site.owner("tenant1"), site.owner("tenant2"));
    let lost = Site::over(site.store.clone(), per_tenant()).await.unwrap();
    lost.keys("tenant2").await;
    let mut theirs = site.store.signing_keys(&two).await.unwrap();
    let ours = site.store.signing_keys(&one).await.unwrap();
    let kid = theirs[1].kid.clone();
    let good = theirs[1].private_key.clone();

    for (private_key, old, kind, problem) in [
        // With neither: the name says so.
        (
            SealedKey { encryption: Some("A256GCM x".into()), ..good.clone() },
            None,
            KeyRingErrorKind::Encryption,
            "is encrypted with another key encryption key",
        ),
        (
            SealedKey { encryption: Some("A256GCM x".into()), ..good.clone() },
            Some(key(9)),
            KeyRingErrorKind::Encryption,
            "is encrypted with another key encryption key",
        ),
        // Another's, which must not get a seal that says that it is right.
        (
            ours[0].private_key.clone(),
            None,
            KeyRingErrorKind::Corrupt,
            "is stored with another private key",
        ),
    ] {
        theirs[1].private_key = private_key;
        let replace = vec![KeyChange::Replace(theirs[1].clone())];
        site.store.change_keys(&two, |_| replace).await.unwrap();

        let error = KeyRing::encrypt(&site.store, &key(1), old.as_ref()).await.unwrap_err();

        assert_eq!(error.kind(), kind);
        let start = format!("signing key `{kid}` of tenant2 {problem}");
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!(site.store.signing_keys(&one).await.unwrap(), ours);
        assert_eq!(site.store.signing_keys(&two).await.unwrap(), theirs);
    }
}

#[tokio::test]
async fn a_process_that_runs_goes_on_when_its_keys_are_encrypted() {
    let site = Site::new(settings()).await;
    let before = site.published("tenant1").await;
    KeyRing::encrypt(&site.store, &key(1), None).await.unwrap();

    for _ in 0..3 {
        site.clock.advance(MINUTE);
        site.issue("tenant1").await.unwrap();
        assert_eq!(site.published("tenant1").await, before);
    }
    // Also when the next one's turn comes; but it makes none in clear.
    site.clock.advance(DAY * 30);
    assert_eq!(site.active("tenant1").await, before[1]);
    assert_eq!(site.published("tenant1").await, before);
    let error = site.ring.rotate(&KeyOwner::Shared).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
    let again = Site::at(site.store.clone(), encrypted(1), site.clock.clone()).await.unwrap();
    assert_eq!(again.published("tenant1").await.len(), 3);
}
