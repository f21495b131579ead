//! An entry that is in the journal.

use serde::Serialize;

use crate::id::EntryId;
use crate::ledger::JournalEntry;

/// An entry with the id it was booked under.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Booked {
    /// Its name.
    pub id: EntryId,
    /// What was booked.
    #[serde(flatten)]
    pub entry: JournalEntry,
}
