//! The keys of all issuers, each apart from the others.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tenantry_core::{Clock, Issuer};

use crate::issuer::{IssuerKeys, nanoseconds};
use crate::means::Means;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::transport::Transport;

/// The keys of all issuers.
///
/// Issuers that the configuration names are [pinned](Self::pin). Issuers that are found by a
/// pattern go into a bounded cache: what was not asked for longest goes first. What is idle goes too,
/// when it is asked for again or another comes.
// INVARIANT (isolation): there is no way from here to a key but by the issuer that it belongs to.
pub struct KeyStore {
    pinned: HashMap<Issuer, Arc<IssuerKeys>>,
    found: Cache<Issuer, Arc<IssuerKeys>>,
    /// No search for idle issuers before this moment, in nanoseconds.
    swept_until: AtomicU64,
    means: Arc<Means>,
}

impl KeyStore {
    /// Makes a store without issuers.
    #[must_use]
    pub fn new(
        settings: KeySettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with_randomness(settings, transport, clock, roll)
    }

    /// Makes a store without issuers whose jitter is drawn from `random`, numbers spread evenly over
    /// all of `u64`. The same numbers make the same jitter, so a simulation can be repeated.
    ///
    /// Services use [`new`](Self::new): instances that draw alike do not drift apart.
    #[must_use]
    pub fn with_randomness(
        settings: KeySettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self::of(Arc::new(Means::new(settings, transport, clock, Box::new(random))))
    }

    fn of(means: Arc<Means>) -> Self {
        let found = Cache::builder()
            .max_capacity(means.settings.capacity)
            // With the default policy a newcomer may be refused room: it would be fetched anew at
            // each request.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { pinned: HashMap::new(), found, swept_until: AtomicU64::new(0), means }
    }

    /// Makes a store for another configuration, with the same settings, transport and clock.
    ///
    /// It takes over the keys of each issuer that `source` still leads to from the same place, with
    /// what is under way and what was spent: `source` says where an issuer's keys come from now, and
    /// whether it is named in full. Keys from files are not taken over; they are read again.
    #[must_use]
    pub fn successor(&self, source: impl Fn(&Issuer) -> Option<(KeySource, bool)>) -> Self {
        let mut next = Self::of(Arc::clone(&self.means));
        // INVARIANT (isolation): keys from another place are not the keys of that issuer any more.
        let stays = |issuer: &Issuer, keys: &IssuerKeys, pinned| {
            source(issuer).is_some_and(|(source, now_pinned)| {
                now_pinned == pinned && keys.comes_from(&source, pinned)
            })
        };
        for (issuer, keys) in &self.pinned {
            if stays(issuer, keys, true) {
                next.pinned.insert(issuer.clone(), Arc::clone(keys));
            }
        }
        for (issuer, keys) in &self.found {
            if stays(&issuer, &keys, false) {
                next.found.insert(Issuer::clone(&issuer), keys);
            }
        }
        next
    }

    /// Adds an issuer that is never dropped. One that is there already is replaced.
    pub fn pin(&mut self, issuer: Issuer, source: KeySource) {
        let keys = IssuerKeys::new(issuer.clone(), source, true, Arc::clone(&self.means));
        self.pinned.insert(issuer, keys);
    }

    /// Returns the pinned issuers, in no particular order.
    pub fn pinned(&self) -> impl Iterator<Item = (&Issuer, &Arc<IssuerKeys>)> {
        self.pinned.iter()
    }

