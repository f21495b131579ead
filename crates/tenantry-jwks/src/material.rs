//! The numbers of a public key, within the limits that a key must keep to be judged by.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tenantry_core::Algorithm;

use crate::skipped::SkipReason;

/// A curve that ECDSA is used with here ([RFC 7518 §6.2.1.1]).
///
/// [RFC 7518 §6.2.1.1]: https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.1
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// The one algorithm for keys on this curve ([RFC 7518 §3.4]).
    ///
    /// [RFC 7518 §3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
    pub(crate) const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
        }
    }

    /// What JWKs call it.
    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of one coordinate.
    pub(crate) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A public key as numbers. There is no variant for a symmetric key, so no token can be judged by
/// one ([RFC 8725 §2.1]).
///
/// [RFC 8725 §2.1]: https://www.rfc-editor.org/rfc/rfc8725#section-2.1
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Material {
    /// An uncompressed point: `04`, x, y. Not yet known to lie on the curve.
    Ec { curve: Curve, point: Box<[u8]> },
    /// A point as [RFC 8032] writes it.
    ///
    /// [RFC 8032]: https://www.rfc-editor.org/rfc/rfc8032
    Ed25519(Box<[u8]>),
    /// Big-endian, without leading zeros.
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
}

impl Material {
    /// Coordinates of full length ([RFC 7518 §6.2.1.2]).
    ///
    /// [RFC 7518 §6.2.1.2]: https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2
    pub(crate) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, SkipReason> {
        let len = curve.coordinate_len();
        if x.len() != len || y.len() != len {
            return Err(SkipReason::Parameters);
        }
        Ok(Self::Ec { curve, point: [&[4], x, y].concat().into() })
    }

    /// An uncompressed point, as certificates and PEM files write it.
    pub(crate) fn ec_point(curve: Curve, point: &[u8]) -> Result<Self, SkipReason> {
        match point.split_first() {
            Some((4, xy)) if xy.len() == 2 * curve.coordinate_len() => {
                Ok(Self::Ec { curve, point: point.into() })
            }
            _ => Err(SkipReason::Parameters),
        }
    }

    /// 32 bytes ([RFC 8037 §2]).
    ///
    /// [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
    pub(crate) fn ed25519(x: &[u8]) -> Result<Self, SkipReason> {
        if x.len() != 32 {
            return Err(SkipReason::Parameters);
        }
        Ok(Self::Ed25519(x.into()))
    }

