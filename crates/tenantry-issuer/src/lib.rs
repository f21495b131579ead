//! An OAuth 2.0 authorization server whose every token is good for exactly one tenant.
//!
//! Tenants and their clients are registered in a [`Store`]: a SQLite file, or a PostgreSQL database
//! that several replicas share. A client belongs to one tenant; the same client id under two tenants
//! names two clients.

mod random;
mod records;
mod refresh_token;
mod secret;
mod store;

pub use random::RandomError;
pub use records::{
    AuditEntry, AuditEvent, AuditOutcome, Client, ClientAuth, ClientId, Family, FamilyId, Grants,
    InvalidClientId, KeyChange, KeyOwner, NewFamily, SealedKey, StoredKey, Tenant, TenantStatus,
};
pub use refresh_token::{InvalidRefreshToken, PresentedToken, RefreshToken};
pub use secret::{Secret, SecretHash, TokenHash};
pub use store::{RefreshAttempt, RefreshUse, Store, StoreError, StoreErrorKind};
