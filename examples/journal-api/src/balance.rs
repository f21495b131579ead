//! The trial balance: what was booked on each account, and that it adds up.

use std::collections::BTreeMap;

use iso_currency::Currency;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::amount::fractional_digits;

/// The most rows: pairs of an account and a currency.
pub const MAX_ROWS: usize = 10_000;

/// The days whose entries count, both included. Without a day there is no bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Period {
    /// The first.
    pub from: Option<Date>,
    /// The last.
    pub to: Option<Date>,
}

/// Debits and credits of each account, and of all accounts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct TrialBalance {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to: Option<Date>,
    accounts: Vec<Row>,
    totals: Vec<Total>,
}

impl TrialBalance {
    /// Adds up the rows of a period.
    ///
    /// # Errors
    ///
    /// See [`BalanceError`].
    pub fn of(period: Period, rows: Vec<Sums>) -> Result<Self, BalanceError> {
        if rows.len() > MAX_ROWS {
            return Err(BalanceError::TooManyRows);
        }
        let mut totals = BTreeMap::<_, Sides>::new();
        let mut accounts = Vec::with_capacity(rows.len());
        for Sums { account, currency, sides } in rows {
            accounts.push(Row::of(account, currency, sides)?);
            let total = totals.entry(currency).or_default();
            *total = total.plus(sides).ok_or(BalanceError::OutOfRange)?;
        }
        let total = |(currency, sides): (Currency, Sides)| {
            if sides.debit != sides.credit {
                return Err(BalanceError::Unequal);
            }
            let both = decimal(sides.debit, currency)?;
            Ok(Total { currency, debit: both, credit: both })
        };
        let mut totals = totals.into_iter().map(total).collect::<Result<Vec<_>, _>>()?;
        totals.sort_by_key(|total| total.currency.code());
        Ok(Self { from: period.from, to: period.to, accounts, totals })
    }
}

/// What was booked on one account in one currency.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
struct Row {
    account: String,
    #[serde(serialize_with = "as_code")]
    #[schema(value_type = String, pattern = "^[A-Z]{3}$")]
    currency: Currency,
    debit: Decimal,
    credit: Decimal,
    /// Debits less credits.
    balance: Decimal,
}

impl Row {
    fn of(account: String, currency: Currency, sides: Sides) -> Result<Self, BalanceError> {
        let Sides { debit, credit } = sides;
        let balance = debit.checked_sub(credit).ok_or(BalanceError::OutOfRange)?;
        Ok(Self {
            account,
            currency,
            debit: decimal(debit, currency)?,
            credit: decimal(credit, currency)?,
            balance: decimal(balance, currency)?,
        })
    }
}

/// What was booked in one currency: debits equal credits.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
struct Total {
    #[serde(serialize_with = "as_code")]
    #[schema(value_type = String, pattern = "^[A-Z]{3}$")]
    currency: Currency,
    debit: Decimal,
    credit: Decimal,
}

/// The sums of one account in one currency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sums {
    /// The number of the account.
    pub account: String,
    /// Of what.
    pub currency: Currency,
    /// How much.
    pub sides: Sides,
}

/// Sums in ten-thousandths of a unit, whatever the currency: no currency has smaller parts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sides {
    /// Of the debits.
    pub debit: i128,
    /// Of the credits.
    pub credit: i128,
}

impl Sides {
    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            debit: self.debit.checked_add(other.debit)?,
            credit: self.credit.checked_add(other.credit)?,
        })
    }
}

/// Writes ten-thousandths with as many fractional digits as the currency has.
fn decimal(parts: i128, currency: Currency) -> Result<Decimal, BalanceError> {
    let digits = fractional_digits(currency).ok_or(BalanceError::Unequal)?;
    let in_minor = 10_i128.pow(4_u32.saturating_sub(digits));
    if parts % in_minor != 0 {
        return Err(BalanceError::Unequal);
    }
    Decimal::try_from_i128_with_scale(parts / in_minor, digits)
        .map_err(|_| BalanceError::OutOfRange)
}

