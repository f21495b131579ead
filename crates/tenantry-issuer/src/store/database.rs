//! The two kinds of database, and the macros that expand a body for each.

use std::fmt;
use std::time::Duration;

use sqlx::{PgPool, SqlitePool};

/// How long a call waits for a connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) enum Database {
    Postgres(PgPool),
    Sqlite {
        /// One connection: writers queue for it, instead of finding the file locked by each other.
        writer: SqlitePool,
        reader: SqlitePool,
    },
}

impl Database {
    /// Leaves nothing of what was deleted or replaced until now in the file beside a SQLite database, to
    /// which everything is written first. In PostgreSQL that is a matter of the server.
    pub(super) async fn forget(&self) {
        let Self::Sqlite { writer, .. } = self else { return };
        let emptied: Result<(i64, i64, i64), sqlx::Error> =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writer).await;
        match emptied {
            Ok((0, ..)) => {}
            // What was to be done is done and committed, and this is made up for later.
            Ok(_) | Err(_) => tracing::warn!(
                "the log of the database could not be emptied: a key that was deleted is still in it, \
                 until it is written over or the last program closes the database"
            ),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
        }
    }
}

// INVARIANT (secrets stay in): options hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres(_) => "Postgres",
            Self::Sqlite { .. } => "Sqlite",
        })
    }
}

/// Expands `$body` for each kind of database, with `$pool` to read from.
macro_rules! on_reader {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.database {
            $crate::store::database::Database::Postgres($pool) => $body,
            $crate::store::database::Database::Sqlite { reader: $pool, .. } => $body,
        }
    };
}

/// Expands `$body` for each kind of database, with `$pool` for one statement that writes.
macro_rules! on_writer {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.database {
            $crate::store::database::Database::Postgres($pool) => $body,
            $crate::store::database::Database::Sqlite { writer: $pool, .. } => $body,
        }
    };
}

/// Expands `$body` for each kind of database, within a transaction. It is rolled back when `$body`
/// returns early.
macro_rules! in_transaction {
    ($store:expr, $transaction:ident => $body:expr) => {
        match &$store.database {
            $crate::store::database::Database::Postgres(pool) => {
                let mut $transaction = pool.begin().await?;
                let done = $body;
                $transaction.commit().await?;
                done
            }
            $crate::store::database::Database::Sqlite { writer, .. } => {
                // Another process that writes is waited for here, and at no later statement.
                let mut $transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let done = $body;
                $transaction.commit().await?;
                done
            }
        }
    };
}

pub(super) use {in_transaction, on_reader, on_writer};
