//! Refresh tokens in the store: one row for a family, changed by one statement.

use std::time::Duration;

use tenantry_core::TenantId;

use super::database::{on_reader, on_writer};
use super::rows::{FamilyRow, json, millis};
use super::{Store, StoreError};
use crate::keys::CLOCK_SKEW;
use crate::records::{ClientId, Family, FamilyId, NewFamily};
use crate::secret::TokenHash;

/// The columns of a family. Without a table's name, which SQLite does not know after `RETURNING`.
macro_rules! family_columns {
    () => {
        "id, tenant, client, scopes, audiences, current_hash, previous_hash, rotated_at, used_at, \
         created_at, expires_at"
    };
}

/// That the family's client and tenant stand as they did when it began.
// Both generations only count up, so their sum is the same only if each is.
macro_rules! registered_as_before {
    () => {
        "EXISTS (SELECT 1 FROM client JOIN tenant ON tenant.id = client.tenant \
         WHERE client.tenant = family.tenant AND client.id = family.client \
         AND client.enabled AND tenant.status = 'active' \
         AND client.generation + tenant.generation = family.generation)"
    };
}

/// That the presented token, `$4`, may be used: it is the current one, or the one before and was first
/// used after `$7` and up to `$9`. [`Family::accepts`] says the same.
macro_rules! accepted {
    () => {
        "(family.current_hash = $4 OR (family.previous_hash = $4 \
         AND family.rotated_at > $7 AND family.rotated_at <= $9))"
    };
}

/// A refresh token that a client presents, and the one that is to follow it.
#[derive(Clone, Copy, Debug)]
pub struct RefreshAttempt<'a> {
    /// The tenant that the client proved to be of.
    pub tenant: &'a TenantId,
    /// The client that authenticated.
    pub client: &'a ClientId,
    /// The family that the token names.
    pub family: FamilyId,
    /// The hash of the token.
    pub presented: TokenHash,
    /// The hash of its successor.
    pub next: TokenHash,
    /// The time, since the Unix epoch.
    pub now: Duration,
    /// How long after its first use a token is accepted again, while its successor is not used: the
    /// answer may have been lost.
    pub grace: Duration,
    /// How long a family may go unused.
    pub idle: Option<Duration>,
}

/// What became of a [`RefreshAttempt`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RefreshUse {
    /// There is no such family of this client of this tenant, or it has ended. Nothing changed.
    Gone,
    /// The token was used before: whoever did, one of the two stole it. The family is revoked now.
    Reused(Family),
    /// The successor is stored, and is the one live token of the family.
    Rotated(Family),
}

