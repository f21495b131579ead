//! The entries of a list of revocations: bounded in number, dropped when they are past.
//!
//! Readers take no lock. Writers take one, for the order in which entries end: dropping those that are
//! past costs each entry one step, once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use papaya::{Equivalent, HashMap};

/// How many bytes of a name one place holds.
const PLACE: usize = 512;

/// Whose tokens an entry refuses.
// INVARIANT (isolation): the parts stay apart. Joined into one text, two names could read alike.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name<S> {
    Client { issuer: S, tenant: S, client_id: S },
    Subject { issuer: S, tenant: S, subject: S },
    Tenant { tenant: S },
    Token { issuer: S, jwt_id: S },
}

type Held = Arc<Name<Box<str>>>;

impl<S: AsRef<str>> Name<S> {
    fn map<'a, T>(&'a self, part: impl Fn(&'a str) -> T) -> Name<T> {
        let part = |text: &'a S| part(text.as_ref());
        match self {
            Self::Client { issuer, tenant, client_id } => Name::Client {
                issuer: part(issuer),
                tenant: part(tenant),
                client_id: part(client_id),
            },
            Self::Subject { issuer, tenant, subject } => {
                Name::Subject { issuer: part(issuer), tenant: part(tenant), subject: part(subject) }
            }
            Self::Tenant { tenant } => Name::Tenant { tenant: part(tenant) },
            Self::Token { issuer, jwt_id } => {
                Name::Token { issuer: part(issuer), jwt_id: part(jwt_id) }
            }
        }
    }

    /// How many places it takes: what a token says can be long, and the memory is bounded.
    fn places(&self) -> usize {
        let bytes = match self.map(str::len) {
            Name::Client { issuer, tenant, client_id: own }
            | Name::Subject { issuer, tenant, subject: own } => issuer + tenant + own,
            Name::Tenant { tenant } => tenant,
            Name::Token { issuer, jwt_id } => issuer + jwt_id,
        };
        bytes.div_ceil(PLACE).max(1)
    }
}

/// A name is looked up without being copied: the parts of both hash alike.
impl Equivalent<Held> for Name<&str> {
    fn equivalent(&self, held: &Held) -> bool {
        *self == held.map(|part| part)
    }
}

/// What is refused under a name, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// In the clock's monotonic time: setting the wall clock brings no token back.
    pub(crate) ends_at: Duration,
    /// Refuses what was issued up to then, since the Unix epoch; without it, whatever is so named.
    pub(crate) issued_until: Option<Duration>,
}

impl Entry {
    /// Both revocations hold: the later moment, the later end.
    fn and(self, other: Self) -> Self {
        Self {
            ends_at: self.ends_at.max(other.ends_at),
            issued_until: self.issued_until.max(other.issued_until),
        }
    }

    /// Whether it is about a token that was issued at `issued_at`.
    pub(crate) fn refuses(self, issued_at: Option<Duration>, skew: Duration) -> bool {
        match (self.issued_until, issued_at) {
            (Some(until), Some(issued_at)) => issued_at <= until.saturating_add(skew),
            // INVARIANT (fail closed): nobody can tell that it was issued later.
            (Some(_), None) | (None, _) => true,
        }
    }
}

/// There is no place left for another name.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Full;

pub(crate) struct Revoked {
    pub(crate) capacity: usize,
    entries: HashMap<Held, Entry>,
    ends: Mutex<Ends>,
}

struct Ends {
    order: BTreeSet<(Duration, Held)>,
    places: usize,
}

impl Revoked {
    pub(crate) fn new(capacity: usize) -> Self {
        let ends = Mutex::new(Ends { order: BTreeSet::new(), places: 0 });
        Self { capacity, entries: HashMap::new(), ends }
    }

    /// Returns the entry of `name`, also one that is past.
    pub(crate) fn get(&self, name: Name<&str>) -> Option<Entry> {
        self.entries.pin().get(&name).copied()
    }

    /// Adds an entry, or extends the one of that name, and lets `publish` say so before the next
    /// writer comes.
    pub(crate) fn insert(
        &self,
        name: Name<&str>,
        entry: Entry,
        now: Duration,
        publish: impl FnOnce(),
    ) -> Result<(), Full> {
        let mut ends = self.current(now);
        let entries = self.entries.pin();
        let (held, entry) = match entries.get_key_value(&name) {
            Some((held, before)) => {
                let held = Arc::clone(held);
                ends.order.remove(&(before.ends_at, Arc::clone(&held)));
                (held, before.and(entry))
            }
            None => {
                let places = ends.places.saturating_add(name.places());
                // INVARIANT (fail closed): no live entry makes room for another.
                if places > self.capacity {
                    return Err(Full);
                }
                ends.places = places;
                (Arc::new(name.map(Into::into)), entry)
            }
        };
        ends.order.insert((entry.ends_at, Arc::clone(&held)));
        entries.insert(held, entry);
        publish();
        Ok(())
    }

    /// Returns how many entries are not past.
    pub(crate) fn len(&self, now: Duration) -> usize {
        self.current(now).order.len()
    }

