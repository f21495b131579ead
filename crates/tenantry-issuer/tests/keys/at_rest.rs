//! What is in the database, and who can read it.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tenantry_issuer::{
    KeyChange, KeyEncryptionKey, KeyOwner, KeyRing, KeyRingErrorKind, KeyState, Schedule,
    SettingsBuilder, Store,
};

use crate::site::{MINUTE, Site, per_tenant, settings};

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
        let kid = site.active("tenant1").await;
        let error = async |settings: SettingsBuilder| {
            let error = Site::over(site.store.clone(), mode(settings)).await.err().unwrap();
            assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
            error.to_string()
        };

        assert_eq!(
            error(encrypted(2)).await,
            format!(
                "signing key `{kid}` is encrypted with another key encryption key: \
                 set the one that it was stored with"
            )
        );
        assert_eq!(
            error(settings()).await,
            format!(
                "signing key `{kid}` is encrypted: \
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
             encrypt the stored keys, or retire this one"
        )
    );
}

#[tokio::test]
async fn keys_that_cannot_be_read_can_be_retired_one_after_the_other() {
    let site = Site::new(settings()).await;
    let clear = site.published("tenant1").await;
    let settings = encrypted(1).build().unwrap();
    let clock = Arc::new(site.clock.clone());
    let ring =
        KeyRing::unread(site.store.clone(), &settings, Schedule::of(&settings), clock).unwrap();

    let error = ring.retire(&KeyOwner::Shared, &clear[0]).await.unwrap_err();
    assert_eq!(error.kind(), KeyRingErrorKind::Encryption);
    let keys = ring.retire(&KeyOwner::Shared, &clear[1]).await.unwrap();

    let list = keys.list(ring.now());
    assert_eq!((list[0].state, list[1].state), (KeyState::Active, KeyState::Next));
    assert!(list.iter().all(|key| !clear.contains(&key.kid)));
    Site::over(site.store.clone(), encrypted(1)).await.unwrap();
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
        format!("signing key `{kid}` is not what was written: retire it, or restore the database")
    );
    // As it says.
    site.ring.retire(&two, &kid).await.unwrap();
    site.issue("tenant2").await.unwrap();
}

#[tokio::test]
async fn stored_keys_are_encrypted_afterwards_and_with_another_key() {
    for mode in [settings as fn() -> SettingsBuilder, per_tenant] {
        let site = Site::new(mode()).await;
        let before = site.published("tenant1").await;
        let store = &site.store;

        assert_eq!(KeyRing::reencrypt(store, None, Some(&key(1))).await.unwrap(), 2);
        assert_eq!(KeyRing::reencrypt(store, Some(&key(1)), Some(&key(2))).await.unwrap(), 2);

        let wrong = KeyRing::reencrypt(store, Some(&key(1)), None).await.unwrap_err();
        assert_eq!(wrong.kind(), KeyRingErrorKind::Encryption);
        let with = mode().key_encryption_key(key(2));
        let site = Site::over(store.clone(), with).await.unwrap();
        assert_eq!(site.published("tenant1").await, before);
    }
}
