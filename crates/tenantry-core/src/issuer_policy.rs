//! One issuer: whom it speaks for, where its keys are, how its tokens look.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::algorithm::Algorithm;
use crate::pattern::TenantPattern;
use crate::policy::{DEFAULT_ALGORITHMS, PolicyError};
use crate::tenant::TenantId;

/// Where the keys of an issuer come from.
#[derive(Clone, Eq, PartialEq)]
pub enum KeyLocation {
    /// From the issuer's metadata ([RFC 8414], then OpenID Connect Discovery).
    ///
    /// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
    Discovery,
    /// From a file with a JWK set or PEM public keys.
    File(PathBuf),
    /// From this JWK set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    Jwks(Box<str>),
    /// From these PEM public keys.
    Pem(Box<str>),
    /// From this URL; it may hold `{tenant}` when the issuer does.
    Uri(Box<str>),
}

impl KeyLocation {
    /// What the setting is called.
    pub(crate) const fn setting(&self) -> &'static str {
        match self {
            Self::Discovery => "issuer",
            Self::File(_) | Self::Jwks(_) | Self::Pem(_) => "jwks_file",
            Self::Uri(_) => "jwks_uri",
        }
    }
}

// INVARIANT (secrets stay in): a document may hold a private key by mistake.
impl fmt::Debug for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery => f.write_str("Discovery"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Jwks(_) => f.write_str("Jwks(..)"),
            Self::Pem(_) => f.write_str("Pem(..)"),
            Self::Uri(uri) => f.debug_tuple("Uri").field(uri).finish(),
        }
    }
}

/// Which rules the tokens of an issuer keep.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenProfile {
    /// `typ` is `JWT` or absent. ID tokens are refused where they can be told apart, which is not
    /// everywhere.
    Jwt,
    /// `typ` is `at+jwt` ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)).
    #[default]
    Rfc9068,
}

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

    /// Sets the claims that name the tenant; those present must agree, one must be there. Default:
    /// `tenant_id`. None at all needs `{tenant}` in the audience or the issuer.
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

/// One issuer of a [`Policy`](crate::Policy), checked.
#[derive(Clone, Debug)]
pub struct IssuerPolicy {
    algorithms: Box<[Algorithm]>,
    allow_http: bool,
    client_id_claim: Box<str>,
    keys: KeyLocation,
    pattern: TenantPattern,
    profile: TokenProfile,
    required_claims: Box<[Box<str>]>,
    scope_claim: Box<str>,
    shared_keys: bool,
    shared_tenants: BTreeSet<TenantId>,
    tenant_claims: Box<[Box<str>]>,
    tenants: Option<BTreeSet<TenantId>>,
}

impl IssuerPolicy {
    /// The issuer, as its tokens name it in `iss`.
    #[must_use]
    pub const fn pattern(&self) -> &TenantPattern {
        &self.pattern
    }

    /// Where its keys come from.
    #[must_use]
    pub const fn key_location(&self) -> &KeyLocation {
        &self.keys
    }

    /// The algorithms that its tokens may be signed with.
    #[must_use]
    pub const fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The claims that name the tenant. Those present must agree; unless this is empty, one must be there.
    #[must_use]
    pub const fn tenant_claims(&self) -> &[Box<str>] {
        &self.tenant_claims
    }

    /// The claim that holds the scope.
    #[must_use]
    pub const fn scope_claim(&self) -> &str {
        &self.scope_claim
    }

    /// The claims that must be there beside `iss`, `aud`, `exp` and the tenant claim.
    #[must_use]
    pub const fn required_claims(&self) -> &[Box<str>] {
        &self.required_claims
    }

    /// The claim that holds the client's id.
    #[must_use]
    pub const fn client_id_claim(&self) -> &str {
        &self.client_id_claim
    }

    /// Which rules its tokens keep.
    #[must_use]
    pub const fn profile(&self) -> TokenProfile {
        self.profile
    }

    /// Whether its keys may be fetched over plain http, from loopback.
    #[must_use]
    pub const fn allow_http(&self) -> bool {
        self.allow_http
    }

