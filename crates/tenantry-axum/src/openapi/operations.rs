//! The operations of a document.

use utoipa::openapi::path::{Operation, PathItem};

/// The operations of a path by their methods, as a request line writes them.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&str, &mut Operation)> {
    let named = [
        ("GET", &mut item.get),
        ("HEAD", &mut item.head),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
        ("OPTIONS", &mut item.options),
        ("TRACE", &mut item.trace),
        ("QUERY", &mut item.query),
    ];
    let named = named.into_iter().filter_map(|(method, of)| Some((method, of.as_mut()?)));
    let others = item.additional_operations.iter_mut();
    named.chain(others.map(|(method, operation)| (method.as_str(), operation)))
}
