//! The asks in flight: one per tenant, and so many in all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tenantry_core::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::answers::Answer;
use crate::ask_error::AskError;

/// How an ask ended; `None` before it has.
pub(crate) type Landed = Option<Result<Answer, AskError>>;

/// Whether there was such a tenant when it was last asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Errand {
    First,
    Renewal,
}

/// The asks in flight, by tenant: no more than there are places.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    in_flight: HashMap<TenantId, InFlight>,
    /// The last number given out.
    numbered: u64,
}

#[derive(Debug)]
struct InFlight {
    /// An answer counts only if it carries this number.
    number: u64,
    lost_at: Duration,
    landed: watch::Sender<Landed>,
}

impl Asks {
    /// The ask in flight, if there is one that was not given up.
    pub(crate) fn join(&self, tenant: &TenantId, now: Duration) -> Option<watch::Receiver<Landed>> {
        let ask = self.in_flight.get(tenant).filter(|ask| now < ask.lost_at)?;
        Some(ask.landed.subscribe())
    }

    /// Puts an ask in flight. One that was given up ends: who waits for it has to look again.
    pub(crate) fn begin(
        &mut self,
        tenant: &TenantId,
        lost_at: Duration,
    ) -> (u64, watch::Receiver<Landed>) {
        self.numbered = self.numbered.saturating_add(1);
        let (landed, receiver) = watch::channel(None);
        let ask = InFlight { number: self.numbered, lost_at, landed };
        self.in_flight.insert(tenant.clone(), ask);
        (self.numbered, receiver)
    }

    /// Takes the ask out that has this number. `None`: it was forgotten or given up, and its answer
    /// is of no use.
    pub(crate) fn end(&mut self, tenant: &TenantId, number: u64) -> Option<watch::Sender<Landed>> {
        self.in_flight.get(tenant).filter(|ask| ask.number == number)?;
        self.forget(tenant)
    }

    /// Takes the ask out, whichever it is. Who waits for it looks again once the sender is dropped.
    pub(crate) fn forget(&mut self, tenant: &TenantId) -> Option<watch::Sender<Landed>> {
        self.in_flight.remove(tenant).map(|ask| ask.landed)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.in_flight.len()
    }
}

/// The places for asks in flight.
///
/// Strangers and renewals have places of their own: who has many tenants asked for that nobody has
/// heard of does not keep the answers about known ones from being renewed.
#[derive(Debug)]
pub(crate) struct Room {
    strangers: Arc<Semaphore>,
    renewals: Arc<Semaphore>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(#[expect(dead_code, reason = "held, not looked at")] OwnedSemaphorePermit);

impl Room {
    pub(crate) fn new(places: usize) -> Self {
        let places = || Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { strangers: places(), renewals: places() }
    }

    pub(crate) fn take(&self, errand: Errand) -> Option<Seat> {
        let places = match errand {
            Errand::First => &self.strangers,
            Errand::Renewal => &self.renewals,
        };
        Arc::clone(places).try_acquire_owned().ok().map(Seat)
    }
}
