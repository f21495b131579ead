//! Removes what is past.

use std::time::Duration;

use super::database::on_writer;
use super::rows::millis;
use super::{Store, StoreError};
use crate::keys::CLOCK_SKEW;

/// So few rows at a time that other writers do not wait long.
macro_rules! past {
    ($table:literal, $key:literal, $columns:literal, $is_past:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $key,
            " IN (SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE ",
            $is_past,
            " LIMIT 500)"
        )
    };
}

const AUDIT: &str = past!("audit_event", "number", "number", "at < $1");

const EXPIRED: [&str; 3] = [
    past!("used_once", "hash", "hash", "until <= $1"),
    past!("revoked_access_token", "(tenant, jti)", "tenant, jti", "until <= $1"),
    past!("refresh_family", "id", "id", "expires_at <= $1"),
];

impl Store {
    /// Removes refresh tokens, used assertions and revocations whose time was past five minutes before
    /// `now`, and returns how many. Audit events are for [`prune_audit`](Self::prune_audit).
    ///
    /// Clocks differ: what is past by this one may be good at another replica, where an assertion must
    /// stay used and a token revoked.
    ///
    /// # Errors
    ///
    /// If the database cannot be written. What was removed until then is removed.
    pub async fn prune(&self, now: Duration) -> Result<u64, StoreError> {
        let mut removed = 0_u64;
        for statement in EXPIRED {
            let past = now.saturating_sub(CLOCK_SKEW);
            removed = removed.saturating_add(self.remove(statement, past).await?);
        }
        Ok(removed)
    }

    /// Removes audit events of before `kept_from`, since the Unix epoch, and returns how many. Later
    /// ones cannot be removed. Numbers are not used again.
    ///
    /// # Errors
    ///
    /// If the database cannot be written. What was removed until then is removed.
    pub async fn prune_audit(&self, kept_from: Duration) -> Result<u64, StoreError> {
        // The database refuses to remove what this does not say is past.
        on_writer!(self, pool => sqlx::query(
            "UPDATE audit_number SET kept_from = $1 WHERE kept_from < $1",
        )
        .bind(millis(kept_from))
        .execute(pool)
        .await
        .map(drop))?;
        self.remove(AUDIT, kept_from).await
    }

    /// Runs one of the statements until it finds nothing any more. Others write in between.
    async fn remove(&self, statement: &'static str, time: Duration) -> Result<u64, StoreError> {
        let mut removed = 0_u64;
        loop {
            let rows = on_writer!(self, pool => sqlx::query(statement)
                .bind(millis(time))
                .execute(pool)
                .await
                .map(|done| done.rows_affected()))?;
            removed = removed.saturating_add(rows);
            if rows == 0 {
                return Ok(removed);
            }
        }
    }
}
