//! What the server was started with, in the store.

use sqlx::FromRow;

use super::database::{on_reader, on_writer};
use super::{Store, StoreError};
use crate::issuer_name::IssuerName;
use crate::records::Served;

impl Store {
    /// Returns what the server of this database was started with last, if one ever was.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub async fn served(&self) -> Result<Option<Served>, StoreError> {
        let row: Option<ServedRow> = on_reader!(self, pool =>
            sqlx::query_as("SELECT issuer, file_issuer FROM served").fetch_optional(pool).await)?;
        row.map(Served::try_from).transpose()
    }

    /// Notes what the server is started with, in place of what was noted before.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub async fn set_served(&self, served: &Served) -> Result<(), StoreError> {
        on_writer!(self, pool => sqlx::query(
            "INSERT INTO served (id, issuer, file_issuer) VALUES (1, $1, $2) ON CONFLICT (id) \
             DO UPDATE SET issuer = excluded.issuer, file_issuer = excluded.file_issuer",
        )
        .bind(served.issuer.as_str())
        .bind(served.file_issuer.as_ref().map(IssuerName::as_str))
        .execute(pool)
        .await
        .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct ServedRow {
    issuer: String,
    file_issuer: Option<String>,
}

impl TryFrom<ServedRow> for Served {
    type Error = StoreError;

    fn try_from(row: ServedRow) -> Result<Self, StoreError> {
        Ok(Self {
            issuer: issuer(&row.issuer)?,
            file_issuer: row.file_issuer.as_deref().map(issuer).transpose()?,
        })
    }
}

fn issuer(text: &str) -> Result<IssuerName, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("an issuer"))
}
