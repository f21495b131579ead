//! The keys that tokens are signed with: when each signs, how it is stored, what is published of it.

mod at_rest;
mod encrypt;
mod error;
mod keeper;
mod plan;
mod ring;
mod schedule;
mod signing_key;
mod signing_keys;
mod slot;

pub use encrypt::EncryptedKeys;
pub use error::{KeyRingError, KeyRingErrorKind};
pub use ring::KeyRing;
pub use schedule::{KeyState, LONGEST_TOKEN_LIFETIME, Schedule};
pub use signing_keys::{KeyInfo, SigningKeys};
