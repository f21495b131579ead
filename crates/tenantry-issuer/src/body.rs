//! The body of a request: how much of it there may be, and how long it may take.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http_body_util::LengthLimitError;

use crate::form::MAX_BODY;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;

/// How long a body may take to arrive. One that trickles in must not hold a place for ever.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(10);

/// Reads a body to its end.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, OAuthError> {
    match tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(read) => read.map_err(unreadable),
        Err(_) => Err(OAuthError::too_slow()),
    }
}

fn unreadable(error: axum::Error) -> OAuthError {
    if error.into_inner().is::<LengthLimitError>() {
        OAuthError::too_large()
    } else {
        OAuthError::invalid_request(Reason::BodyUnreadable, "the body ended before its time")
    }
}
