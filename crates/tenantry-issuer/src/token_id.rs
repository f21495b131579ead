//! The `jti` of an access token: the millisecond of its issue, and 128 random bits, in base64url.
//!
//! `iat` has whole seconds. Whether a token is of the client that has its id now, or of another that had
//! it before, can be a matter of less: a client may be removed, registered again and issued a token
//! within one second, by a script.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::random::{RandomError, random_name};

/// Bytes of the time, since the Unix epoch: enough for 8900 years.
const TIME: usize = 6;

/// Bytes of both.
const LEN: usize = TIME + 16;

/// Returns a `jti` for a token that is issued at `now`.
///
/// # Errors
///
/// If the system's generator has no random numbers.
pub(crate) fn generate(now: Duration) -> Result<String, RandomError> {
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let [_, _, time @ ..] = millis.to_be_bytes();
    Ok(BASE64_URL_SAFE_NO_PAD.encode([time.as_slice(), &random_name()?].concat()))
}

/// Returns when the token with this `jti` and this `iat` was issued. Without a time that agrees with
/// `iat`, that is the start of its second.
pub(crate) fn issued_at(jti: &str, iat: u64) -> Duration {
    let mut bytes = [0; LEN];
    let precise = match BASE64_URL_SAFE_NO_PAD.decode_slice(jti, &mut bytes) {
        Ok(LEN) => {
            let [a, b, c, d, e, f, ..] = bytes;
            let millis = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            (millis / 1000 == iat).then(|| Duration::from_millis(millis))
        }
        Ok(_) | Err(_) => None,
    };
    precise.unwrap_or(Duration::from_secs(iat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_back_to_the_millisecond() {
        let now = Duration::new(1_800_000_000, 123_999_999);
        let jti = generate(now).unwrap();

        assert_eq!(jti.len(), 30);
        assert_ne!(generate(now).unwrap(), jti);
        assert_eq!(issued_at(&jti, 1_800_000_000), Duration::from_millis(1_800_000_000_123));
    }

    #[test]
    fn what_is_no_time_is_the_start_of_the_second() {
        let jti = generate(Duration::from_millis(1_800_000_000_123)).unwrap();
        for (jti, iat) in [
            (&*jti, 1_800_000_001),
            (&jti[..28], 1_800_000_000),
            ("", 0),
            ("not base64url!", 1),
            (&*"A".repeat(10_000), u64::MAX),
        ] {
            assert_eq!(issued_at(jti, iat), Duration::from_secs(iat), "{jti}");
        }
    }
}
