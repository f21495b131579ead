//! axum extractors for the tenant that a request was proven to belong to.
