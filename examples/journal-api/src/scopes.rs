//! What the operations need of a token: a handler states it as `Scoped<…>` in its signature, and
//! the [document](crate::document) as the security of its operation.

use tenantry::{RequiredScope, ScopeNeed};

/// The scopes of an operation, for those who read about it.
pub trait Documented {
    /// The scopes, written without the tenant's prefix.
    const SCOPES: &'static [&'static str];
}

/// To book, and to reverse: which is booking, too.
#[derive(Debug)]
pub struct Book;

impl Documented for Book {
    const SCOPES: &'static [&'static str] = &["finance.write", "journal.create"];
}

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(Self::SCOPES);
}

/// To look at what is booked.
#[derive(Debug)]
pub struct Read;

impl Documented for Read {
    const SCOPES: &'static [&'static str] = &["journal.read"];
}

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::all(Self::SCOPES);
}

/// To be proven to be of a tenant, and no more.
#[derive(Debug)]
pub struct Proven;

impl Documented for Proven {
    const SCOPES: &'static [&'static str] = &[];
}
