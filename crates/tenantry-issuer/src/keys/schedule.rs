//! When a key is published, signs, stops signing and goes: a function of times.
//!
//! | state     | published | signs | from … to                                                        |
//! |-----------|-----------|-------|------------------------------------------------------------------|
//! | `Next`    | yes       | no    | it was made … it takes over                                      |
//! | `Active`  | yes       | yes   | it takes over … the next one does                                |
//! | `Retired` | yes       | no    | the next one takes over … no token that it signed can be alive   |
//! | `Gone`    | no        | no    | after that; the record is removed                                |
//!
//! There is always a next key, which waits in public for its turn, and the moment of its turn is
//! written down with it. So every replica changes keys at that moment without being told, and a
//! rotation in a hurry goes over to a key that resource servers have had the time to fetch.
//!
//! [`Schedule::plan`] says what is to be done about the keys; it makes no key, reads no clock and
//! asks no database. Every replica plans the same from the same records, so it does not matter which
//! of them carries it out.

use std::time::Duration;

use tenantry_core::Algorithm;

use crate::settings::Settings;

/// The longest that an access token may live: 24 hours.
///
/// A retired key is published for this long whatever the setting says, so that a change of the
/// setting leaves no token without its key.
pub const LONGEST_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How old the keys that a replica works with may be while the database can be asked: 30 seconds.
pub(crate) const FRESH: Duration = Duration::from_secs(30);

/// The same while it cannot be asked: 5 minutes. Older keys neither sign nor are shown, since another
/// replica may have changed them meanwhile.
pub(crate) const STALE: Duration = Duration::from_secs(5 * 60);

/// How far apart clocks may be, here and at resource servers.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How long a key is published after it was retired: a replica that has not heard of it signs on for
/// [`STALE`], and what it signs lives for the longest that a token may.
pub(crate) const RETENTION: Duration =
    STALE.saturating_add(LONGEST_TOKEN_LIFETIME).saturating_add(CLOCK_SKEW);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a resource server may keep a key set that does not say, at least: that of
/// `tenantry-jwks`, and of most others.
const SOFT_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What signs, and how keys follow each other.
///
/// | setting                                     | default | bounds                                   |
/// |---------------------------------------------|---------|------------------------------------------|
/// | [publish ahead](Self::with_publish_ahead)   | 2 hours | `max-age` and 20 minutes, to 30 days     |
/// | [max age](Self::with_jwks_max_age)          | 10 min  | 1 minute to 24 hours                     |
///
/// A value outside its bounds is taken as the bound, and fractions of a second are dropped. Algorithm
/// and rotation are those of the [`Settings`].
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_issuer::{Schedule, Settings};
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let schedule = Schedule::of(&settings).with_jwks_max_age(Duration::from_secs(60));
/// assert_eq!(schedule.publish_ahead(), Duration::from_secs(2 * 60 * 60));
/// assert_eq!(schedule.rotation(), settings.key_rotation());
/// # Ok::<_, tenantry_issuer::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct Schedule {
    algorithm: Algorithm,
    rotation: Duration,
    publish_ahead: Duration,
    jwks_max_age: Duration,
}

impl Schedule {
    /// Takes algorithm and rotation from `settings`.
    pub fn of(settings: &Settings) -> Self {
        Self::new(settings.algorithm(), settings.key_rotation())
    }

    fn new(algorithm: Algorithm, rotation: Duration) -> Self {
        Self {
            algorithm,
            rotation: whole_seconds(rotation),
            publish_ahead: HOUR.saturating_mul(2),
            jwks_max_age: MINUTE.saturating_mul(10),
        }
    }

    /// Sets how long a key is published before it signs.
    ///
    /// By default twice the longest time that `tenantry-jwks` keeps a key set for. Longer is right
    /// for resource servers that keep them for longer and do not look for a `kid` they do not know.
    pub fn with_publish_ahead(mut self, publish_ahead: Duration) -> Self {
        self.publish_ahead = whole_seconds(publish_ahead.min(DAY.saturating_mul(30)));
        self
    }

    /// Sets the `max-age` that key sets and metadata are served with ([RFC 9111 §5.2.2.1]).
    ///
    /// A key that was withdrawn because it leaked is accepted for about this long.
    ///
    /// [RFC 9111 §5.2.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1
    pub fn with_jwks_max_age(mut self, max_age: Duration) -> Self {
        self.jwks_max_age = whole_seconds(max_age.clamp(MINUTE, DAY));
        self
    }

    /// Returns the algorithm of new keys.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns how long a key signs.
    #[must_use]
    pub const fn rotation(&self) -> Duration {
        self.rotation
    }

    /// Returns how long a key is published before it signs: never less than what the `max-age`
    /// promises to caches, the time that a resource server keeps a set for, the time that a replica
    /// may show an old set for, and what the clocks of replicas may differ by.
    #[must_use]
    pub fn publish_ahead(&self) -> Duration {
        let least = [self.jwks_max_age, SOFT_LIFETIME, STALE, CLOCK_SKEW].into_iter().sum();
        self.publish_ahead.max(least)
    }

