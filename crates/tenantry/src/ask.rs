//! One ask of a tenant source, in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{Standing, TenantId};

use crate::ask_error::{AskError, AskErrorKind};
use crate::asks::Seat;
use crate::cached_directory::Shared;
use crate::tenant_source::Tenant;

/// What a source said, judged.
pub(crate) enum Said {
    /// It has no such tenant, but one that it took for it.
    Another,
    Standing(Standing),
}

impl Said {
    pub(crate) fn of(asked: &TenantId, found: Option<Tenant>) -> Self {
        match found {
            None => Self::Standing(Standing::Unknown),
            // INVARIANT (no guessing): the source has to compare as everything else does.
            Some(tenant) if tenant.id() != asked.as_str() => Self::Another,
            Some(tenant) => Self::Standing(tenant.standing()),
        }
    }
}

/// Sees to it that an ask ends, whatever becomes of its task: requests wait for it.
pub(crate) struct Ask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tenant: TenantId,
    pub(crate) number: u64,
    pub(crate) asked_at: Duration,
    /// Taken until it has ended.
    pub(crate) seat: Option<Seat>,
}

impl Ask {
    /// Asks, within the time that there is for it, and reports how that went.
    pub(crate) async fn run(mut self) {
        let limit = self.shared.numbers.ask_limit();
        let asked = Arc::clone(&self.shared.source).look_up(self.tenant.clone());
        let said = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(found)) => Ok(Said::of(&self.tenant, found)),
            Ok(Err(error)) => Err(AskError::failed(error)),
            Err(_) => Err(AskErrorKind::TimedOut.into()),
        };
        self.end(said);
    }

    fn end(&mut self, said: Result<Said, AskError>) {
        // Before those who wait are told: what they ask for next finds the place free.
        if self.seat.take().is_some() {
            self.shared.land(&self.tenant, self.number, self.asked_at, said);
        }
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        self.end(Err(AskErrorKind::Interrupted.into()));
    }
}
