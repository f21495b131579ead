//! What fills the holes of a probe: `{tenant}`, and what earlier answers gave.

use std::collections::BTreeMap;

use serde_json::Value;

/// The values of one tenant, by the name of their hole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub(super) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.set(name, value);
        changed
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for (name, value) in &self.0 {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// Fills the holes of every string in `value`.
    pub(super) fn fill_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.fill(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_json(item)),
            Value::Object(members) => {
                members.iter_mut().for_each(|(_, value)| self.fill_json(value));
            }
            _ => {}
        }
    }
}

/// The names of the holes in a template, but `{tenant}`.
pub(super) fn holes(template: &str) -> Vec<&str> {
    let names = template.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name).filter(|name| *name != "tenant").collect()
}
