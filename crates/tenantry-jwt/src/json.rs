//! Reads a JSON object of a token, strictly, in one pass.
//!
//! Tokens are read by more than one program. Wherever the RFCs let a reader choose, two readers can
//! see two tokens in one text, so this reader refuses instead of choosing ([RFC 8725 §3.7],
//! [RFC 7519 §4]):
//!
//! | text                                             | other readers      | here    |
//! |--------------------------------------------------|--------------------|---------|
//! | a member name twice, at any depth                | first or last wins | refused |
//! | a surrogate escape without its other half        | replaced, or kept  | refused |
//! | bytes that are not UTF-8, also in what is unused | skipped            | refused |
//! | anything after the object                        | ignored            | refused |
//! | nesting deeper than [`MAX_DEPTH`]                | stack overflow     | refused |
//!
//! It is a reader of its own because of the rows above, which a general reader does not check in
//! the parts that it skips, and because how `serde_json` hands out a number depends on a feature
//! that any crate in a build can switch on. A property test holds it to what `serde_json` reads.
//!
//! Names and strings without escapes are borrowed from the text. Values below the top level are
//! checked, not kept, except the strings of an array: no claim that is judged is deeper.
//!
//! [RFC 7519 §4]: https://www.rfc-editor.org/rfc/rfc7519#section-4
//! [RFC 8725 §3.7]: https://www.rfc-editor.org/rfc/rfc8725#section-3.7

use std::borrow::Cow;

/// How deep objects and arrays may be nested, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 32;

/// A JSON object whose member names are unique.
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// The value of a member.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    /// Infinite if it is larger than any `f64`.
    Number(f64),
    /// `true`, `false`, an object, or an array that holds anything but strings.
    Other,
    String(Cow<'a, str>),
    /// An array that holds nothing but strings. May be empty.
    Strings(Vec<Cow<'a, str>>),
}

/// The text is not a JSON object, or not one that all readers read alike.
#[derive(Debug, PartialEq)]
pub(crate) struct InvalidJson;

impl<'a> Object<'a> {
    /// Reads the whole of `text`.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, InvalidJson> {
        let text = std::str::from_utf8(text).map_err(|_| InvalidJson)?;
        let mut reader = Reader { text, at: 0 };
        reader.skip_whitespace();
        reader.take(b'{')?;
        let mut members = Vec::new();
        reader.members(|reader, name| {
            members.push((name, reader.value()?));
            Ok(())
        })?;
        reader.skip_whitespace();
        if reader.at != text.len() {
            return Err(InvalidJson);
        }
        all_differ(members.iter().map(|(name, _)| name.as_ref()).collect())?;
        Ok(Self { members })
    }

    /// The value of the member `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }
}

/// Sorting costs an attacker's object with many names n log n, where comparing each with each would
/// cost n².
fn all_differ(mut names: Vec<&str>) -> Result<(), InvalidJson> {
    names.sort_unstable();
    let twice = names.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    if twice { Err(InvalidJson) } else { Ok(()) }
}

