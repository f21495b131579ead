//! Entries out of the tables. Every query names the tenant, and every join its column.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::{SqliteExecutor, SqlitePool};

use tenantry::ProvenTenant;

use super::Journal;
use crate::booked::Booked;
use crate::cursor::Cursor;
use crate::id::EntryId;
use crate::rows::{LineRow, Rows};
use crate::store_error::StoreError;

/// The most entries that [`Journal::page`] has.
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
        let (pool, whose) = (self.pool.clone(), tenant.clone());
        self.in_turn(tenant, async move { find(&pool, &whose, id).await }).await
    }

    /// Returns a page of the entries of `tenant`, newest first: those behind `cursor`, or the
    /// newest, at most `limit`, and never more than [`MAX_LIMIT`].
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn page(
        &self,
        tenant: &ProvenTenant,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page, StoreError> {
        let (pool, whose) = (self.pool.clone(), tenant.clone());
        self.in_turn(tenant, async move { page(&pool, &whose, limit, cursor).await }).await
    }
}

async fn page(
    pool: &SqlitePool,
    tenant: &ProvenTenant,
    limit: u32,
    cursor: Option<Cursor>,
) -> Result<Page, StoreError> {
    let limit = limit.min(MAX_LIMIT);
    let rows = sqlx::query_as(lines_of!(
        "WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?",
        "entry.id DESC, line.position"
    ))
    .bind(tenant.as_str())
    // Without a cursor: before what sorts behind every id.
    .bind(cursor.map_or_else(|| "~".to_owned(), |cursor| cursor.id().to_string()))
    // One more, to see whether there is a next page.
    .bind(limit.saturating_add(1))
    .fetch(pool);
    let mut entries = entries(rows).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    Ok(Page { next: last.map(|last| Cursor::behind(last.id)), entries })
}

/// A part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Booked>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
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
