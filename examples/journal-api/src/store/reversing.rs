//! Reversing: an entry more, and the word that it takes another one back.

use sqlx::SqliteConnection;

use tenantry::ProvenTenant;

use super::book_error::BookError;
use super::booking;
use crate::booked::Booked;
use crate::id::EntryId;
use crate::reversal::Reversal;

/// Writes what takes `original` back. Nobody else writes until the transaction ends, so what is
/// read here stays true; the table refuses a second reversal all the same.
pub(super) async fn insert(
    transaction: &mut SqliteConnection,
    tenant: &ProvenTenant,
    original: EntryId,
    how: &Reversal,
) -> Result<Booked, BookError> {
    let original = super::reading::find(&mut *transaction, tenant, original).await?;
    let original = original.ok_or(BookError::NotFound)?;
    if original.reverses.is_some() {
        return Err(BookError::IsReversal);
    }
    if let Some(by) = original.reversed_by {
        return Err(BookError::AlreadyReversed(by));
    }
    let reversal = booking::insert(transaction, tenant, how.of(&original)?).await?;
    sqlx::query("INSERT INTO journal_reversal (tenant, original, reversal) VALUES (?, ?, ?)")
        .bind(tenant.as_str())
        .bind(original.id.to_string())
        .bind(reversal.id.to_string())
        .execute(transaction)
        .await?;
    Ok(Booked { reverses: Some(original.id), ..reversal })
}
