//! The routes: what each needs, and what it does with a request that has it.
//!
//! | request | scopes | answer |
//! |---|---|---|
//! | `POST …/journal-entries` | `finance.write`, `journal.create` | 201, the entry |
//! | `POST …/journal-entries/{id}/reversal` | the same | 201, the [reversal]; 404, 409 |
//! | `GET …/journal-entries?limit=50&cursor=…` | `journal.read` | 200, the newest entries |
//! | `GET …/journal-entries/{id}` | `journal.read` | 200, the entry; 404 |
//! | `GET …/trial-balance?from=…&to=…` | `journal.read` | 200, [sums] |
//! | `GET …/whoami` | none | 200, what the token says |
//!
//! All of them begin with `/{tenant}`. An `Idempotency-Key` makes a POST [repeatable]; a list says
//! with which [cursor] it goes on.
//!
//! No handler reads the `{tenant}` of the path: the layer compared it with the token, and what they
//! agree on is the [`ProvenTenant`](tenantry::ProvenTenant) of the
//! [`TenantPrincipal`](tenantry::TenantPrincipal), the one thing that opens the [`Journal`].
//!
//! [cursor]: crate::cursor
//! [repeatable]: crate::idempotency
//! [reversal]: crate::reversal
//! [sums]: crate::balance

mod balance;
mod entries;
mod entry_path;
mod reversal;
mod whoami;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use tenantry::ResourceServer;
use tenantry::openapi::scoped_routes;

use crate::document::{self, operation};
use crate::problem::Problem;
use crate::store::Journal;

/// The most bytes of a request's body.
pub const MAX_BODY: usize = 1 << 20;

/// Returns the routes for tenants, guarded by `erp`, and what there is to know about them: tokens
/// are from `token_url`.
pub fn router(erp: &ResourceServer, journal: Journal, token_url: &str) -> (Router, OpenApi) {
    let sent = [408, 409, 413, 415, 422];
    let (routes, mut document) = OpenApiRouter::with_openapi(document::empty())
        .routes(operation(scoped_routes!(entries::create), &sent))
        .routes(operation(scoped_routes!(entries::list), &[]))
        .routes(operation(scoped_routes!(entries::find), &[404]))
        .routes(operation(scoped_routes!(reversal::reverse), &[&sent[..], &[404]].concat()))
        .routes(operation(scoped_routes!(balance::trial_balance), &[422]))
        .routes(operation(routes!(whoami::whoami), &[]))
        .split_for_parts();
    document::secure(&mut document, &erp.policy(), token_url);
    let guarded = routes
        .fallback(async || Problem::route_not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(erp.layer())
        .with_state(journal);
    (guarded, document)
}
