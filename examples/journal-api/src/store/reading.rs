//! Entries out of the tables. Every query names the tenant, and every join its column.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::SqliteExecutor;

use tenantry::ProvenTenant;

use super::Journal;
use crate::booked::Booked;
use crate::id::EntryId;
use crate::rows::{LineRow, Rows};
use crate::store_error::StoreError;

/// The most entries that [`Journal::newest`] returns.
pub const MAX_LIMIT: u32 = 100;

/// The lines of the entries that a subquery has, and what these have to do with other entries.
macro_rules! lines_of {
    ($entries:literal, $order:literal) => {
        concat!(
            "SELECT entry.id, entry.date, entry.memo, \
                    original.original AS reverses, reversal.reversal AS reversed_by, \
                    line.account, line.side, line.amount, line.currency \
             FROM (SELECT tenant, id, date, memo FROM journal_entry ",
            $entries,
            ") AS entry \
             JOIN journal_line AS line ON line.tenant = entry.tenant AND line.entry = entry.id \
             LEFT JOIN journal_reversal AS original \
                    ON original.tenant = entry.tenant AND original.reversal = entry.id \
             LEFT JOIN journal_reversal AS reversal \
                    ON reversal.tenant = entry.tenant AND reversal.original = entry.id \
             ORDER BY ",
            $order
        )
    };
}

impl Journal {
    /// Returns the entry `id` of `tenant`; `None` if the tenant has no such entry, whether or not
    /// another one has.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn find(
        &self,
        tenant: &ProvenTenant,
        id: EntryId,
    ) -> Result<Option<Booked>, StoreError> {
        find(&self.pool, tenant, id).await
    }

    /// Returns the entries of `tenant` that were booked last, newest first: at most `limit`, and
    /// never more than [`MAX_LIMIT`].
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn newest(
        &self,
        tenant: &ProvenTenant,
        limit: u32,
    ) -> Result<Vec<Booked>, StoreError> {
        let rows = sqlx::query_as(lines_of!(
            "WHERE tenant = ? ORDER BY id DESC LIMIT ?",
            "entry.id DESC, line.position"
        ))
        .bind(tenant.as_str())
        .bind(limit.min(MAX_LIMIT))
        .fetch(&self.pool);
        entries(rows).await
    }
}

/// Reads one entry of `tenant`, also within a transaction.
pub(super) async fn find(
    database: impl SqliteExecutor<'_>,
    tenant: &ProvenTenant,
    id: EntryId,
) -> Result<Option<Booked>, StoreError> {
    let rows = sqlx::query_as(lines_of!("WHERE tenant = ? AND id = ?", "line.position"))
        .bind(tenant.as_str())
        .bind(id.to_string())
        .fetch(database);
    Ok(entries(rows).await?.pop())
}

/// Puts the lines back together that belong to one entry.
async fn entries(
    mut lines: BoxStream<'_, Result<LineRow, sqlx::Error>>,
) -> Result<Vec<Booked>, StoreError> {
    let mut rows = Rows::default();
    while let Some(line) = lines.try_next().await? {
        rows.push(line)?;
    }
    rows.finish()
}
