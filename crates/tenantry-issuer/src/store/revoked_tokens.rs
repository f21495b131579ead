//! Access tokens that were revoked before they expire.

use std::time::Duration;

use tenantry_core::TenantId;

use super::database::{on_reader, on_writer};
use super::rows::millis;
use super::{Store, StoreError};

impl Store {
    /// Revokes the access token of `tenant` with this `jti`. It is remembered until it is
    /// [pruned](Self::prune) after `until`, the token's `exp`.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn revoke_access_token(
        &self,
        tenant: &TenantId,
        jti: &str,
        until: Duration,
    ) -> Result<(), StoreError> {
        on_writer!(self, pool => sqlx::query(
            "INSERT INTO revoked_access_token (tenant, jti, until) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant, jti) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(jti)
        .bind(millis(until))
        .execute(pool)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Returns whether the access token of `tenant` with this `jti` was revoked.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn is_access_token_revoked(
        &self,
        tenant: &TenantId,
        jti: &str,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = on_reader!(self, pool => sqlx::query_scalar(
            "SELECT until FROM revoked_access_token WHERE tenant = $1 AND jti = $2",
        )
        .bind(tenant.as_str())
        .bind(jti)
        .fetch_optional(pool)
        .await)?;
        Ok(found.is_some())
    }
}
