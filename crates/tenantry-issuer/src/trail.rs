//! What an endpoint accounts for: one event for each request that it judged.

use std::net::IpAddr;
use std::time::Duration;

use crate::oauth_error::OAuthError;
use crate::records::{AuditEvent, AuditOutcome, ClientId};
use tenantry_core::TenantId;

/// What is known about a request so far.
///
/// A tenant and a client are in it only if they are registered: whoever sends made-up names does not
/// get to write them into the log.
#[derive(Debug)]
pub(crate) struct Trail {
    action: &'static str,
    address: Option<IpAddr>,
    authenticated: bool,
    tenant: Option<TenantId>,
    client: Option<ClientId>,
    grant: Option<&'static str>,
    scopes: Vec<String>,
}

impl Trail {
    pub(crate) const fn new(action: &'static str) -> Self {
        Self {
            action,
            address: None,
            authenticated: false,
            tenant: None,
            client: None,
            grant: None,
            scopes: Vec::new(),
        }
    }

    pub(crate) fn came_from(&mut self, address: Option<IpAddr>) {
        self.address = address;
    }

    /// The request is about a registered client, which has proven itself or not.
    pub(crate) fn is_about(&mut self, tenant: &TenantId, client: &ClientId, authenticated: bool) {
        self.tenant = Some(tenant.clone());
        self.client = Some(client.clone());
        self.authenticated = authenticated;
    }

    pub(crate) fn uses(&mut self, grant: &'static str) {
        self.grant = Some(grant);
    }

    pub(crate) fn granted(&mut self, scopes: &[&str]) {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    /// Ends the trail with `refusal`, or without one.
    pub(crate) fn event(&mut self, at: Duration, refusal: Option<&OAuthError>) -> AuditEvent {
        let actor = match (&self.client, self.address) {
            (Some(client), _) if self.authenticated => AuditEvent::by(client),
            (_, Some(address)) => format!("address {address}"),
            (_, None) => "unauthenticated".into(),
        };
        AuditEvent {
            at,
            actor,
            action: self.action.into(),
            tenant: self.tenant.take(),
            client: self.client.take(),
            grant: self.grant.map(Into::into),
            scopes: std::mem::take(&mut self.scopes),
            outcome: match refusal {
                None => AuditOutcome::Done,
                Some(refusal) if refusal.status().is_server_error() => AuditOutcome::Failed,
                Some(_) => AuditOutcome::Refused,
            },
            reason: refusal.map(|refusal| refusal.reason().into()),
        }
    }
}
