//! From what an operator wrote to settings that can be used.

use std::time::Duration;

use http::HeaderName;
use tenantry_core::{
    Algorithm, IssuerSettings, KeyLocation, Policy, ScopePattern, TenantPattern, UnknownAlgorithm,
};

use crate::config_error::ConfigError;
use crate::issuer_name::{InvalidIssuerName, IssuerName};
use crate::key_encryption_key::KeyEncryptionKey;
use crate::settings::Settings;
use crate::trusted_proxies::TrustedProxies;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const CENTURY: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Gathers [`Settings`]. Each setting is the one of that name in `issuer.toml`.
#[must_use = "settings do nothing until they are built"]
#[derive(Clone, Debug)]
pub struct SettingsBuilder {
    issuer: Option<String>,
    audience: Vec<String>,
    scope: String,
    tenant_header: String,
    tenant_claims: Vec<String>,
    algorithm: String,
    access_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    refresh_idle_lifetime: Option<Duration>,
    refresh_grace: Duration,
    key_rotation: Duration,
    key_encryption_key: Option<KeyEncryptionKey>,
    openid_configuration: bool,
    trusted_proxies: Vec<String>,
    audit_retention: Duration,
}

impl Default for SettingsBuilder {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: Vec::new(),
            scope: "{tenant}.{scope}".into(),
            tenant_header: "x-tenant-id".into(),
            tenant_claims: vec!["tenant_id".into()],
            algorithm: "ES256".into(),
            access_token_lifetime: 10 * MINUTE,
            refresh_token_lifetime: 30 * DAY,
            refresh_idle_lifetime: None,
            refresh_grace: MINUTE,
            key_rotation: 30 * DAY,
            key_encryption_key: None,
            openid_configuration: false,
            trusted_proxies: Vec::new(),
            audit_retention: 90 * DAY,
        }
    }
}

impl SettingsBuilder {
    /// What the tokens say in `iss`: a URL, which may end with `/{tenant}`. It has to be set.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds whom tokens can be for. At least one has to be set.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// How the scopes of a tenant are written. Default `{tenant}.{scope}`.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// The header that may name the tenant. Default `x-tenant-id`.
    pub fn tenant_header(mut self, name: impl Into<String>) -> Self {
        self.tenant_header = name.into();
        self
    }

    /// The claims that the tenant is written into. Default `tenant_id`.
    pub fn tenant_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.tenant_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// What new keys sign with: `ES256`, `EdDSA` or `RS256`. Default `ES256`.
    pub fn algorithm(mut self, name: impl Into<String>) -> Self {
        self.algorithm = name.into();
        self
    }

