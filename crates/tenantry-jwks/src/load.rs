//! Loads a key set once, from wherever it is.

use std::path::Path;

use tenantry_core::Issuer;

use crate::discovery::{self, Metadata};
use crate::error::{LoadError, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::key_file::{KeyFileError, KeyFileErrorKind};
use crate::keys::{KeySet, KeySetError};
use crate::means::Means;
use crate::refresh::Errand;
use crate::source::{Place, UrlRules};
use crate::transport::{FetchRequest, UrlOrigin};
use crate::validator::Validator;

/// One fetch: for whom, what for, and by what.
#[derive(Clone, Copy)]
pub(crate) struct Trip<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) urls: UrlRules,
    pub(crate) errand: Errand,
    pub(crate) means: &'a Means,
}

/// What one fetch leaves for the next, so that the next can ask whether something changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Where the keys are, if that was discovered.
    pub(crate) metadata: Option<Metadata>,
    /// Of the set in use.
    pub(crate) keys: Option<Validator>,
}

impl Memory {
    /// Takes in that a fetch failed: the keys may be somewhere else now.
    pub(crate) fn doubt(&mut self) {
        if let Some(metadata) = &mut self.metadata {
            metadata.doubt();
        }
    }
}

/// What a fetch brought.
pub(crate) enum Loaded {
    /// A key set with a usable key, as it was read.
    New { set: KeySet, document: Vec<u8> },
    /// The set in use is the current one.
    Same,
}

/// A document, or that the known one is current.
pub(crate) enum Got {
    New(Vec<u8>, Validator),
    Same(Validator),
}

/// Loads the key set, and says what to remember.
pub(crate) async fn load(
    trip: Trip<'_>,
    place: &Place,
    mut memory: Memory,
) -> Result<(Loaded, Memory), LoadError> {
    let got = match place {
        Place::File(path) => return Ok((read(trip.issuer, path).await?, Memory::default())),
        Place::Uri(url) => trip.get(url, trip.urls.origin, memory.keys.as_ref()).await?,
        Place::Discovery => {
            let metadata = discovery::metadata(trip, memory.metadata.take()).await?;
            let metadata = memory.metadata.insert(metadata);
            trip.get(&metadata.jwks_uri, metadata.origin, memory.keys.as_ref()).await?
        }
    };
    match got {
        Got::New(document, validator) => {
            let set = KeySet::parse_for(trip.issuer, &document).map_err(not_a_key_set)?;
            let set = usable(set)?;
            memory.keys = Some(validator);
            Ok((Loaded::New { set, document }, memory))
        }
        Got::Same(validator) => {
            memory.keys = Some(validator);
            Ok((Loaded::Same, memory))
        }
    }
}

impl Trip<'_> {
    /// Gets a 200, or a 304 if `known` is what is at `url`. Everything else is a failure.
    pub(crate) async fn get(
        self,
        url: &str,
        origin: UrlOrigin,
        known: Option<&Validator>,
    ) -> Result<Got, LoadError> {
        let mut request = FetchRequest::new(url, origin, self.urls.loopback_http)?
            .with_time_limit(self.means.settings.fetch_time_limit);
        let known = known.filter(|known| *known.url == *url && known.etag.is_some());
        if let Some(etag) = known.and_then(|known| known.etag.clone()) {
            request = request.with_if_none_match(etag);
        }
        let max_bytes = request.max_bytes();
        let response = self.means.transport.get(request).await?;
        match (response.status(), known) {
            (200, _) => {}
            (304, Some(known)) => return Ok(Got::Same(known.renewed_by(&response))),
            (status, _) => return Err(LoadErrorKind::Status(status).into()),
        }
        let validator = Validator::of(url, &response);
        let body = response.into_body();
        if body.len() > max_bytes {
            return Err(LoadErrorKind::Fetch(FetchErrorKind::TooLarge).into());
        }
        Ok(Got::New(body, validator))
    }
}

fn usable(set: KeySet) -> Result<KeySet, LoadError> {
    if set.keys().is_empty() {
        return Err(LoadErrorKind::NoUsableKey.into());
    }
    Ok(set)
}

fn not_a_key_set(error: KeySetError) -> LoadError {
    LoadError::with_source(LoadErrorKind::KeySet, error)
}

async fn read(issuer: &Issuer, path: &Path) -> Result<Loaded, LoadError> {
    let (issuer, path) = (issuer.clone(), path.to_owned());
    // A slow disk must not hold up the requests on this thread.
    let read = tokio::task::spawn_blocking(move || KeySet::read_for(&issuer, &path)).await;
    let set = read.map_err(|_| LoadErrorKind::Interrupted)?.map_err(not_a_key_file)?;
    Ok(Loaded::New { set: usable(set)?, document: Vec::new() })
}

fn not_a_key_file(error: KeyFileError) -> LoadError {
    let kind = match error.kind() {
        KeyFileErrorKind::KeySet => LoadErrorKind::KeySet,
        KeyFileErrorKind::Unreadable => LoadErrorKind::File,
    };
    LoadError::with_source(kind, error)
}
