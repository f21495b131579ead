//! OAuth 2.0 authorization server that knows the tenant: every token that it hands out is good for
//! exactly one.

mod config_error;
mod config_file;
mod config_format;
mod issuer_name;
mod key_encryption_key;
mod settings;
mod settings_builder;

pub use config_error::ConfigError;
pub use config_file::IssuerFile;
pub use issuer_name::{InvalidIssuerName, IssuerName};
pub use key_encryption_key::{InvalidKeyEncryptionKey, KeyEncryptionKey};
pub use settings::Settings;
pub use settings_builder::SettingsBuilder;
