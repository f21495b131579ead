//! What the server was started with, in the store.

use sqlx::FromRow;

use super::database::{on_reader, on_writer};
use super::{Store, StoreError};
use crate::records::Served;

impl Store {
    /// Returns what the server of this database was started with last, if one ever was.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn served(&self) -> Result<Option<Served>, StoreError> {
        let row: Option<ServedRow> = on_reader!(self, pool =>
            sqlx::query_as("SELECT issuer, from_file FROM served").fetch_optional(pool).await)?;
        row.map(Served::try_from).transpose()
    }

    /// Notes what the server is started with, in place of what was noted before.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn set_served(&self, served: &Served) -> Result<(), StoreError> {
        on_writer!(self, pool => sqlx::query(
            "INSERT INTO served (id, issuer, from_file) VALUES (1, $1, $2) ON CONFLICT (id) \
             DO UPDATE SET issuer = excluded.issuer, from_file = excluded.from_file",
        )
        .bind(served.issuer.as_str())
        .bind(served.from_file)
        .execute(pool)
        .await
        .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct ServedRow {
    issuer: String,
    from_file: bool,
}

impl TryFrom<ServedRow> for Served {
    type Error = StoreError;

    fn try_from(row: ServedRow) -> Result<Self, StoreError> {
        Ok(Self {
            issuer: row.issuer.parse().map_err(|_| StoreError::corrupt("an issuer"))?,
            from_file: row.from_file,
        })
    }
}
