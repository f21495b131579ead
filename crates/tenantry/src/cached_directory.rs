//! A directory that remembers what a tenant source said, for a bounded time.
//!
//! | remembered answer      | last ask | ask in flight | do                                              |
//! |------------------------|----------|---------------|-------------------------------------------------|
//! | under 80 % of lifetime | any      | any           | use it                                          |
//! | under its lifetime     | any      | yes           | use it                                          |
//! | under its lifetime     | any      | no            | use it; ask in the background, unless too soon  |
//! | none, or older         | any      | yes           | wait for it                                     |
//! | none, or older         | worked   | no            | ask and wait                                    |
//! | none, or older         | failed   | no            | ask and wait, or unavailable if too soon        |
//!
//! An ask that there is no room for does not start: answers are used to the end of their lifetime, and
//! all else is unavailable.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenantry_core::{BoxFuture, Clock, Directory, Rejection, Standing, TenantId};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::answers::{Answer, Answers, Entry};
use crate::ask::{Ask, Said};
use crate::ask_error::{AskError, AskErrorKind};
use crate::asks::{Asks, Errand, Landed, Room};
use crate::directory_numbers::{CROWDED, Dice, Numbers};
use crate::directory_report::{News, Report};
use crate::tenant_source::AnySource;

/// A directory that asks a [`TenantSource`](crate::TenantSource) and remembers what it said.
pub(crate) struct CachedDirectory(Arc<Shared>);

/// What requests and asks have in common.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn AnySource>,
    pub(crate) numbers: Numbers,
    clock: Arc<dyn Clock>,
    /// Read at any time; written under the lock of `asks` only.
    answers: Answers,
    asks: Mutex<Asks>,
    room: Room,
    report: Report,
    chance: RandomState,
}

/// What a request gets for now.
enum Look {
    Standing(Standing),
    Wait(watch::Receiver<Landed>),
}

impl CachedDirectory {
    pub(crate) fn new(source: Arc<dyn AnySource>, numbers: Numbers, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            source,
            numbers,
            clock,
            answers: Answers::new(numbers.capacity, numbers.unknown_capacity),
            asks: Mutex::default(),
            room: Room::new(numbers.asks_in_flight),
            report: Report::default(),
            chance: RandomState::new(),
        }))
    }
}

impl Directory for CachedDirectory {
    fn cached(&self, tenant: &TenantId) -> Option<Standing> {
        self.0.cached(tenant)
    }

    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.fresh(&tenant).await.map_err(Rejection::from) })
    }

    fn trusts_issuers(&self) -> bool {
        false
    }

    fn forget(&self, tenant: &TenantId) {
        self.0.forget(tenant);
    }
}

impl Shared {
    /// The standing from memory; starts an ask if one is due. Takes no lock but for that.
    // INVARIANT (cache the identity): an answer is used for its lifetime and not a moment longer, so
    // that is the longest that a suspended tenant lives on.
    fn cached(self: &Arc<Self>, tenant: &TenantId) -> Option<Standing> {
        let now = self.now();
        let entry = self.answers.get(tenant)?;
        let standing = entry.standing(now, self.numbers.lifetime)?;
        if entry.claim(now, self.numbers.lost_at(now)) && !self.renew(tenant, now) {
            entry.put_off(now.saturating_add(CROWDED));
        }
        Some(standing)
    }

    /// Asks in the background. `false`: there was no room.
    fn renew(self: &Arc<Self>, tenant: &TenantId, now: Duration) -> bool {
        let Ok(runtime) = Handle::try_current() else { return false };
        let mut asks = self.asks();
        if asks.join(tenant, now).is_some() {
            return true;
        }
        let begun = self.begin(&mut asks, tenant, now);
        drop(asks);
        match begun {
            Ok((ask, _)) => {
                runtime.spawn(ask.run());
                true
            }
            Err(_) => false,
        }
    }

    async fn fresh(self: Arc<Self>, tenant: &TenantId) -> Result<Standing, AskError> {
        let runtime = Handle::try_current().map_err(|_| AskErrorKind::NoRuntime)?;
        let answer = async {
            loop {
                let mut landed = match self.look(tenant, &runtime)? {
                    Look::Standing(standing) => return Ok(standing),
                    Look::Wait(landed) => landed,
                };
                // Without a result the ask was forgotten or given up: look again.
                if let Ok(landed) = landed.wait_for(Option::is_some).await
                    && let Some(result) = landed.clone()
                {
                    let standing = result?.standing(self.now(), self.numbers.lifetime);
                    return standing.ok_or_else(|| AskErrorKind::TimedOut.into());
                }
            }
        };
        match tokio::time::timeout(self.numbers.time_limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(AskErrorKind::TimedOut.into()),
        }
    }

