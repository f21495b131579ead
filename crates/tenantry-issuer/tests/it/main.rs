//! The public behaviour of the crate.

mod config_errors;
mod config_file;
mod server;
