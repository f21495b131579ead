//! What everybody in a simulation shares, and the judgement of what they see.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenantry_core::{Algorithm, Epoch};
use tenantry_jwks::{FoundKey, KeyError, KeyErrorKind, KeyStatus};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::bounds::KeyBounds;
use super::report::{Event, Report};
use super::site::{MESSAGE, Site, SiteState, kid, pooled};

pub(super) struct World {
    pub(super) bounds: KeyBounds,
    started: Instant,
    sites: Vec<Site>,
    report: Mutex<Report>,
    /// The tasks of the simulation itself.
    tasks: AtomicUsize,
    /// How many fetches of issuers that are not pinned may be in the air, for each purpose, and how
    /// many requests of theirs are.
    pub(super) places: usize,
    pub(super) in_the_air: AtomicUsize,
}

/// Which key a request names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Named {
    /// One that the issuer has, or had.
    Generation(u32),
    /// One that nobody ever had.
    Junk(u64),
    /// None.
    Nothing,
}

impl Named {
    pub(super) fn kid(self) -> Option<String> {
        match self {
            Self::Generation(generation) => Some(kid(generation)),
            Self::Junk(number) => Some(format!("j{number}")),
            Self::Nothing => None,
        }
    }
}

/// What was so when a request began.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) named: Named,
    pub(super) at: Duration,
}

impl World {
    pub(super) fn new(bounds: KeyBounds, sites: Vec<Site>, places: usize, report: Report) -> Self {
        Self {
            bounds,
            started: Instant::now(),
            sites,
            report: Mutex::new(report),
            tasks: AtomicUsize::new(0),
            places,
            in_the_air: AtomicUsize::new(0),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.started + at).await;
    }

    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    pub(super) fn site(&self, index: usize) -> &Site {
        self.sites.get(index).expect("sites are numbered from zero")
    }

    pub(super) fn note(&self, site: usize, event: Event) {
        let now = self.now();
        self.report(|report| report.note(now, site, event));
    }

    pub(super) fn violate(&self, site: usize, what: impl Into<String>) {
        let now = self.now();
        self.report(|report| report.violate(now, site, what.into()));
    }

