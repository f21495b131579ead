//! Tokens of an authorization server that nobody here wrote.
//!
//! Starts the npm package `oidc-provider` from the folder `interop`, whose README says how it is
//! set, and the `journal-api` binary with a policy that trusts it. Where there is no Node it is
//! skipped with a visible line, unless `TENANTRY_REQUIRE_INTEROP=1`.

mod programs;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use http::StatusCode;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use programs::{Outcome, PATIENCE, missing, start, start_journal_api};

#[tokio::test]
async fn oidc_provider_tokens_are_accepted_for_their_tenant_and_refused_for_the_other()
-> Outcome<()> {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    if let Some(missing) = missing(&interop).await {
        let line = format!("{missing}; it needs Node and `npm ci` in tests/interop");
        if std::env::var_os("TENANTRY_REQUIRE_INTEROP").is_some_and(|value| value == "1") {
            return Err(line.into());
        }
        // Not `eprintln!`: the test harness would swallow it.
        writeln!(std::io::stderr(), "SKIPPED: the oidc-provider test: {line}")?;
        return Ok(());
    }

    let (_provider, issuer) = start_provider(&interop).await?;
    let [client1, client2] = &issuer.clients;
    let folder = tempfile::tempdir()?;
    let (_journal, api) = start_journal_api(folder.path(), &policy(&issuer)).await?;

    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let token1 = issuer.access_token(&http, client1).await?;
    let token2 = issuer.access_token(&http, client2).await?;
    let entries1 = format!("{api}/tenant1/journal-entries");
    let entries2 = format!("{api}/tenant2/journal-entries");

    // Each token is accepted for its own tenant.
    for (entries, token, memo) in
        [(&entries1, &token1, "Rent of tenant1"), (&entries2, &token2, "Rent of tenant2")]
    {
        let created = http.post(entries).bearer_auth(token).json(&entry(memo)).send().await?;
        assert_eq!(created.status(), StatusCode::CREATED, "{memo}");
    }

    // A good token of the same issuer is refused on the other tenant's path.
    for (entries, token) in [(&entries2, &token1), (&entries1, &token2)] {
        let memo = "Booked across tenants";
        let refused = http.post(entries).bearer_auth(token).json(&entry(memo)).send().await?;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{entries}");
        assert_eq!(header(&refused, &WWW_AUTHENTICATE), [FOREIGN_TENANT]);
        assert_eq!(header(&refused, &CONTENT_TYPE), ["application/problem+json"]);
        let problem: Value = refused.json().await?;
        assert_eq!(problem["code"], "tenant_mismatch.path");
        assert_eq!(problem["status"], 403);
    }

    // The refused bookings were not made, and nobody sees the other tenant's.
    for (entries, token, memo) in
        [(&entries1, &token1, "Rent of tenant1"), (&entries2, &token2, "Rent of tenant2")]
    {
        let listed = http.get(entries).bearer_auth(token).send().await?;
        assert_eq!(listed.status(), StatusCode::OK, "{memo}");
        assert_eq!(memos(&listed.json().await?), [memo]);
    }

    // The issuer keeps the tenants apart as well: RFC 8707 section 2.
    let refused = issuer.ask_for_token(&http, client1, &client2.resource).await?;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused.json::<Value>().await?["error"], "invalid_target");

    Ok(())
}

/// RFC 6750 section 3: what a client is told whose token is good, but of another tenant.
const FOREIGN_TENANT: &str = "Bearer realm=\"journal\", error=\"insufficient_scope\", \
    error_description=\"the path names another tenant than the access token\"";

/// The line that `oidc-provider.mjs` prints.
#[derive(Deserialize)]
struct Issuer {
    issuer: String,
    algorithms: Vec<String>,
    clients: [Registration; 2],
}

/// One client, registered for one tenant.
#[derive(Deserialize)]
struct Registration {
    tenant: String,
    client_id: String,
    client_secret: String,
    resource: String,
    scope: String,
}

/// RFC 6749 section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
}

impl Issuer {
    async fn ask_for_token(
        &self,
        http: &Client,
        client: &Registration,
        resource: &str,
    ) -> Outcome<Response> {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource),
            ("scope", &client.scope),
        ];
        let request = http
            .post(format!("{}/token", self.issuer))
            .basic_auth(&client.client_id, Some(&client.client_secret))
            .form(&form);
        Ok(request.send().await?)
    }

    /// A token of `client` for its own tenant's resource.
    async fn access_token(&self, http: &Client, client: &Registration) -> Outcome<String> {
        let granted = self.ask_for_token(http, client, &client.resource).await?;
        assert_eq!(granted.status(), StatusCode::OK, "{}", client.tenant);
        let granted: Granted = granted.json().await?;
        assert_eq!(granted.token_type, "Bearer");
        Ok(granted.access_token)
    }
}

/// The policy file; without `jwks_uri`, so that the keys are discovered.
fn policy(issuer: &Issuer) -> String {
    let Issuer { issuer, algorithms, clients } = issuer;
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
header = "x-tenant-id"
"#
    )
}

fn entry(memo: &str) -> Value {
    json!({"date": "2026-11-21", "memo": memo, "lines": [
        {"account": "6310", "debit": "1200.00", "currency": "EUR"},
        {"account": "1200", "credit": "1200.00", "currency": "EUR"},
    ]})
}

/// The memos of a list of entries, bare or as a member.
fn memos(list: &Value) -> Vec<&str> {
    let entries = list.get("entries").unwrap_or(list).as_array();
    entries.into_iter().flatten().filter_map(|entry| entry.get("memo")?.as_str()).collect()
}

/// Every value of a field, since a challenge that is sent twice is not the exact challenge.
fn header<'a>(response: &'a Response, name: &http::HeaderName) -> Vec<&'a str> {
    response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

async fn start_provider(interop: &Path) -> Outcome<(Child, Issuer)> {
    let mut node = Command::new("node");
    // It stops when its input closes: also when this process is killed and drops nothing.
    node.arg(interop.join("oidc-provider.mjs")).stdin(Stdio::piped());
    start(node, |line| serde_json::from_str(line).ok()).await
}
