//! `tenantry token`, of an issuer that runs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::place::{Place, Serving};

const SECRET: &str = "TENANTRY_CLIENT_SECRET";

/// A place with an issuer, a tenant and a client of it.
struct Running {
    place: Place,
    serving: Serving,
    secret: String,
}

impl Running {
    fn new(client: &str) -> Self {
        let place = Place::new();
        let serving = place.serve(&["--listen", "127.0.0.1:0"]);
        place.run("tenant add tenant1").done();
        let line =
            format!("client add --tenant tenant1 --id js --scope journal.read {client} --json");
        let added = place.run(line.replace("  ", " ").trim()).json();
        let secret = added["client_secret"].as_str().unwrap().to_owned();
        Self { place, serving, secret }
    }

    fn token(&self, more: &str) -> crate::place::Ran {
        let issuer = &self.serving.issuer;
        let line = format!("token --tenant tenant1 --client-id js --issuer {issuer} {more}");
        self.place.run_with(line.trim(), &[(SECRET, &self.secret)])
    }
}

#[test]
fn a_token_and_what_is_in_it() {
    let running = Running::new("");
    let json = running.token("--json").json();
    let issuer = running.serving.issuer.as_str();
    for (member, expected) in [
        ("iss", issuer),
        ("sub", "js"),
        ("client_id", "js"),
        ("tenant_id", "tenant1"),
        ("scope", "tenant1.journal.read"),
        ("aud", &format!("{issuer}/tenant1")),
    ] {
        assert_eq!(json["claims"][member], expected, "{member}");
    }
    assert_eq!(json["header"]["typ"], "at+jwt");
    assert_eq!(json["response"]["token_type"], "Bearer");

    let text = running.token("");
    let text = text.done();
    let token = text.lines().next().unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(text.contains("\ntenant_id  tenant1\n"), "{text}");
}

#[test]
fn neither_the_secret_nor_a_token_is_in_the_database_or_the_log() {
    let running = Running::new("--grant client_credentials,refresh_token");
    let json = running.token("--json").json();
    let kept = [
        running.secret.as_str(),
        json["response"]["access_token"].as_str().unwrap(),
        json["response"]["refresh_token"].as_str().unwrap(),
    ];
    let Running { place, serving, .. } = &running;
    for secret in kept {
        assert!(secret.len() > 40 && !place.holds(secret), "{}", serving.log());
    }
    assert!(serving.log().contains("action=\"token.issue\""), "{}", serving.log());
}

#[test]
fn a_refusal_is_told_in_the_issuers_words_with_exit_code_1() {
    let running = Running::new("");
    let ran = running.token("--scope tenant2.journal.read");
    let line = ran.refused(1);
    let url = format!("{}/tenant1/oauth/token", running.serving.issuer);
    assert!(line.starts_with(&format!("{url} refused, 400 invalid_scope: ")), "{line}");
    assert!(line.contains("tenant1") && line.contains("tenant2"), "{line}");

    let issuer = &running.serving.issuer;
    let wrong = format!("token --tenant tenant1 --client-id js --issuer {issuer}");
    let ran = running.place.run_with(&wrong, &[(SECRET, "wrong")]);
    assert!(ran.refused(1).starts_with(&format!("{url} refused, 401 invalid_client: ")), "{ran:?}");
}

#[test]
fn who_may_have_several_audiences_is_told_how_to_name_one() {
    let place = Place::new();
    place.write(
        "issuer.toml",
        "issuer = \"http://127.0.0.1:9000\"\nlisten = \"127.0.0.1:0\"\n\
         audience = [\"https://a.example/{tenant}\", \"https://b.example/{tenant}\"]",
    );
    let serving = place.serve(&[]);
    place.run("tenant add tenant1").done();
    let added = place.run("client add --tenant tenant1 --id js --scope a --json").json();
    let secret = [(SECRET, added["client_secret"].as_str().unwrap())];
    let line = format!("token --tenant tenant1 --client-id js --at http://{}", serving.address);
    let refused = place.run_with(&line, &secret);
    let said = refused.refused(1);
    assert!(said.contains(" refused, 400 invalid_target: "), "{said}");
    assert!(said.ends_with("; --audience URL names one"), "{said}");
    let wrong = place.run_with(&format!("{line} --audience https://c.example/"), &secret);
    assert!(!wrong.refused(1).contains("--audience URL names one"), "{wrong:?}");
    place.run_with(&format!("{line} --audience https://a.example/tenant1"), &secret).done();
}

