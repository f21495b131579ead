//! What may be used once.

use std::time::Duration;

use super::database::on_writer;
use super::rows::millis;
use super::{Store, StoreError};
use crate::secret::TokenHash;

impl Store {
    /// Marks what `hash` stands for as used, and returns whether this is the first time.
    ///
    /// It is remembered until it is [pruned](Self::prune) after `until`. For an assertion, hash the
    /// issuer, the client, its key and the `jti` together ([RFC 7523 §3]), and remember it until its
    /// `exp`.
    ///
    /// # Errors
    ///
    /// If the database cannot be written. Then it is not known to be the first time.
    ///
    /// [RFC 7523 §3]: https://www.rfc-editor.org/rfc/rfc7523#section-3
    #[must_use = "what was used before is to be refused"]
    pub async fn first_use(&self, hash: &TokenHash, until: Duration) -> Result<bool, StoreError> {
        let added = on_writer!(self, pool => sqlx::query(
            "INSERT INTO used_once (hash, until) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash.as_bytes().to_vec())
        .bind(millis(until))
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(added > 0)
    }
}
