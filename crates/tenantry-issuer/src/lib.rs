//! An OAuth 2.0 authorization server whose every token is good for exactly one tenant.
//!
//! Tenants and their clients are registered in a [`Store`]: a SQLite file, or a PostgreSQL database
//! that several replicas share. A client belongs to one tenant; the same client id under two tenants
//! names two clients.

mod assertion;
mod audiences;
mod authentication;
mod caller;
mod config_error;
mod config_file;
mod config_format;
mod credentials;
mod oauth_endpoints;
mod form;
mod grant;
mod introspect;
mod issuer_name;
mod key_encryption_key;
mod no_store;
mod oauth_error;
mod own_tokens;
mod random;
mod rate_limit;
mod records;
mod refresh;
mod refresh_token;
mod registrations;
mod revoke;
mod scopes;
mod secret;
mod settings;
mod settings_builder;
mod store;
mod tenant_sources;
mod token_endpoint;
mod trail;

pub use config_error::ConfigError;
pub use config_file::IssuerFile;
pub use oauth_endpoints::OAuthEndpoints;
pub use own_tokens::OwnTokens;
pub use issuer_name::{InvalidIssuerName, IssuerName};
pub use key_encryption_key::{InvalidKeyEncryptionKey, KeyEncryptionKey};
pub use random::RandomError;
pub use records::{
    AuditEntry, AuditEvent, AuditOutcome, Client, ClientAuth, ClientId, Family, FamilyId, Grants,
    InvalidClientId, KeyChange, KeyOwner, NewFamily, SealedKey, StoredKey, Tenant, TenantStatus,
};
pub use refresh_token::{InvalidRefreshToken, PresentedToken, RefreshToken};
pub use secret::{Secret, SecretHash, TokenHash};
pub use settings::Settings;
pub use settings_builder::SettingsBuilder;
pub use store::{RefreshAttempt, RefreshUse, Store, StoreError, StoreErrorKind};
