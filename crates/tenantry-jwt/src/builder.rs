//! Settings of a verifier, and the keys it starts with.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tenantry_core::{Clock, Directory, Policy};
use tenantry_jwks::KeyStore;

use crate::location;
use crate::seen::SeenTokens;
use crate::verifier::JwtVerifier;

/// 64 MiB: some 20 000 tokens of usual size.
const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Collects the settings of a [`JwtVerifier`].
#[must_use = "a builder does nothing until `build`"]
pub struct JwtVerifierBuilder {
    policy: Policy,
    keys: KeyStore,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    cache_bytes: u64,
}

impl JwtVerifierBuilder {
    pub(crate) fn new(
        policy: Policy,
        keys: KeyStore,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { policy, keys, directory, clock, cache_bytes: DEFAULT_CACHE_BYTES }
    }

    /// Bounds the memory for verified tokens, in bytes; 0 remembers none. Default 64 MiB.
    ///
    /// What is over the bound is verified each time it comes, which is slow and not wrong.
    pub const fn with_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Makes the verifier, with the keys of every issuer that the policy names in full pinned.
    ///
    /// An issuer that is pinned in the store already keeps its keys. Nothing is fetched here.
    ///
    /// # Errors
    ///
    /// If the policy holds a key set or a PEM that cannot be read.
    pub fn build(self) -> Result<JwtVerifier, BuildError> {
        let Self { policy, mut keys, directory, clock, cache_bytes } = self;
        for issuer in policy.issuers() {
            let checked = location::pin(&mut keys, issuer);
            checked.map_err(|source| BuildError {
                issuer: issuer.pattern().as_str().into(),
                source: source.into(),
            })?;
        }
        let seen = SeenTokens::new(cache_bytes);
        Ok(JwtVerifier { policy, keys, directory, clock, seen, cache_bytes })
    }
}

impl fmt::Debug for JwtVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifierBuilder")
            .field("policy", &self.policy)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}

/// The keys that a policy holds cannot be read.
#[derive(Debug)]
pub struct BuildError {
    issuer: Box<str>,
    source: Box<dyn Error + Send + Sync>,
}

impl BuildError {
    /// Returns the issuer, as the policy writes it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keys of issuer `{}` cannot be read", self.issuer)
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
