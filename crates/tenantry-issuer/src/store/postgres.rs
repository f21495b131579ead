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

/// What every connection begins with.
///
/// The statements count on the isolation: one that waited for a row sees what became of it. And they end
/// before anybody gives up on them: one that was carried out later, by the time of its request, would use
/// up a refresh token that its client has no successor of.
const SESSION: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
    SET lock_timeout = '8s'; SET statement_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'";

/// The parameters that a URL may have.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

pub(super) async fn open(url: &str) -> Result<Database, StoreError> {
    // Before it is parsed: what the parser does not know, it writes into the log.
    if is_torn(url) {
        return Err(StoreError::location(
            "the URL of the database is malformed: `/`, `@`, `?` and `#` in a password are written `%2F`, `%40`, `%3F` and `%23`",
        ));
    }
    if let Some(name) = unknown_parameter(url) {
        return Err(StoreError::location(format!(
            "the URL of the database has a parameter that is not known here, {name}: known are {}",
            PARAMETERS.join(", ")
        )));
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| {
            StoreError::location("the URL of the database is malformed").because(&error)
        })?
        .application_name("tenantry-issuer");
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
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
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

/// The name of a parameter that is not one of [`PARAMETERS`]. Its value may be a secret.
fn unknown_parameter(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    let mut names = query.split('&').filter_map(|parameter| Some(parameter.split_once('=')?.0));
    names.find(|name| !PARAMETERS.contains(name))
}

/// The server by its host. No other part of the URL is shown.
fn server(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => format!("PostgreSQL at {}", folder.display()),
        None => format!("PostgreSQL at {}:{}", options.get_host(), options.get_port()),
    }
}
