//! The issuers of a stage, and its time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tenantry::{Clock as _, IssuerSettings};

use crate::{ManualClock, TestIssuer};

/// An issuer that nobody trusts.
pub(in crate::attack) const STRANGER: &str = "https://stranger.attack-suite.example";

/// An issuer that is trusted for a tenant of its own.
const OTHER: &str = "https://other.attack-suite.example";

/// Whom the second issuer speaks for.
const OTHER_TENANT: &str = "tenant-of-another-issuer";

/// What a stage does not share with any other.
pub(in crate::attack) struct World {
    pub(in crate::attack) clock: ManualClock,
    /// The user's issuer, with a life of its own.
    pub(in crate::attack) issuer: TestIssuer,
    /// Trusted, for another tenant.
    pub(in crate::attack) other: TestIssuer,
    /// Not trusted.
    pub(in crate::attack) stranger: TestIssuer,
}

impl World {
    pub(in crate::attack) fn new(issuer: &TestIssuer) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // In whole seconds, as tokens are dated.
        let clock = ManualClock::new(Duration::from_secs(now.as_secs()));
        let shared = || Arc::new(clock.clone());
        let at = |url: &str| TestIssuer::builder().url(url).clock(shared()).offline();
        Self { issuer: issuer.fork(shared()), other: at(OTHER), stranger: at(STRANGER), clock }
    }

    pub(in crate::attack) fn has_issuer_per_tenant(&self) -> bool {
        self.issuer.signer_of(Some("any")).is_some()
    }

    /// How a policy names the user's issuer.
    pub(super) fn settings_of(issuer: &TestIssuer, per_tenant: bool) -> IssuerSettings {
        let (url, keys) = if per_tenant {
            (format!("{}/{{tenant}}", issuer.url()), issuer.jwks_uri_of("{tenant}"))
        } else {
            (issuer.url().to_owned(), issuer.jwks_uri())
        };
        let http = keys.starts_with("http://");
        IssuerSettings::new(url)
            .jwks_uri(keys)
            .allow_http(http)
            .tenant_claims([issuer.claims().tenant_claim.as_ref()])
    }

    pub(in crate::attack) fn settings(&self) -> IssuerSettings {
        Self::settings_of(&self.issuer, self.has_issuer_per_tenant())
    }

    pub(in crate::attack) fn settings_of_other(&self) -> IssuerSettings {
        Self::settings_of(&self.other, false).tenants([OTHER_TENANT])
    }

    /// Whole seconds since the Unix epoch.
    pub(in crate::attack) fn now(&self) -> i64 {
        i64::try_from(self.clock.unix().as_secs()).unwrap_or(i64::MAX)
    }
}
