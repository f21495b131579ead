//! Connects to PostgreSQL.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::StoreError;
use super::database::{ACQUIRE_TIMEOUT, Database};

/// How many connections one process has at most. PostgreSQL allows 100 in all by default.
const CONNECTIONS: u32 = 10;

pub(super) async fn open(url: &str) -> Result<Database, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| {
            StoreError::from(error).while_opening("the URL of the database is malformed")
        })?
        .application_name("tenantry-issuer");
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // The statements count on it: one that waited for a row sees what became of it.
                let isolation =
                    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
                sqlx::query(isolation).execute(connection).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    // The migrator takes a lock of the database's, so that replicas that start at once wait.
    sqlx::migrate!("migrations/postgres").run(&pool).await?;
    Ok(Database::Postgres(pool))
}
