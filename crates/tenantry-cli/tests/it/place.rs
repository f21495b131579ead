//! A directory with what the program finds there, and the program running in it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

/// A working directory of its own.
pub(crate) struct Place {
    folder: TempDir,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What it printed, if all went well.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.err, "");
        &self.out
    }

    /// The same as JSON: one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let out = self.done();
        assert_eq!(out.lines().count(), 1, "{out}");
        serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// The one line that says why not.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "");
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        let line = self.err.strip_prefix("tenantry: ").unwrap_or_else(|| panic!("{}", self.err));
        line.trim_end()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// What is there, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether `secret` is in any file, as it is written or as the bytes that it stands for.
    pub(crate) fn holds(&self, secret: &str) -> bool {
        let decoded = base64(secret);
        self.files().iter().any(|name| {
            let bytes = fs::read(self.path().join(name)).unwrap();
            let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            has(secret.as_bytes()) || has(&decoded)
        })
    }

    /// Changes the database past the program.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let url = format!("sqlite://{}", self.path().join("tenantry.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// How often `text` is in the database.
    pub(crate) fn count(&self, text: &str) -> usize {
        let database = fs::read(self.path().join("tenantry.db")).unwrap();
        database.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }

    /// Whether a private key for ES256 is in any file, in clear: PKCS #8 says so with these bytes.
    pub(crate) fn holds_private_key(&self) -> bool {
        const ES256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04";
        self.files().iter().any(|name| {
            let bytes = fs::read(self.path().join(name)).unwrap();
            bytes.windows(ES256.len()).any(|window| window == ES256)
        })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command.current_dir(self.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs the program with the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Ran {
        self.run_words(&line.split(' ').collect::<Vec<_>>(), variables)
    }

    /// The same with words that may hold blanks.
    pub(crate) fn run_words(&self, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command();
        command.args(words).envs(variables.iter().copied());
        let output = command.output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `script` in a shell, to its end, and returns what it printed.
    pub(crate) fn shell(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).current_dir(self.path());
        // So that it finds the program as its users do.
        let folder = Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().unwrap();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let paths = [folder.to_owned()].into_iter().chain(std::env::split_paths(&others));
        shell.env("PATH", std::env::join_paths(paths).unwrap());
        let output = shell.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the issuer on a port that the system chooses.
    pub(crate) fn serve(&self, more: &[&str]) -> Serving {
        self.serve_with(more, &[])
    }

    pub(crate) fn serve_with(&self, more: &[&str], variables: &[(&str, &str)]) -> Serving {
        let log = self.path().join("log");
        let mut command = self.command();
        command.args(["serve", "issuer", "--json"].map(OsStr::new)).args(more);
        command.envs(variables.iter().copied());
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{}", fs::read_to_string(&log).unwrap()));
        let address = said["listening"].as_str().unwrap().to_owned();
        let issuer = said["issuer"].as_str().unwrap().to_owned();
        let metrics = said["metrics"].as_str().map(Into::into);
        Serving { child, address, metrics, issuer, log }
    }
}

/// An issuer that runs. It ends with the test.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: String,
    /// Where its figures are, if not beside the rest.
    pub(crate) metrics: Option<String>,
    pub(crate) issuer: String,
    log: PathBuf,
}

impl Serving {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The answer to a request for `path`, from its head on.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log says `text`, for as long as the program runs.
    pub(crate) async fn says(&mut self, text: &str) {
        loop {
            let ended = self.child.try_wait().unwrap();
            if self.log().contains(text) {
                return;
            }
            assert!(ended.is_none(), "the log does not say `{text}`:\n{}", self.log());
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(self) -> ExitStatus {
        self.signal("-TERM");
        self.end_of()
    }

    /// Waits until it has ended.
    pub(crate) fn end_of(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `program` is installed; where everything has to be, it must be.
pub(crate) fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("version").output().is_ok();
    assert!(
        here || std::env::var_os("TENANTRY_REQUIRE_INTEROP").is_none(),
        "{program} is not installed"
    );
    if !here {
        println!("skipped: {program} is not installed");
    }
    here
}

/// The bytes that base64url text stands for.
fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|_| text.into())
}
