//! One request, in parts that an attack can change.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;

/// A request that is not built yet.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: Content,
    /// What it writes, if it writes.
    pub(super) canary: String,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Json(Value),
    Nothing,
    Text(String, String),
}

impl Shot {
    /// Adds a header, also where it is there already.
    pub(super) fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Puts a header in the place of what was there.
    pub(super) fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).and(name, value)
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    pub(super) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(super) fn by(mut self, method: &Method) -> Self {
        self.method = method.clone();
        self
    }

    /// Adds to the query.
    pub(super) fn asking(mut self, query: &str) -> Self {
        self.query = Some(match self.query {
            Some(present) => format!("{present}&{query}"),
            None => query.into(),
        });
        self
    }

    /// Writes another canary in the place of this one.
    pub(super) fn renewed(mut self, canary: String) -> Self {
        let other = |text: &str| text.replace(&self.canary, &canary);
        match &mut self.content {
            // Letters and digits stand in JSON as they are.
            Content::Json(value) => {
                if let Ok(changed) = serde_json::from_str(&other(&value.to_string())) {
                    *value = changed;
                }
            }
            Content::Nothing => {}
            Content::Text(_, text) => *text = other(text),
        }
        self.canary = canary;
        self
    }

    /// Method and path, for the report. Not the query: there may be a token in it.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Builds it; `None` if HTTP has no such request.
    pub(super) fn build(&self) -> Option<Request<Body>> {
        let target = match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        let (content_type, body) = match &self.content {
            Content::Json(value) => (Some("application/json"), Body::from(value.to_string())),
            Content::Nothing => (None, Body::empty()),
            Content::Text(kind, text) => (Some(kind.as_str()), Body::from(text.clone())),
        };
        let mut request = Request::builder().method(&self.method).uri(target).body(body).ok()?;
        let headers = request.headers_mut();
        if let Some(kind) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).ok()?);
        }
        for (name, value) in &self.headers {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            );
        }
        Some(request)
    }
}
