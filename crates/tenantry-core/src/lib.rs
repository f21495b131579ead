//! The vocabulary and the decision of Tenantry: which tenant is this request, and may it do that?
//!
//! No I/O, no async, no clock of its own. The [decision](agree) is three pure steps:
//!
//! ```text
//! agree(policy, request, token) -> Agreed              every source names one tenant
//! Agreed::admit(standing)       -> TenantAwareRequest  the directory knows it as active
//! TenantAwareRequest::require   -> ()                  its scopes suffice
//! ```
//!
//! A service adds the crate `tenantry`, which brings this one with it. Name this crate where you
//! write against the types only: a repository that takes [`&ProvenTenant`](ProvenTenant), a
//! [`Verifier`] or a [`Directory`] of your own.

mod algorithm;
mod challenge;
mod clock;
mod decision;
mod directory;
mod epoch;
mod facts;
mod isolation;
mod issuer;
mod issuer_policy;
mod issuer_settings;
mod key_location;
mod key_url;
mod observer;
mod path;
mod pattern;
mod policy;
mod policy_builder;
mod policy_error;
mod reason;
mod rejection;
mod request;
mod resource;
mod revocation_error;
mod revocations;
mod revoked;
mod scope;
mod tenant;
mod verified;
mod verifier;
mod watch;
mod whose;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use challenge::Challenge;
pub use clock::Clock;
pub use decision::{Agreed, agree};
pub use directory::{Directory, Standing, StaticDirectory, TrustIssuers};
pub use epoch::Epoch;
pub use facts::RequestFacts;
pub use issuer::{ClientId, Issuer, Subject};
pub use issuer_policy::{IssuerPolicy, TokenProfile};
pub use issuer_settings::IssuerSettings;
pub use key_location::KeyLocation;
pub use observer::{Check, Observer, Recording, Row, Source, Unobserved, Verdict};
pub use pattern::{
    HostPattern, InvalidPattern, Match, PathPattern, QualifiedScope, ScopePattern, TenantPattern,
};
pub use policy::{IssuerMatch, Policy};
pub use policy_builder::PolicyBuilder;
pub use policy_error::PolicyError;
pub use reason::Reason;
pub use rejection::Rejection;
pub use request::{Anonymous, ClaimsError, Identity, TenantAwareRequest};
pub use resource::ResourceMetadata;
pub use revocation_error::{RevocationError, RevocationErrorKind};
pub use revocations::Revocations;
pub use scope::{InvalidScope, Scope, ScopeNeed, ScopeToken};
pub use tenant::{InvalidTenantId, ProvenTenant, TenantId};
pub use verified::{AccessToken, TenantClaim, TokenFacts, VerifiedToken};
pub use verifier::{BoxFuture, Verifier};
pub use watch::Watch;
pub use whose::Whose;
