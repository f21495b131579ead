//! What becomes of a request, by the weather at its issuer.

use std::time::Duration;

use tenantry_jwks::{FetchErrorKind, KeySet};

use super::chance::Chance;

/// The weather at one issuer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Weather {
    /// The body does not end.
    Endless,
    /// Every request is answered as it should be, well within its time.
    Fair,
    /// Bytes that are not JSON.
    Garbage,
    /// 404.
    Gone,
    /// Requests are taken, and never answered.
    Hanging,
    /// 200 with a page, as some servers answer every path.
    Html,
    /// A key set without a key that can be used.
    NoKeys,
    /// The key set is said to be at an address inside.
    Redirecting,
    /// No connection.
    Refusing,
    /// Right answers, some of them too late.
    Slow,
    /// 500.
    Status500,
    /// The connection breaks in the middle of an answer.
    Torn,
}

impl Weather {
    pub(super) const FOUL: [Self; 11] = [
        Self::Endless,
        Self::Garbage,
        Self::Gone,
        Self::Hanging,
        Self::Html,
        Self::NoKeys,
        Self::Redirecting,
        Self::Refusing,
        Self::Slow,
        Self::Status500,
        Self::Torn,
    ];

    /// What becomes of one request. `limit` is the time that it has.
    pub(super) fn plan(self, chance: &mut Chance, limit: Duration) -> Plan {
        let soon = chance.between(Duration::from_millis(1), limit / 8);
        let later = chance.between(limit / 4, limit * 3 / 2);
        let (after, fate) = match self {
            Self::Endless if chance.one_in(8) => {
                (Some(soon), Fate::Answer(200, Body::Text(" ".repeat(KeySet::MAX_BYTES + 1))))
            }
            Self::Endless => (Some(soon), Fate::Fail(FetchErrorKind::TooLarge)),
            Self::Fair => (Some(soon), Fate::Answer(200, Body::Document)),
            Self::Garbage => {
                let text =
                    chance.pick(&["", "{\"keys\": [", "\u{1}\u{2}\u{3}", "[]", "{\"keys\": 1}"]);
                (Some(soon), Fate::Answer(200, Body::Text(text.to_owned())))
            }
            Self::Gone => (Some(soon), Fate::Answer(404, Body::none())),
            Self::Hanging => (None, Fate::Fail(FetchErrorKind::TimedOut)),
            Self::Html => {
                let page = "<!doctype html><title>Welcome</title>".to_owned();
                (Some(soon), Fate::Answer(200, Body::Text(page)))
            }
            Self::NoKeys => (Some(soon), Fate::Answer(200, Body::NoKeys)),
            Self::Redirecting => (Some(soon), Fate::Answer(302, Body::Inside)),
            Self::Refusing => (Some(soon), Fate::Fail(FetchErrorKind::Connect)),
            Self::Slow => (Some(later), Fate::Answer(200, Body::Document)),
            Self::Status500 => (Some(soon), Fate::Answer(500, Body::none())),
            Self::Torn => (Some(soon), Fate::Fail(FetchErrorKind::Protocol)),
        };
        // What an answer says may be as old as the request, or as new as the answer.
        Plan { after, fate, old: chance.one_in(2) }
    }
}

/// What becomes of one request.
#[derive(Debug)]
pub(super) struct Plan {
    /// `None`: never.
    pub(super) after: Option<Duration>,
    pub(super) fate: Fate,
    /// Whether the answer says what was so when the request came.
    pub(super) old: bool,
}

#[derive(Debug)]
pub(super) enum Fate {
    Answer(u16, Body),
    Fail(FetchErrorKind),
}

#[derive(Debug)]
pub(super) enum Body {
    /// What is published at the place.
    Document,
    /// Metadata that lead to an address inside; for a key set, a redirect there.
    Inside,
    /// A key set without a key that can be used.
    NoKeys,
    Text(String),
}

impl Body {
    const fn none() -> Self {
        Self::Text(String::new())
    }
}