    pub(super) fn report<T>(&self, f: impl FnOnce(&mut Report) -> T) -> T {
        f(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a task of the simulation itself.
    pub(super) fn spawn(
        self: &Arc<Self>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        let world = Arc::clone(self);
        tokio::spawn(async move {
            task.await;
            world.tasks.fetch_sub(1, Ordering::Relaxed);
        })
    }

    /// The store has no tasks but one fetch per issuer.
    pub(super) fn check_tasks(&self) {
        let alive = Handle::current().metrics().num_alive_tasks();
        let own = self.tasks.load(Ordering::Relaxed);
        // A task of ours that ended is still counted until it has been put away.
        let most = own + 2 * self.sites.len();
        if alive > most {
            self.violate(usize::MAX, format!("{alive} tasks are alive; at most {most}"));
        }
    }

    /// Judges what a request got.
    pub(super) fn judge(&self, index: usize, asked: Asked, result: &Result<FoundKey, KeyError>) {
        let now = self.now();
        let site = self.site(index);
        let mut state = site.state();
        let wait = now.saturating_sub(asked.at);
        self.report(|report| report.longest_wait = report.longest_wait.max(wait));
        if wait > self.bounds.answered_within() {
            self.violate(index, format!("a request waited {wait:?}"));
        }
        match result {
            Ok(found) => self.judge_accepted(site, &mut state, asked, found, now),
            Err(error) => self.judge_refused(site, &state, asked, error, now),
        }
    }

    fn judge_accepted(
        &self,
        site: &Site,
        state: &mut SiteState,
        asked: Asked,
        found: &FoundKey,
        now: Duration,
    ) {
        self.note(site.index, Event::Accepted);
        let in_use = state.in_use(now, &site.bounds);
        let generation = match (asked.named, in_use.map(|served| served.keys.as_slice())) {
            (Named::Generation(generation), Some(keys)) if keys.contains(&generation) => generation,
            (Named::Nothing, Some(&[only])) => only,
            _ => {
                return self.violate(
                    site.index,
                    format!("{:?} was accepted, and the set in use has no such key", asked.named),
                );
            }
        };
        if let Some(bound) = site.must_refuse(state, generation, asked.at) {
            let key = kid(generation);
            self.violate(site.index, format!("{key} was accepted that was withdrawn, {bound}"));
        }
        if !state.checked.contains(&generation) {
            state.checked.push(generation);
            let signature = &pooled(site.index, generation, 0).signature;
            if found.key.verify(Algorithm::EdDsa, MESSAGE, signature).is_err() {
                let key = kid(generation);
                self.violate(site.index, format!("the key for {key} is not the issuer's"));
            }
        }
        state.cached.insert(generation, found.epoch);
    }

    fn judge_refused(
        &self,
        site: &Site,
        state: &SiteState,
        asked: Asked,
        error: &KeyError,
        now: Duration,
    ) {
        let (kind, named) = (error.kind(), asked.named);
        let in_use = state.in_use(now, &site.bounds);
        self.note(
            site.index,
            match kind {
                KeyErrorKind::Ambiguous => Event::RefusedAmbiguous,
                KeyErrorKind::Unavailable => Event::RefusedUnavailable,
                _ => Event::RefusedUnknown,
            },
        );
        let what = format!("was refused ({error})");
        if let Named::Generation(generation) = named {
            if state.knows(generation, now, &site.bounds) {
                self.violate(site.index, format!("{named:?} is in the set in use, and {what}"));
            } else if site.must_accept(state, generation, asked.at) {
                self.violate(
                    site.index,
                    format!("{named:?} was published long enough, and {what}"),
                );
            }
        }
        let sound = match kind {
            KeyErrorKind::Ambiguous => {
                named == Named::Nothing && in_use.is_some_and(|served| served.keys.len() > 1)
            }
            KeyErrorKind::Unavailable => {
                let most = self.bounds.pause_last.max(self.bounds.fetch * 2).as_secs() + 1;
                let soon = |after: Duration| after.as_secs() >= 1 && after.as_secs() <= most;
                error.retry_after().is_some_and(soon) && !self.was_fair(site, state, asked.at)
            }
            KeyErrorKind::Unknown => in_use.is_some(),
            _ => false,
        };
        if !sound {
            let age = in_use.map(|served| now.saturating_sub(served.at));
            let after = error.retry_after();
            self.violate(
                site.index,
                format!(
                    "{named:?} {what}, to ask again after {after:?}, with a set of age {age:?}"
                ),
            );
        }
    }

    /// Whether the weather was fair long enough for every question to have an answer.
    fn was_fair(&self, site: &Site, state: &SiteState, asked: Duration) -> bool {
        let settled = self.bounds.accepted_within();
        state.fair_since.filter(|_| !site.crowded).is_some_and(|fair| {
            fair.is_zero() && state.failures.is_empty() || asked >= fair.saturating_add(settled)
        })
    }

    /// Judges an epoch, as a cache of verified tokens would use it.
    pub(super) fn judge_epoch(&self, index: usize, epoch: Option<Epoch>) {
        let now = self.now();
        let site = self.site(index);
        let mut state = site.state();
        self.note(index, Event::Epoch);
        let in_use = state.in_use(now, &site.bounds).cloned();
        let (Some(epoch), Some(served)) = (epoch, &in_use) else {
            if epoch.is_some() != in_use.is_some() {
                self.violate(index, "there is an epoch and no set in use, or the other way around");
            }
            return;
        };
        let cached = std::mem::take(&mut state.cached);
        for (generation, found) in &cached {
            if *found != epoch {
                continue;
            }
            let key = kid(*generation);
            if !served.keys.contains(generation) {
                self.violate(index, format!("the epoch outlives {key}"));
            }
            if let Some(bound) = site.must_refuse(&state, *generation, now) {
                self.violate(index, format!("a cached token outlives {key}, {bound}"));
            }
        }
        state.cached = cached.into_iter().filter(|(_, found)| *found == epoch).collect();
        match state.epoch.replace((served.keys.clone(), epoch)) {
            Some((keys, before)) if keys == served.keys && before != epoch => {
                self.violate(index, "the epoch changed and the keys did not");
            }
            _ => {}
        }
    }

    /// Judges what readiness is told.
    pub(super) fn judge_status(&self, index: usize, status: &KeyStatus) {
        let now = self.now();
        let site = self.site(index);
        let state = site.state();
        self.note(index, Event::Status);
        let served = state.served.as_ref();
        let expected = (
            served.map_or(0, |served| served.keys.len()),
            served.map(|served| now.saturating_sub(served.at)),
            served.map(|served| now.saturating_sub(served.at)),
            state.in_use(now, &site.bounds).is_some(),
        );
        let found = (status.keys(), status.age(), status.last_success(), status.is_ready());
        if found != expected {
            self.violate(index, format!("status {found:?} instead of {expected:?}"));
        }
        // Which of the documents of one that is found failed is not told.
        if (!site.discovered || site.always_fair) && status.failure().is_some() != state.failed {
            self.violate(index, format!("status says {:?} of the last fetch", status.failure()));
        }
    }

    /// The store keeps no more issuers than it may, however many were asked for.
    pub(super) fn judge_crowd(&self, kept: usize, most: usize, pinned: bool) {
        if kept > most {
            self.violate(usize::MAX, format!("{kept} issuers are kept; at most {most}"));
        }
        if !pinned {
            self.violate(usize::MAX, "a pinned issuer was dropped");
        }
    }
}
