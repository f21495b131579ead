//! What the operator is told: events and figures. `docs/metrics.md` has the figures of all crates.
//!
//! INVARIANT (secrets stay in): an issuer is named only if it is pinned. The others came with a
//! token, and how many there are is up to others; as a label they are all `pattern`. There are no
//! key ids and no URLs.
//!
//! | figure                                 | labels              |                                  |
//! |----------------------------------------|---------------------|----------------------------------|
//! | `tenantry_key_fetches_total`           | `issuer`, `outcome` | fetches that ended               |
//! | `tenantry_key_fetch_failures_total`    | `issuer`, `kind`    | those that failed                |
//! | `tenantry_key_refusals_total`          | `issuer`, `reason`  | requests that got no key, unasked |
//! | `tenantry_key_staleness_seconds`       | `issuer`            | of a pinned issuer, past its lifetime |

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tenantry_core::Issuer;

use crate::error::LoadError;
use crate::keys::KeySet;
use crate::skipped::SkipReason;

/// The stand-in for issuers that were found by a pattern.
const FOUND: &str = "pattern";

/// Why a request got no key although no fetch was made for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    Absent,
    BackOff,
    Budget,
    Crowded,
}

/// How a fetch ended.
pub(crate) enum News {
    Confirmed,
    Failed(LoadError),
    Loaded { set: Arc<KeySet>, before: Option<Arc<KeySet>> },
    Restored(Arc<KeySet>),
}

/// Speaks for one issuer.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a>(Option<&'a Issuer>);

impl<'a> Report<'a> {
    pub(crate) fn of(issuer: &'a Issuer, pinned: bool) -> Self {
        Self(pinned.then_some(issuer))
    }

    pub(crate) fn landed(self, news: &News) {
        let issuer = self.name();
        match news {
            News::Confirmed => {
                self.count_fetch("unchanged");
                tracing::debug!(issuer, "key set unchanged");
            }
            News::Failed(error) => self.failed(error),
            News::Loaded { set, before } => {
                self.count_fetch("loaded");
                let keys = set.keys().len();
                // The first keys, and more or fewer of them, are news; the same again are not.
                match before.as_ref().is_none_or(|before| before.keys().len() != keys) {
                    true => tracing::info!(issuer, keys, "key set loaded"),
                    false => tracing::debug!(issuer, keys, "key set loaded"),
                }
                self.skipped(set, before.as_deref());
            }
            News::Restored(set) => {
                tracing::info!(issuer, keys = set.keys().len(), "key set taken from the disk");
            }
        }
    }

    fn skipped(self, set: &KeySet, before: Option<&KeySet>) {
        // The same odd key every ten minutes is not news.
        if before.is_some_and(|before| before.skipped() == set.skipped()) {
            return;
        }
        for skipped in set.skipped() {
            let (index, reason) = (skipped.index(), skipped.reason());
            // Sets that many issuers share hold the others' keys as a matter of course.
            if reason == SkipReason::Issuer {
                tracing::debug!(issuer = self.name(), index, %reason, "key skipped");
            } else {
                tracing::warn!(issuer = self.name(), index, %reason, "key skipped");
            }
        }
    }

    fn failed(self, error: &LoadError) {
        self.count_fetch("failed");
        let kind = error.kind.label();
        counter!("tenantry_key_fetch_failures_total", "issuer" => self.label(), "kind" => kind)
            .increment(1);
        // The cause may name a host, which for an issuer found by a pattern is up to others.
        let cause = error.source().filter(|_| self.0.is_some()).map(first_cause);
        tracing::warn!(issuer = self.name(), %error, cause, "key set not loaded");
    }

    pub(crate) fn refused(self, refusal: Refusal) {
        let reason = match refusal {
            Refusal::Absent => "absent",
            Refusal::BackOff => "back_off",
            Refusal::Budget => "budget",
            Refusal::Crowded => "crowded",
        };
        counter!("tenantry_key_refusals_total", "issuer" => self.label(), "reason" => reason)
            .increment(1);
    }

    /// A gauge that many issuers share would say nothing, so only pinned ones have it.
    pub(crate) fn staleness(self, staleness: Duration) {
        if let Some(issuer) = self.name() {
            gauge!("tenantry_key_staleness_seconds", "issuer" => issuer.to_owned())
                .set(staleness.as_secs_f64());
        }
    }

    fn count_fetch(self, outcome: &'static str) {
        counter!("tenantry_key_fetches_total", "issuer" => self.label(), "outcome" => outcome)
            .increment(1);
    }

    fn name(self) -> Option<&'a str> {
        self.0.map(Issuer::as_str)
    }

    fn label(self) -> String {
        self.name().unwrap_or(FOUND).to_owned()
    }
}

fn first_cause(mut error: &(dyn Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
