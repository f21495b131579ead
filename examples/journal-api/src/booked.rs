//! An entry that is in the journal.

use serde::Serialize;
use utoipa::ToSchema;

use crate::id::EntryId;
use crate::ledger::JournalEntry;

/// An entry with the id it was booked under, and what it has to do with others.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Booked {
    /// Its name.
    pub id: EntryId,
    /// What was booked.
    #[serde(flatten)]
    pub entry: JournalEntry,
    /// The entry that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reverses: Option<EntryId>,
    /// The entry that takes this one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reversed_by: Option<EntryId>,
}
