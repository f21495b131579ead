//! Notices when a request that is answered for long would not be admitted any more.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{AccessToken, BoxFuture, ProvenTenant, Reason, RequestFacts, Watch};

use crate::live::Live;

/// How often it is judged again. From memory that takes about a microsecond, so a process can watch
/// over very many.
const EVERY: Duration = Duration::from_secs(1);

/// How many times running it may be that nobody can tell: a directory that fails for a moment is no
/// reason to cut every stream.
const PATIENCE: u32 = 30;

impl Watch for Live {
    fn ended(self: Arc<Self>, token: AccessToken, tenant: ProvenTenant) -> BoxFuture<Reason> {
        Box::pin(async move {
            let mut unjudged = 0;
            loop {
                // Not held over the wait: what comes into force meanwhile counts.
                let rules = Arc::clone(&self.now());
                // INVARIANT (agreement): another tenant's it cannot have become.
                let facts = RequestFacts::naming(&rules.policy, &tenant).into_owned();
                match rules.verify(token.clone(), facts).await {
                    Ok(_) => unjudged = 0,
                    // INVARIANT (cannot judge is not invalid)
                    Err(rejection)
                        if rejection.status().is_server_error() && unjudged < PATIENCE =>
                    {
                        unjudged += 1;
                    }
                    Err(rejection) => return rejection.reason(),
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}
