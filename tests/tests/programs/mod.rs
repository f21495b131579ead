//! The programs that the tests with a real issuer start.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What takes longer than this has hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the real issuer lacks here.
pub(crate) async fn missing(interop: &Path) -> Option<&'static str> {
    let node = Command::new("node").arg("--version").output().await;
    if !node.is_ok_and(|output| output.status.success()) {
        return Some("`node` is missing");
    }
    (!interop.join("node_modules/oidc-provider").is_dir()).then_some("node_modules is missing")
}

/// Starts `journal-api` with this policy, and waits until it says where it listens.
///
/// The program is killed when the child is dropped.
pub(crate) async fn start_journal_api(folder: &Path, policy: &str) -> Outcome<(Child, String)> {
    let file = folder.join("policy.toml");
    std::fs::write(&file, policy)?;
    let mut journal = Command::new(build_journal_api().await?);
    journal.arg("--policy").arg(file).args(["--listen", "127.0.0.1:0"]);
    journal.arg("--database").arg(folder.join("journal.db"));
    journal.stdin(Stdio::null());
    start(journal, |line| {
        let (_, address) = line.split_once("listens on ")?;
        Some(address.trim_end().to_owned())
    })
    .await
}

/// Starts a program, and waits until it prints a line that `ready` understands.
///
/// The program is killed when the child is dropped.
pub(crate) async fn start<T>(
    mut command: Command,
    ready: impl Fn(&str) -> Option<T>,
) -> Outcome<(Child, T)> {
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    let found = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await? {
            if let Some(found) = ready(&line) {
                return Ok(found);
            }
        }
        Outcome::Err("the program ended before it was ready".into())
    })
    .await??;
    // A full pipe would stop the program.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, found))
}

/// Builds the binary, and asks cargo where it is: only tests of its own package are told.
async fn build_journal_api() -> Outcome<PathBuf> {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "journal-api", "--bin", "journal-api"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !build.status.success() {
        return Err("journal-api does not build".into());
    }
    let executable = |line: &[u8]| -> Option<PathBuf> {
        let message: Value = serde_json::from_slice(line).ok()?;
        // The libraries that were built have a message too, where this is null.
        Some(message.get("executable")?.as_str()?.into())
    };
    let path = build.stdout.split(|byte| *byte == b'\n').find_map(executable);
    Ok(path.ok_or("cargo named no executable of journal-api")?)
}
