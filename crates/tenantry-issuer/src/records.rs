//! What the store keeps, as values without behaviour.

mod audit_event;
mod client;
mod client_id;
mod family;
mod generation;
mod served;
mod stored_key;
mod tenant;

pub use audit_event::{AuditEntry, AuditEvent, AuditFilter, AuditOutcome};
pub use client::{Client, ClientAuth, Grants};
pub use client_id::{ClientId, InvalidClientId};
pub use family::{Family, FamilyId, NewFamily};
pub use generation::Generation;
pub use served::Served;
pub use stored_key::{KeyChange, KeyOwner, SealedKey, StoredKey};
pub use tenant::{Tenant, TenantStatus};
