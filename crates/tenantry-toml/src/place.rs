//! Which line of a file a setting is on, and which setting a place in the file belongs to.
//!
//! A setting is written as in `issuer[1].tenants`: keys from the root, and the index of a repeated
//! table.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line that a place in the text is on, from 1.
pub(crate) fn line_at(text: &str, place: usize) -> usize {
    let before = text.bytes().take(place);
    before.filter(|byte| *byte == b'\n').count() + 1
}

/// The line of `setting`, or of the nearest part around it that is there.
#[must_use]
pub fn line_of(text: &str, setting: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = document.get_ref();
    for part in setting.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key, value)) = table.get_key_value(name) else {
            break;
        };
        let mut item = value;
        found = Some(key.span());
        if let Some(index) = index {
            let DeValue::Array(items) = value.get_ref() else {
                break;
            };
            let Some(indexed) = items.get(index) else {
                break;
            };
            item = indexed;
            found = Some(item.span());
        }
        let DeValue::Table(inner) = item.get_ref() else {
            break;
        };
        table = inner;
    }
    found.map(|span| line_at(text, span.start))
}

/// The setting whose key or value is at `place`, if there is one.
pub(crate) fn setting_at(document: &Spanned<DeTable<'_>>, place: usize) -> Option<String> {
    let mut search = Search { place, nearest: None };
    search.table("", document.get_ref());
    search.nearest.map(|(_, setting)| setting)
}

/// Looks for the shortest span around a place, and the innermost of several: the span of a table may
/// be its header alone, so what is in a table is not within its span.
struct Search {
    place: usize,
    nearest: Option<(usize, String)>,
}

impl Search {
    fn table(&mut self, parent: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref();
            let setting = match parent {
                "" => name.to_string(),
                _ => format!("{parent}.{name}"),
            };
            self.visit(&setting, &key.span());
            self.value(&setting, value.get_ref(), &value.span());
        }
    }

    fn value(&mut self, setting: &str, value: &DeValue<'_>, span: &Range<usize>) {
        self.visit(setting, span);
        match value {
            DeValue::Table(table) => self.table(setting, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    // Strings in a list are part of the setting; tables have settings of their own.
                    let setting = match item.get_ref() {
                        DeValue::Table(_) => format!("{setting}[{index}]"),
                        _ => setting.into(),
                    };
                    self.value(&setting, item.get_ref(), &item.span());
                }
            }
            _ => {}
        }
    }

    fn visit(&mut self, setting: &str, span: &Range<usize>) {
        let nearer = self.nearest.as_ref().is_none_or(|(length, _)| span.len() <= *length);
        if span.contains(&self.place) && nearer {
            self.nearest = Some((span.len(), setting.into()));
        }
    }
}
