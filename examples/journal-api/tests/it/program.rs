//! The program as a process: what it says, and its exit code.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tenantry_testkit::TestIssuer;

use crate::running::ANY_PORT;

const ANY: &str = "127.0.0.1:0";

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_journal-api"));
    program.env_remove("RUST_LOG").stdin(Stdio::null());
    program
}

/// A policy that needs no network: the keys are in a file.
fn policy_in(folder: &Path, listen: &str, more: &str) -> String {
    let issuer = TestIssuer::offline("https://auth.erp.example");
    let keys = folder.join("jwks.json");
    std::fs::write(&keys, issuer.jwks().to_string()).unwrap();
    let policy = folder.join("policy.toml");
    let text = format!(
        r#"listen = "{listen}"

[resource_server]
audience = "https://api.erp.example/{{tenant}}"
scope = "{{tenant}}.{{scope}}"

[[issuer]]
issuer = "https://auth.erp.example"
jwks_file = '{}'

[tenant]
path = "/{{tenant}}/{{*rest}}"
{more}"#,
        keys.display()
    );
    std::fs::write(&policy, text).unwrap();
    policy.to_str().unwrap().to_owned()
}

/// Starts the program and returns the one line it refuses to start with.
fn refusal(program: &mut Command) -> String {
    let piped = program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(piped.spawn().unwrap());
    // The first line says that it serves. Waiting for it to end would then take for ever.
    assert_eq!(first_line(&mut process), "");
    let mut error = String::new();
    process.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(process.0.wait().unwrap().code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(!error.contains('\u{1b}'), "colours in a pipe: {error}");
    error
}

/// The first line of its output; empty if it ended without one.
fn first_line(process: &mut Process) -> String {
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Does not outlive a test that fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn bad_configuration_is_one_line_and_exit_code_2() {
    let folder = tempfile::TempDir::new().unwrap();
    let missing = folder.path().join("missing.toml");
    let line = refusal(program().arg("--policy").arg(&missing));
    assert!(line.contains("missing.toml"), "{line}");

    let policy =
        policy_in(folder.path(), ANY, "header = \"x-tenant-id\"\nhaeder = \"x-tenant-id\"\n");
    let line = refusal(program().args(["--policy", &policy]));
    assert!(line.contains("policy.toml") && line.contains("haeder"), "{line}");
    assert!(line.contains("14"), "the line's number is not in: {line}");

    let policy = policy_in(folder.path(), ANY, "");
    let without_path = std::fs::read_to_string(&policy).unwrap().replace("path =", "# path =");
    let pathless = folder.path().join("pathless.toml");
    std::fs::write(&pathless, without_path).unwrap();
    let line = refusal(program().arg("--policy").arg(&pathless));
    assert!(line.contains("pathless.toml:11: tenant.path"), "{line}");

    let database = folder.path().join("no/such/folder.db");
    let line = refusal(program().args(["--policy", &policy]).arg("--database").arg(&database));
    assert!(line.contains("no/such/folder.db"), "{line}");

    let line = refusal(program().args(["--policy", &policy]).env("RUST_LOG", "journal=loud"));
    assert!(line.contains("RUST_LOG"), "{line}");
}

#[test]
fn a_port_that_is_taken_is_one_line_that_says_which_and_what_to_do() {
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let address = taken.local_addr().unwrap().to_string();

    for option in ["--listen", "--metrics-listen", "--issuer-listen"] {
        let mut program = program();
        for other in ["--listen", "--issuer-listen"] {
            if other != option {
                program.args([other, ANY]);
            }
        }
        let line = refusal(program.args([option, &address]));
        assert!(line.contains(&address) && line.contains(&format!(" {option} ")), "{line}");
    }
}

#[test]
fn an_issuer_without_tls_is_not_for_other_machines() {
    let args = ["--listen", ANY, "--issuer-listen", "192.0.2.1:9000"];
    let line = refusal(program().args(args));
    assert!(line.contains("192.0.2.1:9000") && line.contains(" --issuer-listen "), "{line}");
}

#[test]
fn an_unknown_option_is_exit_code_2() {
    assert_eq!(program().arg("--tenant=tenant1").output().unwrap().status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn with_a_policy_it_serves_until_it_is_told_to_stop() {
    let folder = tempfile::TempDir::new().unwrap();
    let policy = policy_in(folder.path(), ANY, "");
    for signal in ["-TERM", "-INT"] {
        let mut process =
            Process(program().args(["--policy", &policy]).stdout(Stdio::piped()).spawn().unwrap());
        let line = first_line(&mut process);
        assert!(line.starts_with("journal-api listens on http://127.0.0.1:"), "{line}");

        let id = process.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(process.0.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn on_sighup_it_reads_the_policy_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let policy = policy_in(folder.path(), ANY, "");
    let text = std::fs::read_to_string(&policy).unwrap();
    let mut process = Process(
        program()
            .args(["--policy", &policy])
            .env("RUST_LOG", "tenantry=info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert!(first_line(&mut process).starts_with("journal-api listens on"));
    let mut log = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let mut hang_up = |text: &str| {
        std::fs::write(&policy, text).unwrap();
        let id = process.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        log.find_map(|line| line.ok().filter(|line| line.contains("the policy file"))).unwrap()
    };

    let line = hang_up(&text.replace("audience", "audiance"));
    assert!(line.contains("ERROR") && line.contains("stays in force"), "{line}");
    assert!(line.contains("policy.toml:4: resource_server.audiance"), "{line}");
    let line = hang_up(&text.replace("path =", "# path ="));
    assert!(line.contains("policy.toml:11: tenant.path"), "{line}");
    let line = hang_up(&text);
    assert!(line.contains("INFO") && line.contains("is in force"), "{line}");
}

#[test]
fn with_a_policy_it_listens_where_the_file_says_unless_the_command_line_does() {
    let folder = tempfile::TempDir::new().unwrap();
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let policy = policy_in(folder.path(), &address, "");

    let line = refusal(program().args(["--policy", &policy]));
    assert!(line.contains(&address), "{line}");

    let also_taken = TcpListener::bind(ANY_PORT).unwrap();
    let other = also_taken.local_addr().unwrap().to_string();
    let args = ["--policy", &policy, "--listen", &other];
    let line = refusal(program().args(args));
    assert!(line.contains(&other) && !line.contains(&address), "{line}");
}
