//! Connects to PostgreSQL.

use std::fmt;
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
    if is_torn(url) {
        return Err(StoreError::location(
            "the URL of the database is malformed: `/`, `@`, `?` and `#` in a password are written `%2F`, `%40`, `%3F` and `%23`",
        ));
    }
    let server = server(&options);
    // Over a connection of its own: a pool tries again for so long that the reason is forgotten.
    let connection = timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .map_err(|_| {
            let what = format!("{server} does not answer within {} s", ACQUIRE_TIMEOUT.as_secs());
            StoreError::new(StoreErrorKind::Unavailable, what)
        })?
        .map_err(|error| unconnected(&server, &error))?;
    migrate_postgres(connection).await.map_err(|error| {
        error.while_opening(format!("the tables could not be made in {server}"))
    })?;
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

fn unconnected(server: &str, error: &sqlx::Error) -> StoreError {
    let because = |what, cause: &dyn fmt::Display| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{server} {what}")).because(cause)
    };
    match error {
        sqlx::Error::Io(cause) => because("cannot be reached", cause),
        sqlx::Error::Database(cause) => {
            // Its message alone: how it is displayed tells lines of PostgreSQL's source.
            because("was reached, and refuses the connection", &cause.message())
        }
        _ => because("was reached, and cannot be used", error),
    }
}

/// Whether a password ended the host's part of `url`: then what is taken for the host is a part of
/// the name or the password, and would be shown.
fn is_torn(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once(['/', '?', '#']).is_some_and(|(_, after)| after.contains('@'))
}

/// The server by its host. No other part of the URL is shown.
fn server(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => format!("PostgreSQL at {}", folder.display()),
        None => format!("PostgreSQL at {}:{}", options.get_host(), options.get_port()),
    }
}
