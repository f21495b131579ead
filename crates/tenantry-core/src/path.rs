//! Paths that two readers could read in two ways.

/// Whether a raw path has `//`, a dot segment, `\`, `;`, a control byte or one beyond ASCII, or an
/// escape that is incomplete, no UTF-8, or an encoded `/`, `\`, `.`, `;` or control byte, be it
/// encoded twice.
///
/// Servers, proxies and routers repair such paths, each in its own way. Ours does not: what the
/// decision saw is what the handler sees.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
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
    ends_in_dot_segment(bytes)
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

/// Judges the escape whose digits `rest` starts with, and what it stands for when it is decoded again.
fn is_ambiguous_escape(mut rest: &[u8]) -> bool {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    loop {
        let [high, low, after @ ..] = rest else { return true };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return true };
        match high * 16 + low {
            0x00..=0x1F | 0x2E | 0x2F | 0x3B | 0x5C | 0x7F => return true,
            // Bytes that no UTF-8 has: an overlong spelling of something else.
            0xC0 | 0xC1 | 0xF5..=0xFF => return true,
            // An encoded `%`: what follows may be an escape for whoever decodes twice.
            0x25 if after.iter().take(2).filter(|byte| digit(byte).is_some()).count() == 2 => {
                rest = after;
            }
            _ => return false,
        }
    }
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
            "/a%2520b",
            "/~",
        ] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }

    #[test]
    fn a_path_with_two_readings_is() {
        for path in [
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
            "/a%c0%ae",
            "/a%f5",
            "/é",
            "/a\u{7f}",
        ] {
            assert!(is_ambiguous(path), "{path:?}");
        }
    }
}
