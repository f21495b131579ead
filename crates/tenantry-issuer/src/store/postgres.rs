//! Connects to PostgreSQL.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::database::{ACQUIRE_TIMEOUT, Database};
use super::migrations::migrate_postgres;
use super::{StoreError, StoreErrorKind};

/// How many connections one process has at most. PostgreSQL allows 100 in all by default.
const CONNECTIONS: u32 = 10;

pub(super) async fn open(url: &str) -> Result<Database, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| {
            StoreError::location("the URL of the database is malformed").because(&error)
        })?
        .application_name("tenantry-issuer");
    // Over a connection of its own: a pool tries again for so long that the reason is forgotten.
    let unreachable =
        || StoreError::new(StoreErrorKind::Unavailable, "PostgreSQL cannot be reached");
    let connection = timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .map_err(|error| unreachable().because(&error))?
        .map_err(|error| unreachable().because(&error))?;
    migrate_postgres(connection)
        .await
        .map_err(|error| error.while_opening("the tables could not be made in PostgreSQL"))?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // The statements count on it: one that waited for a row sees what became of it.
                let read_committed =
                    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
                sqlx::query(read_committed).execute(connection).await.map(drop)
            })
        })
        .connect_lazy_with(options);
    Ok(Database::Postgres(pool))
}
