//! The part of the path that a handler reads.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;

use crate::id::EntryId;
use crate::problem::Problem;

/// The id of an entry in the path. What cannot be an id is answered like one that no entry has.
#[derive(Debug)]
pub(super) struct EntryPath(pub(super) EntryId);

impl<S: Send + Sync> FromRequestParts<S> for EntryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // Without the tenant, which nobody needs to read here.
        #[derive(Deserialize)]
        struct Segments {
            id: String,
        }

        let segments = Path::<Segments>::from_request_parts(parts, state).await;
        let Path(Segments { id }) = segments.map_err(|_| Problem::entry_not_found())?;
        id.parse().map(Self).map_err(|_| Problem::entry_not_found())
    }
}
