//! A handler's signature that states the scopes it needs.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use tenantry_core::ScopeNeed;

use crate::principal::TenantPrincipal;
use crate::refused::Refused;

/// Names the scopes that a handler needs.
///
/// ```
/// use tenantry_axum::RequiredScope;
/// use tenantry_core::ScopeNeed;
///
/// struct Book;
///
/// impl RequiredScope for Book {
///     const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which scopes it stands for",
    label = "`RequiredScope` is not implemented for it",
    note = "write `impl RequiredScope for {Self} {{ const NEED: ScopeNeed = ScopeNeed::all(&[\"…\"]); }}`"
)]
pub trait RequiredScope {
    /// The scopes, written without the tenant's prefix.
    const NEED: ScopeNeed;
}

/// The caller, with the scopes that `S` requires.
///
/// It derefs to [`TenantPrincipal`]. Where the scopes do not suffice, the handler does not run and
/// the answer is 403 `insufficient_scope`.
///
/// ```
/// # use tenantry_axum::{RequiredScope, Scoped};
/// # use tenantry_core::ScopeNeed;
/// # struct Book;
/// # impl RequiredScope for Book { const NEED: ScopeNeed = ScopeNeed::all(&["finance.write"]); }
/// async fn create(caller: Scoped<Book>) -> String {
///     format!("booked for {}", caller.tenant())
/// }
/// ```
pub struct Scoped<S: RequiredScope> {
    principal: TenantPrincipal,
    need: PhantomData<fn() -> S>,
}

impl<S: RequiredScope> Scoped<S> {
    /// Returns the caller.
    #[must_use]
    pub fn into_principal(self) -> TenantPrincipal {
        self.principal
    }
}

/// For unit tests of handlers, and where a principal is at hand already.
impl<S: RequiredScope> TryFrom<TenantPrincipal> for Scoped<S> {
    type Error = Refused;

    /// # Errors
    ///
    /// 403 where the principal's scopes do not suffice.
    fn try_from(principal: TenantPrincipal) -> Result<Self, Refused> {
        principal.require(&S::NEED).map_err(Refused::new)?;
        Ok(Self { principal, need: PhantomData })
    }
}

impl<S: RequiredScope> Deref for Scoped<S> {
    type Target = TenantPrincipal;

    fn deref(&self) -> &TenantPrincipal {
        &self.principal
    }
}

impl<S: RequiredScope> Clone for Scoped<S> {
    fn clone(&self) -> Self {
        Self { principal: self.principal.clone(), need: PhantomData }
    }
}

impl<S: RequiredScope> fmt::Debug for Scoped<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.principal).finish()
    }
}

impl<S, T> FromRequestParts<T> for Scoped<S>
where
    S: RequiredScope,
    T: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Refused> {
        <TenantPrincipal as FromRequestParts<T>>::from_request_parts(parts, state).await?.try_into()
    }
}
