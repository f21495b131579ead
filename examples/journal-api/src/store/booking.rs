//! Booking: one transaction, with the key of the request that asked for it.

use sqlx::SqliteConnection;

use tenantry::ProvenTenant;

use super::book_error::BookError;
use super::{Journal, kept, reversing};
use crate::booked::Booked;
use crate::id::EntryId;
use crate::idempotency::Attempt;
use crate::ledger::JournalEntry;
use crate::reversal::Reversal;
use crate::store_error::StoreError;

/// What a request to book led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Done {
    /// The entry, as it was when it was booked.
    pub booked: Booked,
    /// Whether an earlier attempt booked it.
    pub replayed: bool,
}

impl Journal {
    /// Books `entry` for `tenant`. What an `attempt` booked before is not booked again.
    ///
    /// # Errors
    ///
    /// See [`BookError`]. Then none of it is booked.
    ///
    /// # Cancel safety
    ///
    /// All of it is booked or none, and with it the key of the attempt.
    pub async fn book(
        &self,
        tenant: &ProvenTenant,
        entry: &JournalEntry,
        attempt: Option<&Attempt>,
    ) -> Result<Done, BookError> {
        self.write(tenant, Work::Book(entry), attempt).await
    }

    /// Books what takes the entry `original` of `tenant` back.
    ///
    /// # Errors
    ///
    /// See [`BookError`]. Then nothing is booked.
    ///
    /// # Cancel safety
    ///
    /// As [`book`](Self::book).
    pub async fn reverse(
        &self,
        tenant: &ProvenTenant,
        original: EntryId,
        how: &Reversal,
        attempt: Option<&Attempt>,
    ) -> Result<Done, BookError> {
        self.write(tenant, Work::Reverse(original, how), attempt).await
    }

    async fn write(
        &self,
        tenant: &ProvenTenant,
        work: Work<'_>,
        attempt: Option<&Attempt>,
    ) -> Result<Done, BookError> {
        let _under_way = self.under_way.begin(tenant, attempt)?;
        let now = self.clock.unix();
        let _turn = self.shares.turn(tenant).await?;
        // Other writers are waited for here, those of other processes one line below, and none at a
        // later statement.
        let _writer = self.writer.lock().await;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(attempt) = attempt {
            if let Some(booked) = kept::find(&mut transaction, tenant, attempt, now).await? {
                return Ok(Done { booked, replayed: true });
            }
            kept::prune(&mut transaction, tenant, now).await?;
        }
        let booked = match work {
            Work::Book(entry) => insert(&mut transaction, tenant, entry.clone()).await?,
            Work::Reverse(original, how) => {
                reversing::insert(&mut transaction, tenant, original, how).await?
            }
        };
        if let Some(attempt) = attempt {
            kept::keep(&mut transaction, tenant, attempt, booked.id, now).await?;
        }
        transaction.commit().await?;
        Ok(Done { booked, replayed: false })
    }
}

/// What is to be booked.
enum Work<'a> {
    Book(&'a JournalEntry),
    Reverse(EntryId, &'a Reversal),
}

/// Writes the lines, and then the entry, which closes it.
pub(super) async fn insert(
    transaction: &mut SqliteConnection,
    tenant: &ProvenTenant,
    entry: JournalEntry,
) -> Result<Booked, StoreError> {
    let id = EntryId::new();
    let id_text = id.to_string();
    for (position, line) in (0_i64..).zip(entry.lines()) {
        sqlx::query(
            "INSERT INTO journal_line \
             (tenant, entry, position, account, side, amount, currency) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant.as_str())
        .bind(&id_text)
        .bind(position)
        .bind(line.account())
        .bind(line.side().as_str())
        .bind(line.amount().to_string())
        .bind(line.currency().code())
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query("INSERT INTO journal_entry (tenant, id, date, memo) VALUES (?, ?, ?, ?)")
        .bind(tenant.as_str())
        .bind(&id_text)
        .bind(entry.date().to_string())
        .bind(entry.memo())
        .execute(&mut *transaction)
        .await?;
    Ok(Booked { id, entry, reverses: None, reversed_by: None })
}
