//! Where a directory looks tenants up: a database, a service, a closure.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use tenantry_core::{BoxFuture, Standing, TenantId};

/// Any error, for sources of one's own.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Looks tenants up.
///
/// Any async function of a [`TenantId`] is one. What it answers is remembered for the directory's
/// [lifetime](crate::ResourceServerBuilder::directory_lifetime): it needs no cache, no time limit and
/// no retries of its own.
///
/// It is asked for ids that may be made up, where an issuer has `{tenant}` in its name, and has to
/// compare them byte for byte. A database often compares without case, or without blanks at the end:
/// see [`Tenant::new`] for how that is found out.
///
/// ```
/// use std::collections::HashMap;
///
/// use tenantry::{BoxError, Standing, Tenant, TenantId, TenantSource};
///
/// /// Stands for a table: the id as it is kept, and whether the customer has paid.
/// struct Customers(HashMap<String, bool>);
///
/// impl TenantSource for Customers {
///     async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, BoxError> {
///         let row = self.0.get_key_value(id.as_str());
///         Ok(row.map(|(id, paid)| {
///             let standing = if *paid { Standing::Active } else { Standing::Suspended };
///             Tenant::new(id, standing)
///         }))
///     }
/// }
/// # fn is_source(_: impl TenantSource) {}
/// # is_source(Customers(HashMap::new()));
/// # is_source(|id: TenantId| async move { Ok(Some(Tenant::new(id.as_str(), Standing::Active))) });
/// ```
pub trait TenantSource: Send + Sync + 'static {
    /// Returns the record of the tenant, or `None` if there is no such tenant.
    ///
    /// The future runs in a task of its own, which nobody's disconnecting cancels. It is dropped at
    /// the [time limit](crate::ResourceServerBuilder::directory_time_limit).
    ///
    /// # Errors
    ///
    /// If it cannot be asked. That is an outage, and says nothing about the tenant. The text goes to
    /// the log.
    fn tenant(
        &self,
        id: &TenantId,
    ) -> impl Future<Output = Result<Option<Tenant>, BoxError>> + Send;
}

impl<F, A> TenantSource for F
where
    F: Fn(TenantId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<Tenant>, BoxError>> + Send,
{
    fn tenant(
        &self,
        id: &TenantId,
    ) -> impl Future<Output = Result<Option<Tenant>, BoxError>> + Send {
        self(id.clone())
    }
}

impl<S: TenantSource> TenantSource for Arc<S> {
    fn tenant(
        &self,
        id: &TenantId,
    ) -> impl Future<Output = Result<Option<Tenant>, BoxError>> + Send {
        S::tenant(self, id)
    }
}

/// The record of a tenant, as its source keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant {
    id: String,
    standing: Standing,
}

impl Tenant {
    /// Takes the id as the record has it, not as it was asked for.
    ///
    /// A record with another id than the one asked for, by a single byte, is taken for no record, and
    /// there is an `error` event: a source that compares without case would merge two tenants.
    // INVARIANT (no guessing): that needs the id that was found.
    pub fn new(id: impl Into<String>, standing: Standing) -> Self {
        Self { id: id.into(), standing }
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns how the tenant stands.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }
}

/// A source of any type.
pub(crate) trait AnySource: Send + Sync {
    fn look_up(self: Arc<Self>, id: TenantId) -> BoxFuture<Result<Option<Tenant>, BoxError>>;
}

impl<S: TenantSource> AnySource for S {
    fn look_up(self: Arc<Self>, id: TenantId) -> BoxFuture<Result<Option<Tenant>, BoxError>> {
        Box::pin(async move { self.tenant(&id).await })
    }
}
