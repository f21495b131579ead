//! The settings of one issuer, and the checks that they have to pass by themselves.

use std::collections::BTreeSet;

use crate::algorithm::Algorithm;
use crate::issuer_policy::{IssuerPolicy, TokenProfile};
use crate::key_location::KeyLocation;
use crate::key_url::check_url;
use crate::pattern::TenantPattern;
use crate::policy_error::PolicyError;
use crate::tenant::TenantId;

/// The algorithms of an issuer that names none: what most issuers sign with.
const DEFAULT_ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// The settings of one issuer, before they are checked.
///
/// ```
/// use tenantry_core::{Algorithm, IssuerSettings};
///
/// let issuer = IssuerSettings::new("https://auth.erp.example")
///     .algorithms([Algorithm::Es256])
///     .tenants(["tenant1", "tenant2"]);
/// ```
#[must_use = "settings do nothing until a policy is built with them"]
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    algorithms: Vec<Algorithm>,
    allow_http: bool,
    client_id_claim: String,
    issuer: String,
    keys: KeyLocation,
    profile: TokenProfile,
    required_claims: Vec<String>,
    scope_claim: String,
    shared_keys: bool,
    shared_tenants: Vec<String>,
    tenant_claims: Vec<String>,
    tenants: Option<Vec<String>>,
}

