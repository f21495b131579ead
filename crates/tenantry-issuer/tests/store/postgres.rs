//! A database of PostgreSQL for each test: on the server that `DATABASE_URL` names, else on a server
//! of this process, if PostgreSQL is installed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

/// A database that nobody else uses.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
}

impl Database {
    /// `None`, and a line that says so, if there is no PostgreSQL.
    pub(crate) async fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenantry_test_{}_{count}", std::process::id());
        execute(server, format!("CREATE DATABASE {name}")).await;
        Some(Self { url: server.url_of(&name), name })
    }

    /// Removes it, whoever is still connected.
    pub(crate) async fn remove(self) {
        if let Some(server) = server() {
            execute(server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        }
    }
}

async fn execute(server: &Server, sql: String) {
    let mut connection = PgConnection::connect(&server.url).await.expect("PostgreSQL answers");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

struct Server {
    /// Of a database that is always there.
    url: String,
    /// Ends the server when this process ends, however it does: see `start`.
    _own: Option<OwnServer>,
}

impl Server {
    fn url_of(&self, database: &str) -> String {
        let mut url = url::Url::parse(&self.url).expect("DATABASE_URL is a URL");
        url.set_path(database);
        url.into()
    }
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(find).as_ref()
}

fn find() -> Option<Server> {
    if let Ok(url) = std::env::var("DATABASE_URL")
        && url.starts_with("postgres")
    {
        return Some(Server { url, _own: None });
    }
    let own = OwnServer::start()?;
    Some(Server { url: own.url.clone(), _own: Some(own) })
}

fn skip() {
    let required = std::env::var("TENANTRY_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(
        !required,
        "PostgreSQL is required, but DATABASE_URL is not set and initdb is not installed"
    );
    // Past the capture of the test's output.
    let line = "SKIPPED: no PostgreSQL (set DATABASE_URL, or install it)\n";
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The folder with `initdb` and `pg_ctl`: one on the `PATH`, or where Debian puts the newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// A server of this process: it listens on a socket in a temporary folder, and nowhere else.
///
/// A shell holds it: when this process is gone, the shell's input ends, and it stops the server and
/// removes the folder.
pub(crate) struct OwnServer {
    pub(crate) url: String,
    holder: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl OwnServer {
    /// `None`, and a line that says so, if PostgreSQL is not installed here.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip();
            return None;
        };
        let dir = TempDir::with_prefix("tenantry-pg-").unwrap().keep();
        let mut command = Command::new("sh");
        command.args(["-c", HOLD, "sh"]).arg(programs).arg(&dir);
        command.current_dir(&dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        // PostgreSQL refuses to run as root.
        if id(&["-u"]) == Some(0) {
            let user = id(&["-u", "postgres"]).expect("a user `postgres`, since this is root");
            let group = id(&["-g", "postgres"]).expect("the group of `postgres`");
            chown(&dir, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let mut holder = command.spawn().expect("a shell");
        let said = BufReader::new(holder.stdout.take().expect("piped")).lines();
        let url = format!("postgres://postgres@localhost/postgres?host={}", dir.display());
        let mut server = Self { url, holder, said };
        server.tell("init");
        server.tell("start");
        Some(server)
    }

    /// Has the shell do one of `stop`, which is as a crash, `start` over the same data, `hang` and
    /// `go_on`; and waits until it has.
    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.holder.stdin.as_ref().expect("piped"), "{word}").unwrap();
        let said = self.said.next().expect("a line").unwrap();
        assert_eq!(said, "done", "PostgreSQL did not {word}");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The end of its input ends the shell, and that the server.
        drop(self.holder.stdin.take());
        // It has ended already, perhaps.
        let _ = self.holder.wait();
    }
}

/// Says `done` after each, or what went wrong.
const HOLD: &str = r#"
    trap '' INT TERM
    programs=$1 dir=$2
    say() { if [ "$?" = 0 ]; then echo done; else tail -n 9 "$dir/log" | tr '\n' ' '; echo; fi; }
    db() {
        "$programs/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-sync "$@" >"$dir/log" 2>&1
    }
    init() { db --locale-provider=icu --icu-locale=en-US || { rm -rf "$dir/data"; db; }; }
    ctl() { "$programs/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 "$@" >/dev/null 2>&1; }
    start() { ctl -o "-k '$dir' -c listen_addresses='' -c fsync=off" start; }
    stop() { ctl -m immediate stop; }
    # The first process before its children, so that there are no new ones; one may have ended meanwhile.
    all() {
        read -r main <"$dir/data/postmaster.pid" && kill "-$1" "$main" || return
        for child in $(pgrep -P "$main"); do kill "-$1" "$child" 2>/dev/null || :; done
    }
    hang() { all STOP; }
    go_on() { all CONT; }
    while read -r word; do "$word"; say; done
    go_on 2>/dev/null
    stop
    rm -rf "$dir"
"#;

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
