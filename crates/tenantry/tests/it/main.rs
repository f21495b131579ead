//! The resource server from outside: policy files, the builder, readiness.

mod policy_errors;
mod policy_file;
mod policy_keys;
mod readiness;
mod server;
mod stack;
