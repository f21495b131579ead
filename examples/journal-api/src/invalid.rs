//! Why a new entry was not booked.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use iso_currency::Currency;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::amount::InvalidAmount;
use crate::ledger::{MAX_ACCOUNT, MAX_LINES, MAX_MEMO};

/// Why something is not a [`JournalEntry`](crate::ledger::JournalEntry).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidEntry {
    /// A reversal is dated before its original, which is of this day.
    BeforeOriginal(Date),
    /// The date is not a day of the calendar, written as `2026-11-21`.
    Date,
    /// A line cannot be read.
    Line {
        /// Which, counted from one.
        line: usize,
        /// Why.
        why: InvalidLine,
    },
    /// Fewer than two lines, or more than [`MAX_LINES`].
    LineCount,
    /// The memo is longer than [`MAX_MEMO`] characters or has control characters.
    Memo,
    /// The amounts cannot be added up exactly.
    SumTooLarge,
    /// Debits and credits differ, by this much: debits less credits, never zero.
    Unbalanced(BTreeMap<Currency, Decimal>),
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeOriginal(date) => {
                write!(f, "the reversal is dated before the entry, which is of {date}")
            }
            Self::Date => f.write_str("the date is not a day written as 2026-11-21"),
            Self::Line { line, why } => write!(f, "line {line}: {why}"),
            Self::LineCount => write!(f, "an entry has 2 to {MAX_LINES} lines"),
            Self::Memo => {
                write!(f, "the memo is longer than {MAX_MEMO} characters or has control characters")
            }
            Self::SumTooLarge => f.write_str("the amounts cannot be added up exactly"),
            Self::Unbalanced(differences) => {
                f.write_str("debits and credits differ by")?;
                for (index, (currency, difference)) in differences.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma} {difference} {}", currency.code())?;
                }
                Ok(())
            }
        }
    }
}

impl Error for InvalidEntry {}

/// Why something is not a [`Line`](crate::ledger::Line).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidLine {
    /// The account is not 1 to [`MAX_ACCOUNT`] letters, digits, `.`, `_` or `-`.
    Account,
    /// The amount is not one of its currency.
    Amount(InvalidAmount),
    /// The currency is not an ISO 4217 code.
    Currency,
    /// Neither debit nor credit, or both.
    Side,
}

impl fmt::Display for InvalidLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => {
                write!(f, "the account is not 1 to {MAX_ACCOUNT} letters, digits, `.`, `_` or `-`")
            }
            Self::Amount(why) => fmt::Display::fmt(why, f),
            Self::Currency => f.write_str("the currency is not an ISO 4217 code such as EUR"),
            Self::Side => f.write_str("either debit or credit, not both and not neither"),
        }
    }
}

impl Error for InvalidLine {}
