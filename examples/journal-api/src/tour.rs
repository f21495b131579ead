//! The story: what a service and its issuer see when tenants behave, and when their clients do not.
//!
//! | request | status | code |
//! |---|---|---|
//! | a token for no tenant, with credentials that tenants share | 400 | `invalid_request` |
//! | the same, fixed: tenant1's own client names its tenant | 200 | |
//! | tenant1's client asks for scopes of tenant2 | 400 | `invalid_scope` |
//! | tenant1 books, with the token of the fixed request | 201 | |
//! | tenant2 likewise | 201 | |
//! | scopes that name no tenant | 403 | `scope_missing` |
//! | scopes that name another tenant | 403 | `scope_missing` |
//! | tenant1's token on tenant2's path | 403 | `tenant_mismatch.path` |
//! | a header that names another tenant | 403 | `tenant_mismatch.header` |
//! | a token for another audience | 401 | `audience_mismatch` |
//! | a token that has expired | 401 | `token_expired` |
//! | an entry that does not balance | 422 | `entry_unbalanced` |
//! | the issuer has replaced its keys | 201 | |
//! | a token of a key that was withdrawn | 401 | `key_unknown` |
//!
//! Tokens come from the issuer's token endpoint, apart from three that it never hands out: without a
//! tenant in the scopes, with another tenant's, and expired. These are of the issuer from before.

use std::error::Error;

use reqwest::Client;
use serde_json::{Value, json};

use tenantry_testkit::TestIssuer;

use crate::authorization_server::AuthorizationServer;
use crate::demo::{self, JOURNAL_SYNC, audience};
use crate::table::Row;

/// The tenant header of the demonstration's policy, as people write it.
const TENANT_HEADER: &str = "X-Tenant-ID";

type AnyError = Box<dyn Error + Send + Sync>;

/// A request to the journal.
struct Step {
    story: &'static str,
    tenant_of_path: &'static str,
    tenant_header: Option<&'static str>,
    token: String,
    entry: Value,
}

/// Plays the story against the service at `url`, over HTTP, with tokens of `issuer`, and of `legacy`
/// where they have to be wrong.
///
/// # Errors
///
/// If a request gets no answer, or the issuer no other keys. What the answers say is in the rows,
/// expected or not.
pub async fn play(
    url: &str,
    issuer: &AuthorizationServer,
    legacy: &TestIssuer,
) -> Result<Vec<Row>, AnyError> {
    let mut tour = Tour { http: demo::http()?, url, issuer, rows: Vec::new() };
    let ours = tour.ask_for_tokens().await?;
    tour.book(usual("tenant1 books its rent", &ours)).await?;
    let theirs = tour.token("tenant2").await?;
    let header = Some("tenant2");
    let rent = usual("tenant2 books its rent", &theirs);
    tour.book(Step { tenant_of_path: "tenant2", tenant_header: header, ..rent }).await?;
    tour.cross_tenants(&ours, legacy).await?;
    let files = issuer.token(&tour.http, "tenant1", "files-sync", "https://files.example/tenant1");
    tour.book(usual("a token for another audience", &files.await?)).await?;
    let expired = demo::token(legacy, "tenant1").expires_in(-60 * 60).sign();
    tour.book(usual("a token that has expired", &expired)).await?;
    let unbalanced = usual("an entry that does not balance", &ours);
    tour.book(Step { entry: rent_of("1199.50"), ..unbalanced }).await?;
    tour.replace_keys(&ours).await?;
    Ok(tour.rows)
}

struct Tour<'a> {
    http: Client,
    url: &'a str,
    issuer: &'a AuthorizationServer,
    rows: Vec<Row>,
}

impl Tour<'_> {
    /// At the token endpoint. Returns the token of the request that is right.
    async fn ask_for_tokens(&mut self) -> Result<String, AnyError> {
        self.ask(
            "credentials that tenants share, and nothing that names a tenant",
            "shared",
            &[("scope", "finance.write journal.create")],
        )
        .await?;
        let audience = audience("tenant1");
        let fixed = self
            .ask(
                "the same, fixed: a client of tenant1 that says so",
                JOURNAL_SYNC,
                &[
                    ("scope", "tenant1.finance.write tenant1.journal.create"),
                    ("audience", &audience),
                ],
            )
            .await?;
        self.ask(
            "tenant1's client asks for scopes of tenant2",
            JOURNAL_SYNC,
            &[("scope", "tenant2.finance.write tenant2.journal.create"), ("audience", &audience)],
        )
        .await?;
        Ok(fixed)
    }

    async fn cross_tenants(&mut self, ours: &str, legacy: &TestIssuer) -> Result<(), AnyError> {
        let wrong = |scope| demo::token(legacy, "tenant1").scope(scope).sign();
        let plain = wrong("finance.write journal.create");
        self.book(usual("a token from before: scopes that name no tenant", &plain)).await?;
        let foreign = wrong("tenant2.finance.write tenant2.journal.create");
        self.book(usual("tenant1's token with scopes of tenant2", &foreign)).await?;
        let step = usual("tenant1's token on the path of tenant2", ours);
        self.book(Step { tenant_of_path: "tenant2", ..step }).await?;
        let step = usual("a header that contradicts path and token", ours);
        self.book(Step { tenant_header: Some("tenant2"), ..step }).await
    }

    /// The service learns of the keys by a token.
    async fn replace_keys(&mut self, old: &str) -> Result<(), AnyError> {
        self.issuer.replace_keys().await?;
        let new = self.token("tenant1").await?;
        self.book(usual("the issuer has replaced its keys: a token of the new one", &new)).await?;
        self.book(usual("a token of a key that was withdrawn", old)).await
    }

    async fn token(&self, tenant: &str) -> Result<String, AnyError> {
        self.issuer.token(&self.http, tenant, JOURNAL_SYNC, &audience(tenant)).await
    }

    /// Asks for a token as a client of tenant1. Returns it, or nothing, which no service accepts.
    async fn ask(
        &mut self,
        story: &'static str,
        client: &str,
        form: &[(&str, &str)],
    ) -> Result<String, AnyError> {
        let client = self.issuer.client("tenant1", client).ok_or("no such client")?;
        let (status, body) = self.issuer.ask(&self.http, client, form).await?;
        let mut request = vec!["POST /oauth/token".to_owned()];
        request.extend(form.iter().map(|(name, value)| format!("{name}={value}")));
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let why = match (text("error_description"), text("scope")) {
            (Some(description), _) => description.to_owned(),
            (None, Some(scope)) => format!("a token for {scope}"),
            (None, None) => String::new(),
        };
        let code = text("error").map(Into::into);
        self.rows.push(Row { story, request, status, code, why });
        Ok(text("access_token").unwrap_or_default().to_owned())
    }

    async fn book(&mut self, step: Step) -> Result<(), AnyError> {
        let path = format!("/{}/journal-entries", step.tenant_of_path);
        let mut shown = vec![format!("POST {path}")];
        let request = self.http.post(format!("{}{path}", self.url));
        let mut request = request.bearer_auth(step.token).json(&step.entry);
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
        let code = text("code").map(Into::into);
        self.rows.push(Row { story: step.story, request: shown, status, code, why });
        Ok(())
    }
}

fn usual(story: &'static str, token: &str) -> Step {
    let entry = rent_of("1200.00");
    Step { story, tenant_of_path: "tenant1", tenant_header: None, token: token.into(), entry }
}

fn rent_of(credit: &str) -> Value {
    json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
        {"account": "6310", "debit": "1200.00", "currency": "EUR"},
        {"account": "1200", "credit": credit, "currency": "EUR"}]})
}
