//! The scopes that a handler's signature states.

use tenantry_core::ScopeNeed;

use crate::scoped::{RequiredScope, Scoped};

/// A handler with one argument `Scoped<S>`, in any place among up to 16.
///
/// `Arguments` is inferred. A handler with two such arguments is ambiguous and does not compile:
/// write one `RequiredScope` that needs both. `Result<Scoped<S>, _>` does not count, as its handler
/// runs without the scopes, too.
#[diagnostic::on_unimplemented(
    message = "the handler `{Self}` has no argument `Scoped<…>`",
    label = "its scopes are not in its signature",
    note = "take a `Scoped<…>`, or use `required(routes!(…), RequireScopeLayer::…)`"
)]
pub trait ScopedHandler<Arguments>: sealed::Sealed<Arguments> {
    /// What `S` needs.
    const NEED: ScopeNeed;
}

mod sealed {
    /// Nobody else says what a handler needs.
    pub trait Sealed<Arguments> {}
}

/// One place of `Scoped<S>`: after these arguments, before those.
macro_rules! place {
    ([$($before:ident)*] [$($after:ident)*]) => {
        impl<F, Answer, S, $($before,)* $($after,)*>
            sealed::Sealed<(($($before,)*), S, ($($after,)*))> for F
        where
            F: Fn($($before,)* Scoped<S>, $($after,)*) -> Answer,
            S: RequiredScope,
        {
        }

        #[doc(hidden)] // a page of 136 lines that all say the same
        impl<F, Answer, S, $($before,)* $($after,)*>
            ScopedHandler<(($($before,)*), S, ($($after,)*))> for F
        where
            F: Fn($($before,)* Scoped<S>, $($after,)*) -> Answer,
            S: RequiredScope,
        {
            const NEED: ScopeNeed = S::NEED;
        }
    };
}

/// Every place among this many others.
macro_rules! places {
    ([$($before:ident)*]) => {
        place!([$($before)*] []);
    };
    ([$($before:ident)*] $next:ident $($after:ident)*) => {
        place!([$($before)*] [$next $($after)*]);
        places!([$($before)* $next] $($after)*);
    };
}

/// Every number of others, up to these.
macro_rules! numbers {
    ([$($others:ident)*]) => {
        places!([] $($others)*);
    };
    ([$($others:ident)*] $next:ident $($rest:ident)*) => {
        places!([] $($others)*);
        numbers!([$($others)* $next] $($rest)*);
    };
}

numbers!([] T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15);
