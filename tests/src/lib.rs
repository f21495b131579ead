//! The whole stack for tests: an axum router behind the layer of a `ResourceServer`, with an issuer,
//! a clock and a network that the test holds in its hands.
//!
//! [`Stack`] sends requests through it and gives back [`Answer`]s. [`Answer::assert_refused`] looks
//! at everything that a refusal must have and at what it must not have done. [`Log`] keeps what was
//! logged meanwhile.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness for tests reports what cannot be done by failing the test"
)]

mod answer;
#[cfg(doctest)]
mod documents;
mod log;
mod network;
mod page;
mod stack;

pub use answer::{Answer, Refusal};
pub use log::{Event, Log};
pub use network::Network;
pub use page::assert_sections_are_whole;
pub use stack::{AUDIENCE, Calls, Stack, bearer, get};
