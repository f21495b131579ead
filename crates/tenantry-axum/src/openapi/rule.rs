//! Which scopes an operation needs, written down where its routes are made.

use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, Paths};
use utoipa_axum::router::UtoipaMethodRouter;

use tenantry_core::ScopeNeed;
use tenantry_tower::RequireScopeLayer;

use super::handler::ScopedHandler;
use super::operations::operations;

/// The member of an operation that holds its rule: the lists of scopes of which one has to be held
/// in full, without the tenant's prefix.
///
/// [`scoped_routes!`](crate::scoped_routes) and [`required`] write it, [`Protection`](super::Protection)
/// and [`without_scope_rule`] read it. Unlike `security`, it is not written by hand.
pub const RULE: &str = "x-required-scope";

/// Requires the layer's scopes of every route in `routes`, and writes them down.
///
/// Where the routes have a rule already, both have to be met, and both are written down.
pub fn required<S>(
    (schemas, mut paths, router): UtoipaMethodRouter<S>,
    layer: RequireScopeLayer,
) -> UtoipaMethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    write(&mut paths, layer.need());
    (schemas, paths, router.layer(layer))
}

/// Writes down what `handler` needs; `routes` are its own.
pub fn scoped<S, E, H, Arguments>(
    (schemas, mut paths, router): UtoipaMethodRouter<S, E>,
    _: &H,
) -> UtoipaMethodRouter<S, E>
where
    H: ScopedHandler<Arguments>,
{
    write(&mut paths, &H::NEED);
    (schemas, paths, router)
}

/// Returns the operations that no scope rule covers, such as `GET /{tenant}/whoami`, by path.
///
/// An operation is covered if its routes come from [`scoped_routes!`](crate::scoped_routes) or
/// [`required`]; what `security` says is not looked at. A test compares the list with the routes that
/// are meant to be open to every client of a tenant:
///
/// ```
/// # use tenantry_axum::openapi::without_scope_rule;
/// # use utoipa_axum::{router::OpenApiRouter, routes};
/// #[utoipa::path(get, path = "/{tenant}/whoami")]
/// async fn whoami() {}
///
/// let (_, api) = OpenApiRouter::<()>::new().routes(routes!(whoami)).split_for_parts();
/// assert_eq!(without_scope_rule(&api), ["GET /{tenant}/whoami"]);
/// ```
///
/// # Security
///
/// It sees the document, so it does not see routes that are not in it: those of `Router::route`,
/// `OpenApiRouter::route`, `fallback` and `nest_service`.
#[must_use]
pub fn without_scope_rule(api: &OpenApi) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in &api.paths.paths {
        for (method, operation) in operations(&mut item.clone()) {
            if read(operation).is_none() {
                found.push(format!("{method} {path}"));
            }
        }
    }
    found
}

fn write(paths: &mut Paths, need: &ScopeNeed) {
    for item in paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let lists = match read(operation) {
                Some(before) => both(&before, need),
                None => need.alternatives().into_iter().map(owned).collect(),
            };
            operation.extensions.get_or_insert_default().insert(RULE.into(), lists.into());
        }
    }
}

/// Every list of the one together with every list of the other.
fn both(before: &[Vec<String>], need: &ScopeNeed) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    for list in before {
        for more in need.alternatives() {
            let mut joined = list.clone();
            joined.extend(owned(more).into_iter().filter(|scope| !list.contains(scope)));
            lists.push(joined);
        }
    }
    lists
}

fn owned(list: Vec<&str>) -> Vec<String> {
    list.into_iter().map(Into::into).collect()
}

/// The rule of an operation, if one was written down.
pub(super) fn read(operation: &Operation) -> Option<Vec<Vec<String>>> {
    let lists = operation.extensions.as_ref()?.get(RULE)?.as_array()?;
    let text = |scope: &Value| scope.as_str().map(Into::into);
    lists.iter().map(|list| list.as_array()?.iter().map(text).collect()).collect()
}
