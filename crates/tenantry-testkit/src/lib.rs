//! A test issuer, a builder for right and wrong tokens, and ready requests for tests of tenant-aware
//! services.
//!
//! - [`TestIssuer`] has keys of its own, publishes them over loopback HTTP or as a document, and
//!   signs tokens. It rotates its keys, hangs, fails and recovers when it is told to.
//! - [`TokenBuilder`] makes a token that a resource server should accept, or one that is wrong in
//!   the way a test is about.
//! - [`request_of`] makes a ready [`TenantAwareRequest`](tenantry_core::TenantAwareRequest), for unit
//!   tests of handlers.
//! - [`ManualClock`] shows the time that a test sets.
//! - `AttackSuite`, with the feature `attack`, tries to cross tenants in your own axum router.
//! - `Simulation`, with the feature `simulator`, runs a key store among many issuers in bad weather.
//!
//! # Example
//!
//! An issuer that needs no network, and the policy of a resource server that trusts it:
//!
//! ```
//! use tenantry_core::{IssuerSettings, KeyLocation, Policy};
//! use tenantry_testkit::TestIssuer;
//!
//! let issuer = TestIssuer::offline("https://auth.erp.example");
//! let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
//! let policy = Policy::builder()
//!     .issuer(IssuerSettings::new(issuer.url()).keys(keys))
//!     .audience("https://api.erp.example/{tenant}")
//!     .build()?;
//!
//! // To be accepted, and to be refused.
//! let right = issuer.token().tenant("tenant1").scope("tenant1.journal.read").sign();
//! let wrong = issuer.token().tenant("tenant1").claim("tenant_id", "tenant2").sign();
//! # assert!(policy.issuer_for(issuer.url()).is_some() && right != wrong);
//! # Ok::<_, tenantry_core::PolicyError>(())
//! ```
//!
//! It is for tests: what cannot be done is a panic that says why, and private keys are made up on
//! the spot. Do not put it into a service.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a tool for tests reports what cannot be done by failing the test"
)]

#[cfg(feature = "attack")]
mod attack;
mod clock;
mod issuer;
mod key_ring;
mod published;
mod request;
mod server;
mod signing_key;
#[cfg(feature = "simulator")]
mod simulation;
mod token;

#[cfg(feature = "attack")]
pub use attack::{AttackKind, AttackReport, AttackSuite, Finding, IntoRouter, Outcome, Probe};
pub use clock::ManualClock;
pub use issuer::{TestIssuer, TestIssuerBuilder};
pub use request::{ReadyRequest, request_of};
pub use signing_key::SigningKey;
#[cfg(feature = "simulator")]
pub use simulation::{KeyBounds, Report, RuntimeClock, Simulation, Violation};
pub use token::TokenBuilder;
