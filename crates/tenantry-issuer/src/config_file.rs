//! The settings of an authorization server from a TOML file: `issuer.toml`.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

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
    /// With name and line, if it is not TOML, has a key or a value that is not in the format, or
    /// names a file that cannot be read.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::load(text.into(), name.into(), Path::new(""))
    }

    fn load(text: String, name: String, base: &Path) -> Result<Self, ConfigError> {
        let file: File = tenantry_toml::read(&text, &name)?;
        let builder = file.builder(base).map_err(|error| error.located(&name, &text))?;
        let listen = file.listen.map(|address| address.0);
        let metrics_listen = file.metrics_listen.map(|address| address.0);
        let database = file.database.map(|url| beside(base, url));
        Ok(Self { builder, listen, metrics_listen, database, name, text })
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

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, with name and line.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.build(self.builder.clone())
    }

    /// Checks the settings, with this issuer instead of the file's.
    ///
    /// # Errors
    ///
    /// As [`settings`](Self::settings).
    pub fn settings_for(&self, issuer: &IssuerName) -> Result<Settings, ConfigError> {
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
    /// What the file sets; `base` is what paths in it are relative to.
    fn builder(&self, base: &Path) -> Result<SettingsBuilder, ConfigError> {
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
        if let Some(file) = &self.key_encryption_key_file {
            let refuse = |problem| ConfigError::about("key_encryption_key_file", problem);
            let text = fs::read_to_string(base.join(file))
                .map_err(|error| refuse(format!("the file cannot be read: {error}")))?;
            let key = text.parse().map_err(|error| refuse(format!("what is in it is {error}")))?;
            settings = settings.key_encryption_key(key);
        }
        for network in self.trusted_proxies.iter().flat_map(|list| &list.0) {
            settings = settings.trusted_proxy(network);
        }
        Ok(self.times(settings))
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