    /// Returns the `max-age` of key sets and metadata.
    #[must_use]
    pub const fn jwks_max_age(&self) -> Duration {
        self.jwks_max_age
    }

    /// What to do about `keys` at `now`: nothing, usually.
    pub(crate) fn plan(&self, keys: &[KeyTimes<'_>], now: Duration) -> Vec<Step> {
        let mut draft = Draft::new(self, keys, now);
        draft.keep_up();
        draft.steps(keys)
    }

    /// What to do so that the next key takes over: at once if it has been published for long enough
    /// or `hurry` says so, else as soon as it has.
    pub(crate) fn rotate(&self, keys: &[KeyTimes<'_>], hurry: bool, now: Duration) -> Vec<Step> {
        let mut draft = Draft::new(self, keys, now);
        draft.keep_up();
        draft.hand_over(hurry);
        draft.keep_up();
        draft.steps(keys)
    }

    /// What to do so that the key `kid` neither signs nor is published any more. If it signs, the
    /// next one takes over at once. No key is made: that is for the next plan.
    pub(crate) fn withdraw(&self, keys: &[KeyTimes<'_>], kid: &str, now: Duration) -> Vec<Step> {
        let mut draft = Draft::new(self, keys, now);
        draft.keys.retain(|key| key.name != Name::Stored(kid));
        draft.close_ranks();
        draft.steps(keys)
    }
}

const fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

/// The times of one key, all since the Unix epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct KeyTimes<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) algorithm: Algorithm,
    pub(crate) published_at: Duration,
    /// When it takes over, or did.
    pub(crate) active_at: Duration,
    /// When another takes over, or did.
    pub(crate) retired_at: Option<Duration>,
}

/// Which key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name<'a> {
    /// One that is to be made, of those of one plan.
    New(usize),
    /// The one with this `kid`.
    Stored(&'a str),
}

/// Where a key stands at a moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyState {
    /// It signs.
    Active,
    /// Nothing that it signed is alive, and it is not published.
    Gone,
    /// It is published and does not sign yet.
    Next,
    /// It does not sign any more and is published for the tokens that it signed.
    Retired,
}

impl KeyState {
    /// Returns the state in lower case, as commands print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Gone => "gone",
            Self::Next => "next",
            Self::Retired => "retired",
        }
    }
}

impl KeyTimes<'_> {
    pub(crate) fn state(&self, now: Duration) -> KeyState {
        match self.retired_at {
            Some(_) if self.removed_at().is_some_and(|removed| now >= removed) => KeyState::Gone,
            Some(retired) if now >= retired => KeyState::Retired,
            _ if now >= self.active_at => KeyState::Active,
            _ => KeyState::Next,
        }
    }

    /// When nothing that it signed is alive any more.
    pub(crate) fn removed_at(&self) -> Option<Duration> {
        self.retired_at.map(|retired| retired.saturating_add(RETENTION))
    }
}

/// The key that signs at `now`: of those that are active, the one that took over last.
///
/// More than one is active only until the next plan, after the clocks of replicas disagreed.
pub(crate) fn signer<'n>(
    keys: impl IntoIterator<Item = KeyTimes<'n>>,
    now: Duration,
) -> Option<KeyTimes<'n>> {
    keys.into_iter()
        .filter(|key| key.state(now) == KeyState::Active)
        .max_by_key(|key| (key.active_at, key.name))
}

/// One change to the keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Make a key and publish it.
    Create { active_at: Duration, retired_at: Option<Duration> },
    /// Forget a key.
    Remove { kid: String },
    /// Set the times of a key.
    Set { kid: String, active_at: Duration, retired_at: Option<Duration> },
}

/// Keys on the way to what they should be.
struct Draft<'a> {
    schedule: &'a Schedule,
    now: Duration,
    keys: Vec<KeyTimes<'a>>,
    created: usize,
}