    /// How long an access token is good for, 10 s to 24 h. Default 10 min.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.access_token_lifetime = lifetime;
        self
    }

    /// How long a grant can be renewed, up to 366 days. Default 30 days.
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.refresh_token_lifetime = lifetime;
        self
    }

    /// How long an unused refresh token is good for. Default 7 days, or the whole lifetime if that is
    /// shorter.
    pub fn refresh_idle_lifetime(mut self, lifetime: Duration) -> Self {
        self.refresh_idle_lifetime = Some(lifetime);
        self
    }

    /// How long the refresh token before the current one is accepted, up to 5 min. Default 1 min.
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.refresh_grace = grace;
        self
    }

    /// How long a key signs, 1 h to 366 days. Default 30 days.
    pub fn key_rotation(mut self, period: Duration) -> Self {
        self.key_rotation = period;
        self
    }

    /// Encrypts signing keys in the database. Default: they are not encrypted.
    pub fn key_encryption_key(mut self, key: KeyEncryptionKey) -> Self {
        self.key_encryption_key = Some(key);
        self
    }

    /// Serves the metadata as an OpenID configuration, too. Default false.
    pub fn openid_configuration(mut self, on: bool) -> Self {
        self.openid_configuration = on;
        self
    }

    /// Adds a network of proxies, such as `10.0.0.0/8`, or the address of one. They are believed in what
    /// they say about the sender, in `X-Forwarded-For`. Default none.
    ///
    /// # Security
    ///
    /// Whoever is in such a network can send from any address, as far as the limits on failed attempts and
    /// the audit trail see.
    pub fn trusted_proxy(mut self, network: impl Into<String>) -> Self {
        self.trusted_proxies.push(network.into());
        self
    }

    /// How long audit events stay in the database, 1 day to 36500 days. Default 90 days.
    pub fn audit_retention(mut self, retention: Duration) -> Self {
        self.audit_retention = retention;
        self
    }

    /// Checks everything and makes the settings.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, or with which no resource server could accept the
    /// tokens.
    pub fn build(self) -> Result<Settings, ConfigError> {
        let issuer = self.parse_issuer()?;
        let algorithm = self.parse_algorithm()?;
        self.check_as_resource_servers_do(&issuer, algorithm)?;
        let refresh_idle_lifetime = self.check_lifetimes()?;
        Ok(Settings {
            audience: self.parse_audience()?,
            scope: self.parse_scope()?,
            tenant_header: self.parse_header()?,
            tenant_claims: self.parse_tenant_claims()?,
            trusted_proxies: self.parse_trusted_proxies()?,
            audit_retention: self.audit_retention,
            issuer,
            algorithm,
            access_token_lifetime: self.access_token_lifetime,
            refresh_token_lifetime: self.refresh_token_lifetime,
            refresh_idle_lifetime,
            refresh_grace: self.refresh_grace,
            key_rotation: self.key_rotation,
            key_encryption_key: self.key_encryption_key,
            openid_configuration: self.openid_configuration,
        })
    }

    fn parse_issuer(&self) -> Result<IssuerName, ConfigError> {
        let Some(issuer) = &self.issuer else {
            return Err(ConfigError::about(
                "issuer",
                "it is missing: write the URL that this server is reached at",
            ));
        };
        issuer
            .parse()
            .map_err(|error: InvalidIssuerName| ConfigError::about("issuer", error.to_string()))
    }

    fn parse_algorithm(&self) -> Result<Algorithm, ConfigError> {
        let known = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];
        let algorithm = self.algorithm.parse().map_err(|_: UnknownAlgorithm| ());
        algorithm.ok().filter(|algorithm| known.contains(algorithm)).ok_or_else(|| {
            let problem =
                format!("`{}` is none of \"ES256\", \"EdDSA\" and \"RS256\"", self.algorithm);
            ConfigError::about("algorithm", problem)
        })
    }

    /// Holds the settings to the rules that a resource server has for what it accepts.
    fn check_as_resource_servers_do(
        &self,
        issuer: &IssuerName,
        algorithm: Algorithm,
    ) -> Result<(), ConfigError> {
        let mut policy = Policy::builder()
            .scope(self.scope.as_str())
            .tenant_header(self.tenant_header.as_str())
            .issuer(
                IssuerSettings::new(issuer.as_str())
                    .keys(KeyLocation::Jwks("".into()))
                    .algorithms([algorithm])
                    .tenant_claims(&self.tenant_claims)
                    .shared_keys(true),
            );
        for audience in &self.audience {
            policy = policy.audience(audience);
        }
        policy.build()?;
        Ok(())
    }

    fn parse_audience(&self) -> Result<Box<[TenantPattern]>, ConfigError> {
        let mut parsed: Vec<TenantPattern> = Vec::new();
        for text in &self.audience {
            let pattern: TenantPattern =
                text.parse().map_err(|error: tenantry_core::InvalidPattern| {
                    ConfigError::about("audience", error.to_string())
                })?;
            // INVARIANT (isolation): an audience says one thing about its tenant.
            if let Some(other) = parsed.iter().find(|other| other.may_overlap(&pattern)) {
                return Err(ConfigError::about(
                    "audience",
                    format!("one audience could match both `{}` and `{text}`", other.as_str()),
                ));
            }
            parsed.push(pattern);
        }
        Ok(parsed.into())
    }

    fn parse_scope(&self) -> Result<ScopePattern, ConfigError> {
        self.scope.parse().map_err(|error: tenantry_core::InvalidPattern| {
            ConfigError::about("scope", error.to_string())
        })
    }

    fn parse_header(&self) -> Result<HeaderName, ConfigError> {
        self.tenant_header
            .parse()
            .map_err(|_| ConfigError::about("tenant_header", "this is not a header's name"))
    }

    fn parse_trusted_proxies(&self) -> Result<TrustedProxies, ConfigError> {
        TrustedProxies::parse(&self.trusted_proxies)
            .map_err(|problem| ConfigError::about("trusted_proxies", problem))
    }

    fn parse_tenant_claims(&self) -> Result<Box<[Box<str>]>, ConfigError> {
        let refuse = |problem: String| Err(ConfigError::about("tenant_claims", problem));
        if self.tenant_claims.is_empty() {
            return refuse("a token has to say whom it is for: list at least one claim".into());
        }
        let taken = ["act", "appid", "auth_time", "acr", "amr", "azp", "may_act", "roles", "scp"];
        for (at, name) in self.tenant_claims.iter().enumerate() {
            if taken.contains(&name.as_str()) {
                return refuse(format!("`{name}` means something else already"));
            }
            if name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return refuse("a claim's name is up to 64 printable ASCII characters".into());
            }
            if self.tenant_claims.iter().take(at).any(|other| other == name) {
                return refuse(format!("`{name}` is there twice"));
            }
        }
        Ok(self.tenant_claims.iter().map(|name| name.as_str().into()).collect())
    }

    /// Checks all times, and returns the idle lifetime that is in force.
    fn check_lifetimes(&self) -> Result<Duration, ConfigError> {
        let refuse = |setting, problem| Err(ConfigError::about(setting, problem));
        if !(Duration::from_secs(10)..=DAY).contains(&self.access_token_lifetime) {
            return refuse("access_token_lifetime", "from \"10s\" to \"24h\"");
        }
        let (access, refresh) = (self.access_token_lifetime, self.refresh_token_lifetime);
        if refresh < access || refresh > YEAR {
            return refuse(
                "refresh_token_lifetime",
                "from access_token_lifetime to \"366d\": it is for what comes after the access token",
            );
        }
        let idle = self.refresh_idle_lifetime.unwrap_or((7 * DAY).clamp(access, refresh));
        if idle < access || idle > refresh {
            return refuse(
                "refresh_idle_lifetime",
                "from access_token_lifetime to refresh_token_lifetime",
            );
        }
        if self.refresh_grace > 5 * MINUTE || self.refresh_grace > idle {
            return refuse(
                "refresh_grace",
                "at most \"5m\", and at most refresh_idle_lifetime: a stolen token works as long",
            );
        }
        if !(HOUR..=YEAR).contains(&self.key_rotation) || self.key_rotation < 2 * access {
            return refuse(
                "key_rotation",
                "from \"1h\" to \"366d\", and at least twice access_token_lifetime",
            );
        }
        if !(DAY..=CENTURY).contains(&self.audit_retention) {
            return refuse("audit_retention", "from \"1d\" to \"36500d\", which is for ever");
        }
        Ok(idle)
    }
}