/// Whoever answers may not be the issuer that was meant.
#[test]
fn an_answer_does_not_command_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The form comes last.
        let mut request = Vec::new();
        while !String::from_utf8_lossy(&request).contains("grant_type=") {
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).unwrap();
            request.extend_from_slice(&bytes[..length]);
        }
        let body = "{\"access_token\":\"e30.eyJhXHUwMDFiXVgiOiJcdTIwMmUifQ.\\u001b]0;x\\u0007\"}";
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let place = Place::new();
    let line = format!("token --tenant tenant1 --client-id js --issuer {issuer}");
    let ran = place.run_with(&line, &[(SECRET, "hush")]);
    answering.join().unwrap();
    let token = "e30.eyJhXHUwMDFiXVgiOiJcdTIwMmUifQ.\\u{1b}]0;x\\u{7}";
    assert_eq!(ran.done(), format!("{token}\n\na\\u{{1b}}]X  \\u{{202e}}\n"));
}

#[test]
fn the_secret_comes_from_a_file_or_from_standard_input() {
    let running = Running::new("--auth post");
    let issuer = &running.serving.issuer;
    running.place.write("secret", &format!("{}\n", running.secret));
    let line = format!(
        "token --tenant tenant1 --client-id js --auth post --json --issuer {issuer} --secret-file"
    );
    running.place.run(&format!("{line} secret")).json();

    let mut command = running.place.command();
    command.args(line.split(' ')).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(running.secret.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["claims"]["tenant_id"], "tenant1");
}

#[test]
fn without_a_secret_or_an_issuer_there_is_no_token() {
    let place = Place::new();
    let line = "token --tenant tenant1 --client-id js --issuer http://127.0.0.1:1";
    assert_eq!(
        place.run(line).refused(2),
        "put the client's secret into TENANTRY_CLIENT_SECRET, or into a file that --secret-file names",
    );
    let ran = place.run_with(line, &[(SECRET, "hunter2")]);
    let line = ran.refused(1);
    assert!(line.starts_with("http://127.0.0.1:1/tenant1/oauth/token does not answer: "), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
}

/// Not typed: what the page says is what is run.
#[test]
fn the_first_token_as_the_readme_has_it() {
    const README: &str = include_str!("../../../../README.md");
    let section = README.split("### The first token").nth(1).unwrap_or_default();
    let script = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let commands: Vec<_> = script.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(commands.len() < 5, "{commands:?}");

    let place = Place::new();
    let serving = place.serve(&["--listen", "127.0.0.1:0"]);
    let mut secret = String::new();
    let mut tokens = 0;
    for command in commands {
        let (variable, line) = command.split_at(command.find("tenantry ").unwrap());
        let line = line.strip_prefix("tenantry ").unwrap();
        match line.split(' ').next().unwrap() {
            // It runs already, on a port that nobody else has.
            "serve" => assert_eq!(line, "serve issuer &"),
            "token" => {
                assert_eq!(variable, format!("{SECRET}=… "));
                let line = format!("{line} --issuer {}", serving.issuer);
                let ran = place.run_with(&line, &[(SECRET, &secret)]);
                assert!(ran.done().contains("tenant_id  tenant1"));
                tokens += 1;
            }
            _ => {
                let ran = place.run(line);
                let last = ran.done().split_whitespace().next_back();
                secret = last.unwrap_or_default().to_owned();
            }
        }
    }
    assert_eq!(tokens, 1);
}
