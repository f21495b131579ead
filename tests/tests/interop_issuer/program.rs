//! A program in the folder `interop`: one JSON value in, one out.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What takes longer than this has hung.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Node(&'static str),
    Python(&'static str),
}

impl Program {
    /// Whether `scripts/interop` has installed what it needs. If not, that is said.
    pub(crate) fn is_installed(self) -> Outcome<bool> {
        let (list, installed) = match self {
            Self::Node(_) => {
                (folder().join("package-lock.json"), folder().join("node_modules/installed"))
            }
            Self::Python(_) => (folder().join("requirements.txt"), environment().join("installed")),
        };
        // It leaves a copy of the list, so that an older one is noticed.
        let wanted = std::fs::read(list)?;
        if std::fs::read(installed).is_ok_and(|installed| installed == wanted) {
            return Ok(true);
        }
        let line = format!("{}: run scripts/interop; it needs Node and Python 3", self.name());
        if std::env::var_os("TENANTRY_REQUIRE_INTEROP").is_some_and(|value| value == "1") {
            return Err(line.into());
        }
        // Not `eprintln!`: the test harness would swallow it.
        writeln!(std::io::stderr(), "SKIPPED: {line}")?;
        Ok(false)
    }

    /// Gives it `task`, and reads what it reports.
    pub(crate) async fn run<T: DeserializeOwned>(self, task: &Value) -> Outcome<T> {
        let interpreter = match self {
            Self::Node(_) => "node".into(),
            Self::Python(_) => environment().join("bin/python"),
        };
        let mut command = Command::new(interpreter);
        command.arg(folder().join(self.name())).kill_on_drop(true);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "127.0.0.1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        input.write_all(task.to_string().as_bytes()).await?;
        drop(input);
        let output = timeout(PATIENCE, child.wait_with_output()).await??;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}\n{said}", self.name(), output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Node(name) | Self::Python(name) => name,
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

fn environment() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("interop")
}
