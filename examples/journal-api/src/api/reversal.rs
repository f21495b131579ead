//! Reversing an entry.

use axum::extract::State;
use axum::response::Response;

use tenantry::Scoped;

use super::entries::created;
use super::entry_path::EntryPath;
use crate::booked::Booked;
use crate::id::EntryId;
use crate::problem::Problem;
use crate::reversal::Reversal;
use crate::scopes::Book;
use crate::sent::Sent;
use crate::store::Journal;
use crate::wire::{NewReversal, Object};

/// Reverse an entry
///
/// Books an entry with debit and credit exchanged, which refers to this one. An entry is reversed
/// once, and a reversal is not.
#[utoipa::path(
    post,
    path = "/{tenant}/journal-entries/{id}/reversal",
    params(
        ("id" = EntryId, Path, description = "The entry to reverse."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, format = "idempotency-key",
            description = "Makes the request one that may be sent again: a string in double quotes, \
                           kept for 24 hours.",
            pattern = r#"^"([ !#-\[\]-~]|\\["\\]){1,255}"$"#,
            example = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""),
    ),
    request_body(content = Option<NewReversal>, description = "Nothing of it has to be said."),
    responses((
        status = 201,
        description = "The reversal, now or by an earlier request with this key.",
        body = Booked,
        headers(
            ("Location" = String, description = "Where it is."),
            ("Idempotent-Replayed" = String,
                description = "`true` if an earlier request with this key booked it."),
        ),
    )),
)]
pub(super) async fn reverse(
    caller: Scoped<Book>,
    State(journal): State<Journal>,
    EntryPath(original): EntryPath,
    sent: Sent,
) -> Result<Response, Problem> {
    let attempt = sent.attempt(&caller)?;
    let how = sent.optional_json::<Option<Object<NewReversal>>>().await?.flatten();
    let how = how.map(|Object(how)| Reversal::try_from(how)).transpose()?.unwrap_or_default();
    let tenant = caller.tenant();
    let done = journal.reverse(tenant, original, &how, attempt.as_ref()).await?;
    Ok(created(tenant, done))
}
