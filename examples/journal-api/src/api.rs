//! The routes: what each needs, and what it does with a request that has it.
//!
//! | request | scopes | answer |
//! |---|---|---|
//! | `POST /{tenant}/journal-entries` | `finance.write`, `journal.create` | 201, the entry; an `Idempotency-Key` makes it [repeatable](crate::idempotency) |
//! | `GET /{tenant}/journal-entries?limit=50` | `journal.read` | 200, the newest entries |
//! | `GET /{tenant}/journal-entries/{id}` | `journal.read` | 200, the entry; 404 |
//! | `GET /{tenant}/whoami` | none | 200, what the token says |
//!
//! No handler reads the `{tenant}` of the path: the layer compared it with the token, and what they
//! agree on is the [`ProvenTenant`](tenantry::ProvenTenant) of the [`TenantPrincipal`], the one thing
//! that opens the [`Journal`].

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tower_http::trace::TraceLayer;

use tenantry::{ProvenTenant, RequireScopeLayer, ResourceServer, TenantPrincipal};

use crate::booked::Booked;
use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::ledger::JournalEntry;
use crate::problem::Problem;
use crate::sent::Sent;
use crate::store::{Done, Journal, MAX_LIMIT};
use crate::wire::{NewEntry, Object};

/// The most bytes of a request's body.
pub const MAX_BODY: usize = 1 << 20;

/// How many entries a list has if the caller does not say.
const DEFAULT_LIMIT: u32 = 50;

/// Returns the routes for tenants, guarded by `erp`.
pub fn router(erp: &ResourceServer, journal: Journal) -> Router {
    let read = RequireScopeLayer::all(["journal.read"]);
    let write = RequireScopeLayer::all(["finance.write", "journal.create"]);
    Router::new()
        .route("/{tenant}/journal-entries", get(list).layer(read.clone()))
        .route("/{tenant}/journal-entries", post(create).layer(write))
        .route("/{tenant}/journal-entries/{id}", get(find).layer(read))
        .route("/{tenant}/whoami", get(whoami))
        .fallback(async || Problem::route_not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(erp.layer())
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .with_state(journal)
}

/// The span of a request. The tenant layer fills in the tenant and the client.
fn span(request: &Request) -> tracing::Span {
    tracing::info_span!(
        "request",
        method = %request.method(),
        // Not the query: some callers put a token there.
        path = request.uri().path(),
        tenant = tracing::field::Empty,
        client_id = tracing::field::Empty,
    )
}

async fn create(
    State(journal): State<Journal>,
    principal: TenantPrincipal,
    sent: Sent,
) -> Result<Response, Problem> {
    let attempt = sent.attempt(&principal)?;
    let Object(new) = sent.json::<Object<NewEntry>>().await?;
    let entry = JournalEntry::try_from(new)?;
    let tenant = principal.tenant();
    let done = journal.book(tenant, &entry, attempt.as_ref()).await?;
    Ok(created(tenant, done))
}

/// The answer to a booking, also to one that was booked before.
fn created(tenant: &ProvenTenant, Done { booked, replayed }: Done) -> Response {
    let location = format!("/{tenant}/journal-entries/{}", booked.id);
    let mut answer = (StatusCode::CREATED, [(LOCATION, location)], Json(booked)).into_response();
    if replayed {
        answer.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

async fn list(
    State(journal): State<Journal>,
    principal: TenantPrincipal,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Entries>, Problem> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::limit_out_of_range());
    }
    let newest = journal.newest(principal.tenant(), limit).await?;
    Ok(Json(Entries { entries: newest }))
}

async fn find(
    State(journal): State<Journal>,
    principal: TenantPrincipal,
    path: Result<Path<EntryPath>, PathRejection>,
) -> Result<Json<Booked>, Problem> {
    // What cannot be an id is answered like one that no entry has.
    let Path(EntryPath { id }) = path.map_err(|_| Problem::entry_not_found())?;
    let parsed = id.parse().map_err(|_| Problem::entry_not_found())?;
    let found = journal.find(principal.tenant(), parsed).await?;
    Ok(Json(found.ok_or_else(Problem::entry_not_found)?))
}

async fn whoami(principal: TenantPrincipal) -> Json<Caller> {
    Json(Caller {
        tenant: principal.tenant().to_string(),
        issuer: principal.issuer().to_string(),
        subject: principal.subject().map(ToString::to_string),
        client_id: principal.client_id().map(ToString::to_string),
        scopes: principal.scopes().map(ToString::to_string).collect(),
    })
}

/// The part of the path that a handler reads.
#[derive(Debug, Deserialize)]
struct EntryPath {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u32>,
}

/// A list of entries: an object, so that it can say more than the entries later.
#[derive(Debug, Serialize)]
struct Entries {
    entries: Vec<Booked>,
}

/// What a request was proven to be. Scopes are this tenant's, without the tenant in front.
#[derive(Debug, Serialize)]
struct Caller {
    tenant: String,
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    scopes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use tracing_subscriber::fmt::format::FmtSpan;

    use super::*;

    #[test]
    fn secrets_stay_in_the_span_of_a_request_has_its_path_but_not_its_query() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt()
            .with_span_events(FmtSpan::NEW)
            .with_writer(move || Log(Arc::clone(&writer)))
            .finish();

        let uri = "/tenant1/whoami?access_token=secret";
        let request = Request::get(uri).body(Body::empty()).unwrap();
        tracing::subscriber::with_default(subscriber, || drop(span(&request)));

        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        assert!(log.contains("/tenant1/whoami"), "{log}");
        assert!(!log.contains("secret"), "{log}");
    }

    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
