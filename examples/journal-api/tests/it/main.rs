//! The whole program over real HTTP, on ports that the system chooses.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and not what they share"
)]

mod attacks;
mod authorization_server;
mod balance;
mod document;
mod entries;
mod health;
mod limits;
mod metadata;
mod metrics;
mod pages;
mod problems;
mod program;
mod retries;
mod reversals;
mod running;
mod shutdown;
mod tour;
