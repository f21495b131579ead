//! A policy from a TOML file.
//!
//! Every part of the format is read, and what is wrong is reported with file, line and setting. A part
//! that this version cannot act on is an error, not a part that is passed over.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenantry_core::{PolicyError, TrustIssuers};

use crate::builder::{ResourceServerBuilder, check_directory};
use crate::error::ConfigError;
use crate::policy_format::File;
use crate::server::{ResourceServer, Shared};

/// A policy file, read and checked.
///
/// ```
/// use tenantry::PolicyFile;
///
/// let wrong = r#"
/// [resource_server]
/// audience = "https://api.erp.example/{tenant}"
///
/// [[issuer]]
/// issuer = "http://auth.erp.example"
/// "#;
/// let error = PolicyFile::parse(wrong, "policy.toml").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "policy.toml:6: issuer[0].issuer: plain http is for loopback only: use https",
/// );
/// ```
pub struct PolicyFile {
    builder: ResourceServerBuilder,
    listen: Option<SocketAddr>,
    name: String,
    text: String,
    /// What it was read from, and what was changed since.
    path: Option<PathBuf>,
    changes: Vec<Change>,
}

/// Changes the settings that a file makes.
type Change = Arc<dyn Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync>;

/// Where a policy can be read from again.
pub(crate) struct PolicyOrigin {
    path: PathBuf,
    changes: Vec<Change>,
}

impl PolicyFile {
    /// Reads the file at `path`. Paths in it are relative to the directory that it is in.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`parse`](Self::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            ConfigError::new(format!("the policy file cannot be read: {error}")).at(&name)
        })?;
        let file = Self::load(text, name, path.parent().unwrap_or(Path::new("")))?;
        Ok(Self { path: Some(path.into()), ..file })
    }

    /// Parses the text of a policy file; `name` is what errors call it. Paths in it are relative to
    /// the working directory.
    ///
    /// # Errors
    ///
    /// With name and line, if it is not TOML, has a key or a value that is not in the format, has a
    /// part that is not built yet, or if the policy cannot be used.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::load(text.into(), name.into(), Path::new(""))
    }

    fn load(text: String, name: String, base: &Path) -> Result<Self, ConfigError> {
        let file: File = tenantry_toml::read(&text, &name)?;
        let builder =
            check(&file, base).map_err(|error| ConfigError::from(error).located(&name, &text))?;
        let listen = file.listen.map(|address| address.0);
        Ok(Self { builder, listen, name, text, path: None, changes: Vec::new() })
    }

    /// Returns the address to listen on, if the file has one.
    #[must_use]
    pub const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Changes the settings before the server is built: a transport, a clock, a
    /// [source of tenants](ResourceServerBuilder::tenant_source). The change is made again whenever
    /// the file is [read again](ResourceServer::reload).
    #[must_use]
    pub fn configure(
        mut self,
        change: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.builder = change(self.builder);
        self.changes.push(Arc::new(change));
        self
    }

    /// Makes the server. See [`ResourceServerBuilder::build`].
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, such as a `jwks_file` that is not there, with name
    /// and line.
    pub async fn build(self) -> Result<ResourceServer, ConfigError> {
        let Self { builder, name, text, path, changes, .. } = self;
        let server = builder.build().await.map_err(|error| error.located(&name, &text))?;
        Ok(server.with_origin(path.map(|path| PolicyOrigin { path, changes })))
    }

    /// Puts this file's settings in force in a server.
    pub(crate) fn put_in_force(&self, server: &Shared) -> Result<(), ConfigError> {
        let done = server.put_in_force(&self.builder, true);
        done.map_err(|error| error.located(&self.name, &self.text))
    }
}

impl PolicyOrigin {
    pub(crate) fn read_again(&self) -> Result<PolicyFile, ConfigError> {
        let mut file = PolicyFile::read(&self.path)?;
        for change in &self.changes {
            file.builder = change(file.builder);
        }
        Ok(file)
    }
}

impl fmt::Debug for PolicyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ResourceServer {
    /// Makes a server from the policy file at `path`.
    ///
    /// # Errors
    ///
    /// As [`PolicyFile::read`] and [`PolicyFile::build`].
    pub async fn from_policy_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        PolicyFile::read(path)?.build().await
    }
}

/// Checks the whole file, also what only a later start would use.
fn check(file: &File, base: &Path) -> Result<ResourceServerBuilder, PolicyError> {
    let builder = file.policy(base)?;
    let policy = builder.clone().build()?;
    let directory = file.directory(&policy)?;
    if !directory.expected {
        check_directory(&policy, &TrustIssuers)?;
    }
    file.refuse_unbuilt()?;
    let mut server = ResourceServerBuilder::default().policy(|_| builder);
    server.directory = directory;
    Ok(server)
}
