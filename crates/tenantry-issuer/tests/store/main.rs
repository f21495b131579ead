//! What a store promises, the same on SQLite and on PostgreSQL, and what servers over it do.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests of both databases share fails the test"
)]

mod audit;
mod cancelled;
mod clients;
mod fixture;
mod keys;
mod on_both;
mod once;
mod only_postgres;
mod opening;
mod outage;
mod postgres;
mod races;
mod refresh;
mod refresh_model;
mod replicas;
mod served;
mod servers;
mod storm;
mod tenants;

pub(crate) use on_both::on_both;
