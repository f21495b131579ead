//! RFC 9068 access token verification for many tenants, with a cache of verified tokens.
//!
//! [`JwtVerifier`] turns the text of an access token into a
//! [`VerifiedToken`](tenantry_core::VerifiedToken), which the decision of `tenantry-core` judges.
//! The checks, in their order; the first that fails refuses the token:
//!
//! | step      | checked                                                                | kind of error |
//! |-----------|------------------------------------------------------------------------|---------------|
//! | size      | at most what the policy permits                                        | `TooLarge` |
//! | form      | three parts, canonical base64url ([RFC 7515 §7.1])                     | `Malformed` |
//! | header    | strict JSON, no `crit`, `b64`, `zip`                                   | `Malformed`, `Extension` |
//! | claims    | strict JSON: no name twice, no lone surrogate, nothing after it        | `Malformed` |
//! | issuer    | `iss` is an issuer of the policy, byte for byte                        | `ClaimMissing`, `ClaimMalformed`, `Issuer` |
//! | algorithm | `alg` is in the issuer's list ([RFC 8725 §3.1])                        | `Algorithm` |
//! | type      | `typ` is that of an access token ([RFC 9068 §4])                       | `Type` |
//! | tenant    | for an issuer pattern: the directory knows the tenant in `iss`         | `Issuer`, `Directory` |
//! | key       | one key of this issuer fits; **here the network may be asked**         | `KeyUnknown`, `KeyAmbiguous`, `KeysUnavailable` |
//! | signature | over the text as it came                                               | `Signature` |
//! | binding   | no `cnf`                                                               | `Bound` |
//! | purpose   | under the profile `jwt`: not an ID token, where that can be told       | `Type` |
//! | audience  | one element of `aud` is ours                                           | `Audience`, … |
//! | time      | `exp`, `nbf`, `iat`, within the skew                                   | `Expired`, `NotYetValid`, … |
//! | facts     | the required claims, tenant claims and scope have their form           | `ClaimMissing`, `ClaimMalformed` |
//!
//! A token that was verified is remembered, and its next requests cost neither signature nor JSON.
//! The time, the policy, the issuer's keys and, for an issuer pattern, the directory are compared at
//! each of them, so that the answer is what verifying it again would give.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use tenantry_core::{BoxFuture, IssuerSettings, KeyLocation, Policy, TrustIssuers};
//! use tenantry_jwks::{
//!     FetchError, FetchErrorKind, FetchRequest, FetchResponse, KeySettings, KeyStore,
//!     SystemClock, Transport,
//! };
//! use tenantry_jwt::{JwtVerifier, VerifyErrorKind};
//!
//! // These keys are in the policy. With the feature `reqwest`, `HttpTransport` fetches others.
//! struct Offline;
//! impl Transport for Offline {
//!     fn get(&self, _: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
//!         Box::pin(async { Err(FetchErrorKind::Connect.into()) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1",
//!     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let issuer = IssuerSettings::new("https://auth.erp.example").keys(KeyLocation::Jwks(keys.into()));
//! let policy = Policy::builder()
//!     .issuer(issuer)
//!     .audience("https://api.erp.example/{tenant}")
//!     .build()?;
//!
//! let clock = Arc::new(SystemClock::new());
//! let store = KeyStore::new(KeySettings::default(), Arc::new(Offline), clock.clone());
//! let verifier = JwtVerifier::builder(policy, store, Arc::new(TrustIssuers), clock).build()?;
//!
//! let error = verifier.verify("opaque").await.unwrap_err();
//! assert_eq!(error.kind(), VerifyErrorKind::Malformed);
//! # Ok(())
//! # }
//! ```
//!
//! [RFC 7515 §7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
//! [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
//! [RFC 9068 §4]: https://www.rfc-editor.org/rfc/rfc9068#section-4

mod builder;
mod claims;
mod compact;
mod error;
mod generations;
mod header;
mod json;
mod location;
#[cfg(test)]
mod oracle;
mod seen;
#[cfg(test)]
mod testing;
mod verifier;

pub use builder::{BuildError, JwtVerifierBuilder};
pub use error::{VerifyError, VerifyErrorKind};
pub use verifier::{JwtVerifier, verify_signature};