    /// Returns the keys of `issuer`, compared byte for byte, if it is pinned or was asked for before
    /// and not dropped since.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Arc<IssuerKeys>> {
        self.pinned.get(issuer).cloned().or_else(|| self.get_found(issuer))
    }

    /// Returns the keys of `issuer`, taking it in if it is not there. Nothing is fetched yet.
    pub fn get_or_insert(
        &self,
        issuer: &Issuer,
        source: impl FnOnce() -> KeySource,
    ) -> Arc<IssuerKeys> {
        if let Some(keys) = self.pinned.get(issuer) {
            return Arc::clone(keys);
        }
        if let Some(keys) = self.get_found(issuer.as_str()) {
            return keys;
        }
        self.sweep();
        self.found.get_with_by_ref(issuer, || {
            IssuerKeys::new(issuer.clone(), source(), false, Arc::clone(&self.means))
        })
    }

    fn get_found(&self, issuer: &str) -> Option<Arc<IssuerKeys>> {
        let keys = self.found.get(issuer)?;
        if keys.is_idle_for(self.means.settings.idle_time) {
            self.found.invalidate(issuer);
            return None;
        }
        Some(keys)
    }

    /// Drops what is idle, now and then. By our clock: the cache has one of its own.
    fn sweep(&self) {
        let idle_time = self.means.settings.idle_time;
        let now = nanoseconds(self.means.now());
        let until = self.swept_until.load(Ordering::Relaxed);
        let next = now.saturating_add(nanoseconds(idle_time / 4));
        // One of those who come at the same time is enough.
        let mine = now >= until
            && self
                .swept_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            return;
        }
        for (issuer, keys) in &self.found {
            if keys.is_idle_for(idle_time) {
                self.found.invalidate(&*issuer);
            }
        }
    }
}

#[cfg(test)]
impl KeyStore {
    pub(crate) fn forget(&self, issuer: &Issuer) {
        self.found.invalidate(issuer);
    }

    /// How many issuers that were found by a pattern are kept, once the cache has done what it puts
    /// off.
    pub(crate) fn kept(&self) -> u64 {
        self.found.run_pending_tasks();
        self.found.entry_count()
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore")
            .field("pinned", &self.pinned.len())
            .field("found", &self.found.entry_count())
            .finish_non_exhaustive()
    }
}

fn roll() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness instances do not drift apart; nothing else depends on it.
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_or(u64::MAX / 2, |()| u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, ISSUER, URL};

    #[test]
    fn issuers_are_compared_byte_for_byte() {
        let bench = Bench::new();
        assert!(bench.store.get(ISSUER).is_some());
        for other in
            ["https://auth.example/tenant1/", "https://AUTH.example/tenant1", "tenant1", ""]
        {
            assert!(bench.store.get(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_issuer_is_taken_in_once_and_a_pinned_one_not_at_all() {
        let bench = Bench::new();
        let issuer = Issuer::new("https://auth.example/tenant2");
        assert!(bench.store.get(issuer.as_str()).is_none());
        let keys = bench.store.get_or_insert(&issuer, || KeySource::uri(URL));
        let again = bench.store.get_or_insert(&issuer, || panic!("it is there"));
        assert!(Arc::ptr_eq(&keys, &again));
        assert!(Arc::ptr_eq(&keys, &bench.store.get(issuer.as_str()).unwrap()));

        let pinned = bench.store.get_or_insert(&Issuer::new(ISSUER), || panic!("it is pinned"));
        assert!(Arc::ptr_eq(&pinned, &bench.keys()));
        assert_eq!(bench.store.pinned().count(), 1);
    }

    #[test]
    fn the_cache_is_bounded_and_what_is_pinned_does_not_count() {
        let settings = KeySettings::default().with_capacity(3);
        let bench = Bench::with(settings, KeySource::uri(URL));
        for number in 0..10 {
            let issuer = Issuer::new(format!("https://auth.example/{number}"));
            bench.store.get_or_insert(&issuer, || KeySource::uri(URL));
            bench.store.found.run_pending_tasks();
        }
        assert_eq!(bench.store.found.entry_count(), 3);
        assert!(bench.store.get("https://auth.example/9").is_some(), "the newest is there");
        assert!(bench.store.get("https://auth.example/0").is_none());
        assert!(bench.store.get(ISSUER).is_some());
    }

    #[test]
    fn chance_is_not_a_constant() {
        let rolls: Vec<_> = (0..8).map(|_| roll()).collect();
        assert!(rolls.iter().any(|roll| *roll != rolls[0]));
    }
}
