//! Signing keys over a database, the tokens that they sign, and what is published of them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod at_rest;
mod claims;
mod fixture;
mod metadata;
#[path = "../store/on_both.rs"]
mod on_both;
#[path = "../store/postgres.rs"]
mod postgres;
mod replicas;
mod resource_server;
mod ring;
mod site;
mod tokens;
