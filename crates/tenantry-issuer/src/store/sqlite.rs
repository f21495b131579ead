//! Opens a SQLite file.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::StoreError;
use super::database::{ACQUIRE_TIMEOUT, Database};
use super::migrations::migrate_sqlite;

/// `application_id` of our files: "TENT".
const APPLICATION_ID: i32 = 0x5445_4E54;

/// How long another process that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections read beside the one that writes.
const READERS: u32 = 4;

/// Opens the database with this name: what follows `sqlite:` in its URL.
pub(super) async fn open(name: &str) -> Result<Database, StoreError> {
    let name = name.strip_prefix("//").unwrap_or(name);
    if name == ":memory:" {
        return open_in_memory().await;
    }
    if name.is_empty() || name.contains('?') {
        return Err(StoreError::location(
            "a SQLite database is named `sqlite://FILE`, without `?` and settings",
        ));
    }
    let file = Path::new(name);
    make(file).map_err(|error| {
        StoreError::location(format!("the database file `{name}` cannot be written"))
            .because(&error)
    })?;
    open_file(file)
        .await
        .map_err(|error| error.while_opening(format!("the database file `{name}` cannot be used")))
}

async fn open_file(file: &Path) -> Result<Database, StoreError> {
    refuse_another_program(file).await?;
    // Not before: the file of another program is left as it is.
    #[cfg(unix)]
    keep_for_its_owner(file)?;
    let options = settings(SqliteConnectOptions::new().filename(file));
    let writer = pool(1).connect_with(options.clone()).await?;
    migrate_sqlite(writer.clone()).await?;
    let reader = pool(READERS).connect_with(options).await?;
    Ok(Database::Sqlite { writer, reader })
}

/// Looks at the file without changing it: the settings would.
async fn refuse_another_program(file: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let (application_id, tables): (i32, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), \
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    if tables > 0 && application_id != APPLICATION_ID {
        return Err(StoreError::location("it holds the tables of another program"));
    }
    Ok(())
}

/// One connection for all: it is the database.
async fn open_in_memory() -> Result<Database, StoreError> {
    let options = settings(SqliteConnectOptions::from_str("sqlite::memory:")?);
    let writer = pool(1).connect_with(options).await?;
    migrate_sqlite(writer.clone()).await?;
    Ok(Database::Sqlite { reader: writer.clone(), writer })
}

fn settings(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A refresh token that was handed out is known after a loss of power.
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten in the file: private keys among it. The log beside it holds
        // them until it is emptied, which `Database::forget` does.
        .pragma("secure_delete", "ON")
        .busy_timeout(BUSY_TIMEOUT)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes the file if there is none, for its owner alone, and sees whether it can be written.
///
/// SQLite gives the files beside it the mode of this one.
fn make(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Takes the file, and those that SQLite has beside it, from everybody but its owner: signing keys may
/// be in them in clear.
#[cfg(unix)]
fn keep_for_its_owner(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mut before = None;
    for beside in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        let name = PathBuf::from(name);
        let open_to_others = || match fs::metadata(&name) {
            Ok(found) => {
                Ok(Some(found.permissions().mode() & 0o777).filter(|mode| mode & 0o077 != 0))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::location("its mode is not known").because(&error)),
        };
        let Some(mode) = open_to_others()? else { continue };
        let refuse = || {
            StoreError::location(format!(
                "it is not for its owner only (mode {mode:04o}), and that cannot be changed"
            ))
        };
        fs::set_permissions(&name, fs::Permissions::from_mode(mode & 0o700))
            .map_err(|error| refuse().because(&error))?;
        // There are file systems that say yes and do nothing.
        if open_to_others()?.is_some() {
            return Err(refuse());
        }
        before = before.or(Some(mode));
    }
    if let Some(mode) = before {
        let name = file.display();
        tracing::warn!(
            "the database file `{name}` was not for its owner only (mode {mode:04o}); it is now"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    use super::*;

    async fn pragmas(pool: &SqlitePool) -> [String; 4] {
        let mut values = [const { String::new() }; 4];
        let names = ["journal_mode", "synchronous", "foreign_keys", "secure_delete"];
        for (value, name) in values.iter_mut().zip(names) {
            let sql = sqlx::AssertSqlSafe(format!("SELECT '' || {name} FROM pragma_{name}"));
            *value = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        }
        values
    }

    #[tokio::test]
    async fn what_is_written_is_durable_checked_and_overwritten_when_deleted() {
        let dir = tempfile::TempDir::new().unwrap();
        let name = dir.path().join("tenantry.db");
        let database = open(&format!("//{}", name.display())).await.unwrap();
        let Database::Sqlite { writer, reader } = database else { panic!("not SQLite") };
        // 2: a commit is on the disk before it is answered.
        assert_eq!(pragmas(&writer).await, ["wal", "2", "1", "1"]);
        assert_eq!(pragmas(&reader).await, ["wal", "2", "1", "1"]);
    }
}
