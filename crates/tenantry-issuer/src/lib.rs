//! An OAuth 2.0 authorization server whose every token is good for exactly one tenant.
//!
//! Tenants and their clients are registered in a [`Store`]: a SQLite file, or a PostgreSQL database
//! that several replicas share. A client belongs to one tenant; the same client id under two tenants
//! names two clients.

mod access_token;
mod assertion;
mod audiences;
mod audit;
mod authentication;
mod body;
mod caller;
mod client_update;
mod config_error;
mod config_file;
mod config_format;
mod connections;
mod credentials;
mod cross_origin;
mod document;
mod endpoints;
mod form;
mod grant;
mod health;
mod introspect;
mod issuer_name;
mod key_encryption_key;
mod keys;
mod metadata;
mod new_client;
mod no_store;
mod oauth_endpoints;
mod oauth_error;
mod openapi;
mod own_tokens;
mod random;
mod rate_limit;
mod reason;
mod records;
mod refresh;
mod refresh_token;
mod registrations;
mod reserved;
mod revoke;
mod routes;
mod scopes;
mod secret;
mod serve;
mod server;
mod server_builder;
mod settings;
mod settings_builder;
mod store;
mod tenant_sources;
mod token_endpoint;
mod token_id;
mod trail;
mod trusted_proxies;
mod watch;

pub use access_token::{AccessToken, IssuedToken};
pub use audit::{Audit, AuditWriter};
pub use client_update::ClientUpdate;
pub use config_error::ConfigError;
pub use config_file::IssuerFile;
pub use document::{Document, no_document};
pub use endpoints::Endpoints;
pub use issuer_name::{InvalidIssuerName, IssuerName};
pub use key_encryption_key::{InvalidKeyEncryptionKey, KeyEncryptionKey};
pub use keys::{
    EncryptedKeys, KeyInfo, KeyRing, KeyRingError, KeyRingErrorKind, KeyState,
    LONGEST_TOKEN_LIFETIME, Schedule, SigningKeys,
};
pub use metadata::{oauth_metadata, openid_metadata};
pub use new_client::{InvalidClient, NewClient};
pub use oauth_endpoints::OAuthEndpoints;
pub use openapi::openapi;
pub use random::RandomError;
pub use records::{
    AuditEntry, AuditEvent, AuditFilter, AuditOutcome, Client, ClientAuth, ClientId, Family,
    FamilyId, Generation, Grants, InvalidClientId, KeyChange, KeyOwner, NewFamily, SealedKey,
    Served, StoredKey, Tenant, TenantStatus,
};
pub use refresh_token::{InvalidRefreshToken, PresentedToken, RefreshToken};
pub use reserved::{InvalidClaim, LONGEST_CLAIMS, check_claims, is_reserved_claim};
pub use secret::{Secret, SecretHash, TokenHash};
pub use server::IssuerServer;
pub use server_builder::IssuerServerBuilder;
pub use settings::Settings;
pub use settings_builder::SettingsBuilder;
pub use store::{RefreshAttempt, RefreshUse, Store, StoreError, StoreErrorKind};

pub use tenantry_jwks::SystemClock;
