//! Journal entries for several tenants: Tenantry's demonstration.
//!
//! | a request's way | file |
//! |---|---|
//! | port, shutdown | [`serve`] |
//! | `/healthz`, `/readyz` | [`health`] |
//! | routes, scopes, handlers | [`api`] |
//! | JSON in | [`wire`] |
//! | what is booked balances | [`ledger`], [`amount`], [`invalid`] |
//! | tables with a tenant column | [`store`], [`id`], [`store_error`] |
//! | answers that are not entries | [`problem`] |
//!
//! The rest starts it: [`args`], [`run`], [`run_error`], and for the demonstration [`demo`],
//! [`tour`], [`table`].

pub mod amount;
pub mod api;
pub mod args;
pub mod demo;
pub mod health;
pub mod id;
pub mod invalid;
pub mod ledger;
pub mod problem;
mod rows;
pub mod run;
pub mod run_error;
pub mod serve;
pub mod store;
pub mod store_error;
pub mod table;
pub mod tour;
pub mod wire;
