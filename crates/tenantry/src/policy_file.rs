//! A policy from a TOML file.
//!
//! Every part of the format is read, and what is wrong is reported with file, line and setting. A part
//! that this version cannot act on is an error, not a part that is passed over.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use tenantry_core::{
    Directory, Policy, PolicyError, Standing, StaticDirectory, TenantId, TrustIssuers,
};

use crate::error::ConfigError;
use crate::policy_format::File;
use crate::server::{ResourceServer, ResourceServerBuilder};

/// A policy file, read and checked.
pub struct PolicyFile {
    builder: ResourceServerBuilder,
    listen: Option<SocketAddr>,
    name: String,
}

impl PolicyFile {
    /// Reads the file at `path`.
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
        Self::load(text, name, path.parent().unwrap_or(Path::new("")))
    }

    /// Parses the text of a policy file; `name` is what errors call it. Paths in it are relative to
    /// the working directory.
    ///
    /// # Errors
    ///
    /// If it is not TOML, has a key or a value that is not in the format, or if the policy cannot be
    /// used: with name and line.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::load(text.into(), name.into(), Path::new(""))
    }

    fn load(text: String, name: String, base: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, &span));
            // One line, whatever the parser has to say.
            let problem = error.message().lines().collect::<Vec<_>>().join(" ");
            ConfigError::new(problem).at(format!("{name}:{line}"))
        })?;
        let builder = check(&file, base).map_err(|error| locate(&error, &name, &text))?;
        Ok(Self {
            builder,
            listen: file.listen,
            name,
        })
    }

    /// The address to listen on, if the file has one.
    #[must_use]
    pub const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Changes the settings before the server is built: a transport, a clock.
    #[must_use]
    pub fn configure(
        mut self,
        change: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Makes the server. See [`ResourceServerBuilder::build`].
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, with name and line.
    pub async fn build(self) -> Result<ResourceServer, ConfigError> {
        self.builder
            .build()
            .await
            .map_err(|error| error.at(self.name))
    }
}

impl fmt::Debug for PolicyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFile")
            .field("name", &self.name)
            .finish_non_exhaustive()
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
    let directory = directory(file, &policy)?;
    file.check_routes()?;
    file.refuse_unbuilt()?;
    Ok(ResourceServerBuilder::default()
        .policy(|_| builder)
        .directory(directory))
}

fn directory(file: &File, policy: &Policy) -> Result<Arc<dyn Directory>, PolicyError> {
    let Some(directory) = &file.directory else {
        if let Some(at) = policy
            .issuers()
            .iter()
            .position(|issuer| issuer.pattern().has_tenant())
        {
            return Err(PolicyError::new(
                format!("issuer[{at}].issuer"),
                "an issuer pattern needs a [directory] that knows its tenants",
            ));
        }
        return Ok(Arc::new(TrustIssuers));
    };
    let mut tenants: Vec<(TenantId, Standing)> = Vec::new();
    for (at, tenant) in directory.tenant.iter().enumerate() {
        let id = tenant.id.parse().map_err(|error| {
            PolicyError::new(
                format!("directory.tenant[{at}].id"),
                format!("`{}` is {error}", tenant.id),
            )
        })?;
        tenants.push((id, tenant.status.into()));
    }
    policy.check_tenants(tenants.iter().map(|(id, _)| id))?;
    Ok(Arc::new(StaticDirectory::new(tenants)))
}

/// Says on which line of the file the setting is that an error is about.
fn locate(error: &PolicyError, name: &str, text: &str) -> ConfigError {
    let place = match span_of(text, error.setting()) {
        Some(span) => format!("{name}:{}", line_of(text, &span)),
        None => name.into(),
    };
    ConfigError::new(error.to_string()).at(place)
}

/// The line that a place in the text is on, from 1.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes()
        .take(span.start)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// Finds `issuer[1].tenants` in the text, or the nearest part around it that is there.
fn span_of(text: &str, setting: &str) -> Option<Range<usize>> {
    use toml::de::{DeTable, DeValue};

    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = document.get_ref();
    for part in setting.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key, value)) = table.get_key_value(name) else {
            break;
        };
        found = Some(key.span());
        let item = match (value.get_ref(), index) {
            (DeValue::Array(items), Some(index)) => items.get(index),
            _ => Some(value),
        };
        let Some(item) = item else { break };
        if index.is_some() {
            found = Some(item.span());
        }
        let DeValue::Table(inner) = item.get_ref() else {
            break;
        };
        table = inner;
    }
    found
}
