//! The request target as the server got it, next to what a router left of it.

use std::fmt;

use http::{Extensions, Uri};

/// The whole request target, as the server got it.
///
/// A router shortens the path for what is nested in it: `nest("/{tenant}", …)` shows a layer inside
/// `/tenant1/entries` for `GET /tenant2/tenant1/entries`. The tenant is therefore never judged on
/// the path that a layer happens to see. Whoever owns the router puts this into the extensions,
/// before the router runs.
#[derive(Clone, Eq, PartialEq)]
pub struct RequestTarget(Uri);

impl RequestTarget {
    /// Takes the target of the request line.
    ///
    /// # Security
    ///
    /// It must be the target as the server got it. Taken from a request inside a `nest`, it lets the
    /// caller choose which part of the path is judged.
    #[must_use]
    pub const fn from_request_line(uri: Uri) -> Self {
        Self(uri)
    }
}

// INVARIANT (secrets stay in): a query may hold a token, though it is refused.
impl fmt::Debug for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestTarget(..)")
    }
}

/// Where a layer finds the whole request target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// What the layer sees is whole.
    Seen,
    /// In the extensions.
    Extension(fn(&Extensions) -> Option<&Uri>),
}

impl Target {
    pub(crate) const REQUEST_TARGET: Self =
        Self::Extension(|extensions| extensions.get().map(|RequestTarget(uri)| uri));

    /// Returns the URI to judge, or what is wrong with the way the layers were put together.
    pub(crate) fn whole<'a>(
        self,
        extensions: &'a Extensions,
        seen: &'a Uri,
    ) -> Result<&'a Uri, &'static str> {
        let target = match self {
            Self::Extension(find) => find(extensions).ok_or(
                "the request target is not in the extensions: use the layer of `tenantry::ResourceServer` inside an axum router, or build this one `uri_is_whole()`",
            )?,
            // Somebody who knows better is believed.
            Self::Seen => extensions.get().map_or(seen, |RequestTarget(uri)| uri),
        };
        // INVARIANT (agreement): the path that is routed on is part of the path that is judged.
        let judged = match seen.path() {
            // `CONNECT` has no path: the request is at fault, which is judged later.
            "" => target.path().is_empty(),
            // A router that strips the whole path leaves this, which routes on nothing.
            "/" => true,
            path => target.path().ends_with(path),
        };
        if !judged {
            return Err("the path was changed after the request target was taken");
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: Option<&'static str>, seen: &'static str, by: Target) -> Option<String> {
        let mut extensions = Extensions::new();
        if let Some(target) = target {
            extensions.insert(RequestTarget::from_request_line(Uri::from_static(target)));
        }
        by.whole(&extensions, &Uri::from_static(seen)).ok().map(ToString::to_string)
    }

    #[test]
    fn debug_shows_no_query() {
        let target = RequestTarget::from_request_line(Uri::from_static("/?access_token=secret"));
        assert_eq!(format!("{target:?}"), "RequestTarget(..)");
    }

    #[test]
    fn the_target_is_judged_and_not_what_is_left_of_it() {
        let judged = |target, seen| judged(Some(target), seen, Target::REQUEST_TARGET);
        assert_eq!(judged("/t2/t1/x", "/t1/x").as_deref(), Some("/t2/t1/x"));
        assert_eq!(judged("/t1/x", "/t1/x").as_deref(), Some("/t1/x"));
        assert_eq!(judged("/t1", "/").as_deref(), Some("/t1"));
    }

    #[test]
    fn without_a_target_only_a_layer_that_was_told_so_takes_what_it_sees() {
        assert_eq!(judged(None, "/t1/x", Target::REQUEST_TARGET), None);
        assert_eq!(judged(None, "/t1/x", Target::Seen).as_deref(), Some("/t1/x"));
        assert_eq!(judged(Some("/t2/t1/x"), "/t1/x", Target::Seen).as_deref(), Some("/t2/t1/x"));
    }

    #[test]
    fn a_path_that_is_no_suffix_of_the_target_is_not_judged() {
        assert_eq!(judged(Some("/t1/x"), "/t2/x", Target::REQUEST_TARGET), None);
        assert_eq!(judged(Some("/t1/x"), "/t2/x", Target::Seen), None);
    }
}
