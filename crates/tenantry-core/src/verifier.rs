//! Who can turn an access token into facts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::rejection::Rejection;
use crate::verified::{AccessToken, VerifiedToken};

/// A future that owns all it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Verifies access tokens under one policy.
///
/// The usual request carries a token that was seen before, so asking memory and asking the world
/// are two calls: only the second can wait.
pub trait Verifier: fmt::Debug + Send + Sync + 'static {
    /// Returns the token if it was verified before and still holds: time, policy and keys are
    /// compared at each call. `None` says nothing about the token: ask [`fresh`](Self::fresh).
    fn cached(&self, token: &str) -> Option<VerifiedToken>;

    /// Verifies the token.
    ///
    /// # Errors
    ///
    /// The future resolves to the [`Rejection`] that the request deserves: 401 when the token does
    /// not hold, 503 when it could not be judged.
    fn fresh(self: Arc<Self>, token: AccessToken) -> BoxFuture<Result<VerifiedToken, Rejection>>;
}