    /// Whether one key set may sign for all tenants of the pattern.
    #[must_use]
    pub const fn shared_keys(&self) -> bool {
        self.shared_keys
    }

    /// The tenants that it may speak for; `None`: all.
    #[must_use]
    pub const fn tenants(&self) -> Option<&BTreeSet<TenantId>> {
        self.tenants.as_ref()
    }

    /// Whether it may speak for the tenant with this id.
    #[must_use]
    pub fn speaks_for(&self, tenant: &str) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Why both may not be configured together, if one tenant would have two issuers.
    pub(crate) fn competes_with(&self, other: &Self) -> Option<String> {
        let unshared = |tenants: &BTreeSet<TenantId>| {
            let both = |tenant: &&TenantId| {
                self.shared_tenants.contains(*tenant) && other.shared_tenants.contains(*tenant)
            };
            tenants.iter().find(|tenant| !both(tenant)).cloned()
        };
        let (mine, others) = (self.tenants.as_ref(), other.tenants.as_ref());
        let tenant = match (mine, others) {
            (None, None) => return Some("two issuer patterns without lists of tenants speak for the same tenants; list them, see".into()),
            (Some(mine), Some(others)) => unshared(&mine.intersection(others).cloned().collect()),
            (Some(list), None) | (None, Some(list)) => unshared(list),
        }?;
        Some(format!(
            "`{tenant}` would have two issuers; if that is meant, list it under shared_tenants here and at"
        ))
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

/// Refuses a URL that nothing may be fetched from.
fn check_url(setting: &str, url: &str, allow_http: bool) -> Result<(), PolicyError> {
    let refuse = |problem: &str| Err(PolicyError::new(setting, problem));
    if url.contains('#') || url.bytes().any(|byte| !(b'!'..=b'~').contains(&byte)) {
        return refuse("a URL to fetch from has no fragment and no blanks");
    }
    if setting == "issuer" && url.contains('?') {
        return refuse(
            "keys are discovered below an issuer without a query (RFC 8414, section 2): set jwks_uri",
        );
    }
    let scheme = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
    let Some((scheme, rest)) = scheme else {
        return refuse("this is not an https URL");
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return refuse("a URL to fetch from has no user name");
    }
    match (scheme, is_loopback(authority), allow_http) {
        ("https", ..) if authority.is_empty() || authority.starts_with(':') => {
            refuse("the URL has no host")
        }
        ("https", ..) | ("http", true, true) => not_plain(scheme, rest).map_or(Ok(()), refuse),
        ("http", true, false) => refuse("plain http needs allow_http = true"),
        _ => refuse("plain http is for loopback only: use https"),
    }
}

/// What makes a URL another spelling of a plainer one.
// INVARIANT (isolation): one place has one spelling, so that two issuers' are told apart as text.
fn not_plain(scheme: &str, rest: &str) -> Option<&'static str> {
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let path = rest.strip_prefix(authority).unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let default = if scheme == "https" { "443" } else { "80" };
    if port.is_some_and(|port| port == default || port.is_empty() || port.starts_with('0')) {
        return Some("leave the port out where it is the scheme's own, and write it plainly");
    }
    // `0x7f.1` is an address to some, too: a last label that starts with a digit makes an address.
    let last = host.rsplit('.').next().unwrap_or(host);
    let address = host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    if !address && last.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
        return Some("the host is not a name, nor an address as it is usually written");
    }
    if host.ends_with('.') || host.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'%') {
        return Some("write the host in lower case, without a dot at its end");
    }
    let (path, query) =
        path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let plain = path.is_empty() || !crate::path::is_ambiguous(path) && !path.contains('%');
    if !plain || query == Some("") {
        return Some(
            "write the path plainly: no `//`, dot segments, escapes, `;`, nor an empty query",
        );
    }
    None
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let v4 = || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    host == "localhost" || host == "[::1]" || v4()
}

fn boxed(names: &[String]) -> Box<[Box<str>]> {
    names.iter().map(|name| name.as_str().into()).collect()
}
