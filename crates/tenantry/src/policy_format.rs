//! The policy file's format, key by key. What is not here is not read: an unknown key is an error.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tenantry_core::{Standing, TokenProfile};
use tenantry_toml::{OneOrMany, Table, Tables, Text, Texts, Written};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) listen: Option<Text<SocketAddr>>,
    #[serde(default)]
    pub(crate) resource_server: Table<Server>,
    #[serde(default)]
    pub(crate) issuer: Tables<Issuer>,
    #[serde(default)]
    pub(crate) tenant: Table<Sources>,
    pub(crate) directory: Option<Table<Directory>>,
    #[serde(default)]
    pub(crate) route: Tables<Route>,
    pub(crate) gate: Option<Table<Gate>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) realm: Option<String>,
    pub(crate) audience: Option<OneOrMany>,
    pub(crate) scope: Option<String>,
    pub(crate) plain_scopes: Option<Texts>,
    pub(crate) foreign_scopes: Option<Text<ForeignScopes>>,
    pub(crate) clock_skew: Option<Text<Duration>>,
    pub(crate) problem_details: Option<bool>,
    #[serde(default)]
    pub(crate) metadata: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    pub(crate) issuer: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) jwks_file: Option<String>,
    pub(crate) algorithms: Option<Texts>,
    pub(crate) tenant_claim: Option<OneOrMany>,
    pub(crate) scope_claim: Option<String>,
    pub(crate) required_claims: Option<Texts>,
    pub(crate) client_id_claim: Option<String>,
    pub(crate) token_profile: Option<Text<Profile>>,
    #[serde(default)]
    pub(crate) shared_keys: bool,
    #[serde(default)]
    pub(crate) shared_tenants: Texts,
    pub(crate) tenants: Option<Texts>,
    #[serde(default)]
    pub(crate) allow_http: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    pub(crate) path: Option<String>,
    pub(crate) header: Option<String>,
    pub(crate) host: Option<String>,
    #[serde(default)]
    pub(crate) required: Texts,
    #[serde(default)]
    pub(crate) optional: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directory {
    pub(crate) lifetime: Option<Text<Duration>>,
    #[serde(default)]
    pub(crate) tenant: Tables<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) status: Option<Text<Status>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    #[serde(default)]
    pub(crate) methods: Texts,
    pub(crate) path: String,
    pub(crate) scopes: Option<Texts>,
    pub(crate) any_scopes: Option<Texts>,
    #[serde(default)]
    pub(crate) public: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the format is checked; the gate itself is not built yet")]
pub(crate) struct Gate {
    listen: Option<Text<SocketAddr>>,
    grpc_listen: Option<Text<SocketAddr>>,
    #[serde(default)]
    peers: Texts,
    forwarded: Option<Text<Forwarded>>,
    #[serde(default)]
    nginx_status: bool,
}

/// What a scope of another tenant does to a token.
pub(crate) enum ForeignScopes {
    Ignore,
    Refuse,
}

impl Written for ForeignScopes {
    const EXPECTED: &'static str = "\"ignore\" or \"refuse\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "ignore" => Some(Self::Ignore),
            "refuse" => Some(Self::Refuse),
            _ => None,
        }
    }
}

/// How tokens of an issuer are marked as access tokens.
#[derive(Clone, Copy)]
pub(crate) struct Profile(pub(crate) TokenProfile);

impl Written for Profile {
    const EXPECTED: &'static str = "\"rfc9068\" or \"jwt\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "jwt" => Some(Self(TokenProfile::Jwt)),
            "rfc9068" => Some(Self(TokenProfile::Rfc9068)),
            _ => None,
        }
    }
}

/// Whether requests of a tenant are served.
#[derive(Clone, Copy)]
pub(crate) struct Status(pub(crate) Standing);

impl Written for Status {
    const EXPECTED: &'static str = "\"active\" or \"suspended\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self(Standing::Active)),
            "suspended" => Some(Self(Standing::Suspended)),
            _ => None,
        }
    }
}

/// Which headers a proxy describes a request with.
pub(crate) enum Forwarded {
    XForwarded,
    XOriginal,
}

impl Written for Forwarded {
    const EXPECTED: &'static str = "\"x-forwarded\" or \"x-original\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "x-forwarded" => Some(Self::XForwarded),
            "x-original" => Some(Self::XOriginal),
            _ => None,
        }
    }
}
