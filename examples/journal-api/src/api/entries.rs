//! Booking entries and looking at them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use tenantry::{ProvenTenant, Scoped};

use super::entry_path::EntryPath;
use crate::booked::Booked;
use crate::id::EntryId;
use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::ledger::JournalEntry;
use crate::problem::Problem;
use crate::scopes::{Book, Read};
use crate::sent::Sent;
use crate::store::{Done, Journal, MAX_LIMIT, Page};
use crate::wire::{NewEntry, Object};

/// How many entries a list has if the caller does not say.
const DEFAULT_LIMIT: u32 = 50;

/// Book an entry
///
/// The debits of each currency have to equal its credits.
#[utoipa::path(
    post,
    path = "/{tenant}/journal-entries",
    params(
        ("Idempotency-Key" = Option<String>, Header, nullable = false, format = "idempotency-key",
            description = "Makes the request one that may be sent again: a string in double quotes, \
                           kept for 24 hours.",
            pattern = r#"^"([ !#-\[\]-~]|\\["\\]){1,255}"$"#,
            example = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""),
    ),
    request_body(content = NewEntry),
    responses((
        status = 201,
        description = "The entry, booked now or by an earlier request with this key.",
        body = Booked,
        headers(
            ("Location" = String, description = "Where it is."),
            ("Idempotent-Replayed" = String,
                description = "`true` if an earlier request with this key booked it."),
        ),
    )),
)]
pub(super) async fn create(
    caller: Scoped<Book>,
    State(journal): State<Journal>,
    sent: Sent,
) -> Result<Response, Problem> {
    let attempt = sent.attempt(&caller)?;
    let Object(new) = sent.json::<Object<NewEntry>>().await?;
    let entry = JournalEntry::try_from(new)?;
    let tenant = caller.tenant();
    let done = journal.book(tenant, &entry, attempt.as_ref()).await?;
    Ok(created(tenant, done))
}

/// The answer to a booking, also to one that was booked before.
pub(super) fn created(tenant: &ProvenTenant, Done { booked, replayed }: Done) -> Response {
    let location = format!("/{tenant}/journal-entries/{}", booked.id);
    let mut answer = (StatusCode::CREATED, [(LOCATION, location)], Json(booked)).into_response();
    if replayed {
        answer.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

/// List entries, newest first
#[utoipa::path(
    get,
    path = "/{tenant}/journal-entries",
    params(Place),
    responses((
        status = 200,
        description = "A page of the list.",
        body = Entries,
        headers(("Link" = String, description = "The next page, if there is one, as `rel=\"next\"`.")),
    )),
)]
pub(super) async fn list(
    caller: Scoped<Read>,
    State(journal): State<Journal>,
    place: Result<Query<Place>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Place { limit, cursor }) = place?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::limit_out_of_range());
    }
    let cursor = cursor.map(|cursor| cursor.parse()).transpose()?;
    let tenant = caller.tenant();
    let Page { entries, next } = journal.page(tenant, limit, cursor).await?;
    let next = next.map(|next| next.to_string());
    let link = next.as_ref().map(|next| {
        let link = format!("</{tenant}/journal-entries?limit={limit}&cursor={next}>; rel=\"next\"");
        AppendHeaders([(LINK, link)])
    });
    Ok((link, Json(Entries { entries, next })).into_response())
}

/// Find an entry
#[utoipa::path(
    get,
    path = "/{tenant}/journal-entries/{id}",
    params(("id" = EntryId, Path, description = "The entry.")),
    responses((status = 200, description = "The entry.", body = Booked)),
)]
pub(super) async fn find(
    caller: Scoped<Read>,
    State(journal): State<Journal>,
    EntryPath(id): EntryPath,
) -> Result<Json<Booked>, Problem> {
    let found = journal.find(caller.tenant(), id).await?;
    Ok(Json(found.ok_or_else(Problem::entry_not_found)?))
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// How many entries at most.
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    #[serde(default)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(value_type = String, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entries {
    entries: Vec<Booked>,
    /// The `cursor` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}
