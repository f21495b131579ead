//! A refresh token's text: base64url of the family's id and 32 random bytes.

use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::random::{RandomError, random};
use crate::records::FamilyId;
use crate::secret::TokenHash;

const LEN: usize = FamilyId::LEN + 32;

/// A refresh token to hand out: 64 characters, opaque to the client.
///
/// ```
/// use tenantry_issuer::{FamilyId, PresentedToken, RefreshToken};
///
/// let family = FamilyId::generate()?;
/// let token = RefreshToken::generate(family)?;
/// let presented: PresentedToken = token.expose().parse()?;
/// assert_eq!(presented.family, family);
/// assert_eq!(presented.hash, token.hash());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct RefreshToken(String);

impl RefreshToken {
    /// Generates a token of `family`.
    ///
    /// # Errors
    ///
    /// If the system's generator has no random numbers.
    pub fn generate(family: FamilyId) -> Result<Self, RandomError> {
        let random = random::<{ LEN - FamilyId::LEN }>()?;
        let bytes = [family.as_bytes().as_slice(), random.as_slice()].concat();
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns the token, to be sent to the client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what is stored of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// What a text says that may be a refresh token. Whether it is one, the store knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PresentedToken {
    /// The family that it names.
    pub family: FamilyId,
    /// Its hash.
    pub hash: TokenHash,
}

impl std::str::FromStr for PresentedToken {
    type Err = InvalidRefreshToken;

    /// # Errors
    ///
    /// If `token` does not have the form of a refresh token.
    fn from_str(token: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; LEN];
        // 48 bytes are 64 characters without a bit to spare, so each token has one spelling.
        match BASE64_URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) {
            Ok(LEN) => {}
            Ok(_) | Err(_) => return Err(InvalidRefreshToken(())),
        }
        let (family, _) = bytes.split_first_chunk().ok_or(InvalidRefreshToken(()))?;
        Ok(Self { family: FamilyId::from_bytes(*family), hash: TokenHash::of(token) })
    }
}

/// The text does not have the form of a refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidRefreshToken(());

impl fmt::Display for InvalidRefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a refresh token")
    }
}

impl Error for InvalidRefreshToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let token = RefreshToken::generate(FamilyId::generate().unwrap()).unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse::<PresentedToken>().unwrap().hash, token.hash());
        for other in [
            "",
            "a",
            "ä",
            &text[1..],
            &format!("{text}a"),
            &format!("{text}aaaa"),
            &format!("{text}="),
            &format!(" {text}"),
            &format!("{text}\n"),
            &format!("+{}", &text[1..]),
            &"a".repeat(100_000),
        ] {
            assert_eq!(other.parse::<PresentedToken>(), Err(InvalidRefreshToken(())), "{other:?}");
        }
    }

    #[test]
    fn tokens_of_one_family_differ() {
        let family = FamilyId::generate().unwrap();
        let one = RefreshToken::generate(family).unwrap();
        let other = RefreshToken::generate(family).unwrap();
        assert_ne!(one.hash(), other.hash());
        assert_eq!(format!("{one:?} {family:?}"), "RefreshToken(..) FamilyId(..)");
    }
}
