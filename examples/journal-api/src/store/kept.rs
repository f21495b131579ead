//! The keys of what was booked: read and written in the transaction that books.

use std::time::Duration;

use sqlx::SqliteConnection;

use tenantry::ProvenTenant;

use super::book_error::BookError;
use crate::booked::Booked;
use crate::id::EntryId;
use crate::idempotency::{Attempt, KEPT};
use crate::store_error::StoreError;

/// How many keys that have had their time one booking removes. It adds one, so they do not pile up.
const PRUNED_AT_ONCE: i64 = 100;

/// Returns what an earlier attempt booked, as it was then.
pub(super) async fn find(
    transaction: &mut SqliteConnection,
    tenant: &ProvenTenant,
    attempt: &Attempt,
    now: Duration,
) -> Result<Option<Booked>, BookError> {
    let Attempt { caller, key, request } = attempt;
    let kept: Option<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT request, entry FROM idempotency_key \
         WHERE tenant = ? AND issuer = ? AND caller_is = ? AND caller = ? AND value = ? \
         AND kept_until > ?",
    )
    .bind(tenant.as_str())
    .bind(&*caller.issuer)
    .bind(caller.is)
    .bind(&*caller.name)
    .bind(key.as_str())
    .bind(seconds(now))
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((digest, entry)) = kept else { return Ok(None) };
    if digest != request.0 {
        return Err(BookError::KeyReused);
    }
    let id = entry.parse().map_err(StoreError::corrupt)?;
    let booked = super::reading::find(transaction, tenant, id).await?;
    // It was not reversed yet.
    Ok(booked.map(|booked| Booked { reversed_by: None, ..booked }))
}

/// Keeps the key of `attempt`, in the place of one that has had its time.
pub(super) async fn keep(
    transaction: &mut SqliteConnection,
    tenant: &ProvenTenant,
    attempt: &Attempt,
    entry: EntryId,
    now: Duration,
) -> Result<(), StoreError> {
    let Attempt { caller, key, request } = attempt;
    sqlx::query(
        "INSERT OR REPLACE INTO idempotency_key \
         (tenant, issuer, caller_is, caller, value, request, entry, kept_until) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(tenant.as_str())
    .bind(&*caller.issuer)
    .bind(caller.is)
    .bind(&*caller.name)
    .bind(key.as_str())
    .bind(&request.0[..])
    .bind(entry.to_string())
    .bind(seconds(now.saturating_add(KEPT)))
    .execute(transaction)
    .await?;
    Ok(())
}

/// Removes keys of `tenant` that have had their time.
pub(super) async fn prune(
    transaction: &mut SqliteConnection,
    tenant: &ProvenTenant,
    now: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM idempotency_key WHERE (tenant, issuer, caller_is, caller, value) IN \
         (SELECT tenant, issuer, caller_is, caller, value FROM idempotency_key \
          WHERE tenant = ? AND kept_until <= ? ORDER BY kept_until LIMIT ?)",
    )
    .bind(tenant.as_str())
    .bind(seconds(now))
    .bind(PRUNED_AT_ONCE)
    .execute(transaction)
    .await?;
    Ok(())
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
