//! Signing keys.

use tenantry_core::Algorithm;
use tenantry_issuer::{KeyChange, KeyOwner, SealedKey, Store, StoreErrorKind, StoredKey};

use crate::fixture::{Fixture, NOW, SECOND, a_key, tenant_id};
use crate::on_both;

on_both! {
    keys_are_found_as_they_were_stored_in_the_order_in_which_they_sign,
    isolation_owners_do_not_see_or_change_each_others_keys,
    a36_a_kid_is_unique_over_all_owners,
    changes_are_made_all_or_none,
    a_tenant_that_is_not_there_has_no_keys,
    the_one_who_changes_keys_is_shown_them,
}

async fn keys_are_found_as_they_were_stored_in_the_order_in_which_they_sign(fixture: Fixture) {
    let second = StoredKey { active_at: NOW + SECOND * 9, ..a_key("a") };
    let first = StoredKey {
        algorithm: Algorithm::EdDsa,
        private_key: SealedKey { bytes: Vec::new(), encryption: None },
        retired_at: Some(NOW + SECOND * 2),
        removed_at: Some(NOW + SECOND * 3),
        ..a_key("b")
    };
    let add = vec![KeyChange::Add(second.clone()), KeyChange::Add(first.clone())];
    let stored = fixture.store.change_keys(&KeyOwner::Shared, |_| add).await.unwrap();
    assert_eq!(stored, [first.clone(), second.clone()]);
    assert_eq!(fixture.store.signing_keys(&KeyOwner::Shared).await.unwrap(), stored);
    let shown = format!("{:?}", stored[0].private_key);
    assert_eq!(shown, "SealedKey { encryption: None, .. }");

    let sealed = SealedKey { bytes: vec![9], encryption: Some("key-2".into()) };
    let replaced = StoredKey {
        algorithm: Algorithm::Rs256,
        private_key: sealed,
        public_jwk: "{}".into(),
        published_at: NOW + SECOND,
        active_at: NOW,
        retired_at: Some(NOW + SECOND),
        removed_at: None,
        ..second
    };
    let change = vec![KeyChange::Replace(replaced.clone()), KeyChange::Remove("b".into())];
    let stored = fixture.store.change_keys(&KeyOwner::Shared, |_| change).await.unwrap();
    assert_eq!(stored, [replaced]);
    assert_eq!(fixture.store.signing_keys(&KeyOwner::Shared).await.unwrap(), stored);
}

async fn isolation_owners_do_not_see_or_change_each_others_keys(fixture: Fixture) {
    let store = &fixture.store;
    let ours = KeyOwner::Tenant(fixture.register("ours").await.tenant);
    let theirs = KeyOwner::Tenant(fixture.register("theirs").await.tenant);
    for (owner, kid) in [(&ours, "ours"), (&theirs, "theirs"), (&KeyOwner::Shared, "shared")] {
        store.change_keys(owner, |_| vec![KeyChange::Add(a_key(kid))]).await.unwrap();
    }
    assert_eq!(store.signing_keys(&ours).await.unwrap(), [a_key("ours")]);
    assert_eq!(store.signing_keys(&KeyOwner::Shared).await.unwrap(), [a_key("shared")]);
    for kid in ["theirs", "shared", "nobodys"] {
        for change in [KeyChange::Remove(kid.into()), KeyChange::Replace(a_key(kid))] {
            let error = store.change_keys(&ours, |_| vec![change]).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("there is no key `{kid}` of this owner"));
        }
    }
    assert_eq!(store.signing_keys(&theirs).await.unwrap(), [a_key("theirs")]);
    assert_eq!(store.signing_keys(&KeyOwner::Shared).await.unwrap(), [a_key("shared")]);
}

async fn a36_a_kid_is_unique_over_all_owners(fixture: Fixture) {
    let ours = KeyOwner::Tenant(fixture.register("ours").await.tenant);
    let add = || vec![KeyChange::Add(a_key("kid"))];
    fixture.store.change_keys(&KeyOwner::Shared, |_| add()).await.unwrap();
    for owner in [&ours, &KeyOwner::Shared] {
        let error = fixture.store.change_keys(owner, |_| add()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
        assert_eq!(error.to_string(), "there is a key `kid`");
    }
    assert_eq!(fixture.store.signing_keys(&ours).await.unwrap(), []);
}

async fn changes_are_made_all_or_none(fixture: Fixture) {
    let owner = KeyOwner::Shared;
    let store = &fixture.store;
    store.change_keys(&owner, |_| vec![KeyChange::Add(a_key("a"))]).await.unwrap();
    let changes =
        vec![KeyChange::Add(a_key("b")), KeyChange::Remove("a".into()), KeyChange::Add(a_key("b"))];
    assert!(store.change_keys(&owner, |_| changes).await.is_err());
    assert_eq!(store.signing_keys(&owner).await.unwrap(), [a_key("a")]);
    // And nobody is locked out by it.
    store.change_keys(&owner, |_| vec![KeyChange::Remove("a".into())]).await.unwrap();
    assert_eq!(store.signing_keys(&owner).await.unwrap(), []);
}

async fn a_tenant_that_is_not_there_has_no_keys(fixture: Fixture) {
    let owner = KeyOwner::Tenant(tenant_id("nobody"));
    let change = |_: &[_]| -> Vec<KeyChange> { panic!("asked about a tenant that is not there") };
    let error = fixture.store.change_keys(&owner, change).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    assert_eq!(error.to_string(), "there is no tenant `nobody`");
    assert_eq!(fixture.store.signing_keys(&owner).await.unwrap(), []);
}

async fn the_one_who_changes_keys_is_shown_them(fixture: Fixture) {
    let owner = KeyOwner::Shared;
    for number in 0..3 {
        let kids = (0..number).map(|number| format!("k{number}")).collect::<Vec<_>>();
        let change = |keys: &[StoredKey]| {
            assert_eq!(keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>(), kids);
            vec![KeyChange::Add(a_key(&format!("k{number}")))]
        };
        fixture.store.change_keys(&owner, change).await.unwrap();
    }
}

/// The log beside the file holds what was written lately, also what has been deleted since.
#[tokio::test]
async fn a_private_key_that_was_withdrawn_or_encrypted_is_in_no_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite://{}", dir.path().join("tenantry.db").display());
    let store = Store::open(&url).await.unwrap();
    let is_in_a_file = |secret: &[u8]| {
        let mut files = std::fs::read_dir(dir.path()).unwrap();
        files.any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(secret.len()).any(|window| window == secret)
        })
    };
    let (withdrawn, encrypted) = (b"a private key, withdrawn", b"a private key, encrypted");
    let clear = |kid: &str, secret: &[u8]| StoredKey {
        private_key: SealedKey { bytes: secret.into(), encryption: None },
        ..a_key(kid)
    };
    let owner = KeyOwner::Shared;
    let keys = [clear("1", withdrawn), clear("2", encrypted)];
    store.change_keys(&owner, |_| keys.map(KeyChange::Add).into()).await.unwrap();
    assert!(is_in_a_file(withdrawn) && is_in_a_file(encrypted));

    store.change_keys(&owner, |_| vec![KeyChange::Remove("1".into())]).await.unwrap();
    assert!(!is_in_a_file(withdrawn));
    store.change_keys(&owner, |_| vec![KeyChange::Replace(a_key("2"))]).await.unwrap();
    assert!(!is_in_a_file(encrypted));
}
