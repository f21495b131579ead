//! Journal entries for several tenants: Tenantry's demonstration.
//!
//! | a request's way | file |
//! |---|---|
//! | port, shutdown | [`serve`] |
//! | connections | [`connections`] |
//! | what every request passes | [`layers`], [`request_id`] |
//! | `/healthz`, `/readyz` | [`health`] |
//! | `/metrics` | [`figures`] |
//! | routes, handlers | [`api`] |
//! | `/openapi.json`, `/docs` | [`document`] |
//! | what a route needs | [`scopes`] |
//! | JSON in | [`sent`], [`wire`] |
//! | the same request again | [`idempotency`] |
//! | what is booked balances | [`ledger`], [`amount`], [`reversal`], [`invalid`] |
//! | what was booked adds up | [`balance`] |
//! | tables with a tenant column | [`store`], [`booked`], [`id`], [`cursor`], [`store_error`] |
//! | answers that are not entries | [`problem`] |
//!
//! The rest starts it: [`args`], [`run`], [`run_error`], and for the demonstration [`demo`],
//! [`authorization_server`], [`tour`], [`table`].

pub mod amount;
pub mod api;
pub mod args;
pub mod authorization_server;
pub mod balance;
pub mod booked;
pub mod connections;
pub mod cursor;
pub mod demo;
pub mod document;
pub mod figures;
pub mod health;
pub mod id;
pub mod idempotency;
pub mod invalid;
pub mod layers;
pub mod ledger;
pub mod problem;
pub mod request_id;
pub mod reversal;
mod rows;
pub mod run;
pub mod run_error;
pub mod scopes;
pub mod sent;
pub mod serve;
pub mod store;
pub mod store_error;
pub mod table;
pub mod tour;
pub mod wire;
