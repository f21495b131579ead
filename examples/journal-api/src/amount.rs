//! An amount of money: positive, exact, with as many fractional digits as its currency has.
//!
//! | text, in EUR                       | result                                      |
//! |------------------------------------|---------------------------------------------|
//! | `1200`, `1200.5`, `1200.50`        | the amount; written `1200.00`, `1200.50`    |
//! | `0`, `0.00`                        | [`NotPositive`](InvalidAmount::NotPositive) |
//! | `1200.505`                         | [`TooPrecise`](InvalidAmount::TooPrecise)   |
//! | sixteen digits before the point    | [`TooLarge`](InvalidAmount::TooLarge)       |
//! | ` 1`, `+1`, `-1`, `1e3`, `1,0`, `01` | [`Malformed`](InvalidAmount::Malformed)   |

use std::error::Error;
use std::fmt;

use iso_currency::Currency;
use rust_decimal::Decimal;

/// The most digits before the point.
///
/// With the four fractional digits that ISO 4217 knows at most and
/// [`MAX_LINES`](crate::ledger::MAX_LINES) lines, a sum stays below the 96 bits of a [`Decimal`],
/// so adding never rounds.
pub const MAX_INTEGER_DIGITS: usize = 15;

/// The most fractional digits of any currency.
pub const MAX_FRACTIONAL_DIGITS: usize = 4;

/// A positive amount of one currency.
///
/// Displayed with all fractional digits of the currency: `1200.00`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Amount(Decimal);

impl Amount {
    /// Reads an amount of `currency`: digits, and a point with more digits if there is a fraction.
    ///
    /// # Errors
    ///
    /// See [`InvalidAmount`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, InvalidAmount> {
        let digits = fractional_digits(currency).ok_or(InvalidAmount::NoMinorUnit)?;
        let (integer, fraction) = split(text).ok_or(InvalidAmount::Malformed)?;
        if integer.len() > MAX_INTEGER_DIGITS {
            return Err(InvalidAmount::TooLarge);
        }
        if fraction.len() > digits as usize {
            return Err(InvalidAmount::TooPrecise { digits });
        }
        let mut amount = Decimal::from_str_exact(text).map_err(|_| InvalidAmount::Malformed)?;
        if amount.is_zero() {
            return Err(InvalidAmount::NotPositive);
        }
        amount.rescale(digits);
        Ok(Self(amount))
    }

    /// Returns the number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many fractional digits `currency` has; `None` for those without a minor unit, such as gold.
#[must_use]
pub fn fractional_digits(currency: Currency) -> Option<u32> {
    let digits = currency.exponent()?;
    (usize::from(digits) <= MAX_FRACTIONAL_DIGITS).then(|| digits.into())
}

/// The digits before and after the point, if `text` has no other spelling for the same digits.
fn split(text: &str) -> Option<(&str, &str)> {
    let (integer, fraction) = match text.split_once('.') {
        Some((integer, fraction)) if !fraction.is_empty() => (integer, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = integer.bytes().chain(fraction.bytes());
    let well_formed = !integer.is_empty()
        && (integer == "0" || !integer.starts_with('0'))
        && digits.into_iter().all(|byte| byte.is_ascii_digit());
    well_formed.then_some((integer, fraction))
}

/// Why a text is not an amount of its currency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidAmount {
    /// Not digits, optionally with a point and more digits.
    Malformed,
    /// The currency is not counted in parts: gold, or the code for no currency.
    NoMinorUnit,
    /// Zero: which side a line is on says the sign.
    NotPositive,
    /// More than [`MAX_INTEGER_DIGITS`] digits before the point.
    TooLarge,
    /// More fractional digits than the currency has.
    TooPrecise {
        /// How many it has.
        digits: u32,
    },
}

impl fmt::Display for InvalidAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the amount is not a decimal number such as 1200.00"),
            Self::NoMinorUnit => f.write_str("the currency has no minor unit to count in"),
            Self::NotPositive => f.write_str("the amount is not positive"),
            Self::TooLarge => {
                write!(f, "the amount has more than {MAX_INTEGER_DIGITS} digits before the point")
            }
            Self::TooPrecise { digits } => {
                write!(f, "the amount has more fractional digits than the {digits} of its currency")
            }
        }
    }
}

impl Error for InvalidAmount {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_with_all_digits_of_its_currency() {
        for (text, currency, written) in [
            ("1200", Currency::EUR, "1200.00"),
            ("1200.5", Currency::EUR, "1200.50"),
            ("0.01", Currency::EUR, "0.01"),
            ("1", Currency::JPY, "1"),
            ("1.001", Currency::KWD, "1.001"),
            ("0.0001", Currency::CLF, "0.0001"),
            ("999999999999999.99", Currency::EUR, "999999999999999.99"),
        ] {
            let amount = Amount::parse(text, currency);
            assert_eq!(amount.map(|amount| amount.to_string()), Ok(written.into()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_positive_decimal_of_the_currency_is_refused() {
        for (text, currency, why) in [
            ("", Currency::EUR, InvalidAmount::Malformed),
            (".", Currency::EUR, InvalidAmount::Malformed),
            ("1.", Currency::EUR, InvalidAmount::Malformed),
            (".5", Currency::EUR, InvalidAmount::Malformed),
            ("01", Currency::EUR, InvalidAmount::Malformed),
            ("00.5", Currency::EUR, InvalidAmount::Malformed),
            (" 1", Currency::EUR, InvalidAmount::Malformed),
            ("1 ", Currency::EUR, InvalidAmount::Malformed),
            ("+1", Currency::EUR, InvalidAmount::Malformed),
            ("-1", Currency::EUR, InvalidAmount::Malformed),
            ("1e3", Currency::EUR, InvalidAmount::Malformed),
            ("1_000", Currency::EUR, InvalidAmount::Malformed),
            ("1,000", Currency::EUR, InvalidAmount::Malformed),
            ("1.0.0", Currency::EUR, InvalidAmount::Malformed),
            ("NaN", Currency::EUR, InvalidAmount::Malformed),
            ("١", Currency::EUR, InvalidAmount::Malformed),
            ("0", Currency::EUR, InvalidAmount::NotPositive),
            ("0.00", Currency::EUR, InvalidAmount::NotPositive),
            ("1.001", Currency::EUR, InvalidAmount::TooPrecise { digits: 2 }),
            ("1.000", Currency::EUR, InvalidAmount::TooPrecise { digits: 2 }),
            ("1.0", Currency::JPY, InvalidAmount::TooPrecise { digits: 0 }),
            ("1000000000000000", Currency::EUR, InvalidAmount::TooLarge),
            ("1", Currency::XAU, InvalidAmount::NoMinorUnit),
            ("1", Currency::XXX, InvalidAmount::NoMinorUnit),
        ] {
            assert_eq!(Amount::parse(text, currency), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_very_long_text_is_refused() {
        let digits = "9".repeat(1 << 20);
        assert_eq!(Amount::parse(&digits, Currency::EUR), Err(InvalidAmount::TooLarge));
        let fraction = format!("0.{digits}");
        assert_eq!(
            Amount::parse(&fraction, Currency::EUR),
            Err(InvalidAmount::TooPrecise { digits: 2 })
        );
    }

    #[test]
    fn no_currency_has_more_fractional_digits_than_the_bound() {
        let all = (0..=999).filter_map(Currency::from_numeric);
        let digits = all.filter_map(Currency::exponent).map(usize::from).max();
        assert_eq!(digits, Some(MAX_FRACTIONAL_DIGITS));
    }
}
