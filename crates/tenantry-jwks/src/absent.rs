//! The keys that an issuer was asked for in vain, for a while.

use std::collections::VecDeque;
use std::time::Duration;

/// Key ids that the last fetch did not bring, so that asking again costs nothing.
///
/// Anyone can make up a key id, so this is bounded in number, and in bytes too: only hashes are kept.
/// They are keyed per process, so nobody can make up an id that hides another.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    /// Of a key id, and until when it counts. The oldest is first.
    keys: VecDeque<(u64, Duration)>,
}

impl Absent {
    /// The most that are remembered: 2 KiB.
    pub(crate) const CAPACITY: usize = 128;

    pub(crate) fn insert(&mut self, key: u64, until: Duration) {
        self.keys.retain(|(other, _)| *other != key);
        if self.keys.len() >= Self::CAPACITY {
            self.keys.pop_front();
        }
        self.keys.push_back((key, until));
    }

    pub(crate) fn holds(&self, now: Duration, key: u64) -> bool {
        self.keys.iter().any(|(other, until)| *other == key && now < *until)
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(30);

    #[test]
    fn a_key_is_absent_until_its_time_is_over() {
        let mut absent = Absent::default();
        absent.insert(1, LATER);
        assert!(absent.holds(LATER - Duration::from_nanos(1), 1));
        assert!(!absent.holds(LATER, 1));
        assert!(!absent.holds(Duration::ZERO, 2));
        absent.insert(1, LATER * 2);
        assert!(absent.holds(LATER, 1), "anew");
        absent.clear();
        assert!(!absent.holds(LATER, 1));
    }

    #[test]
    fn the_oldest_makes_room_and_no_key_counts_twice() {
        let mut absent = Absent::default();
        for key in 0..200 {
            absent.insert(key, LATER);
            absent.insert(key, LATER);
        }
        let held = (0..200).filter(|key| absent.holds(Duration::ZERO, *key));
        assert!(held.eq(72..200));
    }
}
