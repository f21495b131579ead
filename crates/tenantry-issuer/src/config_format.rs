//! The format of `issuer.toml`, key by key. What is not here is not read: an unknown key is an error.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tenantry_toml::{OneOrMany, Text, Texts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) listen: Option<Text<SocketAddr>>,
    pub(crate) metrics_listen: Option<Text<SocketAddr>>,
    pub(crate) trusted_proxies: Option<Texts>,
    pub(crate) issuer: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) audit_retention: Option<Text<Duration>>,
    pub(crate) audience: Option<OneOrMany>,
    pub(crate) scope: Option<String>,
    pub(crate) tenant_header: Option<String>,
    pub(crate) tenant_claims: Option<Texts>,
    pub(crate) algorithm: Option<String>,
    pub(crate) access_token_lifetime: Option<Text<Duration>>,
    pub(crate) refresh_token_lifetime: Option<Text<Duration>>,
    pub(crate) refresh_idle_lifetime: Option<Text<Duration>>,
    pub(crate) refresh_grace: Option<Text<Duration>>,
    pub(crate) key_rotation: Option<Text<Duration>>,
    pub(crate) key_encryption_key_file: Option<String>,
    #[serde(default)]
    pub(crate) openid_configuration: bool,
}
