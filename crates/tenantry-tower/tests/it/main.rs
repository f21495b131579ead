//! The layers on plain tower services: nothing here knows axum, JWT or a network.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod body;
mod extract;
mod hyper;
mod ready;
mod scope;
mod stub;
