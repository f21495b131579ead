//! How a store is opened, and how it is not.

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tenantry_issuer::{Store, StoreError, StoreErrorKind};

use crate::fixture::{Fixture, a_tenant};
use crate::on_both;

on_both! {
    what_was_stored_is_there_when_it_is_opened_again,
    a_closed_store_answers_with_errors,
    a_database_of_a_newer_version_is_refused,
    a_database_with_other_tables_is_refused,
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
                 execution_time) SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations";
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
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let program = dir.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(&program, 0o755);
    mode(&file, 0o444);
    mode(dir.path(), 0o555);

    // Root may write everywhere, so this is somebody else.
    let mut command = Command::new(&program);
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    if uid.trim_ascii() == b"0" {
        command.uid(65534).gid(65534);
    }
    let name = "opening::what_an_unwritable_file_comes_to";
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(OPEN, url_of(&file));
    let output = command.output().unwrap();
    mode(dir.path(), 0o755);

    let said = String::from_utf8(output.stdout).unwrap();
    let line = format!(
        "Location: the database file `{}` cannot be written: Permission denied (os error 13)",
        file.display()
    );
    assert!(said.contains(&line), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[tokio::test]
#[ignore = "run by the test above, as another user"]
async fn what_an_unwritable_file_comes_to() {
    let (kind, line) = refusal(&std::env::var(OPEN).unwrap()).await;
    println!("{kind:?}: {line}");
}
