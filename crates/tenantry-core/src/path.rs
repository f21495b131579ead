//! Paths that two readers could read in two ways.

/// Whether a raw path has `//`, a dot segment, `\`, `;`, a control byte or one beyond ASCII, or an
/// escape that is incomplete, no UTF-8, or an encoded `/`, `\`, `.`, `;` or control byte, be it
/// encoded twice.
///
/// Servers, proxies and routers repair such paths, each in its own way. Ours does not: what the
/// decision saw is what the handler sees.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    // `CONNECT` has none; `OPTIONS` may be about the whole server.
    if bytes.first() != Some(&b'/') && path != "*" {
        return true;
    }
    let special = bytes.iter().enumerate().filter(|(_, byte)| !is_plain(**byte));
    for (at, &byte) in special {
        let (before, after) = bytes.split_at_checked(at).unwrap_or_default();
        let suspicious = match byte {
            b'/' => before.last() == Some(&b'/') || ends_in_dot_segment(before),
            b'.' => false,
            b'%' => is_ambiguous_escape(after.get(1..).unwrap_or_default()),
            _ => true,
        };
        if suspicious {
            return true;
        }
    }
    ends_in_dot_segment(bytes) || bytes.contains(&b'%') && is_no_text(bytes)
}

/// What a path may hold without a second look: `pchar` of [RFC 3986 §3.3] but `.`, `;` and `%`.
///
/// [RFC 3986 §3.3]: https://www.rfc-editor.org/rfc/rfc3986#section-3.3
#[expect(clippy::indexing_slicing, reason = "a table of 256 has a place for every byte")]
const fn is_plain(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            table[byte] = matches!(byte as u8,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'!' | b'$' | b'&'
                | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' | b'"' | b'<'
                | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}');
            byte += 1;
        }
        table
    };
    TABLE[byte as usize]
}

fn ends_in_dot_segment(path: &[u8]) -> bool {
    path.last() == Some(&b'.')
        && matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b"." | b".."))
}

/// Judges the escape whose digits `rest` starts with.
fn is_ambiguous_escape(rest: &[u8]) -> bool {
    let [high, low, after @ ..] = rest else { return true };
    match escaped(*high, *low) {
        None | Some(0x00..=0x1F | 0x2E | 0x2F | 0x3B | 0x5C | 0x7F) => true,
        // An encoded `%` in front of what may be an escape, for whoever decodes twice.
        Some(0x25) => after.first().is_some_and(|next| *next == b'%' || next.is_ascii_hexdigit()),
        Some(_) => false,
    }
}

/// Whether what is escaped is no UTF-8: perhaps an overlong spelling of something else.
fn is_no_text(path: &[u8]) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        let escape = match (byte, after) {
            (b'%', [high, low, after @ ..]) => escaped(*high, *low).map(|byte| (byte, after)),
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((*byte, after));
        decoded.push(byte);
        rest = after;
    }
    std::str::from_utf8(&decoded).is_err()
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_one_reading_is_not_ambiguous() {
        for path in [
            "/",
            "/a/b",
            "/a/",
            "/a.b/..c/d..",
            "/a./b../c",
            "/.../a",
            "/...",
            "/a%20b",
            "/%E2%82%AC",
            "/a:b@c,d=e",
            "/100%25",
            "/a%25zz",
            "/~",
            "*",
        ] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }

    #[test]
    fn a_path_with_two_readings_is() {
        for path in [
            "",
            "a/b",
            "//a",
            "/a//b",
            "/a//",
            "/./a",
            "/a/..",
            "/../a",
            "/a/.",
            "/a\\b",
            "/a;v=1/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/%2e%2e/a",
            "/a%2E",
            "/a%00",
            "/a%1f",
            "/a%7F",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a\u{1}",
            "/a%3Bb",
            "/a%252fb",
            "/..%252f..",
            "/a%25252Eb",
            "/a%252%65",
            "/a%25%32e",
            "/a%25%35%63",
            "/a%2525%32%65",
            "/a%e0%80%ae",
            "/a%f0%80%80%af",
            "/a%80",
            "/a%c0%ae",
            "/a%f5",
            "/é",
            "/a\u{7f}",
        ] {
            assert!(is_ambiguous(path), "{path:?}");
        }
    }
}
