//! Strict TOML files: an unknown key is an error, and what is wrong is reported with file, line and
//! setting.
//!
//! The policy file of a resource server and the `issuer.toml` of an authorization server are read
//! with this, so that both speak alike.
//!
//! ```
//! use std::time::Duration;
//!
//! use serde::Deserialize;
//! use tenantry_toml::{Table, Text, read};
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct File {
//!     server: Table<Server>,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Server {
//!     clock_skew: Text<Duration>,
//! }
//!
//! let file: File = read("[server]\nclock_skew = \"30s\"", "policy.toml")?;
//! assert_eq!(file.server.0.clock_skew.0, Duration::from_secs(30));
//!
//! let error = read::<File>("[server]\nclock_skew = \"soon\"", "policy.toml").err().unwrap();
//! assert_eq!(
//!     error.to_string(),
//!     "policy.toml:2: server.clock_skew: invalid value: string \"soon\", \
//!      expected a duration such as \"30s\" or \"10m\"",
//! );
//! # Ok::<_, tenantry_toml::FileError>(())
//! ```

mod error;
mod place;
mod read;
mod values;

pub use error::FileError;
pub use place::line_of;
pub use read::read;
pub use values::{OneOrMany, Table, Tables, Text, Texts, Written};
