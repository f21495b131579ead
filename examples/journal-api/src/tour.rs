//! The story: what a service sees when its tenants behave, and when their clients do not.
//!
//! | request | status | code |
//! |---|---|---|
//! | tenant1 books, with a token of its own | 201 | |
//! | tenant2 likewise | 201 | |
//! | scopes that name no tenant | 403 | `scope_missing` |
//! | scopes that name another tenant | 403 | `scope_missing` |
//! | tenant1's token on tenant2's path | 403 | `tenant_mismatch.path` |
//! | a header that names another tenant | 403 | `tenant_mismatch.header` |
//! | a token for another audience | 401 | `audience_mismatch` |
//! | a token that has expired | 401 | `token_expired` |
//! | an entry that does not balance | 422 | `entry_unbalanced` |
//! | the issuer has rotated its key | 201 | |
//! | a token of the key that was withdrawn | 401 | `key_unknown` |

use std::time::Duration;

use reqwest::{Client, redirect};
use serde_json::{Value, json};

use tenantry_testkit::TestIssuer;

use crate::demo::token;
use crate::table::Row;

/// The tenant header of the demonstration's policy, as people write it.
const TENANT_HEADER: &str = "X-Tenant-ID";

/// A request of the story.
struct Step {
    story: &'static str,
    tenant_of_path: &'static str,
    tenant_header: Option<&'static str>,
    token: String,
    entry: Value,
}

/// Plays the story against the service at `url`, over HTTP, with tokens of `issuer`.
///
/// # Errors
///
/// If a request gets no answer. What the answers say is in the rows, expected or not.
pub async fn play(url: &str, issuer: &TestIssuer) -> Result<Vec<Row>, reqwest::Error> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let mut rows = Vec::new();
    for step in steps(issuer).into_iter().chain(rotation(issuer)) {
        rows.push(take(&client, url, step).await?);
    }
    Ok(rows)
}

fn usual(story: &'static str, token: String) -> Step {
    Step { story, tenant_of_path: "tenant1", tenant_header: None, token, entry: rent("1200.00") }
}

/// Rotates the issuer's key when it is asked for the first step: the service learns of it by a token.
fn rotation(issuer: &TestIssuer) -> impl Iterator<Item = Step> {
    let old = token(issuer, "tenant1").sign();
    let first = std::iter::once_with(|| {
        issuer.rotate();
        usual(
            "the issuer has rotated its key: a token of the new one",
            token(issuer, "tenant1").sign(),
        )
    });
    first.chain([usual("a token of the key that was withdrawn", old)])
}

fn steps(issuer: &TestIssuer) -> Vec<Step> {
    let ours = || token(issuer, "tenant1");
    vec![
        usual("tenant1 books its rent", ours().sign()),
        Step {
            tenant_of_path: "tenant2",
            tenant_header: Some("tenant2"),
            ..usual("tenant2 books its rent", token(issuer, "tenant2").sign())
        },
        usual(
            "a client shared by all tenants: scopes that name none",
            ours().client_id("shared").scope("finance.write journal.create").sign(),
        ),
        usual(
            "tenant1's token with scopes of tenant2",
            ours().scope("tenant2.finance.write tenant2.journal.create").sign(),
        ),
        Step {
            tenant_of_path: "tenant2",
            ..usual("tenant1's token on the path of tenant2", ours().sign())
        },
        Step {
            tenant_header: Some("tenant2"),
            ..usual("a header that contradicts path and token", ours().sign())
        },
        usual(
            "a token for another audience",
            ours().audience("https://files.example/tenant1").sign(),
        ),
        usual("a token that has expired", ours().expires_in(-60 * 60).sign()),
        Step { entry: rent("1199.50"), ..usual("an entry that does not balance", ours().sign()) },
    ]
}

fn rent(credit: &str) -> Value {
    json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
        {"account": "6310", "debit": "1200.00", "currency": "EUR"},
        {"account": "1200", "credit": credit, "currency": "EUR"}]})
}

async fn take(client: &Client, url: &str, step: Step) -> Result<Row, reqwest::Error> {
    let path = format!("/{}/journal-entries", step.tenant_of_path);
    let mut shown = vec![format!("POST {path}")];
    let mut request = client.post(format!("{url}{path}")).bearer_auth(step.token).json(&step.entry);
    if let Some(tenant) = step.tenant_header {
        request = request.header(TENANT_HEADER, tenant);
        shown.push(format!("{TENANT_HEADER}: {tenant}"));
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    // A body that is not JSON would be a fault of ours: the row shows it as one without a reason.
    let body: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let why = match (text("detail"), text("id")) {
        (Some(detail), _) => detail.to_owned(),
        (None, Some(id)) => format!("booked as {id}"),
        (None, None) => String::new(),
    };
    Ok(Row { story: step.story, request: shown, status, code: text("code").map(Into::into), why })
}