    /// A modulus of 2048 to 8192 bits and an odd exponent from 3 to 2^32: fewer bits are broken
    /// ([RFC 7518 §3.3]), more make a single check expensive.
    ///
    /// [RFC 7518 §3.3]: https://www.rfc-editor.org/rfc/rfc7518#section-3.3
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, SkipReason> {
        // Some issuers write the sign byte of their library along; RFC 7518 §6.3.1.1 knows them.
        let n = n.strip_prefix(&[0]).unwrap_or(n);
        let (Some(&top), Some(&low)) = (n.first(), n.last()) else {
            return Err(SkipReason::Parameters);
        };
        if top == 0 || low % 2 == 0 {
            return Err(SkipReason::Parameters);
        }
        let unused = usize::try_from(top.leading_zeros()).unwrap_or(0);
        if !(2048..=8192).contains(&(n.len() * 8 - unused)) {
            return Err(SkipReason::RsaModulus);
        }
        if e.first() == Some(&0) || e.len() > 4 {
            return Err(SkipReason::RsaExponent);
        }
        let exponent = e.iter().fold(0_u32, |number, &byte| (number << 8) | u32::from(byte));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(SkipReason::RsaExponent);
        }
        Ok(Self::Rsa { n: n.into(), e: e.into() })
    }

    /// The members of a JWK that every key of this kind has, in the form that a thumbprint is made of:
    /// in the order of their names, without blanks ([RFC 7638 §3.2]).
    ///
    /// [RFC 7638 §3.2]: https://www.rfc-editor.org/rfc/rfc7638#section-3.2
    pub(crate) fn required_members(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec { curve, point } => {
                let xy = point.get(1..).unwrap_or_default();
                let (x, y) = xy.split_at_checked(curve.coordinate_len()).unwrap_or_default();
                let (name, x, y) = (curve.name(), text(x), text(y));
                format!(r#"{{"crv":"{name}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519(x) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x))
            }
            Self::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
        }
    }

    /// Whether a signature by `algorithm` is made with a key of this kind.
    pub(crate) fn permits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Ed25519(_) => algorithm == EdDsa,
            Self::Ec { curve, .. } => algorithm == curve.algorithm(),
            Self::Rsa { .. } => {
                matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bits: usize) -> Vec<u8> {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = if bits.is_multiple_of(8) { 0xff } else { (1 << (bits % 8)) - 1 };
        n
    }

    fn refused(n: &[u8], e: &[u8]) -> Option<SkipReason> {
        Material::rsa(n, e).err()
    }

    #[test]
    fn an_rsa_modulus_has_2048_to_8192_bits() {
        let e = [1, 0, 1];
        for bits in [2048, 2049, 3072, 4096, 8192] {
            assert_eq!(refused(&modulus(bits), &e), None, "{bits} bits");
        }
        for bits in [8, 512, 1024, 2047, 8193, 16384] {
            assert_eq!(refused(&modulus(bits), &e), Some(SkipReason::RsaModulus), "{bits} bits");
        }
    }

    #[test]
    fn one_leading_zero_of_a_modulus_is_dropped_and_does_not_count() {
        let e = [1, 0, 1];
        let plain = Material::rsa(&modulus(2048), &e);
        assert!(plain.is_ok());
        assert!(Material::rsa(&[&[0], &modulus(2048)[..]].concat(), &e) == plain);
        let twice = [&[0, 0], &modulus(2048)[..]].concat();
        assert_eq!(refused(&twice, &e), Some(SkipReason::Parameters));
        // 2040 bits written in 256 bytes are 2040 bits.
        let short = [&[0], &modulus(2040)[..]].concat();
        assert_eq!(refused(&short, &e), Some(SkipReason::RsaModulus));
    }

    #[test]
    fn an_even_or_empty_modulus_is_refused() {
        let mut even = modulus(2048);
        even[255] = 0xfe;
        assert_eq!(refused(&even, &[3]), Some(SkipReason::Parameters));
        assert_eq!(refused(&[], &[3]), Some(SkipReason::Parameters));
        assert_eq!(refused(&[0], &[3]), Some(SkipReason::Parameters));
    }

    #[test]
    fn an_rsa_exponent_is_odd_and_from_3_to_2_to_the_32() {
        let n = modulus(2048);
        for e in [&[3][..], &[17], &[1, 0, 1], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(refused(&n, e), None, "{e:?}");
        }
        for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 0, 0, 3]] {
            assert_eq!(refused(&n, e), Some(SkipReason::RsaExponent), "{e:?}");
        }
    }

    #[test]
    fn coordinates_have_full_length() {
        for (curve, len) in [(Curve::P256, 32), (Curve::P384, 48), (Curve::P521, 66)] {
            let full = vec![1; len];
            assert!(Material::ec(curve, &full, &full).is_ok());
            for odd in [&full[1..], &[&[0], &full[..]].concat()] {
                assert!(Material::ec(curve, odd, &full).is_err());
                let even = vec![1; 2 * len - odd.len()];
                assert!(Material::ec(curve, odd, &even).is_err());
                assert!(Material::ec(curve, &full, odd).is_err());
            }
        }
        assert!(Material::ed25519(&[1; 32]).is_ok());
        for len in [0, 31, 33] {
            assert!(Material::ed25519(&vec![1; len]).is_err());
        }
    }

    #[test]
    fn each_algorithm_belongs_to_one_kind_of_key() {
        let ec = |curve: Curve| {
            let coordinate = vec![1; curve.coordinate_len()];
            Material::ec(curve, &coordinate, &coordinate).unwrap()
        };
        let kinds = [
            ec(Curve::P256),
            ec(Curve::P384),
            ec(Curve::P521),
            Material::ed25519(&[1; 32]).unwrap(),
            Material::rsa(&modulus(2048), &[3]).unwrap(),
        ];
        for algorithm in Algorithm::ALL {
            let fitting = kinds.iter().filter(|kind| kind.permits(algorithm)).count();
            assert_eq!(fitting, 1, "{algorithm}");
        }
        for (kind, algorithms) in kinds.iter().zip([1, 1, 1, 1, 6]) {
            let fitting = Algorithm::ALL.into_iter().filter(|&algorithm| kind.permits(algorithm));
            assert_eq!(fitting.count(), algorithms);
        }
    }
}
