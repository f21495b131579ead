//! How a store is opened, and how it is not.

use std::error::Error;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tenantry_issuer::{Store, StoreError, StoreErrorKind};

use crate::fixture::{Fixture, a_tenant};
use crate::on_both;

on_both! {
    what_was_stored_is_there_when_it_is_opened_again,
    a_closed_store_answers_with_errors,
    a_database_of_a_newer_version_is_refused,
    a_database_with_other_tables_is_refused,
    a_database_of_an_older_version_is_brought_up_to_date,
}

/// The error and its causes in one line, as a program shows them.
fn line(error: &StoreError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    assert!(!line.contains('\n'), "{line}");
    line
}

async fn refusal(url: &str) -> (StoreErrorKind, String) {
    let error = Store::open(url).await.unwrap_err();
    (error.kind(), line(&error))
}

fn url_of(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

async fn what_was_stored_is_there_when_it_is_opened_again(fixture: Fixture) {
    let client = fixture.register("acme").await;
    fixture.store.close().await;
    let again = fixture.another_store().await;
    let found = again.registration(&client.tenant, &client.id).await.unwrap();
    let found = found.map(|(tenant, client, _)| (tenant, client));
    assert_eq!(found, Some((a_tenant("acme"), client)));
    again.ping().await.unwrap();
    let kind = if fixture.url.starts_with("sqlite") { "Sqlite" } else { "Postgres" };
    assert_eq!(format!("{again:?}"), format!("Store {{ database: {kind} }}"));
}

async fn a_closed_store_answers_with_errors(fixture: Fixture) {
    let clone = fixture.store.clone();
    fixture.store.close().await;
    assert_eq!(clone.ping().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(clone.add_tenant(&a_tenant("acme")).await.is_err());
}

async fn a_database_of_a_newer_version_is_refused(fixture: Fixture) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                 execution_time) SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations \
                 WHERE version = 1";
    fixture.run(newer, newer).await.unwrap();
    let (kind, line) = refusal(&fixture.url).await;
    assert_eq!(kind, StoreErrorKind::Location);
    assert!(line.contains("written by a newer version of tenantry"), "{line}");
}

async fn a_database_with_other_tables_is_refused(fixture: Fixture) {
    let (sqlite, postgres) = (
        "UPDATE _sqlx_migrations SET checksum = x'00'",
        "UPDATE _sqlx_migrations SET checksum = '\\x00'",
    );
    fixture.run(sqlite, postgres).await.unwrap();
    let (kind, line) = refusal(&fixture.url).await;
    assert_eq!(kind, StoreErrorKind::Location);
    assert!(line.contains("the tables are not those of this version"), "{line}");
}