impl Store {
    /// Begins a family of refresh tokens.
    ///
    /// Returns whether it did: not if there is no such client, it is disabled, its tenant is suspended,
    /// or its [`Generation`](crate::Generation) is another. Then no refresh token may be handed out.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    #[must_use = "without a family there is no refresh token"]
    pub async fn open_family(&self, family: &NewFamily) -> Result<bool, StoreError> {
        let scopes = json(&family.scopes)?;
        let audiences = json(&family.audiences)?;
        let added = on_writer!(self, pool => sqlx::query(
            "INSERT INTO refresh_family (id, tenant, client, scopes, audiences, current_hash, \
             used_at, created_at, expires_at, generation) \
             SELECT $1, client.tenant, client.id, $4, $5, $6, $7, $7, $8, $9 \
             FROM client JOIN tenant ON tenant.id = client.tenant \
             WHERE client.tenant = $2 AND client.id = $3 \
             AND client.enabled AND tenant.status = 'active' \
             AND client.generation + tenant.generation = $9",
        )
        .bind(family.id.as_bytes().to_vec())
        .bind(family.tenant.as_str())
        .bind(family.client.as_str())
        .bind(&scopes)
        .bind(&audiences)
        .bind(family.token.as_bytes().to_vec())
        .bind(millis(family.created_at))
        .bind(millis(family.expires_at))
        .bind(family.generation.stored())
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(added > 0)
    }

    /// Uses a refresh token: replaces it by its successor, or revokes the family if it was used before.
    ///
    /// The token that was used last is accepted once more and again, within `grace` of its first use
    /// and while its successor is not used. Then the new successor takes the place of the other, which
    /// is as good as used. So of several uses of one token at the same moment the last one counts, and
    /// one token is live.
    ///
    /// A family of another client or another tenant is [`Gone`](RefreshUse::Gone), and left as it is.
    ///
    /// # Errors
    ///
    /// If the database cannot be written. Then the presented token is as good as before.
    pub async fn use_refresh_token(
        &self,
        attempt: &RefreshAttempt<'_>,
    ) -> Result<RefreshUse, StoreError> {
        let grace_since = match attempt.grace {
            Duration::ZERO => i64::MAX,
            grace => attempt.now.checked_sub(grace).map_or(-1, millis),
        };
        let idle_since =
            attempt.idle.and_then(|idle| attempt.now.checked_sub(idle)).map_or(-1, millis);
        // One statement: two that run at once wait for each other at the row, and the second sees what
        // the first made of it.
        let rows: Vec<FamilyRow> = on_writer!(self, pool => sqlx::query_as(concat!(
            "UPDATE refresh_family AS family SET \
             previous_hash = CASE WHEN family.current_hash = $4 THEN $4 ELSE family.previous_hash END, \
             rotated_at = CASE WHEN family.current_hash = $4 THEN $6 ELSE family.rotated_at END, \
             current_hash = CASE WHEN ", accepted!(), " THEN $5 ELSE family.current_hash END, \
             used_at = CASE WHEN ", accepted!(), " THEN $6 ELSE family.used_at END, \
             revoked_at = CASE WHEN ", accepted!(), " THEN NULL ELSE $6 END \
             WHERE family.id = $1 AND family.tenant = $2 AND family.client = $3 \
             AND family.revoked_at IS NULL AND family.expires_at > $6 AND family.used_at > $8 \
             AND ", registered_as_before!(), " \
             RETURNING ", family_columns!(), ", (revoked_at IS NOT NULL) AS revoked",
        ))
        .bind(attempt.family.as_bytes().to_vec())
        .bind(attempt.tenant.as_str())
        .bind(attempt.client.as_str())
        .bind(attempt.presented.as_bytes().to_vec())
        .bind(attempt.next.as_bytes().to_vec())
        .bind(millis(attempt.now))
        .bind(grace_since)
        .bind(idle_since)
        .bind(millis(attempt.now.saturating_add(CLOCK_SKEW)))
        // All rows, though there is one: SQLite commits a statement when it is asked for more than it
        // has. An answer ahead of that could name a token that is then forgotten.
        .fetch_all(pool)
        .await)?;
        let Some(row) = rows.into_iter().next() else { return Ok(RefreshUse::Gone) };
        let family = Family::try_from(row)?;
        Ok(if family.revoked { RefreshUse::Reused(family) } else { RefreshUse::Rotated(family) })
    }

    /// Returns a family, also one that has ended.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn family(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        let row: Option<FamilyRow> = on_reader!(self, pool => sqlx::query_as(concat!(
            "SELECT ", family_columns!(),
            ", (revoked_at IS NOT NULL OR NOT ", registered_as_before!(), ") AS revoked \
             FROM refresh_family AS family WHERE family.id = $1",
        ))
        .bind(id.as_bytes().to_vec())
        .fetch_optional(pool)
        .await)?;
        row.map(Family::try_from).transpose()
    }

    /// Revokes a family. Returns whether there was one that was not revoked by itself before.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn revoke_family(&self, id: FamilyId, now: Duration) -> Result<bool, StoreError> {
        let revoked = on_writer!(self, pool => sqlx::query(
            "UPDATE refresh_family SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id.as_bytes().to_vec())
        .bind(millis(now))
        .execute(pool)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(revoked > 0)
    }

    /// Revokes every family of a tenant, or of one of its clients. Returns whether there is such a
    /// tenant or client.
    ///
    /// A family that begins at the same moment is revoked too, or began after it.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn revoke_families_of(
        &self,
        tenant: &TenantId,
        client: Option<&ClientId>,
    ) -> Result<bool, StoreError> {
        let revoked = match client {
            Some(client) => on_writer!(self, pool => sqlx::query(
                "UPDATE client SET generation = generation + 1 WHERE tenant = $1 AND id = $2",
            )
            .bind(tenant.as_str())
            .bind(client.as_str())
            .execute(pool)
            .await
            .map(|done| done.rows_affected())),
            None => on_writer!(self, pool => sqlx::query(
                "UPDATE tenant SET generation = generation + 1 WHERE id = $1",
            )
            .bind(tenant.as_str())
            .execute(pool)
            .await
            .map(|done| done.rows_affected())),
        }?;
        Ok(revoked > 0)
    }
}
