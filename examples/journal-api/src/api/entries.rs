//! Booking entries and looking at them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use tenantry::{ProvenTenant, Scoped};

use super::entry_path::EntryPath;
use crate::booked::Booked;
use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::ledger::JournalEntry;
use crate::problem::Problem;
use crate::scopes::{Book, Read};
use crate::sent::Sent;
use crate::store::{Done, Journal, MAX_LIMIT, Page};
use crate::wire::{NewEntry, Object};

/// How many entries a list has if the caller does not say.
const DEFAULT_LIMIT: u32 = 50;

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

pub(super) async fn find(
    caller: Scoped<Read>,
    State(journal): State<Journal>,
    EntryPath(id): EntryPath,
) -> Result<Json<Booked>, Problem> {
    let found = journal.find(caller.tenant(), id).await?;
    Ok(Json(found.ok_or_else(Problem::entry_not_found)?))
}

/// Which part of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A page of entries, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Entries {
    entries: Vec<Booked>,
    /// The `cursor` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}
