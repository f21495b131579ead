//! A rotation and an outage of an authorization server that nobody here wrote, while requests go
//! on.
//!
//! Starts `oidc-provider` and `journal-api` like `interop.rs`, and is skipped as that is: without
//! Node with a visible line, unless `TENANTRY_REQUIRE_INTEROP=1`. The programs are real, and so is
//! the time that the outage takes.
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod programs;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::RETRY_AFTER;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tenantry_jwks::KeySettings;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use programs::{Outcome, PATIENCE, missing, start_journal_api};

#[tokio::test]
async fn no_valid_request_is_refused_while_oidc_provider_hangs_or_rotates_its_keys() -> Outcome<()>
{
    let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    if let Some(missing) = missing(&interop).await {
        let line = format!("{missing}; it needs Node and `npm ci` in tests/interop");
        if std::env::var_os("TENANTRY_REQUIRE_INTEROP").is_some_and(|value| value == "1") {
            return Err(line.into());
        }
        // Not `eprintln!`: the test harness would swallow it.
        writeln!(std::io::stderr(), "SKIPPED: the rotation test: {line}")?;
        return Ok(());
    }
    let settings = KeySettings::default();
    let mut provider = Provider::start(&interop).await?;
    let folder = tempfile::tempdir()?;
    let (_journal, api) = start_journal_api(folder.path(), &provider.policy()).await?;
    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;

    // Valid requests of both tenants, all the time.
    let mut traffic = Vec::new();
    for client in provider.issuer.clients.clone() {
        let token = provider.token(&http, &client).await?;
        let generation = key_id(&token)?;
        assert!(generation.ends_with("-1"), "{generation}");
        traffic.push(Traffic::start(&http, &api, &client.tenant, token));
    }
    let first = provider.issuer.clients[0].clone();
    let token = provider.token(&http, &first).await?;

    // The outage: connections are taken, and nothing comes back.
    provider.signal("-STOP").await?;
    let stopped = Instant::now();
    // Somebody has the store look for a key that nobody has.
    let unknown = list(&http, &api, "tenant1", &with_key_id(&token, "unknown")?).await?;
    assert_eq!(unknown.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(unknown.headers().contains_key(RETRY_AFTER));
    let waited = stopped.elapsed();
    assert!(waited >= settings.fetch_time_limit() / 2, "it did not hang: {waited:?}");
    assert!(waited < settings.fetch_time_limit() * 2, "{waited:?}");
    // One that is looked for while the last fetch failed gets the same, and no 401.
    let unknown = list(&http, &api, "tenant1", &with_key_id(&token, "another")?).await?;
    assert_eq!(unknown.status(), StatusCode::SERVICE_UNAVAILABLE);
    let known = list(&http, &api, "tenant1", &token).await?;
    assert_eq!(known.status(), StatusCode::OK);
    provider.signal("-CONT").await?;

    // Two fetches can have failed meanwhile, so the next starts within the second pause. Valid
    // requests start it.
    sleep(settings.back_off().0 * 2 + Duration::from_millis(500)).await;

    // The rotation: the first request with the new key is accepted, the old one is good, too.
    provider.rotate(2).await?;
    let new = provider.token(&http, &first).await?;
    assert_eq!(key_id(&new)?, "es256-2");
    for token in [&new, &token, &new] {
        let listed = list(&http, &api, "tenant1", token).await?;
        assert_eq!(listed.status(), StatusCode::OK, "{:?}", listed.text().await);
    }
    // The other tenant's new key has come with it.
    let second = provider.issuer.clients[1].clone();
    let other = provider.token(&http, &second).await?;
    assert_eq!(key_id(&other)?, "rs256-2");
    let listed = list(&http, &api, "tenant2", &other).await?;
    assert_eq!(listed.status(), StatusCode::OK);

    for traffic in traffic {
        let Served { requests, slowest } = traffic.stop().await?;
        assert!(requests > 50, "{requests} requests are too few to have noticed anything");
        // Less than any fetch that hangs.
        assert!(slowest < settings.fetch_time_limit() / 2, "{slowest:?}");
    }
    Ok(())
}

/// Valid requests of one tenant, one after the other.
struct Traffic {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Outcome<Served>>,
}

struct Served {
    requests: usize,
    slowest: Duration,
}

impl Traffic {
    fn start(http: &Client, api: &str, tenant: &str, token: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (http, api, tenant) = (http.clone(), api.to_owned(), tenant.to_owned());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut requests, mut slowest) = (0, Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) {
                let started = Instant::now();
                let listed = list(&http, &api, &tenant, &token).await?;
                if listed.status() != StatusCode::OK {
                    return Err(format!("{tenant} got {} after {requests}", listed.status()).into());
                }
                requests += 1;
                slowest = slowest.max(started.elapsed());
                sleep(Duration::from_millis(20)).await;
            }
            Ok(Served { requests, slowest })
        });
        Self { stop, task }
    }

    async fn stop(self) -> Outcome<Served> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

