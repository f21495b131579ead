//! The program as a process: what it prints, its exit codes, and what it leaves behind.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]
#![cfg(unix)]

mod assertions;
mod audit;
mod clients;
mod errors;
mod keys;
mod place;
mod served;
mod serving;
mod tenants;
mod token_page;
mod tokens;
mod updates;