    /// Drops what is past, for whoever writes.
    fn current(&self, now: Duration) -> MutexGuard<'_, Ends> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.entries.pin();
        while ends.order.first().is_some_and(|(ends_at, _)| *ends_at <= now) {
            let Some((_, held)) = ends.order.pop_first() else { break };
            ends.places = ends.places.saturating_sub(held.places());
            entries.remove(&held);
        }
        drop(entries);
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(jwt_id: &str) -> Name<&str> {
        Name::Token { issuer: "i", jwt_id }
    }

    fn until(ends_at: u32) -> Entry {
        Entry { ends_at: SECOND * ends_at, issued_until: None }
    }

    fn insert(revoked: &Revoked, name: Name<&str>, ends_at: u32, now: u32) -> Result<(), Full> {
        revoked.insert(name, until(ends_at), SECOND * now, || {})
    }

    #[test]
    fn parts_are_not_joined() {
        let revoked = Revoked::new(10);
        let name = Name::Subject { issuer: "a", tenant: "b", subject: "c" };
        insert(&revoked, name, 10, 0).unwrap();
        assert!(revoked.get(name).is_some());
        for other in [
            Name::Client { issuer: "a", tenant: "b", client_id: "c" },
            Name::Subject { issuer: "ab", tenant: "", subject: "c" },
            Name::Subject { issuer: "a", tenant: "", subject: "bc" },
            Name::Subject { issuer: "b", tenant: "a", subject: "c" },
            Name::Subject { issuer: "a", tenant: "bc", subject: "" },
            Name::Token { issuer: "a", jwt_id: "bc" },
            Name::Token { issuer: "ab", jwt_id: "c" },
            Name::Tenant { tenant: "abc" },
            Name::Tenant { tenant: "b" },
        ] {
            assert!(revoked.get(other).is_none());
        }
    }

    #[test]
    fn past_entries_leave_first_and_live_ones_never() {
        let revoked = Revoked::new(3);
        for (jwt_id, ends_at) in [("a", 10), ("b", 20), ("c", 30)] {
            insert(&revoked, token(jwt_id), ends_at, 0).unwrap();
        }
        assert_eq!(insert(&revoked, token("d"), 40, 9), Err(Full));
        assert_eq!(revoked.len(SECOND * 9), 3);
        insert(&revoked, token("d"), 40, 10).unwrap();
        assert!(revoked.get(token("a")).is_none());
        for jwt_id in ["b", "c", "d"] {
            assert!(revoked.get(token(jwt_id)).is_some(), "{jwt_id}");
        }
        assert_eq!(revoked.len(SECOND * 40), 0);
        assert!(revoked.entries.is_empty());
    }

    #[test]
    fn an_entry_is_extended_never_shortened_also_when_the_list_is_full() {
        let revoked = Revoked::new(1);
        let entry = |ends_at, moment| Entry {
            ends_at: SECOND * ends_at,
            issued_until: Some(SECOND * moment),
        };
        let put = |entry| revoked.insert(token("a"), entry, Duration::ZERO, || {});
        for (put_in, expected) in
            [((10, 5), (10, 5)), ((20, 4), (20, 5)), ((15, 6), (20, 6)), ((1, 1), (20, 6))]
        {
            put(entry(put_in.0, put_in.1)).unwrap();
            let held = revoked.get(token("a")).unwrap();
            assert_eq!(held.ends_at, SECOND * expected.0);
            assert_eq!(held.issued_until, Some(SECOND * expected.1));
            assert_eq!(revoked.ends.lock().unwrap().order.len(), 1);
        }
        assert_eq!(revoked.len(SECOND * 19), 1);
        assert_eq!(revoked.len(SECOND * 20), 0);
        // What comes after the end begins anew.
        put(entry(30, 2)).unwrap();
        assert_eq!(revoked.get(token("a")).unwrap().issued_until, Some(SECOND * 2));
    }

    #[test]
    fn a_long_name_takes_more_places_and_gives_all_of_them_back() {
        let long = "x".repeat(3 * PLACE);
        let revoked = Revoked::new(4);
        // Three full places, and the byte of the issuer.
        insert(&revoked, token(&long), 10, 0).unwrap();
        assert_eq!(insert(&revoked, token("a"), 20, 9), Err(Full));
        for jwt_id in ["a", "b", "c", "d"] {
            insert(&revoked, token(jwt_id), 20, 10).unwrap();
        }
        assert_eq!(insert(&revoked, token("e"), 20, 10), Err(Full));
        let nothing = Revoked::new(0);
        assert_eq!(insert(&nothing, Name::Tenant { tenant: "" }, 1, 0), Err(Full));
    }

    #[test]
    fn it_is_published_once_it_can_be_read_and_not_when_it_is_refused() {
        let revoked = Revoked::new(1);
        let mut seen = None;
        let now = Duration::ZERO;
        let look = || seen = Some(revoked.get(token("a")).is_some());
        revoked.insert(token("a"), until(1), now, look).unwrap();
        assert_eq!(seen, Some(true));
        let mut told = false;
        assert_eq!(revoked.insert(token("b"), until(1), now, || told = true), Err(Full));
        assert!(!told);
    }
}
