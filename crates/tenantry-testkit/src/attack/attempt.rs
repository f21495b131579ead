//! One attack: a request, and what may come of it.

use super::kind::AttackKind;
use super::shot::Shot;

/// A request that somebody sends who must not get what it asks for.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) kind: AttackKind,
    /// The place of the probe in the suite.
    pub(super) probe: usize,
    /// What was changed, in words.
    pub(super) sent: String,
    pub(super) expect: Expect,
    pub(super) shot: Shot,
}

/// What may come of an attempt. Whatever it is, nothing of the victim may be in the answer, and
/// nothing of the attacker in the victim's data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expect {
    /// Any answer, as long as it is the attacker's own.
    Harmless,
    /// 4xx, 503, or a redirect.
    Refused,
}

impl Expect {
    /// Refused if `strict`, else harmless.
    pub(super) const fn refused_if(strict: bool) -> Self {
        if strict { Self::Refused } else { Self::Harmless }
    }

    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Harmless => "a refusal, or an answer about the caller's own tenant only",
            Self::Refused => "a refusal",
        }
    }
}