    /// Says what a request gets for now, and starts the ask that it waits for.
    fn look(self: &Arc<Self>, tenant: &TenantId, runtime: &Handle) -> Result<Look, AskError> {
        let now = self.now();
        let mut asks = self.asks();
        // Looks again, now that the answer cannot change: it may have come just before.
        let entry = self.answers.get(tenant);
        let entry = entry.as_deref();
        if let Some(standing) = entry.and_then(|entry| entry.standing(now, self.numbers.lifetime)) {
            return Ok(Look::Standing(standing));
        }
        if let Some(landed) = asks.join(tenant, now) {
            return Ok(Look::Wait(landed));
        }
        let begun = match entry.and_then(|entry| entry.pause(now)) {
            Some(pause) => Err(AskError::from(AskErrorKind::BackOff).with_retry_after(pause)),
            None => self.begin(&mut asks, tenant, now),
        };
        drop(asks);
        let (ask, landed) = begun.inspect_err(Report::refused)?;
        // The ask belongs to nobody, so a caller that disconnects neither stops it nor causes another.
        runtime.spawn(ask.run());
        Ok(Look::Wait(landed))
    }

    /// Takes a place and a number for an ask. It is spawned without the lock: a runtime that is
    /// ending drops it at once, and that takes the lock.
    fn begin(
        self: &Arc<Self>,
        asks: &mut Asks,
        tenant: &TenantId,
        now: Duration,
    ) -> Result<(Ask, watch::Receiver<Landed>), AskError> {
        let errand = if self.answers.was_known(tenant) { Errand::Renewal } else { Errand::First };
        let seat = self.room.take(errand).ok_or(AskErrorKind::Crowded)?;
        let (number, landed) = asks.begin(tenant, self.numbers.lost_at(now));
        let (shared, tenant) = (Arc::clone(self), tenant.clone());
        Ok((Ask { shared, tenant, number, asked_at: now, seat: Some(seat) }, landed))
    }

    /// Takes in how an ask ended, and tells those who wait for it.
    pub(crate) fn land(
        &self,
        tenant: &TenantId,
        number: u64,
        asked_at: Duration,
        said: Result<Said, AskError>,
    ) {
        let now = self.now();
        let took = now.saturating_sub(asked_at);
        let mut asks = self.asks();
        let Some(waiting) = asks.end(tenant, number) else {
            drop(asks);
            return self.report.landed(&News::Late, took, now);
        };
        let misnamed = matches!(said, Ok(Said::Another));
        let result = match said {
            Ok(Said::Standing(standing)) => Ok(self.keep(tenant, Answer { standing, asked_at })),
            Ok(Said::Another) => {
                Ok(self.keep(tenant, Answer { standing: Standing::Unknown, asked_at }))
            }
            Err(error) => Err(self.pause(tenant, error, now)),
        };
        drop(asks);
        let news = match &result {
            Ok(_) if misnamed => News::Misnamed,
            Ok(answer) => News::Answered(answer.standing),
            Err(error) => News::Failed(error),
        };
        // Without the lock: whoever listens may be slow.
        self.report.landed(&news, took, now);
        waiting.send_replace(Some(result));
    }

    fn keep(&self, tenant: &TenantId, answer: Answer) -> Answer {
        let ask_at = match answer.standing {
            Standing::Active | Standing::Suspended => {
                self.numbers.renew_at(answer.asked_at, self.dice(tenant, answer.asked_at))
            }
            // Strangers are not asked for before somebody names them again.
            Standing::Unknown => answer.asked_at.saturating_add(self.numbers.lifetime),
        };
        self.answers.answered(tenant, answer.standing, Entry::new(Some(answer), 0, ask_at));
        answer
    }

    /// Leaves the source alone for a while, about this tenant: another's failure is no reason to
    /// refuse it.
    fn pause(&self, tenant: &TenantId, error: AskError, now: Duration) -> AskError {
        let before = self.answers.get(tenant);
        let before = before.map_or((None, 0), |entry| (entry.answer, entry.failures));
        let failures = before.1.saturating_add(1);
        let pause = self.numbers.pause(failures, self.dice(tenant, now));
        let entry = Entry::new(before.0, failures, now.saturating_add(pause));
        self.answers.failed(tenant, entry);
        error.with_retry_after(pause)
    }

    // INVARIANT (fail closed): an answer that was asked for before does not come in any more.
    fn forget(&self, tenant: &TenantId) {
        let mut asks = self.asks();
        let waiting = asks.forget(tenant);
        self.answers.forget(tenant);
        drop(asks);
        drop(waiting);
    }

    /// Differs from tenant to tenant, and from process to process.
    fn dice(&self, tenant: &TenantId, at: Duration) -> Dice {
        Dice(self.chance.hash_one((tenant, at)))
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Never held over an await.
    fn asks(&self) -> MutexGuard<'_, Asks> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CachedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedDirectory").field("numbers", &self.0.numbers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
