//! Signing keys in the store.

use super::database::{in_transaction, on_reader};
use super::error::{is_duplicate, is_orphan};
use super::rows::{KeyRow, key_owner, millis, owner_text};
use super::{Store, StoreError, StoreErrorKind};
use crate::records::{KeyChange, KeyOwner, StoredKey};

const KEYS_OF_OWNER: &str = "SELECT kid, algorithm, private_key, encryption, public_jwk, \
    published_at, active_at, retired_at, removed_at FROM signing_key WHERE owner = $1 \
    ORDER BY active_at, kid";

const OWNERS: &str = "SELECT DISTINCT owner FROM signing_key ORDER BY owner";

const STORED_OTHERWISE: &str = "SELECT owner, kid, encryption FROM signing_key \
    WHERE owner <> '' AND encryption IS DISTINCT FROM $1 ORDER BY owner, active_at, kid LIMIT 1";

/// A key by its name, and what it is encrypted with.
pub(crate) struct NamedKey {
    pub(crate) owner: KeyOwner,
    pub(crate) kid: String,
    pub(crate) encryption: Option<String>,
}

/// Binds a key to `$1` and `$3` to `$10`, and its owner to `$2`.
macro_rules! bind_key {
    ($query:expr, $key:expr, $owner:expr) => {
        $query
            .bind(&$key.kid)
            .bind($owner)
            .bind($key.algorithm.as_str())
            .bind(&$key.private_key.bytes)
            .bind(&$key.private_key.encryption)
            .bind(&$key.public_jwk)
            .bind(millis($key.published_at))
            .bind(millis($key.active_at))
            .bind($key.retired_at.map(millis))
            .bind($key.removed_at.map(millis))
    };
}

impl Store {
    /// Returns the keys of `owner`, in the order in which they begin to sign.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn signing_keys(&self, owner: &KeyOwner) -> Result<Vec<StoredKey>, StoreError> {
        let rows: Vec<KeyRow> = on_reader!(self, pool =>
            sqlx::query_as(KEYS_OF_OWNER).bind(owner_text(owner)).fetch_all(pool).await)?;
        rows.into_iter().map(StoredKey::try_from).collect()
    }

    /// Returns everybody who has keys.
    pub(crate) async fn key_owners(&self) -> Result<Vec<KeyOwner>, StoreError> {
        let owners: Vec<String> =
            on_reader!(self, pool => sqlx::query_scalar(OWNERS).fetch_all(pool).await)?;
        owners.iter().map(|owner| key_owner(owner)).collect()
    }

    /// Returns the first key of a tenant that is stored with another `encryption` than this.
    pub(crate) async fn key_stored_otherwise(
        &self,
        encryption: Option<&str>,
    ) -> Result<Option<NamedKey>, StoreError> {
        let found: Option<(String, String, Option<String>)> = on_reader!(self, pool =>
            sqlx::query_as(STORED_OTHERWISE).bind(encryption).fetch_optional(pool).await)?;
        let Some((owner, kid, encryption)) = found else { return Ok(None) };
        Ok(Some(NamedKey { owner: key_owner(&owner)?, kid, encryption }))
    }

    /// Shows the keys of `owner` to `change`, makes the changes that it asks for, all or none, and
    /// returns the keys as they are then.
    ///
    /// Others who want to change the keys of this owner wait, in every process: replicas that find a
    /// rotation due at the same moment rotate once, because the second is shown what the first did.
    /// So `change` should be quick, and generate no key unless one is missing.
    ///
    /// # Errors
    ///
    /// - [`AlreadyExists`](StoreErrorKind::AlreadyExists): a key to be added has the `kid` of another,
    ///   of whichever owner.
    /// - [`NotFound`](StoreErrorKind::NotFound): there is no such tenant, or it has no key with the
    ///   `kid` that is to be replaced or removed.
    pub async fn change_keys(
        &self,
        owner: &KeyOwner,
        change: impl FnOnce(&[StoredKey]) -> Vec<KeyChange>,
    ) -> Result<Vec<StoredKey>, StoreError> {
        let text = owner_text(owner);
        let tenant = match owner {
            KeyOwner::Shared => None,
            KeyOwner::Tenant(tenant) => Some(tenant.as_str()),
        };
        in_transaction!(self, transaction => {
            // Locks the owner's row until the end of the transaction.
            let locked = sqlx::query(
                "INSERT INTO key_owner (owner, tenant, changes) VALUES ($1, $2, 1) \
                 ON CONFLICT (owner) DO UPDATE SET changes = key_owner.changes + 1",
            )
            .bind(text)
            .bind(tenant)
            .execute(&mut *transaction)
            .await;
            if let Err(error) = locked {
                return Err(no_tenant(error, text));
            }
            let rows: Vec<KeyRow> =
                sqlx::query_as(KEYS_OF_OWNER).bind(text).fetch_all(&mut *transaction).await?;
            let before = rows.into_iter().map(StoredKey::try_from).collect::<Result<Vec<_>, _>>()?;
            for change in change(&before) {
                let (kid, done) = match &change {
                    KeyChange::Add(key) => {
                        let added = sqlx::query(
                            "INSERT INTO signing_key (kid, owner, algorithm, private_key, encryption, \
                             public_jwk, published_at, active_at, retired_at, removed_at) \
                             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                        );
                        (&key.kid, bind_key!(added, key, text).execute(&mut *transaction).await)
                    }
                    KeyChange::Replace(key) => {
                        let replaced = sqlx::query(
                            "UPDATE signing_key SET algorithm = $3, private_key = $4, encryption = $5, \
                             public_jwk = $6, published_at = $7, active_at = $8, retired_at = $9, \
                             removed_at = $10 WHERE kid = $1 AND owner = $2",
                        );
                        (&key.kid, bind_key!(replaced, key, text).execute(&mut *transaction).await)
                    }
                    KeyChange::Remove(kid) => {
                        let removed = sqlx::query("DELETE FROM signing_key WHERE kid = $1 AND owner = $2");
                        (kid, removed.bind(kid).bind(text).execute(&mut *transaction).await)
                    }
                };
                match done {
                    Ok(done) if done.rows_affected() == 0 => {
                        let what = format!("there is no key `{kid}` of this owner");
                        return Err(StoreError::new(StoreErrorKind::NotFound, what));
                    }
                    Ok(_) => {}
                    Err(error) if is_duplicate(&error) => {
                        let what = format!("there is a key `{kid}`");
                        return Err(StoreError::new(StoreErrorKind::AlreadyExists, what));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let rows: Vec<KeyRow> =
                sqlx::query_as(KEYS_OF_OWNER).bind(text).fetch_all(&mut *transaction).await?;
            rows.into_iter().map(StoredKey::try_from).collect()
        })
    }
}

fn no_tenant(error: sqlx::Error, tenant: &str) -> StoreError {
    if is_orphan(&error) {
        return StoreError::new(StoreErrorKind::NotFound, format!("there is no tenant `{tenant}`"));
    }
    error.into()
}