impl<'a> Draft<'a> {
    fn new(schedule: &'a Schedule, keys: &[KeyTimes<'a>], now: Duration) -> Self {
        Self { schedule, now, keys: keys.to_vec(), created: 0 }
    }

    /// What leads from `before` to here.
    fn steps(&self, before: &[KeyTimes<'_>]) -> Vec<Step> {
        let mut steps = Vec::new();
        for old in before {
            let Name::Stored(kid) = old.name else { continue };
            let kid = kid.to_owned();
            match self.keys.iter().find(|key| key.name == old.name) {
                None => steps.push(Step::Remove { kid }),
                Some(key) if (key.active_at, key.retired_at) != (old.active_at, old.retired_at) => {
                    let (active_at, retired_at) = (key.active_at, key.retired_at);
                    steps.push(Step::Set { kid, active_at, retired_at });
                }
                Some(_) => {}
            }
        }
        let new = self.keys.iter().filter(|key| matches!(key.name, Name::New(_)));
        steps.extend(
            new.map(|key| Step::Create { active_at: key.active_at, retired_at: key.retired_at }),
        );
        steps
    }

    /// One key signs, one waits, and it is said when it takes over.
    fn keep_up(&mut self) {
        let now = self.now;
        self.keys.retain(|key| key.state(now) != KeyState::Gone);
        let signer = signer(self.keys.iter().copied(), now).unwrap_or_else(|| self.begin());
        // Clocks disagreed, or the next one took over before its time.
        for other in &mut self.keys {
            if other.state(now) == KeyState::Active && other.name != signer.name {
                other.retired_at = Some(now);
            }
        }
        let next = self.successor(&signer);
        self.forget_others(&next);
        self.change(signer.name, |key| key.retired_at = Some(next.active_at));
        if next.active_at <= now {
            // It signs from now on, so another one waits. That one is not due at once.
            self.keep_up();
        }
    }

    /// Nothing signs: these are the first keys, or the one that signed was withdrawn.
    fn begin(&mut self) -> KeyTimes<'a> {
        // A key that was published, even for a short time or for another algorithm, is better than one
        // that nobody has seen. One that is made is in force since a while ago: so a replica whose
        // clock is behind uses it too, and does not make another.
        self.step_in().unwrap_or_else(|| self.create(self.now.saturating_sub(CLOCK_SKEW)))
    }

    /// The next key takes over now, if there is one.
    fn step_in(&mut self) -> Option<KeyTimes<'a>> {
        let (next, now) = (self.next()?, self.now);
        self.change(next.name, |key| key.active_at = now);
        Some(KeyTimes { active_at: now, ..next })
    }

    /// A key left: one of the others signs, and gives way to none that left.
    fn close_ranks(&mut self) {
        let signer = signer(self.keys.iter().copied(), self.now);
        let Some(signer) = signer.or_else(|| self.step_in()) else { return };
        let next = self.next().map(|next| next.active_at);
        self.change(signer.name, |key| key.retired_at = next);
    }

    /// The key that follows `signer`, with the time when it does.
    fn successor(&mut self, signer: &KeyTimes<'_>) -> KeyTimes<'a> {
        let Schedule { algorithm, rotation, .. } = *self.schedule;
        let due = match signer.algorithm == algorithm {
            true => signer.active_at.saturating_add(rotation).max(self.now),
            false => self.now,
        };
        let soonest = self.now.saturating_add(self.schedule.publish_ahead());
        match self.next() {
            Some(next) if next.algorithm == algorithm => {
                // Not later than it was said: somebody may have asked for it.
                let at = due.max(self.ripe(&next)).min(next.active_at);
                self.change(next.name, |key| key.active_at = at);
                KeyTimes { active_at: at, ..next }
            }
            // The algorithm of another setting, but as soon as what could be made now. While the
            // settings of replicas differ, none undoes what the others do.
            Some(next) if next.active_at <= soonest => next,
            _ => self.create(due.max(soonest)),
        }
    }

    /// Removes keys that wait in vain behind `next`.
    fn forget_others(&mut self, next: &KeyTimes<'_>) {
        let mut line = vec![next.name];
        let mut last = *next;
        while let Some(follower) = self.follower(&last, &line) {
            line.push(follower.name);
            last = follower;
        }
        // Nobody is left to follow the last one.
        self.change(last.name, |key| key.retired_at = None);
        // To a replica whose clock is ahead, a key may have had its turn already.
        let soon = self.now.saturating_add(CLOCK_SKEW);
        self.keys.retain(|key| key.active_at <= soon || line.contains(&key.name));
    }

    /// The key that is to follow `key`, which waits itself, and is not in the line yet.
    fn follower(&self, key: &KeyTimes<'_>, line: &[Name<'_>]) -> Option<KeyTimes<'a>> {
        let follows = |other: &&KeyTimes<'_>| {
            key.retired_at == Some(other.active_at) && !line.contains(&other.name)
        };
        self.keys.iter().find(follows).copied()
    }

    /// Lets the next key take over before it is due.
    fn hand_over(&mut self, hurry: bool) {
        let Some(next) = self.next() else { return };
        let at = if hurry { self.now } else { self.ripe(&next).max(self.now) };
        self.change(next.name, |key| key.active_at = at.min(key.active_at));
    }

    /// The key whose turn is next.
    fn next(&self) -> Option<KeyTimes<'a>> {
        let waiting = self.keys.iter().filter(|key| key.state(self.now) == KeyState::Next);
        waiting.min_by_key(|key| (key.active_at, key.name)).copied()
    }

    /// When a key has been published for long enough to sign.
    fn ripe(&self, key: &KeyTimes<'_>) -> Duration {
        key.published_at.saturating_add(self.schedule.publish_ahead())
    }

    fn create(&mut self, active_at: Duration) -> KeyTimes<'a> {
        self.created += 1;
        let key = KeyTimes {
            name: Name::New(self.created),
            algorithm: self.schedule.algorithm,
            published_at: self.now,
            active_at,
            retired_at: None,
        };
        self.keys.push(key);
        key
    }

    fn change(&mut self, name: Name<'_>, change: impl FnOnce(&mut KeyTimes<'a>)) {
        if let Some(key) = self.keys.iter_mut().find(|key| key.name == name) {
            change(key);
        }
    }
}

#[cfg(test)]
mod tests;
