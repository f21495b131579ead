//! Why the program ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tenantry::ConfigError;

use crate::store_error::StoreError;

/// Why the program ended; displayed as one line that says what to do where something can be done.
#[derive(Debug)]
pub enum RunError {
    /// The policy is not one.
    Config(ConfigError),
    /// The database cannot be used.
    Database {
        /// Its file, if one was named.
        file: Option<PathBuf>,
        /// Why.
        source: StoreError,
    },
    /// `RUST_LOG` is not a filter.
    Filter(String),
    /// The demonstration's issuer cannot be set up.
    Issuer(Box<dyn Error + Send + Sync>),
    /// A port cannot be had.
    Listen {
        /// Who wanted it.
        what: &'static str,
        /// Which.
        address: SocketAddr,
        /// What to do.
        remedy: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The service was running, and stopped.
    Serve(io::Error),
    /// The service was running, but the tour did not get its answers, or its tokens.
    Tour(Box<dyn Error + Send + Sync>),
}

impl RunError {
    /// The exit code: 2 if the program could not start as it was told to, 1 if it failed later.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Database { .. }
            | Self::Filter(_)
            | Self::Issuer(_)
            | Self::Listen { .. } => 2,
            Self::Serve(_) | Self::Tour(_) => 1,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => fmt::Display::fmt(error, f),
            Self::Database { file, source } => {
                match file {
                    Some(file) => write!(f, "cannot use the database {}", file.display())?,
                    None => f.write_str("cannot use a temporary database")?,
                }
                write_source(f, source)
            }
            Self::Filter(why) => write!(f, "cannot read RUST_LOG: {why}"),
            Self::Issuer(error) => {
                write!(f, "the demonstration's issuer cannot be set up: {error}")?;
                write_source(f, &**error)
            }
            Self::Listen { what, address, remedy, source } => {
                write!(f, "{what} cannot listen on {address}: {source}; {remedy}")
            }
            Self::Serve(error) => write!(f, "cannot go on serving: {error}"),
            Self::Tour(error) => {
                write!(f, "the tour was not answered: {error}")?;
                write_source(f, &**error)
            }
        }
    }
}

/// The cause is part of the line, so [`Error::source`] would repeat it.
fn write_source(f: &mut fmt::Formatter<'_>, error: &dyn Error) -> fmt::Result {
    error.source().map_or(Ok(()), |source| write!(f, ": {source}"))
}

impl Error for RunError {}

impl From<ConfigError> for RunError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
