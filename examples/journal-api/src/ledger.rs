//! Double entry: what a journal entry is, and that each currency of it balances.
//!
//! A [`JournalEntry`] can only be made of lines that balance, and has no method that changes it. A
//! [`NewEntry`] is what a caller sent; it becomes an entry through [`TryFrom`].

use std::collections::BTreeMap;

use iso_currency::Currency;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::amount::Amount;
use crate::invalid::{InvalidEntry, InvalidLine};
use crate::wire::{NewEntry, NewLine, Object};

/// The most lines of an entry.
pub const MAX_LINES: usize = 1000;

/// The most characters of a memo.
pub const MAX_MEMO: usize = 500;

/// The longest account number, in bytes.
pub const MAX_ACCOUNT: usize = 32;

/// How an amount is written, for those who read about it.
const AMOUNT: &str = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$";

// The largest sum of a side, in minor units, fits the 96 bits of a `Decimal`: adding never rounds.
const _: () = assert!(
    10u128.pow((crate::amount::MAX_INTEGER_DIGITS + crate::amount::MAX_FRACTIONAL_DIGITS) as u32)
        * (MAX_LINES as u128)
        < 1 << 96
);

/// A booking that balances: for each currency, its debits equal its credits.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, ToSchema)]
pub struct JournalEntry {
    date: Date,
    #[schema(value_type = String)]
    memo: Box<str>,
    lines: Vec<Line>,
}

impl JournalEntry {
    /// Makes an entry of lines that balance.
    ///
    /// # Errors
    ///
    /// - [`Memo`](InvalidEntry::Memo): more than [`MAX_MEMO`] characters, or control characters.
    /// - [`LineCount`](InvalidEntry::LineCount): fewer than two lines, or more than [`MAX_LINES`].
    /// - [`Unbalanced`](InvalidEntry::Unbalanced): with the difference per currency.
    /// - [`SumTooLarge`](InvalidEntry::SumTooLarge): the lines cannot be added up exactly.
    pub fn new(date: Date, memo: &str, lines: Vec<Line>) -> Result<Self, InvalidEntry> {
        if memo.chars().nth(MAX_MEMO).is_some() || memo.chars().any(char::is_control) {
            return Err(InvalidEntry::Memo);
        }
        if !(2..=MAX_LINES).contains(&lines.len()) {
            return Err(InvalidEntry::LineCount);
        }
        let mut differences = differences(&lines).ok_or(InvalidEntry::SumTooLarge)?;
        differences.retain(|_, difference| !difference.is_zero());
        if !differences.is_empty() {
            return Err(InvalidEntry::Unbalanced(differences));
        }
        Ok(Self { date, memo: memo.into(), lines })
    }

    /// Returns the day it is booked on.
    #[must_use]
    pub const fn date(&self) -> Date {
        self.date
    }

    /// Returns the booking text.
    #[must_use]
    pub const fn memo(&self) -> &str {
        &self.memo
    }

    /// Returns its lines in the order they were given.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl TryFrom<NewEntry> for JournalEntry {
    type Error = InvalidEntry;

    fn try_from(new: NewEntry) -> Result<Self, InvalidEntry> {
        let date = date(&new.date).ok_or(InvalidEntry::Date)?;
        let lines = new.lines.iter().enumerate().map(|(index, Object(line))| {
            Line::try_from(line).map_err(|why| InvalidEntry::Line { line: index + 1, why })
        });
        Self::new(date, &new.memo, lines.collect::<Result<_, _>>()?)
    }
}

/// One line of an entry: so much of a currency on one side of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    account: Box<str>,
    side: Side,
    amount: Amount,
    currency: Currency,
}

impl Line {
    /// Returns the line that takes this one back: on the other side.
    #[must_use]
    pub const fn exchanged(mut self) -> Self {
        self.side = match self.side {
            Side::Credit => Side::Debit,
            Side::Debit => Side::Credit,
        };
        self
    }

