//! Notices when a request that is answered for long would not be admitted any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use tenantry_core::{AccessToken, BoxFuture, ProvenTenant, Reason, RequestFacts, Watch};

use crate::live::Live;

/// How often it is judged again. From memory that takes about a microsecond, so a process can watch
/// over very many.
const EVERY: Duration = Duration::from_secs(1);

/// How long it may be that nobody can tell: a directory that fails for a moment is no reason to cut
/// every stream.
const PATIENCE: Duration = Duration::from_secs(30);

impl Watch for Live {
    fn ended(self: Arc<Self>, token: AccessToken, tenant: ProvenTenant) -> BoxFuture<Reason> {
        Box::pin(async move {
            let mut held = Instant::now();
            // What hangs for all of that time is the directory, as a rule: keys are remembered.
            let mut outage = Reason::DirectoryUnavailable;
            loop {
                // Not held over the wait: what comes into force meanwhile counts.
                let rules = Arc::clone(&self.now());
                // INVARIANT (agreement): another tenant's it cannot have become.
                let facts = RequestFacts::naming(&rules.policy, &tenant).into_owned();
                // By the clock, not by the number of looks: each may take as long as the directory does.
                let verdict = timeout_at(held + PATIENCE, rules.verify(token.clone(), facts)).await;
                match verdict {
                    Ok(Ok(_)) => held = Instant::now(),
                    // INVARIANT (cannot judge is not invalid)
                    Ok(Err(rejection))
                        if rejection.status().is_server_error() && held.elapsed() < PATIENCE =>
                    {
                        outage = rejection.reason();
                    }
                    Ok(Err(rejection)) => return rejection.reason(),
                    Err(_) => return outage,
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}
