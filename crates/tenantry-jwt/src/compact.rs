//! Takes a JWS in compact serialization apart: size, three parts, base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::VerifyErrorKind;

/// The three parts of a token, decoded, and the text that the signature covers.
pub(crate) struct Compact<'a> {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// `header.payload`, as it was written ([RFC 7515 §5.2]).
    ///
    /// [RFC 7515 §5.2]: https://www.rfc-editor.org/rfc/rfc7515#section-5.2
    pub(crate) signing_input: &'a str,
}

impl<'a> Compact<'a> {
    /// Reads `token`, which may have at most `max_bytes` bytes.
    ///
    /// The JSON serializations of a JWS ([RFC 7515 §7.2]) and the five parts of a JWE
    /// ([RFC 7516 §7.1]) are refused.
    ///
    /// [RFC 7515 §7.2]: https://www.rfc-editor.org/rfc/rfc7515#section-7.2
    /// [RFC 7516 §7.1]: https://www.rfc-editor.org/rfc/rfc7516#section-7.1
    pub(crate) fn parse(token: &'a str, max_bytes: usize) -> Result<Self, VerifyErrorKind> {
        if token.len() > max_bytes {
            return Err(VerifyErrorKind::TooLarge);
        }
        let (signing_input, signature) =
            token.rsplit_once('.').ok_or(VerifyErrorKind::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(VerifyErrorKind::Malformed)?;
        Ok(Self {
            header: decode(header)?,
            // A third dot would be in here, where it is no base64url.
            payload: decode(payload)?,
            signature: decode(signature)?,
            signing_input,
        })
    }
}

/// Base64url without padding, white space or set bits beyond the last byte, so that one token has
/// one spelling ([RFC 7515 §2], [RFC 4648 §3.5]).
///
/// [RFC 4648 §3.5]: https://www.rfc-editor.org/rfc/rfc4648#section-3.5
/// [RFC 7515 §2]: https://www.rfc-editor.org/rfc/rfc7515#section-2
fn decode(part: &str) -> Result<Vec<u8>, VerifyErrorKind> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyErrorKind::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(token: &str) -> Option<VerifyErrorKind> {
        Compact::parse(token, 64).err()
    }

    #[test]
    fn three_parts_are_decoded() {
        let compact = Compact::parse("e30.YQ._-8", 10).unwrap();

        assert_eq!(compact.header, b"{}");
        assert_eq!(compact.payload, b"a");
        assert_eq!(compact.signature, [0xff, 0xef]);
        assert_eq!(compact.signing_input, "e30.YQ");
    }

    #[test]
    fn a_token_longer_than_the_bound_is_too_large_whatever_it_holds() {
        assert_eq!(Compact::parse("e30.YQ._-8", 9).err(), Some(VerifyErrorKind::TooLarge));
        assert_eq!(kind(&"?".repeat(65)), Some(VerifyErrorKind::TooLarge));
    }

    #[test]
    fn other_than_three_parts_are_malformed() {
        for token in ["", ".", "e30", "e30.e30", "e30.e30.YQ.", ".e30.e30.YQ", "e30.e30.YQ.YQ.YQ"] {
            assert_eq!(kind(token), Some(VerifyErrorKind::Malformed), "{token}");
        }
        assert_eq!(kind(r#"{"payload":"e30","signatures":[]}"#), Some(VerifyErrorKind::Malformed));
    }

    #[test]
    fn each_part_is_canonical_base64url() {
        // Standard alphabet, padding, blanks, line ends, a character alone, bits beyond the last byte.
        for part in [
            "+_8", "_/8", "YQ==", "YQ=", " YQ", "YQ\n", "Y Q", "Y", "YR", "YWJ", "Y?Q", "YQ\0",
            "ÿÿ",
        ] {
            assert_eq!(
                kind(&format!("{part}.YQ.YQ")),
                Some(VerifyErrorKind::Malformed),
                "{part:?}"
            );
            assert_eq!(
                kind(&format!("YQ.{part}.YQ")),
                Some(VerifyErrorKind::Malformed),
                "{part:?}"
            );
            assert_eq!(
                kind(&format!("YQ.YQ.{part}")),
                Some(VerifyErrorKind::Malformed),
                "{part:?}"
            );
        }
    }
}
