//! The decision, the policy and what is read of a request, seen from outside.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod admitted;
mod decision;
mod facts;
mod observer;
mod policy;
mod properties;
mod rejection;
mod resource;
mod revocations;
mod scope;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use tenantry_core::{
    Agreed, ClientId, Issuer, Policy, PolicyBuilder, Reason, Recording, Rejection, RequestFacts,
    Scope, Standing, Subject, TenantAwareRequest, TenantClaim, TokenFacts, Unobserved,
    VerifiedToken, agree,
};

const ISSUER: &str = "https://auth.erp.example";

/// The ERP: one issuer for all tenants, an audience per tenant, qualified scopes.
fn erp() -> PolicyBuilder {
    Policy::builder().issuer(ISSUER).audience("https://api.erp.example/{tenant}").realm("journal")
}

/// The ERP, whose requests name the tenant in every place.
fn erp_everywhere() -> PolicyBuilder {
    erp()
        .tenant_path("/{tenant}/{*rest}")
        .tenant_header("x-tenant-id")
        .tenant_host("{tenant}.api.erp.example")
}

/// What a token of the ERP's issuer for `tenant` says.
fn token_of(tenant: &str) -> TokenFacts {
    TokenFacts {
        issuer: Issuer::new(ISSUER),
        subject: Some(Subject::new("journal-sync")),
        client_id: Some(ClientId::new("journal-sync")),
        audience: vec![format!("https://api.erp.example/{tenant}").into()],
        tenant_claims: vec![claim("tenant_id", tenant)],
        scope: Scope::default(),
        expires_at: Duration::from_secs(1_800_000_000),
        issued_at: Some(Duration::from_secs(1_799_999_400)),
        jwt_id: Some("j1".into()),
        claims: format!(r#"{{"sub":"journal-sync","tenant_id":"{tenant}","region":"eu"}}"#)
            .into_bytes()
            .into(),
    }
}

fn claim(name: &str, value: &str) -> TenantClaim {
    TenantClaim { name: name.into(), value: value.into() }
}

fn scoped(tenant: &str, scope: &str) -> TokenFacts {
    TokenFacts { scope: Scope::parse(scope).unwrap(), ..token_of(tenant) }
}

/// A request line's target, and its fields.
struct Sent {
    uri: Uri,
    headers: HeaderMap,
}

fn sent(target: &str) -> Sent {
    Sent { uri: target.parse().unwrap(), headers: HeaderMap::new() }
}

impl Sent {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        self
    }

    fn read(&self, policy: &Policy) -> Result<RequestFacts<'_>, Rejection> {
        RequestFacts::read(policy, &self.uri, &self.headers)
    }
}

/// A request to the ERP that names `tenant` in every place.
fn sent_everywhere(tenant: &str) -> Sent {
    sent(&format!("/{tenant}/journal-entries"))
        .with("x-tenant-id", tenant)
        .with("host", &format!("{tenant}.api.erp.example"))
}

/// Takes a request as far as [`agree`].
fn agreed(policy: &Policy, sent: &Sent, facts: TokenFacts) -> Result<Agreed, Rejection> {
    let token = VerifiedToken::assert_verified(policy, facts);
    agree(policy, &sent.read(policy)?, token, &mut Unobserved)
}

/// Takes a request of an active tenant through the decision, all but its scopes.
fn decided(
    policy: &Policy,
    sent: &Sent,
    facts: TokenFacts,
) -> Result<TenantAwareRequest, Rejection> {
    agreed(policy, sent, facts)?.admit(Standing::Active, &mut Unobserved)
}

/// The same under watch: what was decided, and the table.
fn watched(
    policy: &Policy,
    sent: &Sent,
    facts: TokenFacts,
    standing: Standing,
) -> (Result<TenantAwareRequest, Rejection>, Recording) {
    let mut table = Recording::default();
    let token = VerifiedToken::assert_verified(policy, facts);
    let verdict = sent
        .read(policy)
        .and_then(|request| agree(policy, &request, token, &mut table))
        .and_then(|agreed| agreed.admit(standing, &mut table));
    (verdict, table)
}

/// Checks reason, status and the whole challenge. `error` is as the RFC has it for the status.
#[track_caller]
fn assert_refused<T>(verdict: Result<T, Rejection>, status: u16, error: &str, reason: Reason) {
    let Err(rejection) = verdict else {
        panic!("admitted instead of {reason}");
    };
    assert_eq!(rejection.reason(), reason);
    assert_eq!(rejection.status(), StatusCode::from_u16(status).unwrap());
    assert_eq!(
        rejection.challenge().map(|challenge| challenge.to_string()),
        Some(format!(
            r#"Bearer realm="journal", error="{error}", error_description="{}""#,
            reason.summary()
        ))
    );
    // 401: nothing was proven, so nobody is named; else the proven tenant is.
    if status == 401 {
        assert_eq!(rejection.tenant(), None);
    }
}
