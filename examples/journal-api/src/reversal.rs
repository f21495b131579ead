//! How a mistake is put right: by an entry with debit and credit exchanged.
//!
//! It is dated like the entry it reverses, so that no period keeps half of the mistake, unless the
//! caller names a later day, for a period that is closed. An entry is reversed once. A reversal is
//! not reversed: whoever reversed too much books the entry again.

use jiff::civil::Date;

use crate::booked::Booked;
use crate::invalid::InvalidEntry;
use crate::ledger::{JournalEntry, date};
use crate::wire::NewReversal;

/// What a caller may choose about a reversal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reversal {
    /// The day, if it is not that of the original.
    pub date: Option<Date>,
    /// The booking text, if it is not the usual one.
    pub memo: Option<String>,
}

impl Reversal {
    /// Makes the entry that takes `original` back.
    ///
    /// # Errors
    ///
    /// If it would be dated before the original, or the memo is none.
    pub fn of(&self, original: &Booked) -> Result<JournalEntry, InvalidEntry> {
        let Booked { id, entry, .. } = original;
        let date = self.date.unwrap_or(entry.date());
        if date < entry.date() {
            return Err(InvalidEntry::BeforeOriginal(entry.date()));
        }
        let usual = || format!("Reversal of {id}");
        let memo = self.memo.clone().unwrap_or_else(usual);
        let lines = entry.lines().iter().map(|line| line.clone().exchanged());
        JournalEntry::new(date, &memo, lines.collect())
    }
}

impl TryFrom<NewReversal> for Reversal {
    type Error = InvalidEntry;

    fn try_from(NewReversal { date: text, memo }: NewReversal) -> Result<Self, InvalidEntry> {
        let read = |text: String| date(&text).ok_or(InvalidEntry::Date);
        Ok(Self { date: text.map(read).transpose()?, memo })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::EntryId;
    use crate::wire::NewEntry;

    fn original() -> Booked {
        let entry = json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
            {"account": "6310", "debit": "1200.00", "currency": "EUR"},
            {"account": "6311", "debit": "7", "currency": "JPY"},
            {"account": "1200", "credit": "7", "currency": "JPY"},
            {"account": "1200", "credit": "1200.00", "currency": "EUR"}]});
        let entry = serde_json::from_value::<NewEntry>(entry).unwrap().try_into().unwrap();
        Booked { id: EntryId::new(), entry, reverses: None, reversed_by: None }
    }

    fn of(original: &Booked, how: serde_json::Value) -> Result<JournalEntry, InvalidEntry> {
        let how: NewReversal = serde_json::from_value(how).unwrap();
        Reversal::try_from(how)?.of(original)
    }

    #[test]
    fn a_reversal_exchanges_debit_and_credit_on_the_same_day() {
        let original = original();
        let reversal = serde_json::to_value(of(&original, json!({})).unwrap()).unwrap();
        assert_eq!(
            reversal,
            json!({"date": "2026-11-21", "memo": format!("Reversal of {}", original.id), "lines": [
                {"account": "6310", "credit": "1200.00", "currency": "EUR"},
                {"account": "6311", "credit": "7", "currency": "JPY"},
                {"account": "1200", "debit": "7", "currency": "JPY"},
                {"account": "1200", "debit": "1200.00", "currency": "EUR"}]})
        );
    }

    #[test]
    fn a_caller_may_choose_a_later_day_and_a_memo() {
        let original = original();
        let reversal = of(&original, json!({"date": "2026-12-01", "memo": ""})).unwrap();
        assert_eq!((reversal.date().to_string().as_str(), reversal.memo()), ("2026-12-01", ""));
        for (how, why) in [
            (json!({"date": "2026-11-20"}), InvalidEntry::BeforeOriginal(original.entry.date())),
            (json!({"date": "tomorrow"}), InvalidEntry::Date),
            (json!({"memo": "a\nb"}), InvalidEntry::Memo),
        ] {
            assert_eq!(of(&original, how.clone()), Err(why), "{how}");
        }
    }
}
