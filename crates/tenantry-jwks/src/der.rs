//! As much DER as a public key takes ([RFC 5280 §4.1], [RFC 8017 §A.1.1]).
//!
//! [RFC 5280 §4.1]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1
//! [RFC 8017 §A.1.1]: https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1

use crate::material::{Curve, Material};
use crate::skipped::SkipReason;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Reads a `SubjectPublicKeyInfo`.
pub(crate) fn public_key(der: &[u8]) -> Result<Material, SkipReason> {
    let Info { algorithm, curve, key } = info(der).ok_or(SkipReason::Malformed)?;
    match (algorithm, curve) {
        (RSA_ENCRYPTION, None) => rsa_public_key(key),
        (EC_PUBLIC_KEY, Some(P256)) => Material::ec_point(Curve::P256, key),
        (EC_PUBLIC_KEY, Some(P384)) => Material::ec_point(Curve::P384, key),
        (EC_PUBLIC_KEY, Some(P521)) => Material::ec_point(Curve::P521, key),
        (ED25519, None) => Material::ed25519(key),
        _ => Err(SkipReason::KeyType),
    }
}

/// Reads an `RSAPublicKey`.
pub(crate) fn rsa_public_key(der: &[u8]) -> Result<Material, SkipReason> {
    let (n, e) = integers(der).ok_or(SkipReason::Malformed)?;
    Material::rsa(n, e)
}

/// A `SubjectPublicKeyInfo`: the algorithm, its curve if it names one, and the key.
struct Info<'a> {
    algorithm: &'a [u8],
    curve: Option<&'a [u8]>,
    key: &'a [u8],
}

fn info(der: &[u8]) -> Option<Info<'_>> {
    let mut info = Reader(only(der, SEQUENCE)?);
    let mut identifier = Reader(info.next(SEQUENCE)?);
    let bits = info.next(BIT_STRING)?;
    let algorithm = identifier.next(OBJECT_IDENTIFIER)?;
    let curve = match identifier.0.first() {
        None => None,
        Some(&NULL) => identifier.next(NULL).filter(|null| null.is_empty()).map(|_| None)?,
        Some(_) => Some(identifier.next(OBJECT_IDENTIFIER)?),
    };
    // The first byte of a bit string counts the unused bits: a key has none.
    let key = bits.strip_prefix(&[0])?;
    (info.0.is_empty() && identifier.0.is_empty()).then_some(Info { algorithm, curve, key })
}

fn integers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut key = Reader(only(der, SEQUENCE)?);
    let (n, e) = (positive(key.next(INTEGER)?)?, positive(key.next(INTEGER)?)?);
    key.0.is_empty().then_some((n, e))
}

/// A positive number without its sign byte; in DER there is one only if it is needed.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, rest @ ..] => rest.first().filter(|&&top| top >= 0x80).map(|_| rest),
        [top, ..] if *top < 0x80 => Some(integer),
        _ => None,
    }
}

fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader(der);
    let content = reader.next(tag)?;
    reader.0.is_empty().then_some(content)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, if it has this tag and its length is written the one way
    /// that DER allows. Lengths beyond two bytes do not occur in keys.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (length, rest) = match self.0 {
            [found, length @ 0..=0x7f, rest @ ..] if *found == tag => (usize::from(*length), rest),
            [found, 0x81, length @ 0x80..=0xff, rest @ ..] if *found == tag => {
                (usize::from(*length), rest)
            }
            [found, 0x82, high @ 1..=0xff, low, rest @ ..] if *found == tag => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ed25519_pair, spki};
    use aws_lc_rs::signature::KeyPair;

    fn reads(der: &[u8], tag: u8) -> Option<Vec<u8>> {
        only(der, tag).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_length_has_one_spelling() {
        let content = vec![7; 300];
        let of = |head: &[u8], len: usize| [head, &content[..len]].concat();
        assert_eq!(reads(&of(&[0x30, 3], 3), 0x30).map(|found| found.len()), Some(3));
        assert_eq!(reads(&of(&[0x30, 0x81, 200], 200), 0x30).map(|found| found.len()), Some(200));
        assert_eq!(reads(&of(&[0x30, 0x82, 1, 44], 300), 0x30).map(|found| found.len()), Some(300));
        for (head, len) in [
            (&[0x30, 0x81, 3][..], 3),
            (&[0x30, 0x82, 0, 200], 200),
            (&[0x30, 0x83, 0, 1, 44], 300),
            (&[0x30, 0x80], 3),
            (&[0x31, 3], 3),
            (&[0x30, 4], 3),
            (&[0x30, 2], 3),
            (&[0x30], 0),
            (&[], 0),
        ] {
            assert_eq!(reads(&of(head, len), 0x30), None, "{head:?}");
        }
    }

    #[test]
    fn a_number_is_positive_and_has_one_spelling() {
        assert_eq!(positive(&[1, 0, 1]), Some(&[1, 0, 1][..]));
        assert_eq!(positive(&[0, 0x80]), Some(&[0x80][..]));
        for wrong in [&[][..], &[0], &[0x80], &[0, 1], &[0xff, 1]] {
            assert_eq!(positive(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_key_of_another_algorithm_or_with_parameters_it_must_not_have_is_refused() {
        let der = spki(ed25519_pair("a").public_key());
        assert!(public_key(&der).is_ok());
        // 1.3.101.113, Ed448, in the place of Ed25519.
        let mut other = der.clone();
        other[8] = 0x71;
        assert_eq!(public_key(&other).err(), Some(SkipReason::KeyType));
        // A bit string whose last bit does not count.
        let mut bits = der.clone();
        bits[11] = 1;
        assert_eq!(public_key(&bits).err(), Some(SkipReason::Malformed));
        // Something after the key, inside.
        let mut longer = [&der[..], &[5, 0]].concat();
        longer[1] += 2;
        assert_eq!(public_key(&longer).err(), Some(SkipReason::Malformed));
    }
}
