//! Key sets of OAuth 2.0 issuers: fetch, discovery, cache, rotation, outage.
//!
//! A [`KeyStore`] holds one [`IssuerKeys`] per issuer, and an issuer's token is judged by those keys
//! and no others. Keys come from a URL, from a URL that the issuer's metadata names, from a file, or
//! from a document in the configuration ([`KeySource`]).
//!
//! | asked for                                | the answer                                            |
//! |------------------------------------------|-------------------------------------------------------|
//! | a key of the set in use                  | at once; a refresh that is due runs in the background |
//! | any key, and no set was loaded yet       | after one fetch that all callers share                |
//! | a key that the set lacks                 | after one fetch, as long as the budget lasts          |
//! | the same, over budget or not long ago    | [`Unknown`](KeyErrorKind::Unknown), at once           |
//! | the same, while the last fetch failed    | [`Unavailable`](KeyErrorKind::Unavailable), at once   |
//! | any key, and the set is past its bound   | [`Unavailable`](KeyErrorKind::Unavailable)            |
//!
//! The rules are a state machine without I/O; a task of its own carries a fetch out, so a caller
//! that goes away cancels nothing. There are no timers: what nobody asks about is not fetched.
//!
//! How long a set is kept follows from its `Cache-Control`, within bounds; an `ETag` saves the
//! transfer. URLs that the operator did not write lead to public addresses only. [`KeySettings`] has
//! every number, [`KeyStatus`] and the metrics of the façade crate `metrics` say how keys stand.
//!
//! # Example
//!
//! ```
//! use tenantry_jwks::{KeySet, Selection};
//! use tenantry_core::Algorithm;
//!
//! // A key for encryption and a private key are skipped, and the rest of the set works.
//! let set = KeySet::parse(br#"{"keys": [
//!     {"kty": "OKP", "crv": "Ed25519", "kid": "now", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
//!     {"kty": "OKP", "crv": "Ed25519", "kid": "oops", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
//!      "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
//!     {"kty": "RSA", "use": "enc", "kid": "enc", "n": "AQAB", "e": "AQAB"}
//! ]}"#)?;
//!
//! assert!(matches!(set.select(Some("now"), Algorithm::EdDsa), Selection::One(_)));
//! assert!(matches!(set.select(Some("now"), Algorithm::Rs256), Selection::None));
//! assert_eq!(set.skipped().len(), 2);
//! # Ok::<_, tenantry_jwks::KeySetError>(())
//! ```

mod absent;
mod budget;
mod cache_control;
mod clock;
mod der;
mod discovery;
mod document;
mod egress;
mod error;
#[cfg(feature = "reqwest")]
mod fetch;
mod fetch_error;
mod flight;
mod held;
#[cfg(all(test, shuttle))]
mod interleavings;
mod issuer;
mod json;
mod jwk;
mod key;
mod key_file;
mod keys;
mod load;
mod material;
mod means;
mod numbers;
mod pem;
mod refresh;
mod report;
#[cfg(feature = "reqwest")]
mod resolve;
mod room;
mod settings;
mod skipped;
mod snapshot;
mod source;
mod status;
mod store;
mod sync;
#[cfg(test)]
mod table;
#[cfg(test)]
mod testing;
mod transport;
mod validator;

pub use clock::SystemClock;
pub use egress::is_public_address;
pub use error::{KeyError, KeyErrorKind, LoadErrorKind};
#[cfg(feature = "reqwest")]
pub use fetch::HttpTransport;
pub use fetch_error::{FetchError, FetchErrorKind};
pub use held::FoundKey;
pub use issuer::IssuerKeys;
pub use key::{InvalidSignature, Key};
pub use key_file::{KeyFileError, KeyFileErrorKind};
pub use keys::{KeySet, KeySetError, Selection};
#[cfg(feature = "reqwest")]
pub use resolve::{Resolver, SystemResolver};
pub use settings::KeySettings;
pub use skipped::{SkipReason, SkippedKey};
pub use source::KeySource;
pub use status::KeyStatus;
pub use store::KeyStore;
pub use transport::{FetchRequest, FetchResponse, Transport, UrlOrigin};
