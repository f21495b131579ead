//! The log of what happened. It grows at its end, and is [pruned](Store::prune_audit) at its start.

use sqlx::{AssertSqlSafe, FromRow, QueryBuilder};

use tenantry_core::TenantId;

use super::database::{in_transaction, on_reader};
use super::rows::{client_id, json, millis, strings, tenant_id, time};
use super::{MAX_LIMIT, Store, StoreError};
use crate::records::{AuditEntry, AuditEvent, AuditFilter, AuditOutcome, ClientId};

/// How many events are written by one statement. Each takes ten places, of the 32,766 that SQLite has.
const ROWS: usize = 500;

impl Store {
    /// Writes events to the log, all or none, in this order.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn append_audit(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let Ok(count @ 1..) = i64::try_from(events.len()) else { return Ok(()) };
        in_transaction!(self, transaction => {
            // Locks the counter until the end of the transaction, so numbers are committed in order.
            let last: i64 =
                sqlx::query_scalar("UPDATE audit_number SET last = last + $1 RETURNING last")
                    .bind(count)
                    .fetch_one(&mut *transaction)
                    .await?;
            for (at, events) in (0..).step_by(ROWS).zip(events.chunks(ROWS)) {
                let scopes = events.iter().map(|event| json(&event.scopes));
                let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
                let mut insert = QueryBuilder::new(
                    "INSERT INTO audit_event (number, at, actor, action, tenant, client, \
                     grant_type, scopes, outcome, reason) ",
                );
                let rows = (last - count + 1 + at..).zip(events).zip(scopes);
                insert.push_values(rows, |mut row, ((number, event), scopes)| {
                    row.push_bind(number)
                        .push_bind(millis(event.at))
                        .push_bind(&event.actor)
                        .push_bind(&event.action)
                        .push_bind(event.tenant.as_ref().map(|tenant| tenant.as_str()))
                        .push_bind(event.client.as_ref().map(|client| client.as_str()))
                        .push_bind(&event.grant)
                        .push_bind(scopes)
                        .push_bind(event.outcome.as_str())
                        .push_bind(&event.reason);
                });
                // There are as many texts as there can be rows: not worth keeping.
                insert.build().persistent(false).execute(&mut *transaction).await?;
            }
        });
        Ok(())
    }

    /// Returns the events after the one with the number `after`, oldest first: at most `limit`, and
    /// never more than 1000. No event appears later among those that were returned.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let rows: Vec<AuditRow> = on_reader!(self, pool => sqlx::query_as(
            "SELECT number, at, actor, action, tenant, client, grant_type, scopes, outcome, reason \
             FROM audit_event WHERE number > $1 ORDER BY number LIMIT $2",
        )
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::from(limit.min(MAX_LIMIT)))
        .fetch_all(pool)
        .await)?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    /// Returns the newest events that `filter` lets through, newest first: at most `limit`, and never
    /// more than 1000.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn newest_audit(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (tenant, client) = (filter.tenant.as_ref(), filter.client.as_ref());
        // Conditions only where something is looked for: so they can use their index. All of the text
        // is ours, and has a place for every value.
        let sql = format!(
            "SELECT number, at, actor, action, tenant, client, grant_type, scopes, outcome, reason \
             FROM audit_event WHERE {} AND {}{} ORDER BY number DESC LIMIT $3",
            if tenant.is_some() { "tenant = $1" } else { "$1 = ''" },
            if client.is_some() { "client = $2" } else { "$2 = ''" },
            if filter.not_done { " AND outcome <> 'done'" } else { "" },
        );
        let rows: Vec<AuditRow> = on_reader!(self, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(tenant.map_or("", TenantId::as_str))
            .bind(client.map_or("", ClientId::as_str))
            .bind(i64::from(limit.min(MAX_LIMIT)))
            .fetch_all(pool)
            .await)?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }
}

#[derive(FromRow)]
struct AuditRow {
    number: i64,
    at: i64,
    actor: String,
    action: String,
    tenant: Option<String>,
    client: Option<String>,
    grant_type: Option<String>,
    scopes: String,
    outcome: String,
    reason: Option<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: u64::try_from(row.number).map_err(|_| StoreError::corrupt("a number"))?,
            event: AuditEvent {
                at: time(row.at)?,
                actor: row.actor,
                action: row.action,
                tenant: row.tenant.as_deref().map(tenant_id).transpose()?,
                client: row.client.as_deref().map(client_id).transpose()?,
                grant: row.grant_type,
                scopes: strings(&row.scopes)?,
                outcome: match &*row.outcome {
                    "done" => AuditOutcome::Done,
                    "failed" => AuditOutcome::Failed,
                    "refused" => AuditOutcome::Refused,
                    _ => return Err(StoreError::corrupt("an outcome")),
                },
                reason: row.reason,
            },
        })
    }
}
