//! A tenant that tokens are issued for.

use std::time::Duration;

use serde_json::{Map, Value};

use tenantry_core::TenantId;

/// A registered tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Its id, compared as bytes. No two ids of a store differ only in case.
    pub id: TenantId,
    /// A name for people.
    pub name: Option<String>,
    /// Whether tokens are issued for it.
    pub status: TenantStatus,
    /// Claims of every token of this tenant, beside those of the client.
    pub claims: Map<String, Value>,
    /// When it was registered, since the Unix epoch; kept to the millisecond.
    pub created_at: Duration,
}

/// Whether tokens are issued for a tenant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TenantStatus {
    /// They are.
    Active,
    /// They are not, whoever asks.
    Suspended,
}

impl TenantStatus {
    /// The word for it: `active` or `suspended`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}
