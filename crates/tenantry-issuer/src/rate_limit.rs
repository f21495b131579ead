//! How many failed attempts there may be, and who has to wait after them.
//!
//! | counted per                    | at once | then one per | over it                                           |
//! |--------------------------------|---------|--------------|---------------------------------------------------|
//! | tenant, client and address     | 10      | 6 s          | 429 before any work, whatever the credentials     |
//! | address                        | 100     | 1 s          | 429 in place of the 401; right credentials pass   |
//!
//! Only failures count. The first row is about one client from one address, so whoever guesses
//! elsewhere cannot lock the client out, and no tenant can lock out another. That is also why the
//! second row never holds up a client that proves itself: many tenants come from one address when
//! they share a gateway. Secrets are 256 random bits, so the limits are there against load and
//! noise: nobody gets anywhere by guessing.
//!
//! An IPv6 address counts by its first 64 bits, which is what one subscriber has. What is counted is
//! kept in bounded space; over it, what was asked for least goes first.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::sync::Cache;

use tenantry_core::{Clock, TenantId};

use crate::records::ClientId;

/// How many clients, and how many addresses, are kept in mind.
const CAPACITY: u64 = 50_000;

const PER_CLIENT: (NonZeroU32, Duration) = (nonzero(10), Duration::from_secs(6));
const PER_ADDRESS: (NonZeroU32, Duration) = (nonzero(100), Duration::from_secs(1));

const fn nonzero(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

/// Counts failures.
pub(crate) struct RateLimits {
    clock: Time,
    clients: Cache<Attempt, Arc<Failures>>,
    addresses: Cache<Option<IpAddr>, Arc<Failures>>,
}

/// Who tries, from where.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Attempt {
    tenant: TenantId,
    client: ClientId,
    /// The network; `None` when the server was not told.
    network: Option<IpAddr>,
}

impl Attempt {
    pub(crate) fn new(tenant: TenantId, client: ClientId, address: Option<IpAddr>) -> Self {
        Self { tenant, client, network: address.map(network) }
    }
}

impl RateLimits {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Time(clock), clients: Cache::new(CAPACITY), addresses: Cache::new(CAPACITY) }
    }

    /// Returns how long this attempt has to wait before it is looked at, if it has to.
    pub(crate) fn must_wait(&self, attempt: &Attempt) -> Option<Duration> {
        // Who has not failed is not counted as asked for, either: that is nearly everybody.
        let has_failed = self.clients.contains_key(attempt);
        has_failed.then(|| self.clients.get(attempt)).flatten()?.wait(self.clock.now())
    }

    /// Counts a failure. Returns how long its address has to wait, if it has to.
    pub(crate) fn failed(&self, attempt: Attempt) -> Option<Duration> {
        let failures = || Arc::new(Failures::new(PER_ADDRESS, self.clock.clone()));
        let address = self.addresses.get_with(attempt.network, failures);
        address.count();
        let failures = || Arc::new(Failures::new(PER_CLIENT, self.clock.clone()));
        self.clients.get_with(attempt, failures).count();
        address.wait(self.clock.now())
    }
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Nanos>>;

/// The failures of one, and until when it has to wait.
struct Failures {
    limiter: Limiter,
    blocked_until: Mutex<Option<Nanos>>,
}

impl Failures {
    fn new((burst, refill): (NonZeroU32, Duration), clock: Time) -> Self {
        // PANIC: none, the periods above are longer than nothing.
        let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(burst));
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock);
        Self { limiter, blocked_until: Mutex::new(None) }
    }

    fn count(&self) {
        if let Err(over) = self.limiter.check() {
            *self.blocked_until() = Some(over.earliest_possible());
        }
    }

    fn wait(&self, now: Nanos) -> Option<Duration> {
        let until = *self.blocked_until();
        let wait = Duration::from(until?.duration_since(now));
        (!wait.is_zero()).then_some(wait)
    }

    fn blocked_until(&self) -> std::sync::MutexGuard<'_, Option<Nanos>> {
        // One number is right whoever panicked.
        self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The monotonic half of the clock that everything here goes by.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl GovernorClock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.monotonic().into()
    }
}

/// What one subscriber has: an IPv4 address, or 64 bits of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use tenantry_testkit::ManualClock;

    use super::*;

    fn limits() -> (RateLimits, ManualClock) {
        let clock = ManualClock::new(Duration::from_secs(1_800_000_000));
        (RateLimits::new(Arc::new(clock.clone())), clock)
    }

    fn attempt(tenant: &str, client: &str, address: &str) -> Attempt {
        Attempt::new(tenant.parse().unwrap(), client.parse().unwrap(), address.parse().ok())
    }

    fn fail(limits: &RateLimits, times: usize, attempt: &Attempt) {
        for _ in 0..times {
            limits.failed(attempt.clone());
        }
    }

    #[test]
    fn the_eleventh_failure_makes_the_client_wait_and_time_lets_it_try_again() {
        let (limits, clock) = limits();
        let client = attempt("tenant1", "a", "192.0.2.1");

        fail(&limits, 10, &client);
        assert_eq!(limits.must_wait(&client), None);
        fail(&limits, 1, &client);
        assert_eq!(limits.must_wait(&client), Some(Duration::from_secs(6)));
        clock.advance(Duration::from_secs(5));
        assert_eq!(limits.must_wait(&client), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limits.must_wait(&client), None);
        // One attempt was earned, not ten.
        fail(&limits, 2, &client);
        assert_eq!(limits.must_wait(&client), Some(Duration::from_secs(6)));
    }

    #[test]
    fn nobody_waits_for_the_failures_of_another_tenant_client_or_address() {
        let (limits, _) = limits();
        fail(&limits, 1000, &attempt("tenant1", "a", "192.0.2.1"));

        assert!(limits.must_wait(&attempt("tenant1", "a", "192.0.2.1")).is_some());
        for (tenant, client, address) in [
            ("tenant2", "a", "192.0.2.1"),
            ("tenant1", "b", "192.0.2.1"),
            ("tenant1", "a", "192.0.2.2"),
            ("tenant1", "a", ""),
        ] {
            assert_eq!(limits.must_wait(&attempt(tenant, client, address)), None);
        }
    }

    #[test]
    fn the_failures_of_an_address_add_up_over_tenants() {
        let (limits, clock) = limits();
        let failures: Vec<_> = (0..100)
            .map(|at| limits.failed(attempt(&format!("tenant{at}"), "a", "192.0.2.1")))
            .collect();

        assert!(failures.iter().all(Option::is_none));
        let next = attempt("tenant101", "a", "192.0.2.1");
        assert_eq!(limits.failed(next.clone()), Some(Duration::from_secs(1)));
        assert_eq!(limits.failed(attempt("tenant101", "a", "192.0.2.2")), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!(limits.failed(next), None);
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network_and_a_mapped_one_as_ipv4() {
        assert_eq!(
            attempt("t", "a", "2001:db8::1"),
            attempt("t", "a", "2001:db8::ffff:ffff:ffff:ffff")
        );
        assert_ne!(attempt("t", "a", "2001:db8::1"), attempt("t", "a", "2001:db8:0:1::1"));
        assert_eq!(attempt("t", "a", "::ffff:192.0.2.1"), attempt("t", "a", "192.0.2.1"));
        assert_ne!(attempt("t", "a", "192.0.2.1"), attempt("t", "a", "192.0.2.2"));
    }
}
