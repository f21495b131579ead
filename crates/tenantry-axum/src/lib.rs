//! axum extractors for the tenant that a request was proven to belong to.
//!
//! [`TenantPrincipal`] is the caller; [`Scoped<S>`](Scoped) the caller with the scopes that the
//! handler needs. Both read what `TenantExtractorLayer` left, and answer 500 where it did not run.

#[cfg(feature = "utoipa")]
pub mod openapi;
mod principal;
mod refused;
mod scoped;

pub use principal::TenantPrincipal;
pub use refused::Refused;
pub use scoped::{RequiredScope, Scoped};
