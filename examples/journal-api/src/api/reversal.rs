//! Reversing an entry.

use axum::extract::State;
use axum::response::Response;

use tenantry::Scoped;

use super::entries::created;
use super::entry_path::EntryPath;
use crate::problem::Problem;
use crate::reversal::Reversal;
use crate::scopes::Book;
use crate::sent::Sent;
use crate::store::Journal;
use crate::wire::{NewReversal, Object};

pub(super) async fn reverse(
    caller: Scoped<Book>,
    State(journal): State<Journal>,
    EntryPath(original): EntryPath,
    sent: Sent,
) -> Result<Response, Problem> {
    let attempt = sent.attempt(&caller)?;
    let how = sent.optional_json::<Object<NewReversal>>().await?;
    let how = how.map(|Object(how)| Reversal::try_from(how)).transpose()?.unwrap_or_default();
    let tenant = caller.tenant();
    let done = journal.reverse(tenant, original, &how, attempt.as_ref()).await?;
    Ok(created(tenant, done))
}
