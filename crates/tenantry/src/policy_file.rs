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
use toml::de::DeTable;

use crate::builder::{ResourceServerBuilder, check_directory};
use crate::error::ConfigError;
use crate::policy_format::File;
use crate::policy_place::{line_at, line_of, setting_at};
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
        let file: File = toml::from_str(&text).map_err(|error| explain(&error, &name, &text))?;
        let builder = check(&file, base).map_err(|error| locate(error.into(), &name, &text))?;
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
        let server = builder.build().await.map_err(|error| locate(error, &name, &text))?;
        Ok(server.with_origin(path.map(|path| PolicyOrigin { path, changes })))
    }

    /// Puts this file's settings in force in a server.
    pub(crate) fn put_in_force(&self, server: &Shared) -> Result<(), ConfigError> {
        let done = server.put_in_force(&self.builder, true);
        done.map_err(|error| locate(error, &self.name, &self.text))
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

/// Says on which line of the file the setting is that an error is about.
fn locate(error: ConfigError, name: &str, text: &str) -> ConfigError {
    // A setting that has to be there, and is not, and nothing around it either: it can go anywhere.
    let line = |setting| line_of(text, setting).unwrap_or(1);
    match error.setting().map(line) {
        Some(line) => error.at(format!("{name}:{line}")),
        None => error.at(name),
    }
}

/// Says what the parser has to say in the words of the format.
fn explain(error: &toml::de::Error, name: &str, text: &str) -> ConfigError {
    let Ok(document) = DeTable::parse(text) else {
        return not_toml(name, text);
    };
    let place = error.span().map_or(0, |span| span.start);
    let place_name = format!("{name}:{}", line_at(text, place));
    let Some(setting) = setting_at(&document, place) else {
        return ConfigError::new(error.message()).at(place_name);
    };
    let (setting, problem) = match error.message().split_once('`') {
        Some(("unknown field ", rest)) => {
            let expected = rest.split_once("`, ").map_or(rest, |(_, expected)| expected);
            (setting, format!("there is no such key, {expected}"))
        }
        Some(("missing field ", field)) => {
            (format!("{setting}.{}", field.trim_end_matches('`')), "it is missing".into())
        }
        _ => (setting, in_toml_words(error.message())),
    };
    ConfigError::new(problem).about(setting).at(place_name)
}

/// Says where the text stops being TOML: the first place, whichever the parser names.
fn not_toml(name: &str, text: &str) -> ConfigError {
    let (_, errors) = DeTable::parse_recoverable(text);
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let first = errors.iter().min_by_key(|error| place(error));
    let mut problem = String::from(first.map_or("", |error| error.message()));
    if problem == "duplicate key"
        && let Some(key) = first.and_then(toml::de::Error::span).and_then(|span| text.get(span))
    {
        problem = format!("the key `{key}` is there twice");
    }
    let line = line_at(text, first.map_or(0, place));
    ConfigError::new(format!("this is not TOML: {problem}")).at(format!("{name}:{line}"))
}

/// Parts of the message are in the words of Rust.
fn in_toml_words(message: &str) -> String {
    for (theirs, ours) in [("sequence", "list"), ("map", "table")] {
        if let Some(rest) = message.strip_prefix(&format!("invalid type: {theirs},")) {
            return format!("invalid type: {ours},{rest}");
        }
    }
    message.into()
}
