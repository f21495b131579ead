//! What the router did with one request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::record::CANARY;

/// An answer, or a panic instead of one.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// `None`: the router panicked, or broke off its answer.
    pub(super) status: Option<StatusCode>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The canaries in it, and where.
    pub(super) marks: BTreeMap<String, Place>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status: Some(status), headers, body, marks: BTreeMap::new() }
    }

    pub(super) fn panicked() -> Self {
        Self { status: None, headers: HeaderMap::new(), body: Bytes::new(), marks: BTreeMap::new() }
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Whether it says no. A redirect does, too: there is nothing in it.
    pub(super) fn is_refusal(&self) -> bool {
        self.status.is_some_and(|status| {
            status.is_redirection()
                || status.is_client_error()
                || status == StatusCode::SERVICE_UNAVAILABLE
        })
    }

    /// Whether a handler may have done something before it answered so.
    pub(super) fn may_have_changed(&self, method: &Method) -> bool {
        match self.status.map(|status| status.as_u16()) {
            None => true,
            Some(400 | 401 | 403 | 405) => false,
            Some(_) => !method.is_safe(),
        }
    }

    /// Finds every canary in it: the texts that begin with `stem` and have the length of a canary.
    pub(super) fn marked(mut self, stem: &str) -> Self {
        let mut found = |bytes: &[u8], place: &Place| {
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            for (at, _) in text.match_indices(stem) {
                if let Some(canary) = text.get(at..at + CANARY) {
                    self.marks.entry(canary.into()).or_insert_with(|| place.clone());
                }
            }
        };
        found(&self.body, &Place::Body);
        for (name, value) in &self.headers {
            found(value.as_bytes(), &Place::Header(name.to_string()));
        }
        self
    }

    /// Where the first of these canaries is in it.
    pub(super) fn place_of_any(&self, canaries: &BTreeSet<String>) -> Option<&Place> {
        self.marks.iter().find(|(mark, _)| canaries.contains(*mark)).map(|(_, place)| place)
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A part of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Body,
    Header(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("in the body"),
            Self::Header(name) => write!(f, "in the header `{name}`"),
        }
    }
}

/// Status, and the code of a problem document if there is one.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else {
            return f.write_str("a panic");
        };
        write!(f, "{}", status.as_u16())?;
        let document = self.json();
        let code = document.as_ref().and_then(|json| json.get("code")).and_then(Value::as_str);
        // A code is a word; anything else may be data.
        let word = |code: &&str| {
            code.len() <= 64
                && code.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'))
        };
        match code.filter(word) {
            Some(code) if !status.is_success() => write!(f, " `{code}`"),
            _ => Ok(()),
        }
    }
}
