//! One request that the service answers, as its user writes it down.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, Method};
use serde_json::Value;

/// A request that the router answers with success, if it comes from the right tenant with the right
/// scopes.
///
/// The path is a template: `{tenant}` is the tenant, and any other hole is filled from an earlier
/// probe that [gives](Self::gives) it. So are the values of headers and the strings of a body.
///
/// ```
/// use serde_json::json;
/// use tenantry_testkit::Probe;
///
/// let probes = [
///     Probe::post("/{tenant}/journal-entries")
///         .scopes(["finance.write", "journal.create"])
///         .json(|canary| json!({ "memo": canary, "amount": "12.00" }))
///         .gives("id", "/id"),
///     Probe::get("/{tenant}/journal-entries").scopes(["journal.read"]),
///     Probe::get("/{tenant}/journal-entries/{id}").scopes(["journal.read"]),
/// ];
/// # assert_eq!(format!("{:?}", probes[2]), "Probe(GET /{tenant}/journal-entries/{id})");
/// ```
#[must_use = "a probe does nothing until a suite runs it"]
#[derive(Clone)]
pub struct Probe {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) scopes: Vec<String>,
    pub(super) scope_free: bool,
    pub(super) payload: Option<Payload>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) gives: Vec<(String, Place)>,
    pub(super) unseen: bool,
    once: bool,
}

#[derive(Clone)]
pub(super) enum Payload {
    Json(Arc<dyn Fn(&str) -> Value + Send + Sync>),
    Text(String, Arc<dyn Fn(&str) -> String + Send + Sync>),
}

/// Where in an answer a value is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At this JSON pointer of the body.
    Body(String),
    /// The last segment of `Location`.
    Location,
}

impl Probe {
    /// A request with any method.
    ///
    /// # Panics
    ///
    /// If `path` does not start with `/`.
    pub fn new(method: Method, path: &str) -> Self {
        assert!(path.starts_with('/'), "the path of a probe starts with `/`: `{path}`");
        Self {
            method,
            path: path.into(),
            scopes: Vec::new(),
            scope_free: false,
            payload: None,
            headers: Vec::new(),
            gives: Vec::new(),
            unseen: false,
            once: false,
        }
    }

    /// `DELETE path`. The tenant's other probes run again before each try, so that there is something
    /// to delete.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// `GET path`.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// `PATCH path`.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn patch(path: &str) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// `POST path`.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    /// `PUT path`.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    /// The scopes that the route needs, all of them, written without what qualifies them.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Says that the route is meant to need no scope. A route that answers a token without scopes is
    /// a finding otherwise.
    pub fn no_scope(mut self) -> Self {
        self.scope_free = true;
        self
    }

    /// The body, as JSON. Put `canary` where it is stored: it is what the suite looks for in the
    /// answers to others. It is twenty letters and digits, another one in each request.
    pub fn json(mut self, body: impl Fn(&str) -> Value + Send + Sync + 'static) -> Self {
        self.payload = Some(Payload::Json(Arc::new(body)));
        self
    }

    /// The body, as text of another type. See [`json`](Self::json).
    pub fn text(
        mut self,
        content_type: &str,
        body: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        self.payload = Some(Payload::Text(content_type.into(), Arc::new(body)));
        self
    }

    /// A header that the request needs.
    ///
    /// # Panics
    ///
    /// If `name` is no header name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = name.parse().unwrap_or_else(|_| panic!("`{name}` is no header name"));
        self.headers.push((name, value.into()));
        self
    }

    /// Takes a value from the answer, for the hole `{name}` of later probes: the string or number at
    /// a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)), such as `/id`.
    pub fn gives(mut self, name: &str, pointer: &str) -> Self {
        self.gives.push((name.into(), Place::Body(pointer.into())));
        self
    }

    /// Takes the last segment of the answer's `Location`, for the hole `{name}` of later probes.
    pub fn gives_from_location(mut self, name: &str) -> Self {
        self.gives.push((name.into(), Place::Location));
        self
    }

    /// Says that a tenant's data cannot be told from another's by this probe: what it writes is shown
    /// by no other, or what it reads is the same for all.
    ///
    /// Without it such a probe is a finding, because most attacks on it would prove nothing. With it,
    /// only the attacks that have to be refused do.
    pub fn unseen(mut self) -> Self {
        self.unseen = true;
        self
    }

    /// Says that what it acts on can be used once: booking a reversal, accepting an invitation. A
    /// `DELETE` is such a probe anyway. It is sent rightly only where it is asked whether it works, so
    /// that the attacks find what they act on.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(super) fn consumes(&self) -> bool {
        self.once || self.method == Method::DELETE
    }

    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET
    }

    pub(super) fn label(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", self.label())
    }
}
