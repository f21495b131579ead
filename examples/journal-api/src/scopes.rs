//! What the operations need of a token: a handler states it as `Scoped<…>` in its signature, from
//! where it gets into the [document](crate::document), too.

use tenantry::{RequiredScope, ScopeNeed};

/// To book, and to reverse: which is booking, too.
#[derive(Debug)]
pub struct Book;

impl RequiredScope for Book {
    const NEED: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
}

/// To look at what is booked.
#[derive(Debug)]
pub struct Read;

impl RequiredScope for Read {
    const NEED: ScopeNeed = ScopeNeed::all(&["journal.read"]);
}
