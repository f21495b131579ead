//! Whether requests can be judged.

use std::fmt;

use tenantry_jwks::{KeyStatus, KeyStore};

/// Where the keys of each issuer that is named in full stand; the issuers of a pattern do not count.
///
/// `Display` writes a line for each: `https://auth.erp.example: ready, 2 keys, 40 s old`.
#[derive(Clone, Debug)]
pub struct Readiness {
    issuers: Vec<(String, KeyStatus)>,
}

impl Readiness {
    pub(crate) fn of(keys: &KeyStore) -> Self {
        let mut issuers: Vec<_> =
            keys.pinned().map(|(issuer, keys)| (issuer.to_string(), keys.status())).collect();
        issuers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { issuers }
    }

    /// Returns whether every issuer that is named in full has keys that may be used.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.issuers.iter().all(|(_, status)| status.is_ready())
    }

    /// Returns the issuers that are named in full, in the order of their names, and where their keys
    /// stand.
    pub fn issuers(&self) -> impl Iterator<Item = (&str, &KeyStatus)> {
        self.issuers.iter().map(|(issuer, status)| (issuer.as_str(), status))
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (issuer, status) in &self.issuers {
            writeln!(f, "{issuer}: {status}")?;
        }
        Ok(())
    }
}
