//! What the operator is told about a tenant source: events and figures.
//!
//! INVARIANT (secrets stay in): no tenant is named. Ids may be made up, and how many there are is up
//! to others.
//!
//! | figure                               | labels    |                                              |
//! |--------------------------------------|-----------|----------------------------------------------|
//! | `tenantry_directory_asks_total`      | `outcome` | asks that ended                              |
//! | `tenantry_directory_ask_seconds`     |           | how long they took                           |
//! | `tenantry_directory_refusals_total`  | `reason`  | requests that got 503 without an ask for them |

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use tenantry_core::Standing;

use crate::answers::nanoseconds;
use crate::ask_error::{AskError, AskErrorKind};

/// One event in this time: during an outage there is an ask for each tenant.
const SELDOM: Duration = Duration::from_secs(10);

/// How an ask ended.
pub(crate) enum News<'a> {
    Answered(Standing),
    Failed(&'a AskError),
    /// Its tenant was forgotten meanwhile, or the ask was given up.
    Late,
    /// The source answered with another tenant than it was asked for.
    Misnamed,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    failed: Seldom,
    misnamed: Seldom,
}

impl Report {
    pub(crate) fn landed(&self, news: &News<'_>, took: Duration, now: Duration) {
        let outcome = match news {
            News::Answered(Standing::Active) => "active",
            News::Answered(Standing::Suspended) => "suspended",
            News::Answered(Standing::Unknown) => "unknown",
            News::Failed(error) => kind(error),
            News::Late => "late",
            News::Misnamed => "misnamed",
        };
        counter!("tenantry_directory_asks_total", "outcome" => outcome).increment(1);
        histogram!("tenantry_directory_ask_seconds").record(took.as_secs_f64());
        match news {
            News::Failed(error) if self.failed.is_time(now) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, "tenant not asked for");
            }
            News::Misnamed if self.misnamed.is_time(now) => tracing::error!(
                "the tenant source answered with another tenant than it was asked for: it has to compare ids byte for byte"
            ),
            _ => {}
        }
    }

    /// A request was refused without an ask.
    pub(crate) fn refused(error: &AskError) {
        counter!("tenantry_directory_refusals_total", "reason" => kind(error)).increment(1);
    }
}

const fn kind(error: &AskError) -> &'static str {
    match error.kind {
        AskErrorKind::BackOff => "back_off",
        AskErrorKind::Crowded => "crowded",
        AskErrorKind::Failed => "failed",
        AskErrorKind::Interrupted => "interrupted",
        AskErrorKind::NoRuntime => "no_runtime",
        AskErrorKind::TimedOut => "timed_out",
    }
}

/// The moment from which it is time again, in nanoseconds.
#[derive(Debug, Default)]
struct Seldom(AtomicU64);

impl Seldom {
    fn is_time(&self, now: Duration) -> bool {
        let (at, next) = (self.0.load(Ordering::Relaxed), now.saturating_add(SELDOM));
        nanoseconds(now) >= at
            && self
                .0
                .compare_exchange(at, nanoseconds(next), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}
