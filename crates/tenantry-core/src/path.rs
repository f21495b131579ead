//! Paths that two readers could read in two ways.

/// Whether a raw path has `//`, a dot segment, `\`, `;`, a control byte, an encoded `/`, `\`, `.`
/// or control byte, or an incomplete escape.
///
/// Servers, proxies and routers repair such paths, each in its own way. Ours does not: what the
/// decision saw is what the handler sees.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut previous = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let suspicious = match byte {
            b'/' => previous == b'/',
            b'\\' | b';' | 0..=0x1F | 0x7F => true,
            b'%' => is_ambiguous_escape(bytes.get(at + 1), bytes.get(at + 2)),
            _ => false,
        };
        if suspicious {
            return true;
        }
        previous = byte;
    }
    path.split('/')
        .any(|segment| segment == "." || segment == "..")
}

fn is_ambiguous_escape(high: Option<&u8>, low: Option<&u8>) -> bool {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(high), digit(low)) else {
        return true;
    };
    matches!(high * 16 + low, 0x00..=0x1F | 0x2E | 0x2F | 0x5C | 0x7F)
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
            "/a%20b",
            "/%E2%82%AC",
            "/a:b@c,d=e",
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
            "/a\u{7f}",
        ] {
            assert!(is_ambiguous(path), "{path:?}");
        }
    }
}