impl IssuerSettings {
    /// Names the issuer as its tokens do in `iss`, byte for byte; it may hold `{tenant}`.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            allow_http: false,
            client_id_claim: "client_id".into(),
            issuer: issuer.into(),
            keys: KeyLocation::Discovery,
            profile: TokenProfile::Rfc9068,
            required_claims: ["sub", "client_id", "iat", "jti"].map(Into::into).to_vec(),
            scope_claim: "scope".into(),
            shared_keys: false,
            shared_tenants: Vec::new(),
            tenant_claims: vec!["tenant_id".into()],
            tenants: None,
        }
    }

    /// Sets where its keys come from. Default: discovery.
    pub fn keys(mut self, location: KeyLocation) -> Self {
        self.keys = location;
        self
    }

    /// Fetches its keys from a URL instead of discovering it.
    pub fn jwks_uri(self, uri: impl Into<Box<str>>) -> Self {
        self.keys(KeyLocation::Uri(uri.into()))
    }

    /// Sets the algorithms that its tokens may be signed with. Default: EdDSA, ES256, RS256.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets the claims that name the tenant; those present must agree, one must be there, each a
    /// string or an array of exactly one. Default: `tenant_id`. None at all needs `{tenant}` in the
    /// audience or the issuer.
    pub fn tenant_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.tenant_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Reads scopes from another claim than `scope`, as a string or an array.
    pub fn scope_claim(mut self, name: impl Into<String>) -> Self {
        self.scope_claim = name.into();
        self
    }

    /// Sets the claims that must be there beside `iss`, `aud`, `exp` and the tenant claim. Default:
    /// `sub`, `client_id`, `iat`, `jti` ([RFC 9068 §2.2]).
    ///
    /// [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2
    pub fn required_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.required_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Reads the client from another claim than `client_id`, such as `azp`.
    pub fn client_id_claim(mut self, name: impl Into<String>) -> Self {
        self.client_id_claim = name.into();
        self
    }

    /// Sets which rules its tokens keep. Default: RFC 9068.
    ///
    /// # Security
    ///
    /// [`TokenProfile::Jwt`] gives up the check that tells access tokens from ID tokens.
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Lists the tenants that it may speak for. Without a list: all. With two or more issuers, each
    /// needs a list or `{tenant}` in its name.
    pub fn tenants<T: Into<String>>(mut self, tenants: impl IntoIterator<Item = T>) -> Self {
        self.tenants = Some(tenants.into_iter().map(Into::into).collect());
        self
    }

    /// Lists tenants that another issuer may speak for as well; both have to list them.
    ///
    /// # Security
    ///
    /// Either issuer can then sign in any subject of these tenants. Subjects stay apart:
    /// [`Identity`](crate::Identity) holds the issuer.
    pub fn shared_tenants<T: Into<String>>(mut self, tenants: impl IntoIterator<Item = T>) -> Self {
        self.shared_tenants = tenants.into_iter().map(Into::into).collect();
        self
    }

    /// Whether its keys may be those of others: one set for all tenants of an issuer pattern, or one
    /// for two issuers that both say so. Default false.
    ///
    /// # Security
    ///
    /// Whoever can sign for one of them can then sign for all.
    pub fn shared_keys(mut self, shared: bool) -> Self {
        self.shared_keys = shared;
        self
    }

    /// Whether its keys may be fetched over plain http, from loopback. Default false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    pub(crate) fn parse(&self) -> Result<IssuerPolicy, PolicyError> {
        let pattern: TenantPattern =
            self.issuer.parse().map_err(|error: crate::InvalidPattern| {
                PolicyError::new("issuer", error.to_string())
            })?;
        // A discovered or configured URL is checked where it is used; the issuer itself only when
        // something is fetched from below it.
        if self.keys == KeyLocation::Discovery {
            check_url("issuer", &self.issuer, self.allow_http)?;
        }
        if let KeyLocation::Uri(uri) = &self.keys {
            check_url("jwks_uri", uri, self.allow_http)?;
            let uri: TenantPattern = uri.parse().map_err(|error: crate::InvalidPattern| {
                PolicyError::new("jwks_uri", error.to_string())
            })?;
            if uri.has_tenant() && !pattern.has_tenant() {
                return Err(PolicyError::new(
                    "jwks_uri",
                    "it holds `{tenant}`, but the issuer does not",
                ));
            }
        }
        if self.algorithms.is_empty() {
            return Err(PolicyError::new("algorithms", "list at least one algorithm"));
        }
        for (setting, names) in [
            ("tenant_claim", &self.tenant_claims),
            ("required_claims", &self.required_claims),
            ("scope_claim", &vec![self.scope_claim.clone()]),
            ("client_id_claim", &vec![self.client_id_claim.clone()]),
        ] {
            if names.iter().any(String::is_empty) {
                return Err(PolicyError::new(setting, "a claim's name is empty"));
            }
        }
        let registered =
            ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "cnf"];
        let taken =
            |name: &&String| registered.contains(&name.as_str()) || **name == self.client_id_claim;
        if let Some(name) = self.tenant_claims.iter().find(taken) {
            return Err(PolicyError::new(
                "tenant_claim",
                format!("`{name}` means something else already"),
            ));
        }
        let tenants =
            self.tenants.as_ref().map(|tenants| parse_tenants("tenants", tenants)).transpose()?;
        if tenants.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(PolicyError::new(
                "tenants",
                "an empty list speaks for nobody: list a tenant, or leave it out",
            ));
        }
        Ok(IssuerPolicy {
            pattern,
            tenants,
            shared_tenants: parse_tenants("shared_tenants", &self.shared_tenants)?,
            algorithms: self.algorithms.clone().into(),
            tenant_claims: boxed(&self.tenant_claims),
            required_claims: boxed(&self.required_claims),
            scope_claim: self.scope_claim.as_str().into(),
            client_id_claim: self.client_id_claim.as_str().into(),
            keys: self.keys.clone(),
            profile: self.profile,
            shared_keys: self.shared_keys,
            allow_http: self.allow_http,
        })
    }
}

impl From<&str> for IssuerSettings {
    fn from(issuer: &str) -> Self {
        Self::new(issuer)
    }
}

fn parse_tenants(setting: &str, tenants: &[String]) -> Result<BTreeSet<TenantId>, PolicyError> {
    let mut parsed = BTreeSet::new();
    let mut folded = BTreeSet::new();
    for text in tenants {
        let tenant: TenantId = text
            .parse()
            .map_err(|error| PolicyError::new(setting, format!("`{text}` is {error}")))?;
        if !folded.insert(text.to_ascii_lowercase()) {
            return Err(PolicyError::new(
                setting,
                format!("`{text}` is there twice, or differs from another id only in case"),
            ));
        }
        parsed.insert(tenant);
    }
    Ok(parsed)
}

fn boxed(names: &[String]) -> Box<[Box<str>]> {
    names.iter().map(|name| name.as_str().into()).collect()
}
