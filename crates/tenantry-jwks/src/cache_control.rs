//! How long a document says that it may be kept ([RFC 9111 §5.2.2]).
//!
//! [RFC 9111 §5.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2

use std::time::Duration;

/// Returns the lifetime that a `Cache-Control` field gives. `None`: it gives none.
///
/// `no-store` and `no-cache` are a lifetime of zero, and so is a `max-age` that cannot be read
/// ([RFC 9111 §4.2.1]). `s-maxage` is for caches that several users share, and we are none.
/// `must-revalidate` is not followed: a key set past its lifetime is used on while the issuer cannot
/// be reached, for a bounded time that the operator sets.
///
/// [RFC 9111 §4.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1
pub(crate) fn lifetime(field: &str) -> Option<Duration> {
    field.split(',').filter_map(|directive| lifetime_of(directive.trim())).min()
}

fn lifetime_of(directive: &str) -> Option<Duration> {
    let (name, argument) = match directive.split_once('=') {
        Some((name, argument)) => (name.trim_end(), Some(argument.trim_start())),
        None => (directive, None),
    };
    if ["no-store", "no-cache"].iter().any(|none| name.eq_ignore_ascii_case(none)) {
        return Some(Duration::ZERO);
    }
    name.eq_ignore_ascii_case("max-age").then(|| seconds(argument.unwrap_or_default()))
}

/// Digits, quoted or not. What is too large for a number is just very long ([RFC 9111 §1.2.2]).
///
/// [RFC 9111 §1.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2
fn seconds(argument: &str) -> Duration {
    let quoted = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let digits = quoted.unwrap_or(argument);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    Duration::from_secs(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shortest_of_what_is_said_counts() {
        for (field, expected) in [
            ("", None),
            ("public, must-revalidate, no-transform", None),
            ("s-maxage=5", None),
            ("stale-while-revalidate=30, max-stale=3", None),
            ("max-age=600", Some(600)),
            ("Public, MAX-AGE = 600 ,must-revalidate", Some(600)),
            ("max-age=\"600\"", Some(600)),
            ("max-age=600, max-age=60", Some(60)),
            ("max-age=99999999999999999999999", Some(u64::MAX)),
            ("max-age=0", Some(0)),
            ("max-age", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=+1", Some(0)),
            ("max-age=6 0", Some(0)),
            ("max-age=\"600", Some(0)),
            ("no-store", Some(0)),
            ("max-age=600, No-Cache", Some(0)),
            ("no-cache=\"set-cookie\", max-age=600", Some(0)),
        ] {
            assert_eq!(lifetime(field), expected.map(Duration::from_secs), "{field}");
        }
    }

    proptest! {
        #[test]
        fn no_field_makes_reading_panic(field in ".{0,100}") {
            let _ = lifetime(&field);
        }
    }
}
