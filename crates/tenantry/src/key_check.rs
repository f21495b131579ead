//! What can be known about the keys of issuers before one of them is asked.
//!
//! What an operator wrote or put on the disk is configuration, and a mistake in it stops the start.
//! What an issuer answers is not: it is fetched in the background, and may heal.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use tenantry_core::{IssuerPolicy, KeyLocation, Policy, PolicyError};
use tenantry_jwks::{FetchRequest, KeyFileErrorKind, KeySet, UrlOrigin};

/// A tenant to fill patterns with, to see whether they make a URL.
const SOME_TENANT: &str = "tenant1";

/// Checks the location of every issuer's keys.
pub(crate) fn run(policy: &Policy) -> Result<(), PolicyError> {
    for (at, issuer) in policy.issuers().iter().enumerate() {
        let (name, problem) = match issuer.key_location() {
            KeyLocation::Discovery => ("issuer", check_url(issuer, issuer.pattern().as_str())),
            KeyLocation::Uri(uri) => ("jwks_uri", check_url(issuer, uri)),
            KeyLocation::File(path) => ("jwks_file", check_file(path)),
            // Parsed when the verifier is built, for good.
            KeyLocation::Jwks(_) | KeyLocation::Pem(_) => continue,
        };
        problem.map_err(|problem| PolicyError::new(format!("issuer[{at}].{name}"), problem))?;
    }
    refuse_shared_file(policy)
}

/// The policy has looked at the scheme; this is what the transport would refuse, each time.
fn check_url(issuer: &IssuerPolicy, url: &str) -> Result<(), String> {
    let url = url.replace("{tenant}", SOME_TENANT);
    FetchRequest::new(&url, UrlOrigin::Operator, issuer.allow_http())
        .map(drop)
        .map_err(|error| format!("{error}: look at its host and port"))
}

fn check_file(path: &Path) -> Result<(), String> {
    let name = path.display();
    let set = KeySet::read(path).map_err(|error| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        match error.kind() {
            KeyFileErrorKind::Unreadable => format!("`{name}` cannot be read: {cause}"),
            _ => format!("`{name}` is {cause}"),
        }
    })?;
    if !set.keys().is_empty() {
        return Ok(());
    }
    let reason = set.skipped().first().map_or_else(
        || "it is empty".into(),
        |skipped| format!("of its key {}, {}", skipped.index(), skipped.reason()),
    );
    Err(format!("`{name}` has no key that signatures can be checked with: {reason}"))
}

/// The policy compares paths as text; this is what they lead to.
// INVARIANT (isolation): keys of different issuers never share a pool.
fn refuse_shared_file(policy: &Policy) -> Result<(), PolicyError> {
    let mut seen = HashMap::new();
    for (at, issuer) in policy.issuers().iter().enumerate() {
        let KeyLocation::File(path) = issuer.key_location() else { continue };
        let Ok(path) = path.canonicalize() else { continue };
        match seen.insert(path, (at, issuer)) {
            Some((before, other)) if !(issuer.shared_keys() && other.shared_keys()) => {
                return Err(PolicyError::new(
                    format!("issuer[{at}].jwks_file"),
                    format!(
                        "issuer[{before}] has the same file, so each could sign for the other: give them keys of their own, or set shared_keys = true on both"
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
