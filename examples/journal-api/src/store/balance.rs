//! The trial balance, added up where the lines are.

use futures_util::TryStreamExt;
use iso_currency::Currency;
use sqlx::SqlitePool;

use tenantry::ProvenTenant;

use super::Journal;
use crate::balance::{BalanceError, MAX_ROWS, Period, Sides, Sums, TrialBalance};
use crate::store_error::StoreError;

/// An amount is text, and SQLite's integers have 64 bits: a sum of whole amounts would run over after
/// some thousand lines. So what is above 10^8 units, what is below, and the ten-thousandths are
/// added up each for themselves. The largest of the three would need 9 * 10^10 lines to run over, and
/// SQLite answers that with an error.
const SUMS: &str = "\
    WITH line AS ( \
        SELECT line.account, line.currency, line.side, \
               CAST(substr(amount, 1, instr(amount || '.', '.') - 1) AS INTEGER) AS units, \
               CAST(substr(substr(amount, instr(amount || '.', '.') + 1) || '0000', 1, 4) \
                    AS INTEGER) AS parts \
        FROM journal_line AS line \
        JOIN journal_entry AS entry ON entry.tenant = line.tenant AND entry.id = line.entry \
        WHERE line.tenant = ? \
        AND entry.date >= coalesce(?, entry.date) AND entry.date <= coalesce(?, entry.date) \
    ) \
    SELECT account, currency, \
           coalesce(sum(units / 100000000) FILTER (WHERE side = 'debit'), 0) AS debit_high, \
           coalesce(sum(units % 100000000) FILTER (WHERE side = 'debit'), 0) AS debit_low, \
           coalesce(sum(parts) FILTER (WHERE side = 'debit'), 0) AS debit_parts, \
           coalesce(sum(units / 100000000) FILTER (WHERE side = 'credit'), 0) AS credit_high, \
           coalesce(sum(units % 100000000) FILTER (WHERE side = 'credit'), 0) AS credit_low, \
           coalesce(sum(parts) FILTER (WHERE side = 'credit'), 0) AS credit_parts \
    FROM line GROUP BY account, currency ORDER BY account, currency LIMIT ?";

/// Sums of one account in one currency, in limbs.
#[derive(sqlx::FromRow)]
struct SumsRow {
    account: String,
    currency: String,
    debit_high: i64,
    debit_low: i64,
    debit_parts: i64,
    credit_high: i64,
    credit_low: i64,
    credit_parts: i64,
}

impl Journal {
    /// Adds up what `tenant` booked in a period.
    ///
    /// # Errors
    ///
    /// If the database cannot be read, or [why it does not add up](BalanceError).
    pub async fn trial_balance(
        &self,
        tenant: &ProvenTenant,
        period: Period,
    ) -> Result<Result<TrialBalance, BalanceError>, StoreError> {
        let (pool, whose) = (self.pool.clone(), tenant.clone());
        self.in_turn(tenant, async move { add_up(&pool, &whose, period).await }).await
    }
}

async fn add_up(
    pool: &SqlitePool,
    tenant: &ProvenTenant,
    period: Period,
) -> Result<Result<TrialBalance, BalanceError>, StoreError> {
    let mut found = sqlx::query_as::<_, SumsRow>(SUMS)
        .bind(tenant.as_str())
        .bind(period.from.map(|day| day.to_string()))
        .bind(period.to.map(|day| day.to_string()))
        // One more than there may be, to see that there are too many.
        .bind(i64::try_from(MAX_ROWS).unwrap_or(i64::MAX).saturating_add(1))
        .fetch(pool);
    let mut rows = Vec::new();
    while let Some(row) = found.try_next().await? {
        let currency = Currency::from_code(&row.currency)
            .ok_or_else(|| StoreError::corrupt(BalanceError::Unequal))?;
        let sides = Sides {
            debit: joined(row.debit_high, row.debit_low, row.debit_parts),
            credit: joined(row.credit_high, row.credit_low, row.credit_parts),
        };
        rows.push(Sums { account: row.account, currency, sides });
    }
    match TrialBalance::of(period, rows) {
        Err(error @ BalanceError::Unequal) => Err(StoreError::corrupt(error)),
        balance => Ok(balance),
    }
}

/// Ten-thousandths. Limbs of 64 bits each stay far below the 127.
fn joined(high: i64, low: i64, parts: i64) -> i128 {
    (i128::from(high) * 100_000_000 + i128::from(low)) * 10_000 + i128::from(parts)
}
