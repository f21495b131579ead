//! OpenAPI documents that say what is enforced: the scopes of an operation come from its handler.
//!
//! [`scoped_routes!`] stands where `utoipa_axum::routes!` did, and reads the scopes off the handler's
//! argument [`Scoped<S>`](crate::Scoped). [`required`] applies a `RequireScopeLayer` and writes down
//! what it requires. [`Protection`] turns both into the document's security. What neither covers is in
//! [`without_scope_rule`], for a test to fail on.
//!
//! ```
//! use tenantry_axum::openapi::{Protection, SCHEME, required, scoped_routes, without_scope_rule};
//! use tenantry_axum::{RequiredScope, Scoped, TenantPrincipal};
//! use tenantry_core::{Policy, ScopeNeed};
//! use tenantry_tower::RequireScopeLayer;
//! use utoipa_axum::{router::OpenApiRouter, routes};
//!
//! struct Book;
//!
//! impl RequiredScope for Book {
//!     const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
//! }
//!
//! #[utoipa::path(post, path = "/{tenant}/journal-entries")]
//! async fn create(caller: Scoped<Book>) {}
//!
//! #[utoipa::path(get, path = "/{tenant}/export")]
//! async fn export(caller: TenantPrincipal) {}
//!
//! #[utoipa::path(get, path = "/{tenant}/whoami", security(("access_token" = [])))]
//! async fn whoami(caller: TenantPrincipal) {}
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (router, mut api) = OpenApiRouter::<()>::new()
//!     .routes(scoped_routes!(create))
//!     .routes(required(routes!(export), RequireScopeLayer::all(["journal.read"])))
//!     .routes(routes!(whoami))
//!     .split_for_parts();
//! # let _ = router;
//! # let policy = Policy::builder()
//! #     .issuer("https://auth.erp.example")
//! #     .audience("https://api.erp.example/{tenant}")
//! #     .scope("{tenant}.{scope}")
//! #     .build()?;
//! Protection::new(&policy, "https://auth.erp.example/oauth/token")
//!     .describe("journal.read", "see the entries of your company")
//!     .document(&mut api);
//!
//! let json = serde_json::to_value(&api)?;
//! assert_eq!(
//!     json["paths"]["/{tenant}/journal-entries"]["post"]["security"],
//!     serde_json::json!([{ SCHEME: ["finance.write", "journal.create"] }])
//! );
//! assert_eq!(without_scope_rule(&api), ["GET /{tenant}/whoami"]);
//! # Ok(())
//! # }
//! ```

mod handler;
mod operations;
mod protection;
mod refusals;
mod rule;

pub use handler::ScopedHandler;
pub use protection::{Protection, SCHEME};
pub use rule::{RULE, required, without_scope_rule};

pub use crate::scoped_routes;

/// What [`scoped_routes!`] is made of.
#[doc(hidden)]
pub mod __private {
    pub use utoipa_axum::routes;

    pub use super::rule::scoped;
}

/// Collects one handler with an argument `Scoped<S>`, as `utoipa_axum::routes!` does, and writes down
/// the scopes that `S` needs.
///
/// A handler without such an argument does not compile: use `routes!` and
/// [`required`](crate::openapi::required).
///
/// ```compile_fail
/// # use tenantry_axum::{TenantPrincipal, openapi::scoped_routes};
/// # use utoipa_axum::router::OpenApiRouter;
/// #[utoipa::path(get, path = "/{tenant}/whoami")]
/// async fn whoami(caller: TenantPrincipal) {}
///
/// let router = OpenApiRouter::<()>::new().routes(scoped_routes!(whoami));
/// ```
///
/// One call takes one handler. Handlers of one path are joined by the router:
/// `.routes(scoped_routes!(list)).routes(scoped_routes!(create))`. The crates `axum` and `utoipa` have
/// to be in scope under their names, as for `routes!`.
#[macro_export]
macro_rules! scoped_routes {
    ($handler:path $(,)?) => {
        $crate::openapi::__private::scoped($crate::openapi::__private::routes!($handler), &$handler)
    };
}