struct Reader<'a> {
    text: &'a str,
    /// Always on a character boundary: only whole strings and ASCII are stepped over.
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, InvalidJson> {
        let byte = self.peek().ok_or(InvalidJson)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, expected: u8) -> Result<(), InvalidJson> {
        if self.next()? == expected { Ok(()) } else { Err(InvalidJson) }
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> Result<&'a str, InvalidJson> {
        self.text.get(start..self.at).ok_or(InvalidJson)
    }

    /// The members of an object whose `{` was taken, through its `}`.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), InvalidJson>,
    ) -> Result<(), InvalidJson> {
        self.skip_whitespace();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            self.take(b'"')?;
            let name = self.string()?;
            self.skip_whitespace();
            self.take(b':')?;
            self.skip_whitespace();
            member(self, name)?;
            self.skip_whitespace();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(()),
                _ => return Err(InvalidJson),
            }
        }
    }

    /// The elements of an array whose `[` was taken, through its `]`.
    fn elements(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), InvalidJson>,
    ) -> Result<(), InvalidJson> {
        self.skip_whitespace();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            element(self)?;
            self.skip_whitespace();
            match self.next()? {
                b',' => {}
                b']' => return Ok(()),
                _ => return Err(InvalidJson),
            }
        }
    }

    /// The value of a member of the outermost object.
    fn value(&mut self) -> Result<Value<'a>, InvalidJson> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(Value::String)
            }
            Some(b'[') => {
                self.at += 1;
                self.array()
            }
            Some(b'n') => {
                self.word("null")?;
                Ok(Value::Null)
            }
            Some(b'-' | b'0'..=b'9') => {
                let digits = self.number()?;
                digits.parse().map(Value::Number).map_err(|_| InvalidJson)
            }
            _ => {
                self.check(1)?;
                Ok(Value::Other)
            }
        }
    }

    fn array(&mut self) -> Result<Value<'a>, InvalidJson> {
        let mut strings = Some(Vec::new());
        self.elements(|reader| {
            if reader.peek() == Some(b'"') {
                reader.at += 1;
                let string = reader.string()?;
                if let Some(strings) = &mut strings {
                    strings.push(string);
                }
                return Ok(());
            }
            strings = None;
            reader.check(2)
        })?;
        Ok(strings.map_or(Value::Other, Value::Strings))
    }

    /// Steps over one value that nobody asks for, inside `depth` objects and arrays.
    fn check(&mut self, depth: usize) -> Result<(), InvalidJson> {
        let byte = self.peek().ok_or(InvalidJson)?;
        if matches!(byte, b'{' | b'[') && depth >= MAX_DEPTH {
            return Err(InvalidJson);
        }
        match byte {
            b'"' => {
                self.at += 1;
                self.string().map(drop)
            }
            b'{' => {
                self.at += 1;
                let mut names = Vec::new();
                self.members(|reader, name| {
                    names.push(name);
                    reader.check(depth + 1)
                })?;
                all_differ(names.iter().map(Cow::as_ref).collect())
            }
            b'[' => {
                self.at += 1;
                self.elements(|reader| reader.check(depth + 1))
            }
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), InvalidJson> {
        word.bytes().try_for_each(|byte| self.take(byte))
    }

    /// `number` of [RFC 8259 §6](https://www.rfc-editor.org/rfc/rfc8259#section-6).
    fn number(&mut self) -> Result<&'a str, InvalidJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.since(start)
    }

    fn digits(&mut self) -> Result<(), InvalidJson> {
        if !self.next()?.is_ascii_digit() {
            return Err(InvalidJson);
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// The rest of a string whose opening quote was taken, through its closing one.
    fn string(&mut self) -> Result<Cow<'a, str>, InvalidJson> {
        let mut start = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek().ok_or(InvalidJson)? {
                b'"' => break,
                b'\\' => {
                    unescaped.push_str(self.since(start)?);
                    self.at += 1;
                    unescaped.push(self.escape()?);
                    start = self.at;
                }
                0x00..=0x1F => return Err(InvalidJson),
                _ => self.at += 1,
            }
        }
        let rest = self.since(start)?;
        self.at += 1;
        // Every escape adds a character, so empty means that there was none.
        if unescaped.is_empty() {
            return Ok(Cow::Borrowed(rest));
        }
        unescaped.push_str(rest);
        Ok(Cow::Owned(unescaped))
    }

    /// The character that an escape stands for, after its backslash.
    fn escape(&mut self) -> Result<char, InvalidJson> {
        Ok(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(InvalidJson),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, InvalidJson> {
        let first = self.hex4()?;
        if !(0xD800..=0xDBFF).contains(&first) {
            // A low surrogate that comes first is no character either.
            return char::from_u32(first).ok_or(InvalidJson);
        }
        self.word("\\u")?;
        let second = self.hex4()?;
        if !(0xDC00..=0xDFFF).contains(&second) {
            return Err(InvalidJson);
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(InvalidJson)
    }

    fn hex4(&mut self) -> Result<u32, InvalidJson> {
        (0..4).try_fold(0, |value, _| {
            let digit = char::from(self.next()?).to_digit(16).ok_or(InvalidJson)?;
            Ok(value << 4 | digit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn refused(text: &str) {
        assert!(Object::parse(text.as_bytes()).is_err(), "{text} was accepted");
    }

    fn member<'a>(text: &'a str, name: &str) -> Value<'a> {
        let object =
            Object::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text} was refused"));
        let position = object.members.iter().position(|(member, _)| member == name).unwrap();
        object.members.into_iter().nth(position).unwrap().1
    }

    #[test]
    fn values_are_read_with_their_types() {
        for (text, expected) in [
            (r#"{"a":"x"}"#, Value::String("x".into())),
            (r#"{"a":""}"#, Value::String("".into())),
            ("{\"a\":\"tenånt\"}", Value::String("tenånt".into())),
            (
                r#"{"a":"\u0074\"\\\/\b\f\n\r\t\ud83D\uDe00!"}"#,
                Value::String("t\"\\/\u{8}\u{c}\n\r\t😀!".into()),
            ),
            (r#"{"a":1790000000}"#, Value::Number(1_790_000_000.0)),
            (r#"{"a":-0.5e-1}"#, Value::Number(-0.05)),
            (r#"{"a":1E+2}"#, Value::Number(100.0)),
            (r#"{"a":1e400}"#, Value::Number(f64::INFINITY)),
            (r#"{"a":1e-400}"#, Value::Number(0.0)),
            (r#"{"a":null}"#, Value::Null),
            (r#"{"a":true}"#, Value::Other),
            (r#"{"a":{}}"#, Value::Other),
            (r#"{"a":[]}"#, Value::Strings(vec![])),
            (r#"{"a":["x", "y"]}"#, Value::Strings(vec!["x".into(), "y".into()])),
            (r#"{"a":["x", 1]}"#, Value::Other),
            (r#"{"a":[["x"], "y"]}"#, Value::Other),
            (" \t\r\n{ \"b\" : { } , \"a\" : [ \"x\" ] }\n", Value::Strings(vec!["x".into()])),
        ] {
            assert_eq!(member(text, "a"), expected, "{text}");
        }
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        assert!(matches!(member(r#"{"a":"x"}"#, "a"), Value::String(Cow::Borrowed("x"))));
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_at_every_depth_and_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"iss":"x","\u0069ss":"y"}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"y":[{"a":1,"\u0061":2}]}]}"#,
            r#"{"":1,"":2}"#,
        ] {
            refused(text);
        }
        // The same name in two objects is not twice.
        assert!(Object::parse(br#"{"a":{"a":1},"b":{"a":[{"a":1},{"a":1}]}}"#).is_ok());
    }

    #[test]
    fn a_lone_surrogate_is_refused_wherever_it_stands() {
        for escape in
            [r"\ud800", r"\uDC00", r"\udc00\ud800", r"\ud800\ud800", r"\ud800x", r"\ud800\n"]
        {
            refused(&format!(r#"{{"a":"{escape}"}}"#));
            refused(&format!(r#"{{"{escape}":1}}"#));
            refused(&format!(r#"{{"a":["{escape}"]}}"#));
            refused(&format!(r#"{{"a":{{"b":"{escape}"}}}}"#));
            refused(&format!(r#"{{"a":{{"{escape}":1}}}}"#));
        }
    }

    #[test]
    fn bytes_after_the_object_and_bytes_that_are_not_utf_8_are_refused() {
        for text in ["{}x", "{}{}", "{},", "{} null", "{}\0", "\u{feff}{}"] {
            refused(text);
        }
        for text in
            [&b"{\"a\":\"\xff\"}"[..], b"{\"a\":{\"b\":\"\xc0\x80\"}}", b"{\"\xed\xa0\x80\":1}"]
        {
            assert!(Object::parse(text).is_err());
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", " ", "[]", "null", "1", "\"a\"", "[{}]"] {
            refused(text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "{",
            "}",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{'a':1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[,]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":["x",]}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"a":1e}"#,
            r#"{"a":-}"#,
            r#"{"a":0x1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":nul}"#,
            r#"{"a":nulll}"#,
            r#"{"a":True}"#,
            r#"{"a":"x}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":"\u12g4"}"#,
            r#"{"a":"\u+123"}"#,
            r#"{"a":"\"}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"\0\"}",
            "{\"a\":1 /* */}",
            "{\u{a0}}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(Object::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        refused(&nested(MAX_DEPTH + 1));
        refused(&format!(r#"{{"a":{}"#, r#"{"a":"#.repeat(100_000)));
        refused(&format!(r#"{{"a":{}"#, "[".repeat(100_000)));
    }

    /// JSON, and what is nearly JSON.
    fn text() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("{}".to_owned()),
            Just("[]".to_owned()),
            any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| n.to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?",
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
            r#""(\\u[dD][89a-fA-F][0-9a-f]{2}|\\[bfnrtu"/\\]|[a-z]){0,3}""#,
        ];
        let value = scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|v| format!("[{}]", v.join(","))),
                prop::collection::vec(("[a-c]", inner), 0..4).prop_map(|v| {
                    let members: Vec<_> = v.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
                    format!("{{{}}}", members.join(", "))
                }),
            ]
        });
        let object = prop::collection::vec(("[a-e]{1,2}", value), 0..5).prop_map(|v| {
            let members: Vec<_> = v.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
            format!("{{{}}}", members.join(","))
        });
        (object, any::<prop::sample::Index>(), prop::option::weighted(0.3, "[\\x00-\\x7f]{0,2}"))
            .prop_map(|(mut text, at, edit)| {
                let at = at.index(text.len());
                if let Some(edit) = edit
                    && text.is_char_boundary(at)
                    && text.is_char_boundary(at + 1)
                {
                    text.replace_range(at..=at, &edit);
                }
                text
            })
    }

    fn agrees(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
        match ours {
            Value::Null => theirs.is_null(),
            Value::Number(n) => theirs.as_f64().is_some_and(|m| (n - m).abs() <= n.abs() * 1e-12),
            Value::String(s) => theirs.as_str() == Some(s),
            Value::Strings(s) => theirs.as_array().is_some_and(|a| {
                a.len() == s.len() && a.iter().zip(s).all(|(a, s)| a.as_str() == Some(s))
            }),
            Value::Other => theirs.is_boolean() || theirs.is_object() || theirs.is_array(),
        }
    }

    /// Whether a name comes twice, by a model too simple to be wrong: reading into a map loses one.
    fn has_duplicates(text: &str) -> bool {
        let members = |value: &serde_json::Value| {
            fn count(value: &serde_json::Value) -> usize {
                match value {
                    serde_json::Value::Array(a) => a.iter().map(count).sum(),
                    serde_json::Value::Object(o) => o.len() + o.values().map(count).sum::<usize>(),
                    _ => 0,
                }
            }
            count(value)
        };
        let mut colons = 0;
        let mut in_string = false;
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' if in_string => drop(bytes.next()),
                b'"' => in_string = !in_string,
                b':' if !in_string => colons += 1,
                _ => {}
            }
        }
        members(&serde_json::from_str(text).unwrap()) != colons
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads_and_refuses_only_duplicates_beyond_it(text in text()) {
            let theirs: Result<serde_json::Map<_, _>, _> = serde_json::from_str(&text);
            match (Object::parse(text.as_bytes()), theirs) {
                (Ok(ours), Ok(theirs)) => {
                    prop_assert_eq!(ours.members.len(), theirs.len());
                    for (name, value) in &ours.members {
                        prop_assert!(agrees(value, &theirs[name.as_ref()]), "{}", text);
                    }
                    prop_assert!(!has_duplicates(&text), "{}", text);
                }
                (Err(_), Ok(_)) => prop_assert!(has_duplicates(&text), "{}", text),
                (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range"), "{}", text),
                (Err(_), Err(_)) => {}
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Object::parse(&bytes);
        }
    }
}