fn as_code<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code())
}

/// Why there is no trial balance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BalanceError {
    /// A sum has more digits than a [`Decimal`] holds.
    OutOfRange,
    /// There are more than [`MAX_ROWS`].
    TooManyRows,
    /// What is in the database was not booked by this program: debits and credits differ, or an
    /// amount is none of its currency.
    Unequal,
}

impl std::fmt::Display for BalanceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("a sum has too many digits"),
            Self::TooManyRows => {
                write!(f, "there are more than {MAX_ROWS} pairs of account and currency")
            }
            Self::Unequal => f.write_str("debits and credits differ"),
        }
    }
}

impl std::error::Error for BalanceError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sums(account: &str, currency: Currency, debit: i128, credit: i128) -> Sums {
        Sums { account: account.into(), currency, sides: Sides { debit, credit } }
    }

    fn balance(rows: Vec<Sums>) -> Result<TrialBalance, BalanceError> {
        TrialBalance::of(Period::default(), rows)
    }

    #[test]
    fn sums_are_written_in_parts_of_their_currency_and_totals_in_its_order() {
        let rows = vec![
            sums("1200", Currency::JPY, 70_000, 0),
            sums("1200", Currency::EUR, 5000, 12_000_000),
            sums("6310", Currency::EUR, 11_995_000, 0),
            sums("6311", Currency::JPY, 0, 70_000),
        ];
        assert_eq!(
            serde_json::to_value(balance(rows).unwrap()).unwrap(),
            json!({
                "accounts": [
                    {"account": "1200", "currency": "JPY", "debit": "7", "credit": "0",
                        "balance": "7"},
                    {"account": "1200", "currency": "EUR", "debit": "0.50", "credit": "1200.00",
                        "balance": "-1199.50"},
                    {"account": "6310", "currency": "EUR", "debit": "1199.50", "credit": "0.00",
                        "balance": "1199.50"},
                    {"account": "6311", "currency": "JPY", "debit": "0", "credit": "7",
                        "balance": "-7"},
                ],
                "totals": [
                    {"currency": "EUR", "debit": "1200.00", "credit": "1200.00"},
                    {"currency": "JPY", "debit": "7", "credit": "7"},
                ],
            })
        );
    }

    #[test]
    fn a_sum_that_does_not_fit_is_an_error_and_not_rounded() {
        // 96 bits, in cents.
        let most = ((1_i128 << 96) - 1) * 100;
        let rows = |sum| vec![sums("1", Currency::EUR, sum, 0), sums("2", Currency::EUR, 0, sum)];
        assert!(balance(rows(most)).is_ok());
        assert_eq!(balance(rows(most + 100)), Err(BalanceError::OutOfRange));

        let mut twice = rows(most);
        twice.extend(rows(most));
        assert_eq!(balance(twice), Err(BalanceError::OutOfRange));
        let mut beyond = rows(i128::MAX / 100 * 100);
        beyond.extend(rows(i128::MAX / 100 * 100));
        assert_eq!(balance(beyond), Err(BalanceError::OutOfRange));
    }

    #[test]
    fn what_does_not_add_up_is_an_error() {
        assert_eq!(balance(vec![sums("1", Currency::EUR, 100, 0)]), Err(BalanceError::Unequal));
        assert_eq!(balance(vec![sums("1", Currency::EUR, 1, 1)]), Err(BalanceError::Unequal));
        assert_eq!(balance(vec![sums("1", Currency::XAU, 100, 100)]), Err(BalanceError::Unequal));
    }

    #[test]
    fn there_is_a_bound_to_the_rows() {
        let rows = |count| vec![sums("1", Currency::EUR, 0, 0); count];
        assert!(balance(rows(MAX_ROWS)).is_ok());
        assert_eq!(balance(rows(MAX_ROWS + 1)), Err(BalanceError::TooManyRows));
    }
}
