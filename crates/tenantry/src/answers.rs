//! What a directory remembers of tenants: what their source said, and when to ask again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tenantry_core::{Standing, TenantId};

/// What a source said of a tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) standing: Standing,
    /// The moment before the source was asked: what changed later is not in the answer.
    pub(crate) asked_at: Duration,
}

impl Answer {
    /// The standing, unless the answer is as old as its lifetime.
    pub(crate) fn standing(self, now: Duration, lifetime: Duration) -> Option<Standing> {
        (now.saturating_sub(self.asked_at) < lifetime).then_some(self.standing)
    }
}

/// What is remembered of one tenant. It does not change, but for the moment of the next ask: a new
/// one takes its place.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The last, however old.
    pub(crate) answer: Option<Answer>,
    /// Asks that failed since.
    pub(crate) failures: u32,
    /// No ask before this moment, in nanoseconds; while one is in flight, when it is given up.
    ask_at: AtomicU64,
}

impl Entry {
    pub(crate) fn new(answer: Option<Answer>, failures: u32, ask_at: Duration) -> Arc<Self> {
        Arc::new(Self { answer, failures, ask_at: AtomicU64::new(nanoseconds(ask_at)) })
    }

    pub(crate) fn standing(&self, now: Duration, lifetime: Duration) -> Option<Standing> {
        self.answer?.standing(now, lifetime)
    }

    /// How long to leave the source alone after a failure.
    pub(crate) fn pause(&self, now: Duration) -> Option<Duration> {
        let left = self.ask_at.load(Ordering::Relaxed).saturating_sub(nanoseconds(now));
        (self.failures > 0 && left > 0).then(|| Duration::from_nanos(left))
    }

    /// Whether an ask is due; of those who see it at the same time, one is told.
    pub(crate) fn claim(&self, now: Duration, until: Duration) -> bool {
        let due = self.ask_at.load(Ordering::Relaxed);
        nanoseconds(now) >= due
            && self
                .ask_at
                .compare_exchange(due, nanoseconds(until), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives a claim back.
    pub(crate) fn put_off(&self, until: Duration) {
        self.ask_at.store(nanoseconds(until), Ordering::Relaxed);
    }
}

/// The memory: one part for tenants, and one for what is known to be none or could not be asked.
// INVARIANT (no network for strangers): anybody can make up tenants of an issuer pattern. They are
// remembered in a part of their own, so they cannot push out tenants.
#[derive(Debug)]
pub(crate) struct Answers {
    tenants: Cache<TenantId, Arc<Entry>>,
    strangers: Cache<TenantId, Arc<Entry>>,
}

impl Answers {
    pub(crate) fn new(capacity: u64, unknown_capacity: u64) -> Self {
        // With the default policy a newcomer may be refused room: it would be asked for each time.
        let cache = |capacity| {
            Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build()
        };
        Self { tenants: cache(capacity), strangers: cache(unknown_capacity) }
    }

    pub(crate) fn get(&self, tenant: &TenantId) -> Option<Arc<Entry>> {
        self.tenants.get(tenant).or_else(|| self.strangers.get(tenant))
    }

    /// Whether the last answer about it was that there is such a tenant.
    pub(crate) fn was_known(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// Takes in what a source said.
    pub(crate) fn answered(&self, tenant: &TenantId, standing: Standing, entry: Arc<Entry>) {
        match standing {
            Standing::Active | Standing::Suspended => {
                self.tenants.insert(tenant.clone(), entry);
                self.strangers.invalidate(tenant);
            }
            Standing::Unknown => {
                self.strangers.insert(tenant.clone(), entry);
                self.tenants.invalidate(tenant);
            }
        }
    }

    /// Takes in that a source could not say: a tenant remains one.
    pub(crate) fn failed(&self, tenant: &TenantId, entry: Arc<Entry>) {
        let part = if self.was_known(tenant) { &self.tenants } else { &self.strangers };
        part.insert(tenant.clone(), entry);
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.tenants.invalidate(tenant);
        self.strangers.invalidate(tenant);
    }

    /// How many of each part are kept, once the caches have done what they put off.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (u64, u64) {
        self.tenants.run_pending_tasks();
        self.strangers.run_pending_tasks();
        (self.tenants.entry_count(), self.strangers.entry_count())
    }
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
