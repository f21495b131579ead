//! How the values of a file are read. Each says what it expects in its own words.
//!
//! A table is read as a table only: what serde derives takes a list for one, too, member by member.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// A text that stands for a value of this type.
pub trait Written: Sized {
    /// What would be right: `a duration such as "30s"`.
    const EXPECTED: &'static str;

    /// Reads the value; `None` if the text does not stand for one.
    fn read(text: &str) -> Option<Self>;
}

impl Written for Duration {
    const EXPECTED: &'static str = "a duration such as \"30s\" or \"10m\"";

    fn read(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }
}

impl Written for SocketAddr {
    const EXPECTED: &'static str = "an address and a port such as \"127.0.0.1:8080\"";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A value that is written as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<T>(pub T);

impl<'de, T: Written> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::read(text).map(Text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A list of strings.
#[derive(Debug, Default)]
pub struct Texts(pub Vec<String>);

/// One string, or a list of strings.
#[derive(Debug)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = deserializer.deserialize_any(TextsVisitor { one: false })?;
        Ok(Self(texts))
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = deserializer.deserialize_any(TextsVisitor { one: true })?;
        Ok(Self(texts))
    }
}

struct TextsVisitor {
    /// Whether a single string will do.
    one: bool,
}

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.one { "a string or a list of strings" } else { "a list of strings" })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.one {
            Ok(vec![text.into()])
        } else {
            Err(E::invalid_type(Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(items))
    }
}

/// A table that the file has at most once: `[tenant]`.
#[derive(Debug, Default)]
pub struct Table<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TableVisitor(PhantomData))
    }
}

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = Table<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table: write its name in [ ]")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Table)
    }
}

/// Tables that the file repeats: `[[issuer]]`.
#[derive(Debug)]
pub struct Tables<T>(pub Vec<Table<T>>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Tables<T> {
    /// The tables, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|table| &table.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tables<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TablesVisitor(PhantomData))
    }
}

struct TablesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TablesVisitor<T> {
    type Value = Tables<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table that can be repeated: write its name in [[ ]]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(Tables)
    }
}
