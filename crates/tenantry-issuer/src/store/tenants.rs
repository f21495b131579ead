//! Tenants in the store.

use tenantry_core::TenantId;

use super::database::{on_reader, on_writer};
use super::error::is_duplicate;
use super::rows::{TenantRow, json, millis, tenant_columns, tenant_id};
use super::{MAX_LIMIT, Store, StoreError, StoreErrorKind};
use crate::records::{Tenant, TenantStatus};

impl Store {
    /// Registers a tenant.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](StoreErrorKind::AlreadyExists) if there is a tenant with this id, or with one
    /// that differs only in case.
    pub async fn add_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        let claims = json(&tenant.claims)?;
        let added = on_writer!(self, pool => sqlx::query(
            "INSERT INTO tenant (id, folded, name, status, claims, created_at, generation) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(tenant.id.as_str())
        .bind(folded(&tenant.id))
        .bind(&tenant.name)
        .bind(tenant.status.as_str())
        .bind(&claims)
        .bind(millis(tenant.created_at))
        .execute(pool)
        .await
        .map(drop));
        match added {
            Err(error) if is_duplicate(&error) => Err(self.clash(&tenant.id).await?),
            added => Ok(added?),
        }
    }

    /// Returns the id of the tenant whose id differs from `id` in case at most.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn tenant_like(&self, id: &TenantId) -> Result<Option<TenantId>, StoreError> {
        let existing: Option<String> = on_reader!(self, pool =>
            sqlx::query_scalar("SELECT id FROM tenant WHERE folded = $1")
                .bind(folded(id))
                .fetch_optional(pool)
                .await)?;
        existing.as_deref().map(tenant_id).transpose()
    }

    /// Says which tenant is in the way of `id`.
    async fn clash(&self, id: &TenantId) -> Result<StoreError, StoreError> {
        let what = match self.tenant_like(id).await? {
            Some(existing) if existing != *id => {
                format!("tenant `{id}` differs only in case from tenant `{existing}`, which exists")
            }
            _ => format!("tenant `{id}` exists"),
        };
        Ok(StoreError::new(StoreErrorKind::AlreadyExists, what))
    }

    /// Returns the tenant with this id.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let row: Option<TenantRow> = on_reader!(self, pool => sqlx::query_as(
            concat!("SELECT ", tenant_columns!(), " FROM tenant WHERE id = $1"),
        )
        .bind(id.as_str())
        .fetch_optional(pool)
        .await)?;
        row.map(Tenant::try_from).transpose()
    }

    /// Returns the tenants whose ids come after `after`, in the order of their bytes: at most `limit`,
    /// and never more than 1000.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        let rows: Vec<TenantRow> = on_reader!(self, pool => sqlx::query_as(
            concat!("SELECT ", tenant_columns!(), " FROM tenant WHERE id > $1 ORDER BY id LIMIT $2"),
        )
        .bind(after.map_or("", TenantId::as_str))
        .bind(i64::from(limit.min(MAX_LIMIT)))
        .fetch_all(pool)
        .await)?;
        rows.into_iter().map(Tenant::try_from).collect()
    }

    /// Suspends a tenant, or lets it go on. Returns whether there is such a tenant.
    ///
    /// Suspending revokes every refresh token of the tenant: they stay revoked when it goes on.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn set_tenant_status(
        &self,
        id: &TenantId,
        status: TenantStatus,
    ) -> Result<bool, StoreError> {
        let revoked = match status {
            TenantStatus::Active => 0_i64,
            TenantStatus::Suspended => 1,
        };
        let changed = on_writer!(self, pool => sqlx::query(
            "UPDATE tenant SET status = $2, generation = generation + $3 WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(status.as_str())
        .bind(revoked)
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(changed > 0)
    }

    /// Removes a tenant with its clients, refresh tokens and keys. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn remove_tenant(&self, id: &TenantId) -> Result<bool, StoreError> {
        let removed = on_writer!(self, pool => sqlx::query("DELETE FROM tenant WHERE id = $1")
            .bind(id.as_str())
            .execute(pool)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(removed > 0)
    }
}

/// Ids are ASCII, so this does not depend on any language.
fn folded(id: &TenantId) -> String {
    id.as_str().to_ascii_lowercase()
}
