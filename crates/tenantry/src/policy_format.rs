//! The policy file's format, key by key. What is not here is not read: an unknown key is an error.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use tenantry_core::{
    Algorithm, IssuerSettings, KeyLocation, Policy, PolicyBuilder, PolicyError, ScopeNeed,
    Standing, TokenProfile,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) listen: Option<SocketAddr>,
    resource_server: Server,
    #[serde(default)]
    issuer: Vec<Issuer>,
    #[serde(default)]
    tenant: Sources,
    pub(crate) directory: Option<Directory>,
    #[serde(default)]
    route: Vec<Route>,
    gate: Option<Gate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    realm: Option<String>,
    audience: OneOrMany,
    scope: Option<String>,
    plain_scopes: Option<Vec<String>>,
    foreign_scopes: Option<ForeignScopes>,
    #[serde(default, deserialize_with = "duration")]
    clock_skew: Option<Duration>,
    problem_details: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ForeignScopes {
    Ignore,
    Refuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuer {
    issuer: String,
    jwks_uri: Option<String>,
    jwks_file: Option<PathBuf>,
    algorithms: Option<Vec<String>>,
    tenant_claim: Option<OneOrMany>,
    scope_claim: Option<String>,
    required_claims: Option<Vec<String>>,
    client_id_claim: Option<String>,
    token_profile: Option<Profile>,
    #[serde(default)]
    shared_keys: bool,
    #[serde(default)]
    shared_tenants: Vec<String>,
    tenants: Option<Vec<String>>,
    #[serde(default)]
    allow_http: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Profile {
    Jwt,
    Rfc9068,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    path: Option<String>,
    header: Option<String>,
    host: Option<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    optional: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directory {
    // A list in the file changes with the file; how long an answer may be kept matters to others.
    #[serde(default, deserialize_with = "duration")]
    #[expect(dead_code, reason = "checked when it is read; a list has no lifetime")]
    lifetime: Option<Duration>,
    #[serde(default)]
    pub(crate) tenant: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    #[default]
    Active,
    Suspended,
}

impl From<Status> for Standing {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    #[serde(default)]
    methods: Vec<String>,
    path: String,
    scopes: Option<Vec<String>>,
    any_scopes: Option<Vec<String>>,
    #[serde(default)]
    public: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the format is checked; the gate itself is not built yet"
)]
struct Gate {
    listen: Option<SocketAddr>,
    grpc_listen: Option<SocketAddr>,
    #[serde(default)]
    peers: Vec<String>,
    forwarded: Option<Forwarded>,
    #[serde(default)]
    nginx_status: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Forwarded {
    XForwarded,
    XOriginal,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn to_vec(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|_| serde::de::Error::custom("expected a duration such as \"30s\" or \"10m\""))
}

impl File {
    /// The policy that the file describes; `base` is what paths in it are relative to.
    pub(crate) fn policy(&self, base: &Path) -> Result<PolicyBuilder, PolicyError> {
        let server = &self.resource_server;
        let mut policy = Policy::builder();
        for audience in server.audience.to_vec() {
            policy = policy.audience(audience);
        }
        if let Some(realm) = &server.realm {
            policy = policy.realm(realm);
        }
        if let Some(scope) = &server.scope {
            policy = policy.scope(scope);
        }
        if let Some(scopes) = &server.plain_scopes {
            policy = policy.plain_scopes(scopes);
        }
        if let Some(ForeignScopes::Refuse) = server.foreign_scopes {
            policy = policy.refuse_foreign_scopes();
        }
        if let Some(skew) = server.clock_skew {
            policy = policy.clock_skew(skew);
        }
        if let Some(details) = server.problem_details {
            policy = policy.problem_details(details);
        }
        if let Some(path) = &self.tenant.path {
            policy = policy.tenant_path(path);
        }
        if let Some(header) = &self.tenant.header {
            policy = policy.tenant_header(header);
        }
        if let Some(host) = &self.tenant.host {
            policy = policy.tenant_host(host);
        }
        policy = policy
            .required_sources(&self.tenant.required)
            .optional_sources(&self.tenant.optional);
        for (at, issuer) in self.issuer.iter().enumerate() {
            policy = policy.issuer(issuer.settings(at, base)?);
        }
        Ok(policy)
    }

    /// Checks the gate's rules, though nothing here acts on them.
    pub(crate) fn check_routes(&self) -> Result<(), PolicyError> {
        for (at, route) in self.route.iter().enumerate() {
            let refuse = |setting: &str, problem: &str| {
                Err(PolicyError::new(format!("route[{at}].{setting}"), problem))
            };
            if !route.path.starts_with('/') {
                return refuse("path", "a path starts with `/`");
            }
            if route
                .methods
                .iter()
                .any(|method| http::Method::from_bytes(method.as_bytes()).is_err())
            {
                return refuse("methods", "this is not a method's name");
            }
            let rules = [
                route.scopes.is_some(),
                route.any_scopes.is_some(),
                route.public,
            ];
            if rules.into_iter().filter(|rule| *rule).count() != 1 {
                return refuse(
                    "path",
                    "a route has one of scopes, any_scopes and public = true",
                );
            }
            for (setting, scopes) in [("scopes", &route.scopes), ("any_scopes", &route.any_scopes)]
            {
                if let Some(scopes) = scopes
                    && let Err(error) = ScopeNeed::from_lists([scopes])
                {
                    return refuse(setting, &format!("{error}; and the list is not empty"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn refuse_unbuilt(&self) -> Result<(), PolicyError> {
        if self.gate.is_some() {
            return Err(PolicyError::new(
                "gate",
                "the gateway is not built yet: take this table out",
            ));
        }
        if !self.route.is_empty() {
            return Err(PolicyError::new(
                "route",
                "the gateway and its rules are not built yet: take this out",
            ));
        }
        Ok(())
    }
}

impl Issuer {
    fn settings(&self, at: usize, base: &Path) -> Result<IssuerSettings, PolicyError> {
        let setting = |name: &str| format!("issuer[{at}].{name}");
        let mut issuer = IssuerSettings::new(&self.issuer);
        match (&self.jwks_uri, &self.jwks_file) {
            (Some(_), Some(_)) => {
                return Err(PolicyError::new(
                    setting("jwks_file"),
                    "set jwks_uri or jwks_file, not both",
                ));
            }
            (Some(uri), None) => issuer = issuer.jwks_uri(uri.as_str()),
            (None, Some(file)) => issuer = issuer.keys(KeyLocation::File(base.join(file))),
            (None, None) => {}
        }
        if let Some(names) = &self.algorithms {
            let parse = |name: &String| {
                let unknown =
                    |error| PolicyError::new(setting("algorithms"), format!("`{name}` is {error}"));
                name.parse::<Algorithm>().map_err(unknown)
            };
            issuer = issuer.algorithms(names.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(names) = &self.tenant_claim {
            issuer = issuer.tenant_claims(names.to_vec());
        }
        if let Some(name) = &self.scope_claim {
            issuer = issuer.scope_claim(name);
        }
        if let Some(names) = &self.required_claims {
            issuer = issuer.required_claims(names);
        }
        if let Some(name) = &self.client_id_claim {
            issuer = issuer.client_id_claim(name);
        }
        if let Some(tenants) = &self.tenants {
            issuer = issuer.tenants(tenants);
        }
        let profile = match self.token_profile {
            Some(Profile::Jwt) => TokenProfile::Jwt,
            Some(Profile::Rfc9068) | None => TokenProfile::Rfc9068,
        };
        Ok(issuer
            .profile(profile)
            .shared_keys(self.shared_keys)
            .shared_tenants(&self.shared_tenants)
            .allow_http(self.allow_http))
    }
}
