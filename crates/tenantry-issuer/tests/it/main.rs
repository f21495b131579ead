//! The public behaviour of the crate.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod config_errors;
mod config_file;
mod server;
