//! What the RFCs ask of an authorization server, row by row: a test is named after its row.
//!
//! The whole stack but the network: requests go to the router, tenants and clients are in a database.

mod client_authentication;
mod client_credentials;
mod introspection;
mod isolation;
mod refresh;
mod revocation;
mod stack;
mod token_endpoint;
