//! What can be known about the keys of issuers before one of them is asked.
//!
//! What an operator wrote or put on the disk is configuration, and a mistake in it stops the start.
//! What an issuer answers is not: it is fetched in the background, and may heal.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tenantry_core::{IssuerPolicy, KeyLocation, Policy, PolicyError};
use tenantry_jwks::{FetchRequest, KeySet, UrlOrigin};

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
    Ok(())
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
    let bytes = read(path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let set = if bytes.trim_ascii_start().first() == Some(&b'{') {
        KeySet::parse(&bytes)
    } else {
        KeySet::from_pem(&String::from_utf8_lossy(&bytes))
    };
    let set = set.map_err(|error| format!("`{name}` is {error}"))?;
    if !set.keys().is_empty() {
        return Ok(());
    }
    let reason = set.skipped().first().map_or_else(
        || "it is empty".into(),
        |skipped| format!("of its key {}, {}", skipped.index(), skipped.reason()),
    );
    Err(format!("`{name}` has no key that signatures can be checked with: {reason}"))
}

/// One byte more than allowed is enough to know that it is too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(KeySet::MAX_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
