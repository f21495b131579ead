//! What the demonstration runs on: an issuer of its own, the policy that trusts it, and tokens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use tenantry::{IssuerSettings, ResourceServer};
use tenantry_testkit::{TestIssuer, TokenBuilder};

use crate::run::open_journal;
use crate::run_error::RunError;
use crate::serve::{self, Service};
use crate::store::Journal;

/// Where the service listens if it is not told where.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where the demonstration's issuer listens.
pub const ISSUER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

/// The tenants of the demonstration.
pub const TENANTS: [&str; 2] = ["tenant1", "tenant2"];

/// How long the tokens to try are good for, in seconds.
const TOKEN_LIFETIME: i64 = 60 * 60;

/// The service, its issuer, and the journal, with their ports but not serving yet.
#[derive(Debug)]
pub struct Demo {
    /// The service.
    pub service: Service,
    /// The issuer. It serves its keys until it is dropped.
    pub issuer: TestIssuer,
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
        let issuer = start_issuer(issuer).await?;
        let journal = open_journal(database).await?;
        let erp = resource_server(&issuer).await?;
        let service = Service::new(listener, &erp, journal.clone()).map_err(RunError::Serve)?;
        Ok(Self { service, issuer, journal })
    }

    /// Returns the base of URLs at which this machine reaches the service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.service.address()))
    }
}

/// Returns lines for a shell that call the service at `url` with fresh tokens of `issuer`.
#[must_use]
pub fn curl_lines(url: &str, issuer: &TestIssuer) -> String {
    let mut lines = String::new();
    for tenant in TENANTS {
        let token = token(issuer, tenant).sign();
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
    lines
}

/// Begins a token that may do everything in the journal of `tenant`.
pub fn token(issuer: &TestIssuer, tenant: &str) -> TokenBuilder {
    let scope = ["journal.read", "journal.create", "finance.write"]
        .map(|scope| format!("{tenant}.{scope}"));
    issuer.token().tenant(tenant).scope(scope.join(" ")).expires_in(TOKEN_LIFETIME)
}

async fn start_issuer(address: SocketAddr) -> Result<TestIssuer, RunError> {
    let issuer = TestIssuer::builder().listen(address).try_start().await;
    issuer.map_err(|source| RunError::Listen {
        what: "the demonstration's issuer",
        address,
        remedy: "choose another address with --issuer-listen ADDR",
        source,
    })
}

async fn resource_server(issuer: &TestIssuer) -> Result<ResourceServer, RunError> {
    let trusted = IssuerSettings::new(issuer.url())
        .jwks_uri(issuer.jwks_uri())
        .tenants(TENANTS)
        .allow_http(true);
    let erp = ResourceServer::builder()
        .realm("journal")
        .issuer(trusted)
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .tenant_path("/{tenant}/{*rest}")
        .tenant_header("x-tenant-id")
        .build()
        .await?;
    Ok(erp)
}

/// The address for clients on this machine: of a service that listens everywhere, loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
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
