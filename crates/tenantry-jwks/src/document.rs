//! A JWK Set as a list of keys that are still text: one odd key must not void the others.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::keys::KeySet;

/// The `keys` of a set, unread.
pub(crate) struct Document<'a>(pub(crate) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWK set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut seen = Vec::new();
        let mut keys = None;
        while let Some(name) = members.next_key::<String>()? {
            if name == "keys" {
                keys = Some(members.next_value::<Elements<'de>>()?.0);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
            seen.push(name);
        }
        let named = seen.len();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != named {
            return Err(de::Error::custom("a member is named twice"));
        }
        keys.map(Document).ok_or_else(|| de::Error::missing_field("keys"))
    }
}

struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        // One more than allowed is enough to know that there are too many.
        while keys.len() <= KeySet::MAX_KEYS {
            match elements.next_element()? {
                Some(key) => keys.push(key),
                None => return Ok(Elements(keys)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Elements(keys))
    }
}
