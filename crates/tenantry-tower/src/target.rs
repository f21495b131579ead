//! The request target as the server got it, next to what a router left of it.

use http::{Extensions, Uri};

/// The whole request target, as the server got it.
///
/// A router shortens the path for what is nested in it: `nest("/{tenant}", …)` shows a layer inside
/// `/tenant1/entries` for `GET /tenant2/tenant1/entries`. The tenant is therefore never judged on
/// the path that a layer happens to see. Whoever owns the router puts this into the extensions, from
/// the request line; the façade `tenantry` does so for axum.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestTarget(pub Uri);

/// Returns the URI to judge, or what is wrong with the way the layers were put together.
pub(crate) fn whole<'a>(
    extensions: &'a Extensions,
    seen: &'a Uri,
    seen_is_whole: bool,
) -> Result<&'a Uri, &'static str> {
    if seen_is_whole {
        return Ok(seen);
    }
    let Some(RequestTarget(target)) = extensions.get() else {
        return Err(
            "no `RequestTarget` in the extensions: use the layer of `tenantry::ResourceServer` inside an axum router, or build this one `uri_is_whole()`",
        );
    };
    // INVARIANT (agreement): the path that is routed on is part of the path that is judged.
    if !target.path().ends_with(seen.path()) {
        return Err("the path was changed after the `RequestTarget` was taken");
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: Option<&'static str>, seen: &'static str, is_whole: bool) -> Option<String> {
        let mut extensions = Extensions::new();
        if let Some(target) = target {
            extensions.insert(RequestTarget(Uri::from_static(target)));
        }
        whole(&extensions, &Uri::from_static(seen), is_whole)
            .ok()
            .map(ToString::to_string)
    }

    #[test]
    fn the_target_is_judged_and_not_what_is_left_of_it() {
        assert_eq!(
            judged(Some("/t2/t1/x"), "/t1/x", false).as_deref(),
            Some("/t2/t1/x")
        );
        assert_eq!(
            judged(Some("/t1/x"), "/t1/x", false).as_deref(),
            Some("/t1/x")
        );
    }

    #[test]
    fn without_a_target_only_a_layer_that_was_told_so_takes_what_it_sees() {
        assert_eq!(judged(None, "/t1/x", false), None);
        assert_eq!(judged(None, "/t1/x", true).as_deref(), Some("/t1/x"));
    }

    #[test]
    fn a_path_that_is_no_suffix_of_the_target_is_not_judged() {
        assert_eq!(judged(Some("/t1/x"), "/t2/x", false), None);
    }
}
