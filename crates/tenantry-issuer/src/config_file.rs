//! The settings of an authorization server from a TOML file: `issuer.toml`.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config_error::ConfigError;
use crate::config_format::File;
use crate::issuer_name::IssuerName;
use crate::settings::Settings;
use crate::settings_builder::SettingsBuilder;

/// An `issuer.toml`, read.
///
/// ```
/// use tenantry_issuer::IssuerFile;
///
/// let wrong = r#"
/// issuer = "http://auth.erp.example"
/// audience = "https://api.erp.example/{tenant}"
/// "#;
/// let error = IssuerFile::parse(wrong, "issuer.toml").unwrap().settings().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "issuer.toml:2: issuer: plain http is for loopback only: use https",
/// );
/// ```
pub struct IssuerFile {
    builder: SettingsBuilder,
    listen: Option<SocketAddr>,
    metrics_listen: Option<SocketAddr>,
    database: Option<String>,
    key_encryption_key: Option<PathBuf>,
    name: String,
    text: String,
}

impl IssuerFile {
    /// Reads the file at `path`. Paths in it are relative to the directory that it is in.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`parse`](Self::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            ConfigError::new(format!("the issuer's file cannot be read: {error}")).at(&name)
        })?;
        Self::load(text, name, path.parent().unwrap_or(Path::new("")))
    }

    /// Parses the text of a file; `name` is what errors call it. Paths in it are relative to the
    /// working directory.
    ///
    /// # Errors
    ///
    /// With name and line, if it is not TOML, or has a key or a value that is not in the format.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::load(text.into(), name.into(), Path::new(""))
    }

    fn load(text: String, name: String, base: &Path) -> Result<Self, ConfigError> {
        let file: File = tenantry_toml::read(&text, &name)?;
        let builder = file.builder();
        let key_encryption_key = file.key_encryption_key_file.map(|file| base.join(file));
        let listen = file.listen.map(|address| address.0);
        let metrics_listen = file.metrics_listen.map(|address| address.0);
        let database = file.database.map(|url| beside(base, url));
        Ok(Self { builder, listen, metrics_listen, database, key_encryption_key, name, text })
    }

    /// The address to listen on, if the file has one.
    #[must_use]
    pub const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The address to serve `/metrics` on, if the file has one.
    #[must_use]
    pub const fn metrics_listen(&self) -> Option<SocketAddr> {
        self.metrics_listen
    }

    /// The URL of the database, if the file has one. A SQLite file is relative to the directory that
    /// the file was read from, so that every program that reads it uses the same.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Reads the key encryption key, and checks the settings.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, with name and line.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.build(self.with_key(self.builder.clone())?)
    }

    /// Checks the settings, for whoever has nothing to do with signing keys and may not be able to read
    /// the file that they are encrypted with.
    ///
    /// # Errors
    ///
    /// As [`settings`](Self::settings).
    pub fn settings_without_key(&self) -> Result<Settings, ConfigError> {
        self.build(self.builder.clone())
    }

    /// Checks the settings, with this issuer instead of the file's.
    ///
    /// # Errors
    ///
    /// As [`settings`](Self::settings).
    pub fn settings_for(&self, issuer: &IssuerName) -> Result<Settings, ConfigError> {
        self.build(self.with_key(self.builder.clone())?.issuer(issuer.as_str()))
    }

    /// The same without the key encryption key.
    ///
    /// # Errors
    ///
    /// As [`settings`](Self::settings).
    pub fn settings_for_without_key(&self, issuer: &IssuerName) -> Result<Settings, ConfigError> {
        self.build(self.builder.clone().issuer(issuer.as_str()))
    }

    /// Refuses to take the place of `before` in a program that runs, if it names other addresses or
    /// another database.
    ///
    /// # Errors
    ///
    /// With name and line, for the first that differs.
    pub fn succeed(&self, before: &Self) -> Result<(), ConfigError> {
        for (setting, same) in [
            ("listen", self.listen == before.listen),
            ("metrics_listen", self.metrics_listen == before.metrics_listen),
            ("database", self.database == before.database),
        ] {
            if !same {
                return Err(self.locate(ConfigError::needs_restart(setting)));
            }
        }
        Ok(())
    }

    /// Says on which line of this file the setting is that an error is about.
    #[must_use]
    pub fn locate(&self, error: ConfigError) -> ConfigError {
        error.located(&self.name, &self.text)
    }

    /// An error about `setting`, with the line of this file that it is on.
    #[must_use]
    pub fn fault(&self, setting: &str, problem: impl Into<String>) -> ConfigError {
        self.locate(ConfigError::about(setting, problem))
    }

    fn with_key(&self, builder: SettingsBuilder) -> Result<SettingsBuilder, ConfigError> {
        let Some(file) = &self.key_encryption_key else { return Ok(builder) };
        let refuse = |problem: String| self.fault("key_encryption_key_file", problem);
        let text = fs::read_to_string(file)
            .map_err(|error| refuse(format!("the file cannot be read: {error}")))?;
        let key = text.parse().map_err(|error| refuse(format!("what is in it is {error}")))?;
        Ok(builder.key_encryption_key(key))
    }

    fn build(&self, builder: SettingsBuilder) -> Result<Settings, ConfigError> {
        builder.build().map_err(|error| self.locate(error))
    }
}

/// Finds a SQLite file where the setting is, and not where a program happens to run.
fn beside(base: &Path, url: String) -> String {
    let file = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match file {
        Some(file) if base != Path::new("") && !file.starts_with([':', '/']) => {
            format!("sqlite://{}", base.join(file).display())
        }
        _ => url,
    }
}

impl fmt::Debug for IssuerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl File {
    /// What the file sets, apart from the key encryption key.
    fn builder(&self) -> SettingsBuilder {
        let mut settings = Settings::builder().openid_configuration(self.openid_configuration);
        for audience in self.audience.iter().flat_map(|list| &list.0) {
            settings = settings.audience(audience);
        }
        if let Some(issuer) = &self.issuer {
            settings = settings.issuer(issuer);
        }
        if let Some(scope) = &self.scope {
            settings = settings.scope(scope);
        }
        if let Some(name) = &self.tenant_header {
            settings = settings.tenant_header(name);
        }
        if let Some(names) = &self.tenant_claims {
            settings = settings.tenant_claims(&names.0);
        }
        if let Some(name) = &self.algorithm {
            settings = settings.algorithm(name);
        }
        for network in self.trusted_proxies.iter().flat_map(|list| &list.0) {
            settings = settings.trusted_proxy(network);
        }
        self.times(settings)
    }

    fn times(&self, mut settings: SettingsBuilder) -> SettingsBuilder {
        if let Some(lifetime) = self.access_token_lifetime {
            settings = settings.access_token_lifetime(lifetime.0);
        }
        if let Some(lifetime) = self.refresh_token_lifetime {
            settings = settings.refresh_token_lifetime(lifetime.0);
        }
        if let Some(lifetime) = self.refresh_idle_lifetime {
            settings = settings.refresh_idle_lifetime(lifetime.0);
        }
        if let Some(grace) = self.refresh_grace {
            settings = settings.refresh_grace(grace.0);
        }
        if let Some(period) = self.key_rotation {
            settings = settings.key_rotation(period.0);
        }
        if let Some(retention) = self.audit_retention {
            settings = settings.audit_retention(retention.0);
        }
        settings
    }
}
