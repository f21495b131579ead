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

const STATEMENTS: [&str; 3] = [
    past!("used_once", "hash", "hash", "until <= $1"),
    past!("revoked_access_token", "(tenant, jti)", "tenant, jti", "until <= $1"),
    past!("refresh_family", "id", "id", "expires_at <= $1"),
];

impl Store {
    /// Removes refresh tokens, used assertions and revocations whose time was past five minutes before
    /// `now`, and returns how many. Audit events stay.
    ///
    /// Clocks differ: what is past by this one may be good at another replica, where an assertion must
    /// stay used and a token revoked.
    ///
    /// # Errors
    ///
    /// If the database cannot be written. What was removed until then is removed.
    pub async fn prune(&self, now: Duration) -> Result<u64, StoreError> {
        let past = millis(now.saturating_sub(CLOCK_SKEW));
        let mut removed = 0_u64;
        for statement in STATEMENTS {
            loop {
                let rows = on_writer!(self, pool => sqlx::query(statement)
                    .bind(past)
                    .execute(pool)
                    .await
                    .map(|done| done.rows_affected()))?;
                removed = removed.saturating_add(rows);
                if rows == 0 {
                    break;
                }
            }
        }
        Ok(removed)
    }
}
