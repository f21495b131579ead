//! The resource server from outside: policy files, the builder, readiness.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod directory;
mod policy_errors;
mod policy_file;
mod policy_keys;
mod readiness;
mod reload;
mod server;
mod stack;
