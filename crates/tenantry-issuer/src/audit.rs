//! The audit trail: events in the log and in an append-only table.
//!
//! ```text
//! an endpoint ── record ──▶ log            at once
//!                     └───▶ queue ── one writer, in batches ──▶ table
//! ```
//!
//! The queue is bounded, and nobody waits for it: a database that is slow or away delays no token. What
//! does not fit is counted, and the log says so; the event itself is in the log in any case.
//!
//! Anybody can be refused as often as they like. So refusals of callers that proved to be no client are in
//! the table up to [a bound](STRANGERS) only: nobody fills the disk, or pushes out what clients did.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use tenantry_core::Clock;

use crate::rate_limit::{Limiter, Time, limiter, nonzero};
use crate::records::{AuditEvent, AuditOutcome};
use crate::store::Store;

/// How many events wait to be written, at most.
const QUEUE: usize = 8192;

/// How many refusals of strangers are written at once, and after how long one more.
const STRANGERS: (NonZeroU32, Duration) = (nonzero(1000), Duration::from_secs(1));

/// How many are written at once.
const BATCH: usize = 256;

/// How long the writer waits after the database has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes audit events. Cheap to clone; all clones share one queue and one writer.
#[derive(Clone)]
pub struct Audit {
    queue: mpsc::Sender<AuditEvent>,
    lost: Arc<AtomicU64>,
    strangers: Arc<Limiter>,
}

/// The end of the queue. [`finish`](Self::finish) it, or what waits is lost with the runtime.
#[must_use = "events that wait are written when the writer is finished"]
#[derive(Debug)]
pub struct AuditWriter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Where batches go: a store, or what a test has in its place.
pub(crate) trait Trail: Send + Sync + 'static {
    fn append(&self, events: &[AuditEvent]) -> impl Future<Output = Result<(), Failed>> + Send;
}

type Failed = Box<dyn Error + Send + Sync>;

impl Trail for Store {
    async fn append(&self, events: &[AuditEvent]) -> Result<(), Failed> {
        Ok(self.append_audit(events).await?)
    }
}

impl Audit {
    /// Starts the writer. By `clock` goes how much of what strangers do is written.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(store: Store, clock: Arc<dyn Clock>) -> (Self, AuditWriter) {
        Self::start_with(store, QUEUE, clock)
    }

    pub(crate) fn start_with(
        trail: impl Trail,
        queue: usize,
        clock: Arc<dyn Clock>,
    ) -> (Self, AuditWriter) {
        let (sender, receiver) = mpsc::channel(queue);
        let (stop, stopped) = oneshot::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { trail, queue: receiver, lost: Arc::clone(&lost), told: 0 };
        let task = tokio::spawn(writer.run(stopped));
        let strangers = Arc::new(limiter(STRANGERS, Time::by(clock)));
        (Self { queue: sender, lost, strangers }, AuditWriter { stop, task })
    }

    /// Puts `event` into the log and the queue, or into the log alone if it is one too many of
    /// strangers. Never waits.
    pub fn record(&self, event: AuditEvent) {
        log(&event);
        if event.is_of_a_stranger() && self.strangers.check().is_err() {
            metrics::counter!("tenantry_issuer_audit_strangers_total").increment(1);
            return;
        }
        if self.queue.try_send(event).is_err() {
            // The first is told at once; the writer tells the sum when it gets on again.
            if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!("the audit table lacks events: the queue is full");
            }
            metrics::counter!("tenantry_issuer_audit_lost_total").increment(1);
        }
    }

    /// How many events are in the log only, because the queue was full or the table away.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl AuditWriter {
    /// Writes what waits, and ends. What cannot be written then is counted and given up.
    pub async fn finish(self) {
        // An error means that the writer has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// The only one who writes to the table.
struct Writer<T> {
    trail: T,
    queue: mpsc::Receiver<AuditEvent>,
    lost: Arc<AtomicU64>,
    /// How many losses the log has been told of.
    told: u64,
}

impl<T: Trail> Writer<T> {
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                received = self.queue.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                }
                _ = &mut stop => return self.drain(batch).await,
            }
            while let Err(error) = self.trail.append(&batch).await {
                tracing::error!(%error, waiting = batch.len(), "the audit table cannot be written to");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = &mut stop => return self.drain(batch).await,
                }
            }
            batch.clear();
            self.tell();
        }
    }

    /// One attempt for all that is left.
    async fn drain(mut self, mut batch: Vec<AuditEvent>) {
        self.queue.close();
        loop {
            if !batch.is_empty()
                && let Err(error) = self.trail.append(&batch).await
            {
                let given_up = u64::try_from(batch.len() + self.queue.len()).unwrap_or(u64::MAX);
                self.lost.fetch_add(given_up, Ordering::Relaxed);
                tracing::error!(%error, given_up, "the audit table lacks events: it cannot be written to");
                return;
            }
            batch.clear();
            if self.queue.recv_many(&mut batch, BATCH).await == 0 {
                return self.tell();
            }
        }
    }

    fn tell(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > self.told {
            tracing::error!(lost, "the audit table lacks events; the log has them");
            self.told = lost;
        }
    }
}

