//! Loads a key set once, from wherever it is.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use tenantry_core::Issuer;

use crate::discovery;
use crate::error::{LoadError, LoadErrorKind};
use crate::keys::{KeySet, KeySetError};
use crate::source::{Place, UrlRules};
use crate::transport::{FetchErrorKind, FetchRequest, Transport};

/// Loads the key set of `issuer`. The result has at least one usable key.
pub(crate) async fn load(
    issuer: &Issuer,
    place: &Place,
    urls: UrlRules,
    transport: &dyn Transport,
) -> Result<KeySet, LoadError> {
    let set = match place {
        Place::Discovery => {
            let request = discovery::jwks_request(issuer, urls, transport).await?;
            parse(&get(transport, request).await?)?
        }
        Place::File(path) => read(path.clone()).await?,
        Place::Uri(url) => {
            let request = FetchRequest::new(url, urls.origin, urls.loopback_http)?;
            parse(&get(transport, request).await?)?
        }
    };
    if set.keys().is_empty() {
        return Err(LoadErrorKind::NoUsableKey.into());
    }
    Ok(set)
}

/// The body of a 200; everything else is a failure.
pub(crate) async fn get(
    transport: &dyn Transport,
    request: FetchRequest,
) -> Result<Vec<u8>, LoadError> {
    let max_bytes = request.max_bytes();
    let response = transport.get(request).await?;
    if response.status() != 200 {
        return Err(LoadErrorKind::Status(response.status()).into());
    }
    let body = response.into_body();
    if body.len() > max_bytes {
        return Err(LoadErrorKind::Fetch(FetchErrorKind::TooLarge).into());
    }
    Ok(body)
}

fn parse(json: &[u8]) -> Result<KeySet, LoadError> {
    KeySet::parse(json).map_err(not_a_key_set)
}

fn not_a_key_set(error: KeySetError) -> LoadError {
    LoadError::with_source(LoadErrorKind::KeySet, error)
}

async fn read(path: PathBuf) -> Result<KeySet, LoadError> {
    // A slow disk must not hold up the requests on this thread.
    let bytes = tokio::task::spawn_blocking(move || read_bounded(path))
        .await
        .map_err(|_| LoadErrorKind::Interrupted)?
        .map_err(|error| LoadError::with_source(LoadErrorKind::File, error))?;
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        return parse(&bytes);
    }
    let pem = str::from_utf8(&bytes).map_err(|_| LoadErrorKind::KeySet)?;
    KeySet::from_pem(pem).map_err(not_a_key_set)
}

/// One byte more than allowed is enough to know that it is too long.
fn read_bounded(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(KeySet::MAX_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
