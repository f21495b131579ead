//! The routes: what each needs, and what it does with a request that has it.
//!
//! | request | scopes | answer |
//! |---|---|---|
//! | `POST /{tenant}/journal-entries` | `finance.write`, `journal.create` | 201, the entry; an `Idempotency-Key` makes it [repeatable](crate::idempotency) |
//! | `POST /{tenant}/journal-entries/{id}/reversal` | the same | 201, the [reversal](crate::reversal), likewise; 404, 409 |
//! | `GET /{tenant}/journal-entries?limit=50&cursor=…` | `journal.read` | 200, the newest entries and a [cursor](crate::cursor) for the next |
//! | `GET /{tenant}/journal-entries/{id}` | `journal.read` | 200, the entry; 404 |
//! | `GET /{tenant}/trial-balance?from=2026-01-01&to=2026-12-31` | `journal.read` | 200, [sums](crate::balance) |
//! | `GET /{tenant}/whoami` | none | 200, what the token says |
//!
//! No handler reads the `{tenant}` of the path: the layer compared it with the token, and what they
//! agree on is the [`ProvenTenant`](tenantry::ProvenTenant) of the [`TenantPrincipal`], the one thing
//! that opens the [`Journal`].

mod balance;
mod entries;
mod entry_path;
mod reversal;
mod whoami;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::routing::{get, post};
use tower_http::trace::TraceLayer;

use tenantry::ResourceServer;

use crate::problem::Problem;
use crate::store::Journal;
use balance::trial_balance;
use entries::{create, find, list};
use reversal::reverse;
use whoami::whoami;

/// The most bytes of a request's body.
pub const MAX_BODY: usize = 1 << 20;

/// Returns the routes for tenants, guarded by `erp`.
pub fn router(erp: &ResourceServer, journal: Journal) -> Router {
    Router::new()
        .route("/{tenant}/journal-entries", get(list).post(create))
        .route("/{tenant}/journal-entries/{id}", get(find))
        .route("/{tenant}/journal-entries/{id}/reversal", post(reverse))
        .route("/{tenant}/trial-balance", get(trial_balance))
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
