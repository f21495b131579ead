//! Database rows into entries. What is read is checked like what a caller sends.

use crate::booked::Booked;
use crate::ledger::JournalEntry;
use crate::store_error::StoreError;
use crate::wire::{NewEntry, NewLine, Object};

/// A line, with what it repeats of its entry.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct LineRow {
    id: String,
    date: String,
    memo: String,
    reverses: Option<String>,
    reversed_by: Option<String>,
    account: String,
    side: String,
    amount: String,
    currency: String,
}

/// Collects the lines of entries that come one entry after the other.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    finished: Vec<Booked>,
    current: Option<Current>,
}

/// The entry whose lines are coming.
#[derive(Debug)]
struct Current {
    id: String,
    reverses: Option<String>,
    reversed_by: Option<String>,
    entry: NewEntry,
}

impl Rows {
    /// Takes the next line.
    pub(crate) fn push(&mut self, row: LineRow) -> Result<(), StoreError> {
        let (debit, credit) = match row.side.as_str() {
            "debit" => (Some(row.amount), None),
            "credit" => (None, Some(row.amount)),
            _ => (None, None), // refused below, as a line on no side
        };
        let line = NewLine { account: row.account, debit, credit, currency: row.currency };
        match &mut self.current {
            Some(Current { id, entry, .. }) if *id == row.id => entry.lines.push(Object(line)),
            _ => {
                self.finish_current()?;
                let entry = NewEntry { date: row.date, memo: row.memo, lines: vec![Object(line)] };
                let LineRow { id, reverses, reversed_by, .. } = row;
                self.current = Some(Current { id, reverses, reversed_by, entry });
            }
        }
        Ok(())
    }

    /// Returns the entries in the order their lines came.
    pub(crate) fn finish(mut self) -> Result<Vec<Booked>, StoreError> {
        self.finish_current()?;
        Ok(self.finished)
    }

    fn finish_current(&mut self) -> Result<(), StoreError> {
        if let Some(current) = self.current.take() {
            let id = |id: String| id.parse().map_err(StoreError::corrupt);
            self.finished.push(Booked {
                id: id(current.id)?,
                entry: JournalEntry::try_from(current.entry).map_err(StoreError::corrupt)?,
                reverses: current.reverses.map(id).transpose()?,
                reversed_by: current.reversed_by.map(id).transpose()?,
            });
        }
        Ok(())
    }
}
