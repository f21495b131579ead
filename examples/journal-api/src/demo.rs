//! What the demonstration runs on: an issuer of its own, the policy that trusts it, and tokens.
//!
//! The policy trusts a second issuer, too: one from before, which hands out what ours refuses to, such
//! as scopes that name no tenant. It is the test kit's, and shows what the journal says to that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, redirect};

use tenantry::{IssuerSettings, KeyLocation, ResourceServer};
use tenantry_testkit::{TestIssuer, TokenBuilder};

use crate::authorization_server::AuthorizationServer;
use crate::run::open_journal;
use crate::run_error::RunError;
use crate::serve::{self, Service};
use crate::store::Journal;

/// Where the service listens if it is not told where.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where the demonstration's issuer listens.
pub const ISSUER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

/// The client that each tenant has for the journal.
pub const JOURNAL_SYNC: &str = "journal-sync";

/// The tenants of the demonstration.
pub const TENANTS: [&str; 2] = ["tenant1", "tenant2"];

/// The issuer from before.
const LEGACY: &str = "https://legacy.erp.example";

/// The service, its issuer, and the journal, with their ports but not serving yet.
#[derive(Debug)]
pub struct Demo {
    /// The service.
    pub service: Service,
    /// The issuer. It serves until it is stopped or dropped.
    pub issuer: AuthorizationServer,
    /// The issuer from before. It listens nowhere: the policy has its keys.
    pub legacy: TestIssuer,
    /// The journal.
    pub journal: Journal,
}

impl Demo {
    /// Takes the two ports and opens the journal; without a `database`, a temporary one.
    ///
    /// # Errors
    ///
    /// If a port or the database cannot be had.
    pub async fn start(
        listen: SocketAddr,
        issuer: SocketAddr,
        database: Option<&Path>,
    ) -> Result<Self, RunError> {
        let listener = serve::listen(listen).await?;
        let issuer = AuthorizationServer::start(issuer).await?;
        let legacy = TestIssuer::offline(LEGACY);
        let journal = open_journal(database).await?;
        let erp = resource_server(&issuer, &legacy).await?;
        // Swagger UI has no field for the tenant, so its tokens are those of the first.
        let token_url = issuer.token_url_of(TENANTS[0]);
        let service = Service::new(listener, &erp, journal.clone(), &token_url);
        Ok(Self { service: service.map_err(RunError::Serve)?, issuer, legacy, journal })
    }

    /// Returns the base of URLs at which this machine reaches the service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.service.address()))
    }
}

/// Returns a client that talks to nobody but the demonstration.
///
/// # Errors
///
/// If the system has no place for it.
pub fn http() -> Result<Client, reqwest::Error> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
}

/// Returns lines for a shell that get a token of `issuer`, and call the service at `url` with fresh
/// ones.
///
/// # Errors
///
/// If the issuer hands out no tokens.
pub async fn curl_lines(url: &str, issuer: &AuthorizationServer) -> Result<String, RunError> {
    let mut lines = String::new();
    let [first, _] = TENANTS;
    if let Some(client) = issuer.client(first, JOURNAL_SYNC) {
        lines.push_str(&format!(
            "curl -iw '\\n' -u '{id}:{secret}' -d grant_type=client_credentials \\\n  \
             --data-urlencode 'scope={first}.finance.write {first}.journal.create' \\\n  \
             --data-urlencode 'audience={audience}' {token_url}\n\n",
            id = client.id,
            secret = client.secret.expose(),
            audience = audience(first),
            token_url = issuer.token_url(),
        ));
    }
    let http = http().map_err(|error| RunError::Tour(error.into()))?;
    for tenant in TENANTS {
        let token = issuer.token(&http, tenant, JOURNAL_SYNC, &audience(tenant)).await;
        let token = token.map_err(RunError::Tour)?;
        lines.push_str(&format!("{}={token}\n", tenant.to_uppercase()));
    }
    for line in [
        "curl -iw '\\n' -H \"Authorization: Bearer $TENANT1\" URL/tenant1/whoami",
        "curl -iw '\\n' -H \"Authorization: Bearer $TENANT1\" URL/tenant1/journal-entries",
        "curl -iw '\\n' -H \"Authorization: Bearer $TENANT1\" URL/tenant2/journal-entries",
        "curl -iw '\\n' -H \"Authorization: Bearer $TENANT1\" URL/tenant1/trial-balance",
        "curl -iw '\\n' -H \"Authorization: Bearer $TENANT2\" -H 'Content-Type: application/json' \\\n  \
             -H 'Idempotency-Key: \"rent-2026-11\"' \\\n  \
             -d '{\"date\": \"2026-11-21\", \"memo\": \"Office rent\", \"lines\": [\n    \
             {\"account\": \"6310\", \"debit\": \"1200.00\", \"currency\": \"EUR\"},\n    \
             {\"account\": \"1200\", \"credit\": \"1200.00\", \"currency\": \"EUR\"}]}' \\\n  \
             URL/tenant2/journal-entries",
    ] {
        lines.push_str(&line.replace("URL", url));
        lines.push('\n');
    }
    Ok(lines)
}

/// The audience of the journal's tokens for `tenant`.
#[must_use]
pub fn audience(tenant: &str) -> String {
    format!("https://api.erp.example/{tenant}")
}

/// Begins a token of the issuer from before that may do everything in the journal of `tenant`.
pub fn token(issuer: &TestIssuer, tenant: &str) -> TokenBuilder {
    let scope = ["journal.read", "journal.create", "finance.write"]
        .map(|scope| format!("{tenant}.{scope}"));
    issuer.token().tenant(tenant).scope(scope.join(" "))
}

async fn resource_server(
    issuer: &AuthorizationServer,
    legacy: &TestIssuer,
) -> Result<ResourceServer, RunError> {
    let trusted = IssuerSettings::new(issuer.url()).jwks_uri(issuer.jwks_uri()).allow_http(true);
    let keys = KeyLocation::Jwks(legacy.jwks().to_string().into());
    let before = IssuerSettings::new(legacy.url()).keys(keys);
    let erp = ResourceServer::builder()
        .realm("journal")
        .issuer(trusted.tenants(TENANTS).shared_tenants(TENANTS))
        .issuer(before.tenants(TENANTS).shared_tenants(TENANTS))
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .tenant_path("/{tenant}/{*rest}")
        .tenant_header("x-tenant-id")
        .build()
        .await?;
    Ok(erp)
}

/// The address for clients on this machine: of a service that listens everywhere, loopback.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_reached_over_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }
}
