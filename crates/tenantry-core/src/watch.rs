//! How long what was proven about a request stays true.

use std::fmt;
use std::sync::Arc;

use crate::reason::Reason;
use crate::tenant::ProvenTenant;
use crate::verified::AccessToken;
use crate::verifier::BoxFuture;

/// Watches over requests that are answered for long: streams, upgraded connections.
///
/// Whoever admits requests hands itself to them:
/// [`TenantAwareRequest::watched_by`](crate::TenantAwareRequest::watched_by).
pub trait Watch: fmt::Debug + Send + Sync + 'static {
    /// Resolves once a new request of `tenant` with this token would be refused, to the reason that
    /// it would be refused for.
    fn ended(self: Arc<Self>, token: AccessToken, tenant: ProvenTenant) -> BoxFuture<Reason>;
}