    /// Returns the number of the account.
    #[must_use]
    pub const fn account(&self) -> &str {
        &self.account
    }

    /// Returns the side of the account it is on.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Returns how much.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// Returns of what.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }
}

impl TryFrom<&NewLine> for Line {
    type Error = InvalidLine;

    fn try_from(new: &NewLine) -> Result<Self, InvalidLine> {
        if !is_account(&new.account) {
            return Err(InvalidLine::Account);
        }
        let currency = Currency::from_code(&new.currency).ok_or(InvalidLine::Currency)?;
        let (side, amount) = match (&new.debit, &new.credit) {
            (Some(debit), None) => (Side::Debit, debit),
            (None, Some(credit)) => (Side::Credit, credit),
            (Some(_), Some(_)) | (None, None) => return Err(InvalidLine::Side),
        };
        let amount = Amount::parse(amount, currency).map_err(InvalidLine::Amount)?;
        Ok(Self { account: new.account.as_str().into(), side, amount, currency })
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Line", 3)?;
        line.serialize_field("account", &self.account)?;
        line.serialize_field(self.side.as_str(), &self.amount.to_string())?;
        line.serialize_field("currency", self.currency.code())?;
        line.end()
    }
}

/// As it is serialized: the amount is a member by the name of its side.
impl PartialSchema for Line {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let line = |side: Side| {
            ObjectBuilder::new()
                .property("account", text())
                .property(side.as_str(), text().pattern(Some(AMOUNT)))
                .property("currency", text().pattern(Some("^[A-Z]{3}$")))
                .required("account")
                .required(side.as_str())
                .required("currency")
        };
        OneOfBuilder::new().item(line(Side::Debit)).item(line(Side::Credit)).into()
    }
}

impl ToSchema for Line {}

/// The two sides of an account.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// The right one.
    Credit,
    /// The left one.
    Debit,
}

impl Side {
    /// Returns the side's name in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
        }
    }
}

/// Debits less credits of each currency; `None` if a sum does not fit.
fn differences(lines: &[Line]) -> Option<BTreeMap<Currency, Decimal>> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.currency).or_default();
        *sum = add(*sum, line.side, line.amount.decimal())?;
    }
    Some(sums)
}

fn add(sum: Decimal, side: Side, amount: Decimal) -> Option<Decimal> {
    match side {
        Side::Credit => sum.checked_sub(amount),
        Side::Debit => sum.checked_add(amount),
    }
}

/// A date written as `2026-11-21` and in no other way.
pub(crate) fn date(text: &str) -> Option<Date> {
    let date = text.parse::<Date>().ok()?;
    (date.year() >= 0 && date.to_string() == text).then_some(date)
}

