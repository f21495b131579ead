//! A journal entry as a caller sends it, before anything is known about it.
//!
//! Amounts are strings: a JSON number passes through a binary fraction in most programs, and
//! `0.10` would not come out as it went in. Unknown and repeated members are refused, so that a
//! misspelt one is not taken for an absent one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use utoipa::ToSchema;

/// An entry that was not checked yet. It becomes a
/// [`JournalEntry`](crate::ledger::JournalEntry) through `try_from`.
#[derive(Clone, Debug, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(description = "An entry to book.", example = json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
    {"account": "6310", "debit": "1200.00", "currency": "EUR"},
    {"account": "1200", "credit": "1200.00", "currency": "EUR"}]}))]
pub struct NewEntry {
    /// The day it is booked on: `2026-11-21`.
    #[schema(format = Date)]
    pub date: String,
    /// The booking text, on one line.
    #[schema(max_length = 500, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub memo: String,
    /// The lines.
    #[schema(value_type = Vec<NewLine>, min_items = 2, max_items = 1000)]
    pub lines: Vec<Object<NewLine>>,
}

/// A line that was not checked yet: either `debit` or `credit` is there.
#[derive(Clone, Debug, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// The number of the account.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,32}$")]
    pub account: String,
    /// The amount, if it is on the debit side.
    #[serde(default)]
    #[schema(pattern = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
    pub debit: Option<String>,
    /// The amount, if it is on the credit side.
    #[serde(default)]
    #[schema(pattern = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
    pub credit: Option<String>,
    /// The ISO 4217 code: three capital letters.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// What a caller says about a reversal, nothing of which has to be said.
#[derive(Clone, Debug, Default, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"memo": "Booked twice"}))]
pub struct NewReversal {
    /// The day it is booked on, if it is not that of the entry it reverses.
    #[serde(default)]
    #[schema(format = Date)]
    pub date: Option<String>,
    /// The booking text, if it is not the usual one.
    #[serde(default)]
    #[schema(max_length = 500, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub memo: Option<String>,
}

/// A `T` that is written as a JSON object. By itself, a struct would be read from an array, too.
#[derive(Clone, Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"account": "1", "debit": "1", "currency": "EUR"}"#;

    #[test]
    fn a_line_of_strings_is_read() {
        assert!(serde_json::from_str::<NewLine>(LINE).is_ok());
    }

    #[test]
    fn an_amount_that_is_not_a_string_is_refused() {
        for amount in ["1", "1.00", "true", "[\"1\"]", "{}"] {
            let line = LINE.replace("\"debit\": \"1\"", &format!("\"debit\": {amount}"));
            assert!(serde_json::from_str::<NewLine>(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(serde_json::from_str::<Object<NewLine>>(LINE).is_ok());
        assert!(serde_json::from_str::<Object<NewLine>>(r#"["1", "1", null, "EUR"]"#).is_err());
    }

    #[test]
    fn unknown_repeated_and_absent_members_are_refused() {
        for line in [
            LINE.replace("debit", "debet"),
            LINE.replace("}", r#", "tax": "19"}"#),
            LINE.replace("}", r#", "account": "2"}"#),
            LINE.replace(r#""account": "1", "#, ""),
            LINE.replace(r#", "currency": "EUR""#, ""),
        ] {
            assert!(serde_json::from_str::<NewLine>(&line).is_err(), "{line}");
        }
        for entry in [
            r#"{"date": "", "memo": "", "lines": [], "tenant": "tenant2"}"#,
            r#"{"date": "", "memo": "", "lines": [], "lines": []}"#,
            r#"{"date": "", "memo": ""}"#,
        ] {
            assert!(serde_json::from_str::<NewEntry>(entry).is_err(), "{entry}");
        }
    }
}
