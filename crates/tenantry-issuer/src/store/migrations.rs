//! Makes the tables, or brings them up to date: by one process at a time.

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, SqlitePool};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{StoreError, StoreErrorKind};

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

pub(super) async fn migrate_postgres(mut connection: PgConnection) -> Result<(), StoreError> {
    on_a_thread(async move || {
        // The migrator takes a lock of the database's: replicas that start at once wait.
        POSTGRES.run(&mut connection).await?;
        connection.close().await?;
        Ok(())
    })
    .await
}

pub(super) async fn migrate_sqlite(writer: SqlitePool) -> Result<(), StoreError> {
    on_a_thread(async move || {
        // The migrator's own lock does nothing here. This one also makes all of it one change.
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        SQLITE.run(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Waits for `work` on a thread of its own: the compiler cannot see that the migrator's future could
/// be sent to another, so opening a store could not be either.
async fn on_a_thread(
    work: impl AsyncFnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work())).await.map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, "the tables could not be made").because(&error)
    })?
}
