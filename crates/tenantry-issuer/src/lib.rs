//! An OAuth 2.0 authorization server whose every token is good for exactly one tenant.
//!
//! Tenants and their clients are registered in a [`Store`]: a SQLite file, or a PostgreSQL database
//! that several replicas share. A client belongs to one tenant; the same client id under two tenants
//! names two clients.
//!
//! The program `tenantry` serves it. In a service of one's own it is a router beside others:
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use axum::{Router, routing::get};
//! use tenantry_core::Clock;
//! use tenantry_issuer::{
//!     IssuerServer, NewClient, Settings, Store, SystemClock, Tenant, TenantStatus,
//! };
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let settings = Settings::builder()
//!         .issuer("http://127.0.0.1:9000")
//!         .audience("https://api.erp.example/{tenant}")
//!         .build()?;
//!     let store = Store::open("sqlite://tenantry.db").await?;
//!     let server = IssuerServer::builder(store.clone(), settings.clone()).build().await?;
//!
//!     // Once; later there is such a tenant, and this is an error.
//!     let now = SystemClock::new().unix();
//!     let tenant = Tenant {
//!         id: "tenant1".parse()?,
//!         name: None,
//!         status: TenantStatus::Active,
//!         claims: Default::default(),
//!         created_at: now,
//!     };
//!     store.add_tenant(&tenant).await?;
//!     let client = NewClient::of(tenant.id).id("journal-sync".parse()?).scope("journal.read");
//!     let (client, secret) = client.check(&settings, now)?;
//!     store.add_client(&client).await?;
//!     println!("{}", secret.ok_or("a client with a secret")?.expose());
//!
//!     let app = Router::new()
//!         .route("/hello", get(|| async { "hello" }))
//!         .merge(server.router())
//!         .merge(server.health());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
//!     // With the address of who asks: failures are counted by it.
//!     axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
//!         .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
//!         .await?;
//!     // Writes the audit events that wait.
//!     server.close().await;
//!     Ok(())
//! }
//! ```
//!
//! [`IssuerFile`] reads the settings from a file. [`IssuerServer::serve`] bounds connections and their
//! time, too.

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
