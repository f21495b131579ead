//! The extractors in axum handlers, behind whatever a layer left.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod harness;
#[cfg(feature = "utoipa")]
mod openapi;
mod principal;
mod scoped;
