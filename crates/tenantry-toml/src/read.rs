//! From text to the values of a format, or to what is wrong with it.

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use crate::error::FileError;
use crate::place::{line_at, setting_at};

/// Reads the text of a file; `name` is what errors call it.
///
/// # Errors
///
/// With name, line and setting, if it is not TOML, or has a key or a value that `T` does not have.
pub fn read<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| explain(&error, name, text))
}

/// Says what the parser has to say in the words of the format.
fn explain(error: &toml::de::Error, name: &str, text: &str) -> FileError {
    let Ok(document) = DeTable::parse(text) else {
        return not_toml(name, text);
    };
    let place = error.span().map_or(0, |span| span.start);
    let place_name = format!("{name}:{}", line_at(text, place));
    let Some(setting) = setting_at(&document, place) else {
        return FileError::new(error.message()).at(place_name);
    };
    let (setting, problem) = match error.message().split_once('`') {
        Some(("unknown field ", rest)) => {
            let expected = rest.split_once("`, ").map_or(rest, |(_, expected)| expected);
            (setting, format!("there is no such key, {expected}"))
        }
        Some(("missing field ", field)) => {
            (format!("{setting}.{}", field.trim_end_matches('`')), "it is missing".into())
        }
        _ => (setting, in_toml_words(error.message())),
    };
    FileError::new(problem).about(setting).at(place_name)
}

/// Says where the text stops being TOML: the first place, whichever the parser names.
fn not_toml(name: &str, text: &str) -> FileError {
    let (_, errors) = DeTable::parse_recoverable(text);
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let first = errors.iter().min_by_key(|error| place(error));
    let mut problem = String::from(first.map_or("", |error| error.message()));
    if problem == "duplicate key"
        && let Some(key) = first.and_then(toml::de::Error::span).and_then(|span| text.get(span))
    {
        problem = format!("the key `{key}` is there twice");
    }
    let line = line_at(text, first.map_or(0, place));
    FileError::new(format!("this is not TOML: {problem}")).at(format!("{name}:{line}"))
}

/// Parts of the message are in the words of Rust.
fn in_toml_words(message: &str) -> String {
    for (theirs, ours) in [("sequence", "list"), ("map", "table")] {
        if let Some(rest) = message.strip_prefix(&format!("invalid type: {theirs},")) {
            return format!("invalid type: {ours},{rest}");
        }
    }
    message.into()
}
