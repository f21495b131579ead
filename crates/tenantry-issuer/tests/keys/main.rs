//! Signing keys over a database, the tokens that they sign, and what is published of them.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod at_rest;
mod claims;
mod metadata;
mod replicas;
mod resource_server;
mod ring;
mod site;
mod tokens;