async fn list(http: &Client, api: &str, tenant: &str, token: &str) -> Outcome<reqwest::Response> {
    let entries = format!("{api}/{tenant}/journal-entries");
    Ok(http.get(entries).bearer_auth(token).send().await?)
}

fn header(token: &str) -> Outcome<Value> {
    let header = token.split('.').next().ok_or("no header")?;
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header)?)?)
}

fn key_id(token: &str) -> Outcome<String> {
    Ok(header(token)?["kid"].as_str().ok_or("no kid")?.to_owned())
}

/// The same token, saying that another key signed it.
fn with_key_id(token: &str, kid: &str) -> Outcome<String> {
    let (_, rest) = token.split_once('.').ok_or("no header")?;
    let mut header = header(token)?;
    header["kid"] = json!(kid);
    Ok(format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string())))
}

/// The line that `oidc-provider.mjs` prints.
#[derive(Deserialize)]
struct Issuer {
    issuer: String,
    algorithms: Vec<String>,
    clients: [Registration; 2],
}

/// One client, registered for one tenant.
#[derive(Clone, Deserialize)]
struct Registration {
    tenant: String,
    client_id: String,
    client_secret: String,
    resource: String,
    scope: String,
}

struct Provider {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    issuer: Issuer,
}

impl Provider {
    async fn start(interop: &Path) -> Outcome<Self> {
        let mut node = Command::new("node");
        node.arg(interop.join("oidc-provider.mjs"));
        // It stops when its input closes: also when this process is killed and drops nothing.
        node.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = node.spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("the program ended")?;
        let issuer = serde_json::from_str(&line)?;
        Ok(Self { child, input, lines, issuer })
    }

    async fn rotate(&mut self, generation: u64) -> Outcome<()> {
        self.input.write_all(b"rotate\n").await?;
        let rotated = json!({ "rotated": generation }).to_string();
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await??;
            // It also says what it thinks of its settings.
            if line.ok_or("the program ended")? == rotated {
                return Ok(());
            }
        }
    }

    async fn signal(&self, signal: &str) -> Outcome<()> {
        let process = self.child.id().ok_or("the program ended")?.to_string();
        let sent = Command::new("kill").args([signal, &process]).status().await?;
        if sent.success() { Ok(()) } else { Err("the signal was not sent".into()) }
    }

    /// A token of `client` for its own tenant's resource.
    async fn token(&self, http: &Client, client: &Registration) -> Outcome<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", &client.resource),
            ("scope", &client.scope),
        ];
        let request = http
            .post(format!("{}/token", self.issuer.issuer))
            .basic_auth(&client.client_id, Some(&client.client_secret))
            .form(&form);
        let granted: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(granted["access_token"].as_str().ok_or("no token")?.to_owned())
    }

    /// The policy file; without `jwks_uri`, so that the keys are discovered.
    fn policy(&self) -> String {
        let Issuer { issuer, algorithms, clients } = &self.issuer;
        let tenants = clients.each_ref().map(|client| &client.tenant);
        // A list of plain strings is written alike in Rust and TOML.
        format!(
            r#"
[resource_server]
realm = "journal"
audience = "https://api.erp.example/{{tenant}}"
scope = "{{tenant}}.{{scope}}"

[[issuer]]
issuer = "{issuer}"
algorithms = {algorithms:?}
tenant_claim = "tenant_id"
tenants = {tenants:?}
allow_http = true

[tenant]
path = "/{{tenant}}/{{*rest}}"
"#
        )
    }
}
