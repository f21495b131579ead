//! What the RFCs ask of an authorization server, row by row: a test is named after its row.
//!
//! The whole stack but the network: requests go to the router, tenants and clients are in a database.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod client_authentication;
mod client_credentials;
mod introspection;
mod isolation;
mod per_tenant;
mod refresh;
mod revocation;
mod stack;
mod timing;
mod token_endpoint;
