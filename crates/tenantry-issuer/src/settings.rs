//! What an authorization server hands out, and for how long.

use std::time::Duration;

use http::HeaderName;
use tenantry_core::{Algorithm, Match, ScopePattern, TenantId, TenantPattern};

use crate::issuer_name::IssuerName;
use crate::key_encryption_key::KeyEncryptionKey;
use crate::settings_builder::SettingsBuilder;
use crate::trusted_proxies::TrustedProxies;

/// The settings of an authorization server, checked.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_issuer::Settings;
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// assert_eq!(settings.access_token_lifetime(), Duration::from_secs(600));
/// assert_eq!(
///     settings.audiences_of(&"tenant1".parse().unwrap()).collect::<Vec<_>>(),
///     ["https://api.erp.example/tenant1"],
/// );
/// # Ok::<_, tenantry_issuer::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) issuer: IssuerName,
    pub(crate) audience: Box<[TenantPattern]>,
    pub(crate) scope: ScopePattern,
    pub(crate) tenant_header: HeaderName,
    pub(crate) tenant_claims: Box<[Box<str>]>,
    pub(crate) algorithm: Algorithm,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) refresh_token_lifetime: Duration,
    pub(crate) refresh_idle_lifetime: Duration,
    pub(crate) refresh_grace: Duration,
    pub(crate) key_rotation: Duration,
    pub(crate) key_encryption_key: Option<KeyEncryptionKey>,
    pub(crate) openid_configuration: bool,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) audit_retention: Duration,
}

impl Settings {
    /// Starts with the defaults, which lack an issuer and an audience.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// What the tokens say in `iss`.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerName {
        &self.issuer
    }

    /// Whom tokens can be for; at least one, and no text matches two.
    #[must_use]
    pub const fn audience(&self) -> &[TenantPattern] {
        &self.audience
    }

    /// The audiences of one tenant, in the order of the settings.
    pub fn audiences_of(&self, tenant: &TenantId) -> impl Iterator<Item = String> {
        self.audience.iter().map(|pattern| pattern.render(tenant))
    }

    /// Takes an audience for what it says about its tenant; `None` if it is nobody's here.
    #[must_use]
    pub fn match_audience<'a>(&self, audience: &'a str) -> Option<Match<'a>> {
        self.audience.iter().find_map(|pattern| pattern.matches(audience))
    }

    /// How the scopes of a tenant are written.
    #[must_use]
    pub const fn scope(&self) -> &ScopePattern {
        &self.scope
    }

    /// The header that may name the tenant.
    #[must_use]
    pub const fn tenant_header(&self) -> &HeaderName {
        &self.tenant_header
    }

    /// The claims that the tenant is written into; at least one.
    #[must_use]
    pub const fn tenant_claims(&self) -> &[Box<str>] {
        &self.tenant_claims
    }

    /// What new keys sign with: `ES256`, `EdDSA` or `RS256`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How long an access token is good for.
    #[must_use]
    pub const fn access_token_lifetime(&self) -> Duration {
        self.access_token_lifetime
    }

    /// How long a grant can be renewed, counted from its start.
    #[must_use]
    pub const fn refresh_token_lifetime(&self) -> Duration {
        self.refresh_token_lifetime
    }

    /// How long a refresh token is good for when it is not used.
    #[must_use]
    pub const fn refresh_idle_lifetime(&self) -> Duration {
        self.refresh_idle_lifetime
    }

    /// How long the refresh token before the current one is still accepted, for a lost answer.
    #[must_use]
    pub const fn refresh_grace(&self) -> Duration {
        self.refresh_grace
    }

    /// How long a key signs.
    #[must_use]
    pub const fn key_rotation(&self) -> Duration {
        self.key_rotation
    }

    /// What signing keys are encrypted with in the database.
    #[must_use]
    pub const fn key_encryption_key(&self) -> Option<&KeyEncryptionKey> {
        self.key_encryption_key.as_ref()
    }

    /// Encrypts signing keys with a key from elsewhere, such as the environment.
    #[must_use]
    pub fn with_key_encryption_key(mut self, key: KeyEncryptionKey) -> Self {
        self.key_encryption_key = Some(key);
        self
    }

    /// Whether the metadata is served as an OpenID configuration, too.
    #[must_use]
    pub const fn openid_configuration(&self) -> bool {
        self.openid_configuration
    }

    /// The networks of the proxies that are believed in `X-Forwarded-For`, such as `10.0.0.0/8`.
    pub fn trusted_proxies(&self) -> impl Iterator<Item = String> {
        self.trusted_proxies.networks().iter().map(ToString::to_string)
    }

    /// How long audit events stay in the database.
    #[must_use]
    pub const fn audit_retention(&self) -> Duration {
        self.audit_retention
    }
}
