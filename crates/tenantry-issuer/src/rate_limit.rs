//! How many failed attempts there may be, and who is told to wait after them.
//!
//! | counted per                | at once | then one per | over it               |
//! |----------------------------|---------|--------------|-----------------------|
//! | tenant, client and address | 10      | 6 s          | 429 in place of a 401 |
//! | address                    | 100     | 1 s          | the same              |
//!
//! Only failures count, and attempts whose sender hung up before the answer. Right credentials always
//! pass: many tenants come from one address when they share a gateway, and whoever fails in the name of
//! another must not lock it out. Nobody gets anywhere by guessing, as secrets are 256 random bits; the
//! limits make a client that is set up wrongly calm down, and show.
//!
//! An IPv6 address counts by its first 64 bits, which is what one subscriber has. What is counted is
//! kept in bounded space; over it, what was asked for least goes first.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
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

pub(crate) const fn nonzero(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

/// Counts failures.
pub(crate) struct RateLimits {
    clock: Time,
    clients: Cache<Attempt, Arc<Limiter>>,
    addresses: Cache<Option<IpAddr>, Arc<Limiter>>,
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
        Self {
            clock: Time::by(clock),
            clients: Cache::new(CAPACITY),
            addresses: Cache::new(CAPACITY),
        }
    }

    /// Begins to judge an attempt. It counts as a failure unless it [ends](Judging::end) as none: whoever
    /// hangs up before the answer has guessed, too.
    pub(crate) fn judge(&self, attempt: Attempt) -> Judging<'_> {
        Judging { limits: self, attempt: Some(attempt) }
    }

    /// Counts a failure. Returns how long the sender has to wait, if it failed too often.
    fn failed(&self, attempt: Attempt) -> Option<Duration> {
        let limit = |limit| move || Arc::new(limiter(limit, self.clock.clone()));
        let of_address = self.addresses.get_with(attempt.network, limit(PER_ADDRESS));
        let of_client = self.clients.get_with(attempt, limit(PER_CLIENT));
        count(&of_address).max(count(&of_client))
    }
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

/// An attempt whose outcome is open.
#[must_use = "an attempt that is forgotten is a failure"]
pub(crate) struct Judging<'a> {
    limits: &'a RateLimits,
    attempt: Option<Attempt>,
}

impl Judging<'_> {
    /// Ends it, as a failure or not. Returns how long the sender has to wait, if it failed too often.
    pub(crate) fn end(mut self, failed: bool) -> Option<Duration> {
        let attempt = self.attempt.take()?;
        failed.then(|| self.limits.failed(attempt)).flatten()
    }
}

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.limits.failed(attempt);
        }
    }
}

/// Permits so many at once, and one more after each period.
pub(crate) type Limiter = RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Nanos>>;

/// Makes a limiter. A period of nothing is taken for a second.
pub(crate) fn limiter((burst, refill): (NonZeroU32, Duration), clock: Time) -> Limiter {
    let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(burst));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), clock)
}

/// Counts one, or returns how long it is until one would count again.
fn count(limiter: &Limiter) -> Option<Duration> {
    let over = limiter.check().err()?;
    Some(over.wait_time_from(limiter.clock().now()))
}

/// The monotonic half of the clock that everything here goes by.
#[derive(Clone)]
pub(crate) struct Time(Arc<dyn Clock>);

impl Time {
    pub(crate) const fn by(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

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

    const SIX: Option<Duration> = Some(Duration::from_secs(6));

    #[test]
    fn the_eleventh_failure_makes_the_client_wait_and_time_lets_it_fail_again() {
        let (limits, clock) = limits();
        let fail = || limits.failed(attempt("tenant1", "a", "192.0.2.1"));

        assert!((0..10).all(|_| fail().is_none()));
        assert_eq!(fail(), SIX);
        clock.advance(Duration::from_secs(5));
        assert_eq!(fail(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(fail(), None);
        // One attempt was earned, not ten.
        assert_eq!(fail(), SIX);
    }

    #[test]
    fn an_attempt_that_is_given_up_is_a_failure_and_one_that_ends_otherwise_is_none() {
        let (limits, _) = limits();
        let client = attempt("tenant1", "a", "192.0.2.1");

        for _ in 0..100 {
            assert_eq!(limits.judge(client.clone()).end(false), None);
        }
        for _ in 0..10 {
            drop(limits.judge(client.clone()));
        }
        assert_eq!(limits.judge(client).end(true), SIX);
    }

    #[test]
    fn nobody_waits_for_the_failures_of_another_client_or_address() {
        let (limits, _) = limits();
        for _ in 0..50 {
            limits.failed(attempt("tenant1", "a", "192.0.2.1"));
        }

        assert!(limits.failed(attempt("tenant1", "a", "192.0.2.1")).is_some());
        for (tenant, client, address) in [
            ("tenant2", "a", "192.0.2.1"),
            ("tenant1", "b", "192.0.2.1"),
            ("tenant1", "a", "192.0.2.2"),
            ("tenant1", "a", ""),
        ] {
            assert_eq!(limits.failed(attempt(tenant, client, address)), None);
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