async fn a_database_of_an_older_version_is_brought_up_to_date(fixture: Fixture) {
    let url = fixture.start_anew().await;
    let first = |all: Migrator| Migrator::with_migrations(all.iter().take(1).cloned().collect());
    let event = "INSERT INTO audit_event (number, at, actor, action, scopes, outcome) \
                 VALUES (1, 5, 'operator', 'test', '[]', 'done'); UPDATE audit_number SET last = 1";
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        first(sqlx::migrate!("migrations/sqlite")).run(&mut connection).await.unwrap();
        sqlx::raw_sql(event).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        first(sqlx::migrate!("migrations/postgres")).run(&mut connection).await.unwrap();
        sqlx::raw_sql(event).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    let store = Store::open(&url).await.unwrap();

    let entries = store.audit(0, 10).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1]);
    assert_eq!(store.prune_audit(entries[0].event.at).await.unwrap(), 0);
    let later = entries[0].event.at + std::time::Duration::from_millis(1);
    assert_eq!(store.prune_audit(later).await.unwrap(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused_and_not_repeated() {
    for url in [
        "",
        "tenantry.db",
        "mysql://u:hunter2@h/d",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite://x.db?mode=ro&key=hunter2",
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunter2@h/d?sslmode=hunter2x",
        "postgres://u:1/hunter2@h/d",
        "postgres://u:1?hunter2@h/d",
        "postgres://u:1#hunter2@h/d",
    ] {
        let (kind, line) = refusal(url).await;
        assert_eq!(kind, StoreErrorKind::Location, "{url}");
        assert!(!line.contains("hunter2@"), "{line}");
    }
    assert!(!Path::new("tenantry.db").exists() && !Path::new("x.db").exists());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    let dir = TempDir::new().unwrap();
    let (kind, line) =
        refusal(&format!("postgres://u:hunter2@localhost/d?host={}", dir.path().display())).await;
    assert_eq!(kind, StoreErrorKind::Unavailable);
    let server = format!("PostgreSQL at {}", dir.path().display());
    assert!(line.starts_with(&format!("{server} cannot be reached: ")), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
}

#[tokio::test]
async fn a_database_in_memory_is_shared_by_clones_and_gone_with_the_last() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let clone = store.clone();
    store.add_tenant(&a_tenant("acme")).await.unwrap();
    drop(store);
    assert_eq!(clone.tenants(None, 10).await.unwrap(), [a_tenant("acme")]);
    let other = Store::open("sqlite::memory:").await.unwrap();
    assert_eq!(other.tenants(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_is_made_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    let store = Store::open(&url_of(&file)).await.unwrap();
    store.add_tenant(&a_tenant("acme")).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["tenantry.db", "tenantry.db-shm", "tenantry.db-wal"]);
}

#[tokio::test]
async fn a_file_that_others_could_read_is_taken_from_them() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    let store = Store::open(&url_of(&file)).await.unwrap();
    store.add_tenant(&a_tenant("acme")).await.unwrap();
    let files = ["tenantry.db", "tenantry.db-wal", "tenantry.db-shm"].map(|at| dir.path().join(at));
    for file in &files {
        std::fs::set_permissions(file, Permissions::from_mode(0o664)).unwrap();
    }

    let again = Store::open(&url_of(&file)).await.unwrap();

    for file in &files {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    for store in [store, again] {
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_of_another_program_keeps_its_mode() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("other.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE notes (text TEXT)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();

    refusal(&url_of(&file)).await;

    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_said_and_nothing_is_made() {
    let dir = TempDir::new().unwrap();
    for file in [dir.path().join("no/such/folder/tenantry.db"), dir.path().to_owned()] {
        let (kind, line) = refusal(&url_of(&file)).await;
        assert_eq!(kind, StoreErrorKind::Location);
        let start = format!("the database file `{}` cannot be written: ", file.display());
        assert!(line.starts_with(&start), "{line}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let notes = dir.path().join("notes.txt");
    let text = "not a database, but long enough to look like something: ".repeat(99);
    std::fs::write(&notes, text).unwrap();
    let other = dir.path().join("other.db");
    let url = format!("sqlite://{}?mode=rwc", other.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE notes (text TEXT)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    for (file, why) in [(notes, "file is not a database"), (other, "the tables of another program")]
    {
        let before = std::fs::read(&file).unwrap();
        let (kind, line) = refusal(&url_of(&file)).await;
        assert_eq!(kind, StoreErrorKind::Location);
        let start = format!("the database file `{}` cannot be used: ", file.display());
        assert!(line.starts_with(&start) && line.contains(why), "{line}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn tables_are_made_all_or_none() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    // One of ours, by its mark, in which the last table is in the way.
    let ours = "PRAGMA application_id = 0x54454E54; CREATE TABLE audit_number (id TEXT)";
    sqlx::raw_sql(ours).execute(&mut connection).await.unwrap();

    let (kind, line) = refusal(&url_of(&file)).await;

    assert_eq!(kind, StoreErrorKind::Location);
    assert!(line.contains("table audit_number already exists"), "{line}");
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(tables, ["audit_number"]);
}

const OPEN: &str = "TENANTRY_TEST_OPEN";

#[test]
fn a_file_that_may_not_be_written_is_said_and_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    std::fs::write(&file, "").unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let program = copy_of_this_program(&dir);
    mode(&file, 0o444);
    mode(dir.path(), 0o555);

    let said = opened_by_another_user(&program, &file);
    mode(dir.path(), 0o755);

    let line = format!(
        "Location: the database file `{}` cannot be written: Permission denied (os error 13)",
        file.display()
    );
    assert!(said.contains(&line), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

/// Only root can make a file that another user may write, but not have.
#[tokio::test]
async fn a_file_that_cannot_be_taken_from_others_is_refused() {
    if !is_root() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    Store::open(&url_of(&file)).await.unwrap().close().await;
    let program = copy_of_this_program(&dir);
    std::fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();

    let said = opened_by_another_user(&program, &file);

    let line = format!(
        "Location: the database file `{}` cannot be used: it is not for its owner only (mode 0666), \
         and that cannot be changed: Operation not permitted (os error 1)",
        file.display()
    );
    assert!(said.contains(&line), "{said}");
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0"
}

fn copy_of_this_program(dir: &TempDir) -> PathBuf {
    let program = dir.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

/// What comes of it when somebody opens `file` who is not root: root may do everything.
fn opened_by_another_user(program: &Path, file: &Path) -> String {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let name = "opening::what_opening_a_file_comes_to";
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(OPEN, url_of(file));
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[tokio::test]
#[ignore = "run by the tests above, as another user"]
async fn what_opening_a_file_comes_to() {
    let (kind, line) = refusal(&std::env::var(OPEN).unwrap()).await;
    println!("{kind:?}: {line}");
}
