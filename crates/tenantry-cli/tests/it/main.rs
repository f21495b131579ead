//! The program as a process: what it prints, its exit codes, and what it leaves behind.

#![cfg(unix)]

mod clients;
mod errors;
mod keys;
mod place;
mod serving;
mod tenants;
mod tokens;
