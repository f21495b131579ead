//! Whose tokens are revoked.

use std::fmt;

use crate::issuer::{ClientId, Issuer, Subject};
use crate::revoked::Name;
use crate::tenant::TenantId;

/// Whose tokens are refused.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// Those that one issuer gave to one client of one tenant.
    Client {
        /// `iss`
        issuer: &'a Issuer,
        /// The tenant that the tokens name.
        tenant: &'a TenantId,
        /// `client_id`, or what the issuer calls it.
        client_id: &'a ClientId,
    },
    /// Those of one issuer about one subject in one tenant, whatever the client.
    Subject {
        /// `iss`
        issuer: &'a Issuer,
        /// The tenant that the tokens name.
        tenant: &'a TenantId,
        /// `sub`
        subject: &'a Subject,
    },
    /// Those of one tenant, whatever the issuer.
    Tenant(&'a TenantId),
}

impl<'a> Whose<'a> {
    pub(crate) fn name(self) -> Name<&'a str> {
        match self {
            Self::Client { issuer, tenant, client_id } => Name::Client {
                issuer: issuer.as_str(),
                tenant: tenant.as_str(),
                client_id: client_id.as_str(),
            },
            Self::Subject { issuer, tenant, subject } => Name::Subject {
                issuer: issuer.as_str(),
                tenant: tenant.as_str(),
                subject: subject.as_str(),
            },
            Self::Tenant(tenant) => Name::Tenant { tenant: tenant.as_str() },
        }
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client { .. } => "Client { .. }",
            Self::Subject { .. } => "Subject { .. }",
            Self::Tenant(_) => "Tenant(..)",
        })
    }
}
