//! The transport of a server that was given none.

use std::sync::Arc;

use tenantry_jwks::{KeySettings, Transport};

use crate::error::ConfigError;

#[cfg(feature = "reqwest")]
pub(crate) fn default(settings: &KeySettings) -> Result<Arc<dyn Transport>, ConfigError> {
    let transport = tenantry_jwks::HttpTransport::new(settings)
        .map_err(|error| ConfigError::new("the HTTP client cannot be set up").with_source(error))?;
    Ok(Arc::new(transport))
}

/// Without the feature `reqwest`, keys come from files and documents, or over a transport that is
/// passed in.
#[cfg(not(feature = "reqwest"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
pub(crate) fn default(_: &KeySettings) -> Result<Arc<dyn Transport>, ConfigError> {
    Ok(Arc::new(Offline))
}

#[cfg(not(feature = "reqwest"))]
#[derive(Debug)]
struct Offline;

#[cfg(not(feature = "reqwest"))]
impl Transport for Offline {
    fn get(
        &self,
        _: tenantry_jwks::FetchRequest,
    ) -> tenantry_core::BoxFuture<Result<tenantry_jwks::FetchResponse, tenantry_jwks::FetchError>>
    {
        use tenantry_jwks::{FetchError, FetchErrorKind};
        let error = FetchError::with_source(
            FetchErrorKind::Connect,
            "there is no transport: enable the feature `reqwest`, or pass one to the builder",
        );
        Box::pin(std::future::ready(Err(error)))
    }
}