/// 1 to 32 of `[A-Za-z0-9._-]`.
fn is_account(account: &str) -> bool {
    let is_account_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_ACCOUNT).contains(&account.len()) && account.bytes().all(is_account_byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::amount::{InvalidAmount, fractional_digits};

    fn entry(entry: serde_json::Value) -> Result<JournalEntry, InvalidEntry> {
        JournalEntry::try_from(serde_json::from_value::<NewEntry>(entry).unwrap())
    }

    fn entry_of(lines: serde_json::Value) -> Result<JournalEntry, InvalidEntry> {
        entry(json!({"date": "2026-11-21", "memo": "Office rent", "lines": lines}))
    }

    fn rent_with(
        change: impl FnOnce(&mut serde_json::Value),
    ) -> Result<JournalEntry, InvalidEntry> {
        let mut rent = json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
            {"account": "6310", "debit": "1200.00", "currency": "EUR"},
            {"account": "1200", "credit": "1200.00", "currency": "EUR"}]});
        change(&mut rent);
        entry(rent)
    }

    #[test]
    fn an_entry_comes_out_as_it_went_in() {
        let rent = json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
            {"account": "6310", "debit": "1200.00", "currency": "EUR"},
            {"account": "1200", "credit": "1200.00", "currency": "EUR"}]});
        let out = serde_json::to_value(entry(rent.clone()).unwrap()).unwrap();
        assert_eq!(out, rent);
    }

    #[test]
    fn an_unbalanced_entry_is_refused_with_the_difference_of_each_currency() {
        let refused = entry_of(json!([
            {"account": "6310", "debit": "1200.00", "currency": "EUR"},
            {"account": "1200", "credit": "1199.50", "currency": "EUR"},
            {"account": "1200", "debit": "7", "currency": "JPY"},
            {"account": "1300", "credit": "10", "currency": "JPY"},
            {"account": "1200", "debit": "3.00", "currency": "USD"},
            {"account": "1300", "credit": "3.00", "currency": "USD"},
        ]));
        let differences = BTreeMap::from([
            (Currency::EUR, Decimal::new(50, 2)),
            (Currency::JPY, Decimal::new(-3, 0)),
        ]);
        assert_eq!(refused, Err(InvalidEntry::Unbalanced(differences)));
    }

    #[test]
    fn one_currency_does_not_make_up_for_another() {
        let refused = entry_of(json!([
            {"account": "6310", "debit": "5.00", "currency": "EUR"},
            {"account": "1200", "credit": "5.00", "currency": "USD"},
        ]));
        assert!(matches!(refused, Err(InvalidEntry::Unbalanced(by)) if by.len() == 2));
    }

    #[test]
    fn an_entry_has_two_to_a_thousand_lines() {
        let line = |side: &str| json!({"account": "1", side: "0.01", "currency": "EUR"});
        let lines =
            |count: usize| entry_of((0..count).map(|i| line(["debit", "credit"][i % 2])).collect());
        assert_eq!(lines(0), Err(InvalidEntry::LineCount));
        assert_eq!(lines(1), Err(InvalidEntry::LineCount));
        assert!(lines(2).is_ok());
        assert!(lines(MAX_LINES).is_ok());
        assert_eq!(lines(MAX_LINES + 2), Err(InvalidEntry::LineCount));
    }

    #[test]
    fn the_largest_amounts_add_up_exactly() {
        let mut lines =
            vec![json!({"account": "1", "debit": "999999999999999.9999", "currency": "CLF"}); 500];
        lines.extend(vec![
            json!({"account": "1", "credit": "999999999999999.9999", "currency": "CLF"});
            499
        ]);
        let refused = entry_of(lines.clone().into());
        let difference = BTreeMap::from([(Currency::CLF, "999999999999999.9999".parse().unwrap())]);
        assert_eq!(refused, Err(InvalidEntry::Unbalanced(difference)));

        lines.push(json!({"account": "1", "credit": "999999999999999.9998", "currency": "CLF"}));
        let difference = BTreeMap::from([(Currency::CLF, "0.0001".parse().unwrap())]);
        assert_eq!(entry_of(lines.into()), Err(InvalidEntry::Unbalanced(difference)));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_none() {
        assert_eq!(add(Decimal::MAX, Side::Debit, Decimal::ONE), None);
        assert_eq!(add(Decimal::MIN, Side::Credit, Decimal::ONE), None);
        assert_eq!(add(Decimal::ONE, Side::Credit, Decimal::ONE), Some(Decimal::ZERO));
    }

    #[test]
    fn a_memo_is_at_most_500_characters_on_one_line() {
        let memo = |memo: String| rent_with(|rent| rent["memo"] = memo.into());
        assert!(memo("ä".repeat(MAX_MEMO)).is_ok());
        assert!(memo(String::new()).is_ok());
        assert_eq!(memo("a".repeat(MAX_MEMO + 1)), Err(InvalidEntry::Memo));
        assert_eq!(memo("a\nb".into()), Err(InvalidEntry::Memo));
        assert_eq!(memo("a\u{1b}[31m".into()), Err(InvalidEntry::Memo));
    }

    #[test]
    fn a_date_has_one_spelling() {
        let date = |date: &str| rent_with(|rent| rent["date"] = date.into());
        assert!(date("2024-02-29").is_ok());
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-1-2",
            "20261121",
            "2026-11-21T10:00",
            "2026-W47-6",
            " 2026-11-21",
            "2026-11-21 ",
            "-000001-01-01",
            "+002026-11-21",
            "2026-11-21[u-ca=iso8601]",
        ] {
            assert_eq!(date(text), Err(InvalidEntry::Date), "{text:?}");
        }
    }

    #[test]
    fn a_line_names_an_account_one_side_and_a_currency() {
        let line = |change: fn(&mut serde_json::Value)| match rent_with(|rent| {
            change(&mut rent["lines"][1])
        }) {
            Err(InvalidEntry::Line { line: 2, why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(line(|line| line["account"] = "".into()), InvalidLine::Account);
        assert_eq!(line(|line| line["account"] = "1 2".into()), InvalidLine::Account);
        assert_eq!(line(|line| line["account"] = "1".repeat(33).into()), InvalidLine::Account);
        assert_eq!(line(|line| line["currency"] = "eur".into()), InvalidLine::Currency);
        assert_eq!(line(|line| line["currency"] = "AAA".into()), InvalidLine::Currency);
        assert_eq!(line(|line| line["debit"] = "1".into()), InvalidLine::Side);
        assert_eq!(line(|line| line["credit"] = serde_json::Value::Null), InvalidLine::Side);
        assert_eq!(
            line(|line| line["credit"] = "-1".into()),
            InvalidLine::Amount(InvalidAmount::Malformed)
        );
    }

    /// A line in minor units, for a model that needs no decimals.
    type ModelLine = (Currency, Side, i128);

    fn model_line() -> impl Strategy<Value = ModelLine> {
        let currency = prop::sample::select(vec![Currency::EUR, Currency::JPY, Currency::KWD]);
        let side = prop::sample::select(vec![Side::Credit, Side::Debit]);
        (currency, side, prop_oneof![1..4_i128, 1..10_i128.pow(13)])
    }

    fn written((currency, side, minor): &ModelLine) -> serde_json::Value {
        let digits = fractional_digits(*currency).unwrap();
        let amount = Decimal::from_i128_with_scale(*minor, digits).to_string();
        json!({"account": "1", side.as_str(): amount, "currency": currency.code()})
    }

    fn model_differences(lines: &[ModelLine]) -> BTreeMap<Currency, i128> {
        let mut sums = BTreeMap::new();
        for (currency, side, minor) in lines {
            *sums.entry(*currency).or_insert(0) +=
                if *side == Side::Debit { *minor } else { -*minor };
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    proptest! {
        #[test]
        fn an_entry_is_accepted_exactly_if_a_model_in_minor_units_balances(
            mut lines in prop::collection::vec(model_line(), 2..12),
            close in any::<bool>(),
        ) {
            if close {
                // Most random lines do not balance: a last line per currency makes these do.
                for (currency, sum) in model_differences(&lines) {
                    let side = if sum > 0 { Side::Credit } else { Side::Debit };
                    lines.push((currency, side, sum.abs()));
                }
            }
            let model = model_differences(&lines);
            match entry_of(lines.iter().map(written).collect()) {
                Ok(entry) => {
                    prop_assert!(model.is_empty());
                    prop_assert_eq!(entry.lines().len(), lines.len());
                    let sums = differences(entry.lines()).unwrap();
                    prop_assert!(sums.values().all(Decimal::is_zero));
                }
                Err(InvalidEntry::Unbalanced(by)) => {
                    let by = by.into_iter().map(|(currency, by)| (currency, by.mantissa()));
                    prop_assert_eq!(by.collect::<BTreeMap<_, _>>(), model);
                }
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn no_text_makes_reading_an_entry_panic(
            date in ".{0,40}",
            account in ".{0,40}",
            amount in ".{0,40}",
            currency in ".{0,4}",
        ) {
            let line = json!({"account": account, "debit": amount, "currency": currency});
            let _ = entry(json!({"date": date, "memo": "", "lines": [line]}));
        }
    }
}
