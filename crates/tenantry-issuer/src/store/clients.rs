//! Clients in the store.

use tenantry_core::TenantId;

use super::database::{on_reader, on_writer};
use super::error::{is_duplicate, is_orphan};
use super::rows::{
    ClientAuthRow, ClientRow, RegistrationRow, client_columns, json, millis, tenant_columns,
};
use super::{MAX_LIMIT, Store, StoreError, StoreErrorKind};
use crate::records::{Client, ClientAuth, ClientId, Generation, Tenant};
use crate::secret::SecretHash;

impl Store {
    /// Registers a client.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](StoreErrorKind::AlreadyExists) if its tenant has a client with this id,
    /// [`NotFound`](StoreErrorKind::NotFound) if there is no such tenant.
    pub async fn add_client(&self, client: &Client) -> Result<(), StoreError> {
        let (secret_hash, jwks) = match &client.auth {
            ClientAuth::Basic(hash) | ClientAuth::Post(hash) => {
                (Some(hash.as_bytes().to_vec()), None)
            }
            ClientAuth::PrivateKeyJwt { jwks } => (None, Some(jwks.as_str())),
        };
        let scopes = json(&client.scopes)?;
        let audiences = json(&client.audiences)?;
        let claims = json(&client.claims)?;
        let added = on_writer!(self, pool => sqlx::query(
            "INSERT INTO client (tenant, id, name, auth, secret_hash, jwks, \
             grant_client_credentials, grant_refresh_token, scopes, audiences, claims, enabled, \
             created_at, generation) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        )
        .bind(client.tenant.as_str())
        .bind(client.id.as_str())
        .bind(&client.name)
        .bind(client.auth.method())
        .bind(secret_hash)
        .bind(jwks)
        .bind(client.grants.client_credentials)
        .bind(client.grants.refresh_token)
        .bind(&scopes)
        .bind(&audiences)
        .bind(&claims)
        .bind(client.enabled)
        .bind(millis(client.created_at))
        .execute(pool)
        .await
        .map(drop));
        let (tenant, id) = (&client.tenant, &client.id);
        added.map_err(|error| {
            if is_duplicate(&error) {
                let what = format!("tenant `{tenant}` has a client `{id}`");
                StoreError::new(StoreErrorKind::AlreadyExists, what)
            } else if is_orphan(&error) {
                StoreError::new(StoreErrorKind::NotFound, format!("there is no tenant `{tenant}`"))
            } else {
                error.into()
            }
        })
    }

    /// Returns the client of `tenant` with this id.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<Client>, StoreError> {
        let row: Option<ClientRow> = on_reader!(self, pool => sqlx::query_as(
            concat!("SELECT ", client_columns!(), " FROM client WHERE tenant = $1 AND id = $2"),
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(pool)
        .await)?;
        row.map(Client::try_from).transpose()
    }

    /// Returns the clients of `tenant` whose ids come after `after`, in the order of their bytes: at
    /// most `limit`, and never more than 1000.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn clients(
        &self,
        tenant: &TenantId,
        after: Option<&ClientId>,
        limit: u32,
    ) -> Result<Vec<Client>, StoreError> {
        let rows: Vec<ClientRow> = on_reader!(self, pool => sqlx::query_as(concat!(
            "SELECT ", client_columns!(), " FROM client \
             WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
        ))
        .bind(tenant.as_str())
        .bind(after.map_or("", ClientId::as_str))
        .bind(i64::from(limit.min(MAX_LIMIT)))
        .fetch_all(pool)
        .await)?;
        rows.into_iter().map(Client::try_from).collect()
    }

