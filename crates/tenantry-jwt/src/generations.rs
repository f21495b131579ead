//! A bounded map of strings that is read without a lock and without a write.
//!
//! It holds two generations. What is new goes into the young one; when that is full it becomes the
//! old one, and the old one before it is dropped whole. What is found in the old one moves to the
//! young one, so what is asked for stays. Nothing is counted, ordered or timed at a hit, which a
//! cache with finer memory would have to do: here a hit is one hash, one full comparison, and
//! whatever the caller does with what it found.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use papaya::HashMap;

/// The map. Its weight is what its entries say they weigh, in sum at most the limit; threads that
/// insert at the same moment can each exceed it by their entry.
pub(crate) struct Generations<V> {
    halves: ArcSwap<Halves<V>>,
    /// Of one generation.
    limit: usize,
    turning: Mutex<()>,
    /// Seeded: one for both, so that who fills a table cannot know its places.
    hasher: RandomState,
}

struct Halves<V> {
    young: Arc<Half<V>>,
    old: Arc<Half<V>>,
}

struct Half<V> {
    entries: HashMap<Arc<str>, Entry<V>, RandomState>,
    weight: AtomicUsize,
}

struct Entry<V> {
    value: V,
    weight: usize,
}

impl<V: Clone + Send + Sync> Generations<V> {
    pub(crate) fn new(limit: usize) -> Self {
        let hasher = RandomState::default();
        let halves = Halves { young: Half::new(&hasher), old: Half::new(&hasher) };
        let halves = ArcSwap::from_pointee(halves);
        Self { halves, limit: limit / 2, turning: Mutex::new(()), hasher }
    }

    /// Looks at the value of `key`, without copying it.
    pub(crate) fn get<R>(&self, key: &str, look: impl FnOnce(&V) -> R) -> Option<R> {
        let halves = self.halves.load();
        if let Some(entry) = halves.young.entries.pin().get(key) {
            return Some(look(&entry.value));
        }
        let old = halves.old.entries.pin();
        let (key, entry) = old.get_key_value(key)?;
        self.insert(Arc::clone(key), entry.value.clone(), entry.weight);
        Some(look(&entry.value))
    }

    /// Holds `value`, unless it alone weighs more than a generation may.
    pub(crate) fn insert(&self, key: Arc<str>, value: V, weight: usize) {
        if weight > self.limit {
            return;
        }
        let mut halves = self.halves.load_full();
        if halves.young.weight.load(Ordering::Relaxed).saturating_add(weight) > self.limit {
            halves = self.turn(&halves.young);
        }
        let young = &halves.young;
        young.weight.fetch_add(weight, Ordering::Relaxed);
        if let Some(before) = young.entries.pin().insert(key, Entry { value, weight }) {
            young.weight.fetch_sub(before.weight, Ordering::Relaxed);
        }
    }

    pub(crate) fn remove(&self, key: &str) {
        let halves = self.halves.load();
        halves.young.remove(key);
        halves.old.remove(key);
    }

    /// Starts a new generation, unless somebody did since `full` was the young one.
    fn turn(&self, full: &Arc<Half<V>>) -> Arc<Halves<V>> {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let halves = self.halves.load_full();
        if !Arc::ptr_eq(&halves.young, full) {
            return halves;
        }
        let turned = Arc::new(Halves { young: Half::new(&self.hasher), old: Arc::clone(full) });
        self.halves.store(Arc::clone(&turned));
        turned
    }

    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let halves = self.halves.load();
        let weight = |half: &Half<V>| half.weight.load(Ordering::Relaxed);
        let count = halves.young.entries.len() + halves.old.entries.len();
        (count, weight(&halves.young) + weight(&halves.old))
    }
}

impl<V: Send + Sync> Half<V> {
    fn new(hasher: &RandomState) -> Arc<Self> {
        let entries = HashMap::with_hasher(hasher.clone());
        Arc::new(Self { entries, weight: AtomicUsize::new(0) })
    }

    fn remove(&self, key: &str) {
        if let Some(entry) = self.entries.pin().remove(key) {
            self.weight.fetch_sub(entry.weight, Ordering::Relaxed);
        }
    }
}

impl<V> fmt::Debug for Generations<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn held(map: &Generations<u32>, key: &str) -> Option<u32> {
        map.get(key, |value| *value)
    }

    #[test]
    fn what_was_put_in_is_found_by_the_whole_key() {
        let map = Generations::new(100);
        map.insert("ab".into(), 1, 10);
        assert_eq!(held(&map, "ab"), Some(1));
        assert_eq!(held(&map, "a"), None);
        assert_eq!(held(&map, "abc"), None);
        map.insert("ab".into(), 2, 20);
        assert_eq!((held(&map, "ab"), map.size()), (Some(2), (1, 20)));
    }

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let map = Generations::new(40);
        map.insert("asked".into(), 0, 10);
        map.insert("left".into(), 1, 10);
        for index in 2..20 {
            map.insert(index.to_string().into(), index, 10);
            assert_eq!(held(&map, "asked"), Some(0), "after {index}");
        }
        assert_eq!(held(&map, "left"), None);
        assert_eq!(held(&map, "2"), None);
        assert_eq!(held(&map, "19"), Some(19));
    }

    #[test]
    fn what_is_removed_is_gone_from_both_generations() {
        let map = Generations::new(40);
        for key in ["a", "b", "c"] {
            map.insert(key.into(), 1, 10);
        }
        map.remove("a");
        map.remove("c");
        assert_eq!((held(&map, "a"), held(&map, "c"), map.size()), (None, None, (1, 10)));
    }

    #[test]
    fn what_weighs_more_than_a_generation_is_not_held() {
        let map = Generations::new(40);
        map.insert("heavy".into(), 1, 21);
        assert_eq!((held(&map, "heavy"), map.size()), (None, (0, 0)));
        map.insert("light".into(), 1, 20);
        assert_eq!(held(&map, "light"), Some(1));
    }

    proptest! {
        #[test]
        fn the_weight_is_bounded_and_no_key_has_the_value_of_another(
            steps in prop::collection::vec((0..30_u32, 1..15_usize, any::<bool>()), 0..200)
        ) {
            let map = Generations::new(60);
            for (key, weight, put) in steps {
                let name = key.to_string();
                if put {
                    map.insert(name.as_str().into(), key, weight);
                    prop_assert_eq!(held(&map, &name), Some(key));
                } else if let Some(value) = held(&map, &name) {
                    prop_assert_eq!(value, key);
                }
                prop_assert!(map.size().1 <= 60, "{:?}", map.size());
            }
        }
    }

    #[test]
    fn threads_that_fill_it_together_find_what_is_theirs() {
        let map = Generations::new(1000);
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let map = &map;
                scope.spawn(move || {
                    for round in 0..2000 {
                        let (key, value) =
                            (format!("{thread}-{}", round % 50), thread * 100 + round % 50);
                        map.insert(key.as_str().into(), value, 10);
                        assert!(held(map, &key).is_none_or(|held| held == value));
                    }
                });
            }
        });
        assert!(map.size().1 <= 1000 + 4 * 2 * 10, "{:?}", map.size());
    }
}