/// The event as one line of the log.
// INVARIANT (secrets stay in): an event has no field that could hold a secret or a token.
fn log(event: &AuditEvent) {
    let AuditEvent { at: _, actor, action, tenant, client, grant, scopes, outcome, reason } = event;
    let tenant = tenant.as_ref().map(tracing::field::display);
    let client_id = client.as_ref().map(tracing::field::display);
    let (grant, reason) = (grant.as_deref(), reason.as_deref());
    let outcome_word = outcome.as_str();
    macro_rules! event {
        ($level:ident) => {
            // Joined only if there is a log that takes it.
            tracing::$level!(
                target: "tenantry::audit",
                actor, action, tenant, client_id, grant, scopes = scopes.join(" "),
                outcome = outcome_word, reason,
                "audit"
            )
        };
    }
    match outcome {
        AuditOutcome::Done | AuditOutcome::Refused => event!(info),
        AuditOutcome::Failed => event!(warn),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tenantry_testkit::ManualClock;
    use tokio::sync::Semaphore;

    use super::*;

    /// Keeps what is appended; each batch needs a permit, and fails while `broken`.
    #[derive(Clone)]
    struct Kept {
        batches: Arc<Mutex<Vec<usize>>>,
        permits: Arc<Semaphore>,
        broken: Arc<AtomicU64>,
    }

    impl Kept {
        fn new(permits: usize, broken: u64) -> Self {
            Self {
                batches: Arc::default(),
                permits: Arc::new(Semaphore::new(permits)),
                broken: Arc::new(AtomicU64::new(broken)),
            }
        }

        fn written(&self) -> usize {
            self.batches.lock().unwrap().iter().sum()
        }
    }

    impl Trail for Kept {
        async fn append(&self, events: &[AuditEvent]) -> Result<(), Failed> {
            self.permits.acquire().await.unwrap().forget();
            if self.broken.load(Ordering::Relaxed) > 0 {
                self.broken.fetch_sub(1, Ordering::Relaxed);
                return Err("away".into());
            }
            self.batches.lock().unwrap().push(events.len());
            Ok(())
        }
    }

    fn event() -> AuditEvent {
        AuditEvent {
            at: Duration::ZERO,
            actor: "client sync".into(),
            action: "token.issue".into(),
            tenant: Some("tenant1".parse().unwrap()),
            client: Some("sync".parse().unwrap()),
            grant: None,
            scopes: Vec::new(),
            outcome: AuditOutcome::Done,
            reason: None,
        }
    }

    fn start(kept: &Kept, queue: usize) -> (Audit, AuditWriter, ManualClock) {
        let clock = ManualClock::new(Duration::from_secs(1_800_000_000));
        let (audit, writer) = Audit::start_with(kept.clone(), queue, Arc::new(clock.clone()));
        (audit, writer, clock)
    }

    #[tokio::test]
    async fn strangers_fill_no_disk_and_displace_nobody() {
        let kept = Kept::new(100, 0);
        let (audit, writer, clock) = start(&kept, QUEUE);
        let record = |times: usize| {
            // Those that name a registered client are strangers, too: its id is no secret.
            let guess = AuditEvent {
                actor: "address 192.0.2.1".into(),
                outcome: AuditOutcome::Refused,
                ..event()
            };
            let made_up = AuditEvent { tenant: None, client: None, ..guess.clone() };
            for at in 0..times {
                audit.record(if at % 2 == 0 { guess.clone() } else { made_up.clone() });
            }
        };
        record(5_000);
        clock.advance(Duration::from_secs(3));
        record(10);
        for _ in 0..50 {
            audit.record(event());
            audit.record(AuditEvent { outcome: AuditOutcome::Refused, ..event() });
        }
        writer.finish().await;
        assert_eq!((kept.written(), audit.lost()), (1_000 + 3 + 100, 0));
    }

    #[tokio::test]
    async fn events_are_written_in_batches() {
        let kept = Kept::new(100, 0);
        let (audit, writer, _) = start(&kept, QUEUE);
        for _ in 0..600 {
            audit.record(event());
        }
        writer.finish().await;
        assert_eq!(*kept.batches.lock().unwrap(), [256, 256, 88]);
        assert_eq!(audit.lost(), 0);
    }

    /// Nothing is written until there is a permit: the queue is all the room that there is.
    #[tokio::test]
    async fn a_full_queue_loses_events_and_delays_nobody() {
        let kept = Kept::new(0, 0);
        let (audit, writer, _) = start(&kept, 10);
        for _ in 0..25 {
            audit.record(event());
        }
        assert_eq!(audit.lost(), 15);
        kept.permits.add_permits(100);
        writer.finish().await;
        assert_eq!(kept.written(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_fails_is_tried_again() {
        let kept = Kept::new(100, 3);
        let (audit, writer, _) = start(&kept, QUEUE);
        audit.record(event());
        while kept.written() == 0 {
            tokio::time::advance(PAUSE).await;
            tokio::task::yield_now().await;
        }
        writer.finish().await;
        assert_eq!((kept.written(), audit.lost()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_stays_away_does_not_hold_up_the_end() {
        let kept = Kept::new(100, u64::MAX);
        let (audit, writer, _) = start(&kept, QUEUE);
        for _ in 0..300 {
            audit.record(event());
        }
        writer.finish().await;
        assert_eq!((kept.written(), audit.lost()), (0, 300));
    }
}