    /// Returns a client together with its tenant and the [`Generation`] of both, in one read. Whether
    /// both may obtain anything, the caller looks at.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn registration(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<(Tenant, Client, Generation)>, StoreError> {
        let row: Option<RegistrationRow> = on_reader!(self, pool => sqlx::query_as(concat!(
            "SELECT ", tenant_columns!(), ", ", client_columns!(),
            ", client.generation + tenant.generation AS generation \
             FROM client JOIN tenant ON tenant.id = client.tenant \
             WHERE client.tenant = $1 AND client.id = $2",
        ))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(pool)
        .await)?;
        let read = |row: RegistrationRow| {
            let generation = Generation::from_stored(row.generation);
            Ok((row.tenant.try_into()?, row.client.try_into()?, generation))
        };
        row.map(read).transpose()
    }

    /// Returns how a client authenticates, and nothing else of it.
    ///
    /// One row is read whether there is such a client or not, so that how long it takes does not tell.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn client_auth(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<ClientAuth>, StoreError> {
        let row: ClientAuthRow = on_reader!(self, pool => sqlx::query_as(
            "SELECT client.auth, client.secret_hash, client.jwks FROM (SELECT 1 AS one) AS always \
             LEFT JOIN client ON client.tenant = $1 AND client.id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_one(pool)
        .await)?;
        row.read()
    }

    /// Gives a client another secret. Returns whether there is such a client, and one with a secret.
    ///
    /// Its refresh tokens are revoked: who had the old secret may hold them.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn set_client_secret(
        &self,
        tenant: &TenantId,
        id: &ClientId,
        secret: &SecretHash,
    ) -> Result<bool, StoreError> {
        let changed = on_writer!(self, pool => sqlx::query(
            "UPDATE client SET secret_hash = $3, generation = generation + 1 \
             WHERE tenant = $1 AND id = $2 AND secret_hash IS NOT NULL",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(secret.as_bytes().to_vec())
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(changed > 0)
    }

    /// Writes the name, keys, grants, scopes and audiences of `after` over those of `before`. Returns
    /// whether it was done: not if the client is gone, or was changed meanwhile.
    ///
    /// If it gets other keys its refresh tokens are revoked, as with another secret.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn update_client(&self, before: &Client, after: &Client) -> Result<bool, StoreError> {
        let (old_scopes, new_scopes) = (json(&before.scopes)?, json(&after.scopes)?);
        let (old_audiences, new_audiences) = (json(&before.audiences)?, json(&after.audiences)?);
        let (old_keys, new_keys) = (before.auth.jwks(), after.auth.jwks());
        let changed = on_writer!(self, pool => sqlx::query(
            "UPDATE client SET name = $3, jwks = $4, grant_client_credentials = $5, \
             grant_refresh_token = $6, scopes = $7, audiences = $8, generation = generation + $9 \
             WHERE tenant = $1 AND id = $2 AND name IS NOT DISTINCT FROM $10 \
             AND jwks IS NOT DISTINCT FROM $11 AND grant_client_credentials = $12 \
             AND grant_refresh_token = $13 AND scopes = $14 AND audiences = $15",
        )
        .bind(before.tenant.as_str())
        .bind(before.id.as_str())
        .bind(&after.name)
        .bind(new_keys)
        .bind(after.grants.client_credentials)
        .bind(after.grants.refresh_token)
        .bind(&new_scopes)
        .bind(&new_audiences)
        .bind(i64::from(old_keys != new_keys))
        .bind(&before.name)
        .bind(old_keys)
        .bind(before.grants.client_credentials)
        .bind(before.grants.refresh_token)
        .bind(&old_scopes)
        .bind(&old_audiences)
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(changed > 0)
    }

    /// Enables or disables a client. Returns whether there is such a client.
    ///
    /// Disabling revokes its refresh tokens: they stay revoked when it is enabled again.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn set_client_enabled(
        &self,
        tenant: &TenantId,
        id: &ClientId,
        enabled: bool,
    ) -> Result<bool, StoreError> {
        let changed = on_writer!(self, pool => sqlx::query(
            "UPDATE client SET enabled = $3, generation = generation + $4 \
             WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(enabled)
        .bind(i64::from(!enabled))
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(changed > 0)
    }

    /// Removes a client with its refresh tokens. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn remove_client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<bool, StoreError> {
        let removed = on_writer!(self, pool => sqlx::query(
            "DELETE FROM client WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(removed > 0)
    }
}
