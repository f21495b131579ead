//! An OAuth 2.0 authorization server whose every token is good for exactly one tenant.
//!
//! Tenants and their clients are registered in a [`Store`]: a SQLite file, or a PostgreSQL database
//! that several replicas share. A client belongs to one tenant; the same client id under two tenants
//! names two clients.

mod access_token;
mod config_error;
mod config_file;
mod config_format;
mod document;
mod endpoints;
mod issuer_name;
mod key_encryption_key;
mod keys;
mod metadata;
mod random;
mod records;
mod refresh_token;
mod reserved;
mod secret;
mod settings;
mod settings_builder;
mod store;

pub use access_token::{AccessToken, IssuedToken};
pub use config_error::ConfigError;
pub use config_file::IssuerFile;
pub use document::{Document, no_document};
pub use endpoints::Endpoints;
pub use issuer_name::{InvalidIssuerName, IssuerName};
pub use key_encryption_key::{InvalidKeyEncryptionKey, KeyEncryptionKey};
pub use keys::{
    KeyInfo, KeyRing, KeyRingError, KeyRingErrorKind, KeyState, LONGEST_TOKEN_LIFETIME, Schedule,
    SigningKeys,
};
pub use metadata::{oauth_metadata, openid_metadata};
pub use random::RandomError;
pub use records::{
    AuditEntry, AuditEvent, AuditOutcome, Client, ClientAuth, ClientId, Family, FamilyId, Grants,
    InvalidClientId, KeyChange, KeyOwner, NewFamily, SealedKey, StoredKey, Tenant, TenantStatus,
};
pub use refresh_token::{InvalidRefreshToken, PresentedToken, RefreshToken};
pub use reserved::{InvalidClaim, LONGEST_CLAIMS, check_claims, is_reserved_claim};
pub use secret::{Secret, SecretHash, TokenHash};
pub use settings::Settings;
pub use settings_builder::SettingsBuilder;
pub use store::{RefreshAttempt, RefreshUse, Store, StoreError, StoreErrorKind};
