//! A family of refresh tokens: each is the successor of the one before.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tenantry_core::TenantId;

use crate::keys::CLOCK_SKEW;
use crate::random::{RandomError, random};
use crate::records::{ClientId, Generation};
use crate::secret::TokenHash;

/// Names a family: 128 random bits.
///
/// It is a part of every refresh token of the family, so it is not shown either.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FamilyId([u8; Self::LEN]);

impl FamilyId {
    /// The length, in bytes.
    pub const LEN: usize = 16;

    /// Returns an id that no family has.
    ///
    /// # Errors
    ///
    /// If the system's generator has no random numbers.
    pub fn generate() -> Result<Self, RandomError> {
        random().map(Self)
    }

    /// Takes an id as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

// INVARIANT (secrets stay in): whoever has the id can end the family.
impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FamilyId(..)")
    }
}

/// A family that is to begin, with its first token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewFamily {
    /// Its id.
    pub id: FamilyId,
    /// The tenant that every token of it is for.
    pub tenant: TenantId,
    /// The client of this tenant that it belongs to.
    pub client: ClientId,
    /// The scopes that were granted, plain. A refresh can only narrow them ([RFC 6749 §6]).
    ///
    /// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
    pub scopes: BTreeSet<String>,
    /// The audiences that were granted.
    pub audiences: Vec<String>,
    /// The hash of its first token.
    pub token: TokenHash,
    /// When it begins, since the Unix epoch; kept to the millisecond, like every time here.
    pub created_at: Duration,
    /// When it ends, however often its tokens are used.
    pub expires_at: Duration,
    /// The state of the client in which it proved itself. If that is past, the family does not begin.
    pub generation: Generation,
}

/// A family as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Family {
    /// Its id.
    pub id: FamilyId,
    /// The tenant that every token of it is for.
    pub tenant: TenantId,
    /// The client of this tenant that it belongs to.
    pub client: ClientId,
    /// The scopes that were granted, plain.
    pub scopes: BTreeSet<String>,
    /// The audiences that were granted.
    pub audiences: Vec<String>,
    /// The hash of the one live token.
    pub current: TokenHash,
    /// The hash of the token that was used last.
    pub previous: Option<TokenHash>,
    /// When `previous` was used for the first time.
    pub rotated_at: Option<Duration>,
    /// When a token of it was used last, or when it began.
    pub used_at: Duration,
    /// When it began.
    pub created_at: Duration,
    /// When it ends, however often its tokens are used.
    pub expires_at: Duration,
    /// Whether it was revoked: by itself, with its client's or its tenant's others, or because the
    /// client is disabled or the tenant suspended.
    pub revoked: bool,
}

impl Family {
    /// Whether it has ended by `now`: revoked, past its end, or not used for `idle`.
    #[must_use]
    pub fn has_ended(&self, now: Duration, idle: Option<Duration>) -> bool {
        let idle_end = idle.map_or(Duration::MAX, |idle| self.used_at.saturating_add(idle));
        self.revoked || self.expires_at <= now || idle_end <= now
    }

    /// Whether `presented` may be used: it is the current token, or the one before less than `grace`
    /// after its first use. A token that was rotated twice is never accepted.
    ///
    /// Replicas' clocks differ, so the first use may lie ahead, by five minutes at most: by more, a clock
    /// went back, and how long ago it was is not known.
    #[must_use]
    pub fn accepts(&self, presented: &TokenHash, now: Duration, grace: Duration) -> bool {
        let in_grace =
            |at: Duration| now < at.saturating_add(grace) && at <= now.saturating_add(CLOCK_SKEW);
        // Without grace, also a use that lies ahead is past.
        let in_grace = !grace.is_zero() && self.rotated_at.is_some_and(in_grace);
        self.current == *presented || (in_grace && self.previous.as_ref() == Some(presented))
    }
}
