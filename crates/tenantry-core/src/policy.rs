//! What is accepted: issuers, audience, scopes and the places a request names its tenant in.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::algorithm::Algorithm;
use crate::epoch::Epoch;
use crate::isolation::isolate;
use crate::issuer_policy::{IssuerPolicy, IssuerSettings};
use crate::pattern::{
    HostPattern, InvalidPattern, Match, PathPattern, ScopePattern, TenantPattern, is_host_tenant,
};
use crate::scope::{ScopeRule, ScopeToken};
use crate::tenant::TenantId;

pub(crate) const DEFAULT_REALM: &str = "tenantry";

/// More than this is no skew but a wrong clock.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The rules that requests are judged by. Immutable; cloning it is cheap.
///
/// ```
/// use tenantry_core::{IssuerSettings, Policy};
///
/// let policy = Policy::builder()
///     .issuer(IssuerSettings::new("https://auth.erp.example"))
///     .audience("https://api.erp.example/{tenant}")
///     .scope("{tenant}.{scope}")
///     .tenant_path("/{tenant}/{*rest}")
///     .build()?;
/// assert!(policy.accepts_audience("https://api.erp.example/tenant1"));
/// # Ok::<_, tenantry_core::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct Policy(Arc<Rules>);

struct Rules {
    audiences: Box<[TenantPattern]>,
    clock_skew: Duration,
    epoch: Epoch,
    /// Where the issuers without a hole are, by name.
    exact: HashMap<Box<str>, usize>,
    header: Option<HeaderName>,
    header_required: bool,
    host: Option<HostPattern>,
    host_optional: bool,
    issuers: Box<[IssuerPolicy]>,
    max_token_bytes: usize,
    path: Option<PathPattern>,
    /// Where the issuers with a hole are.
    patterns: Box<[usize]>,
    problem_details: bool,
    realm: Box<str>,
    refuse_foreign_scopes: bool,
    scopes: ScopeRule,
}

/// The issuer of a token, as the policy knows it.
#[derive(Clone, Copy, Debug)]
pub struct IssuerMatch<'a> {
    /// Its settings.
    pub policy: &'a IssuerPolicy,
    /// The tenant in `iss`, when the issuer is a pattern.
    pub tenant: Option<&'a str>,
}

impl Policy {
    /// Starts a policy.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Tells this policy from every other in the process.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// The issuers whose tokens are accepted.
    #[must_use]
    pub fn issuers(&self) -> &[IssuerPolicy] {
        &self.0.issuers
    }

    /// Finds the issuer that `iss` names: by bytes, or by pattern for a tenant that the issuer speaks
    /// for. At most one does.
    #[must_use]
    pub fn issuer_for<'a>(&'a self, iss: &'a str) -> Option<IssuerMatch<'a>> {
        self.issuer_at(self.issuer_index(iss)?, iss)
    }

    /// Where the issuer stands that `iss` names.
    pub(crate) fn issuer_index(&self, iss: &str) -> Option<usize> {
        let named = |at: &&usize| self.issuer_at(**at, iss).is_some();
        self.0.exact.get(iss).or_else(|| self.0.patterns.iter().find(named)).copied()
    }

    /// The issuer that stands at `at`, if `iss` names it.
    pub(crate) fn issuer_at<'a>(&'a self, at: usize, iss: &'a str) -> Option<IssuerMatch<'a>> {
        let policy = self.0.issuers.get(at)?;
        match policy.pattern().matches(iss)? {
            Match::Exact => Some(IssuerMatch { policy, tenant: None }),
            Match::Tenant(tenant) if policy.speaks_for(tenant) => {
                Some(IssuerMatch { policy, tenant: Some(tenant) })
            }
            Match::Tenant(_) => None,
        }
    }

    /// Whether `audience`, one element of a token's `aud`, is this resource server.
    #[must_use]
    pub fn accepts_audience(&self, audience: &str) -> bool {
        self.0.audiences.iter().any(|pattern| pattern.matches(audience).is_some())
    }

    /// The audiences: all of them have a `{tenant}` hole, or none has.
    #[must_use]
    pub fn audiences(&self) -> &[TenantPattern] {
        &self.0.audiences
    }

    /// How far the clocks of issuers may be off, for `exp`, `nbf` and `iat` alike. Default 30 s, at
    /// most 5 min.
    #[must_use]
    pub fn clock_skew(&self) -> Duration {
        self.0.clock_skew
    }

    /// The longest token that is read: 16 KiB.
    #[must_use]
    pub fn max_token_bytes(&self) -> usize {
        self.0.max_token_bytes
    }

    /// The realm of challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// Whether answers explain themselves beyond the fields of RFC 6750.
    #[must_use]
    pub fn problem_details(&self) -> bool {
        self.0.problem_details
    }

    /// How a path names its tenant.
    #[must_use]
    pub fn path(&self) -> Option<&PathPattern> {
        self.0.path.as_ref()
    }

    /// The header that names the tenant.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        self.0.header.as_ref()
    }

    /// Whether a request without the header is refused.
    #[must_use]
    pub fn header_required(&self) -> bool {
        self.0.header_required
    }

    /// How a host names its tenant.
    #[must_use]
    pub fn host(&self) -> Option<&HostPattern> {
        self.0.host.as_ref()
    }

    /// Whether a host that does not match is no source instead of a refusal.
    #[must_use]
    pub fn host_optional(&self) -> bool {
        self.0.host_optional
    }

    /// How scopes are written.
    #[must_use]
    pub fn scope_pattern(&self) -> &ScopePattern {
        &self.0.scopes.pattern
    }

    pub(crate) fn scopes(&self) -> &ScopeRule {
        &self.0.scopes
    }

    pub(crate) fn refuses_foreign_scopes(&self) -> bool {
        self.0.refuse_foreign_scopes
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("issuers", &self.0.issuers)
            .field("audiences", &self.0.audiences)
            .field("epoch", &self.0.epoch)
            .finish_non_exhaustive()
    }
}

/// Collects the settings of a [`Policy`]; [`build`](Self::build) checks them.
#[must_use = "a builder does nothing until `build`"]
#[derive(Clone, Debug)]
pub struct PolicyBuilder {
    audiences: Vec<String>,
    clock_skew: Duration,
    header: Option<String>,
    host: Option<String>,
    issuers: Vec<IssuerSettings>,
    optional: Vec<String>,
    path: Option<String>,
    plain_scopes: Option<Vec<String>>,
    problem_details: bool,
    realm: String,
    refuse_foreign_scopes: bool,
    required: Vec<String>,
    scope: String,
}

impl Default for PolicyBuilder {
    fn default() -> Self {
        Self {
            audiences: Vec::new(),
            clock_skew: Duration::from_secs(30),
            header: None,
            host: None,
            issuers: Vec::new(),
            optional: Vec::new(),
            path: None,
            plain_scopes: None,
            problem_details: true,
            realm: DEFAULT_REALM.into(),
            refuse_foreign_scopes: false,
            required: Vec::new(),
            scope: "{tenant}.{scope}".into(),
        }
    }
}

impl PolicyBuilder {
    /// Accepts tokens of an issuer. Call it once for each.
    pub fn issuer(mut self, issuer: impl Into<IssuerSettings>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Names this resource server as tokens do in `aud`, with or without `{tenant}`. Call it again
    /// for further names; an element of `aud` has to equal one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How scopes are written: `{tenant}.{scope}` (the default), or `{scope}` when the tenant claim
    /// alone binds.
    pub fn scope(mut self, pattern: impl Into<String>) -> Self {
        self.scope = pattern.into();
        self
    }

    /// Accepts these scopes unqualified, too, while clients migrate to qualified ones.
    pub fn plain_scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.plain_scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Refuses a token that holds a scope of another tenant. Without it such a scope is ignored.
    pub fn refuse_foreign_scopes(mut self) -> Self {
        self.refuse_foreign_scopes = true;
        self
    }

    /// Judges the tenant in the path, such as `/{tenant}/{*rest}`. A path that does not match is
    /// refused.
    pub fn tenant_path(mut self, pattern: impl Into<String>) -> Self {
        self.path = Some(pattern.into());
        self
    }

    /// Judges the tenant in a header, when it is there.
    pub fn tenant_header(mut self, name: impl Into<String>) -> Self {
        self.header = Some(name.into());
        self
    }

    /// Judges the tenant in the host, such as `{tenant}.api.erp.example`. A host that does not match
    /// is refused.
    pub fn tenant_host(mut self, pattern: impl Into<String>) -> Self {
        self.host = Some(pattern.into());
        self
    }

    /// Refuses requests without these sources. Only `header` can be listed: `path` and `host` are
    /// required anyway.
    pub fn required_sources<T: Into<String>>(
        mut self,
        sources: impl IntoIterator<Item = T>,
    ) -> Self {
        self.required.extend(sources.into_iter().map(Into::into));
        self
    }

    /// Takes a source that does not match for none. Only `host` can be listed.
    pub fn optional_sources<T: Into<String>>(
        mut self,
        sources: impl IntoIterator<Item = T>,
    ) -> Self {
        self.optional.extend(sources.into_iter().map(Into::into));
        self
    }

    /// The realm of challenges ([RFC 9110 §11.5]). Default `tenantry`.
    ///
    /// [RFC 9110 §11.5]: https://www.rfc-editor.org/rfc/rfc9110#section-11.5
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// How far the clocks of issuers may be off. Default 30 s, at most 5 min.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Whether answers explain themselves: a problem document with a code, and an
    /// `error_description`. Default true.
    pub fn problem_details(mut self, on: bool) -> Self {
        self.problem_details = on;
        self
    }

    /// Checks everything and makes the policy.
    ///
    /// # Errors
    ///
    /// At the first setting that cannot be used, or that would let one issuer or tenant stand in
    /// for another: the rules are in SECURITY.md under *isolation* and *agreement*.
    pub fn build(self) -> Result<Policy, PolicyError> {
        if !self.realm.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
            return Err(PolicyError::new(
                "resource_server.realm",
                "a realm is printable ASCII without quotes and backslashes",
            ));
        }
        if self.clock_skew > MAX_CLOCK_SKEW {
            return Err(PolicyError::new("resource_server.clock_skew", "at most 5 minutes"));
        }
        let audiences = self.parse_audiences()?;
        let scopes = self.parse_scopes()?;
        let path: Option<PathPattern> = parse("tenant.path", self.path.as_deref())?;
        let host: Option<HostPattern> = parse("tenant.host", self.host.as_deref())?;
        let header = self.parse_header()?;
        let header_required =
            listed("tenant.required", &self.required, "header", header.is_some())?;
        let host_optional = listed("tenant.optional", &self.optional, "host", host.is_some())?;
        let issuers = self.parse_issuers(&audiences)?;
        isolate(&issuers)?;
        let known = issuers.iter().enumerate().flat_map(|(at, issuer)| {
            issuer.tenants().into_iter().flatten().map(move |tenant| (at, tenant))
        });
        for (at, tenant) in known {
            let setting = || format!("issuer[{at}].tenants");
            if host.is_some() && !is_host_tenant(tenant.as_str()) {
                return Err(PolicyError::new(
                    setting(),
                    format!(
                        "`{tenant}` cannot stand in a host: with tenant.host, ids are lower case without `_`"
                    ),
                ));
            }
            refuse_plain_scope_of(&scopes, tenant).map_err(|error| error.because(&setting()))?;
        }
        let (patterns, exact): (Vec<_>, Vec<_>) =
            issuers.iter().enumerate().partition(|(_, issuer)| issuer.pattern().has_tenant());
        let exact =
            exact.into_iter().map(|(at, issuer)| (issuer.pattern().as_str().into(), at)).collect();
        let patterns = patterns.into_iter().map(|(at, _)| at).collect();
        Ok(Policy(Arc::new(Rules {
            exact,
            patterns,
            audiences,
            clock_skew: self.clock_skew,
            epoch: Epoch::new(),
            header,
            header_required,
            host,
            host_optional,
            issuers,
            max_token_bytes: 16 * 1024,
            path,
            problem_details: self.problem_details,
            realm: self.realm.into(),
            refuse_foreign_scopes: self.refuse_foreign_scopes,
            scopes,
        })))
    }

    fn parse_audiences(&self) -> Result<Box<[TenantPattern]>, PolicyError> {
        let setting = "resource_server.audience";
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(PolicyError::new(
                setting,
                "name this resource server as tokens do in `aud`",
            ));
        }
        let audiences: Box<[TenantPattern]> = self
            .audiences
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, InvalidPattern>>()
            .map_err(|error| PolicyError::new(setting, error.to_string()))?;
        // INVARIANT (configured means required): in a mixed list a token could leave the tenant out.
        if audiences.iter().any(TenantPattern::has_tenant)
            != audiences.iter().all(TenantPattern::has_tenant)
        {
            return Err(PolicyError::new(
                setting,
                "either every audience holds `{tenant}`, or none does",
            ));
        }
        Ok(audiences)
    }

    fn parse_scopes(&self) -> Result<ScopeRule, PolicyError> {
        let pattern: ScopePattern = self.scope.parse().map_err(|error: InvalidPattern| {
            PolicyError::new("resource_server.scope", error.to_string())
        })?;
        let setting = "resource_server.plain_scopes";
        let plain: Box<[ScopeToken]> = self
            .plain_scopes
            .iter()
            .flatten()
            .map(|scope| scope.parse())
            .collect::<Result<_, _>>()
            .map_err(|error: crate::InvalidScope| PolicyError::new(setting, error.to_string()))?;
        if self.plain_scopes.is_some() && !pattern.has_tenant() {
            return Err(PolicyError::new(
                setting,
                "with the scope `{scope}` every scope is plain already",
            ));
        }
        Ok(ScopeRule { pattern, plain })
    }

    fn parse_header(&self) -> Result<Option<HeaderName>, PolicyError> {
        let Some(name) = &self.header else {
            return Ok(None);
        };
        let header = HeaderName::from_str(name)
            .map_err(|_| PolicyError::new("tenant.header", "this is not a header's name"))?;
        let taken = [
            http::header::AUTHORIZATION,
            http::header::CONNECTION,
            http::header::CONTENT_LENGTH,
            http::header::CONTENT_TYPE,
            http::header::COOKIE,
            http::header::FORWARDED,
            http::header::HOST,
            http::header::PROXY_AUTHORIZATION,
            http::header::TE,
            http::header::TRAILER,
            http::header::TRANSFER_ENCODING,
            http::header::UPGRADE,
        ];
        if taken.contains(&header) {
            return Err(PolicyError::new(
                "tenant.header",
                "this header means something else already",
            ));
        }
        Ok(Some(header))
    }

    fn parse_issuers(
        &self,
        audiences: &[TenantPattern],
    ) -> Result<Box<[IssuerPolicy]>, PolicyError> {
        if self.issuers.is_empty() {
            return Err(PolicyError::new("issuer", "name at least one issuer"));
        }
        let audience_names_tenant = audiences.iter().any(TenantPattern::has_tenant);
        let parse = |(at, settings): (usize, &IssuerSettings)| {
            let issuer =
                settings.parse().map_err(|error| error.within(&format!("issuer[{at}]")))?;
            // INVARIANT (agreement): the tenant comes from signed data.
            if issuer.tenant_claims().is_empty()
                && !audience_names_tenant
                && !issuer.pattern().has_tenant()
            {
                return Err(PolicyError::new(
                    format!("issuer[{at}].tenant_claim"),
                    "nothing signed would name the tenant: set a tenant claim, or put `{tenant}` into the audience or the issuer",
                ));
            }
            Ok(issuer)
        };
        self.issuers.iter().enumerate().map(parse).collect()
    }
}

/// Refuses a plain scope whose first segment is the id of `tenant`.
fn refuse_plain_scope_of(scopes: &ScopeRule, tenant: &TenantId) -> Result<(), PolicyError> {
    let read_twice = |plain: &&ScopeToken| {
        scopes
            .pattern
            .matches(plain.as_str())
            .is_some_and(|found| found.tenant == Some(tenant.as_str()))
    };
    match scopes.plain.iter().find(read_twice) {
        Some(plain) => Err(PolicyError::new(
            "resource_server.plain_scopes",
            format!("`{}` is also a scope of the tenant `{tenant}`", plain.as_str()),
        )),
        None => Ok(()),
    }
}

impl Policy {
    /// Checks the ids of a directory against this policy, as it is loaded.
    ///
    /// # Errors
    ///
    /// If an id cannot stand in a host while the host is a source, or is the first segment of a plain
    /// scope.
    pub fn check_tenants<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantId>,
    ) -> Result<(), PolicyError> {
        for tenant in tenants {
            if self.0.host.is_some() && !is_host_tenant(tenant.as_str()) {
                return Err(PolicyError::new(
                    "directory.tenant",
                    format!(
                        "`{tenant}` cannot stand in a host: with tenant.host, ids are lower case without `_`"
                    ),
                ));
            }
            refuse_plain_scope_of(&self.0.scopes, tenant)?;
        }
        Ok(())
    }
}

fn parse<T: FromStr<Err = InvalidPattern>>(
    setting: &str,
    text: Option<&str>,
) -> Result<Option<T>, PolicyError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: T::Err| PolicyError::new(setting, error.to_string()))
}

/// Whether `only` is listed; nothing else may be, and it has to be configured.
fn listed(
    setting: &str,
    list: &[String],
    only: &str,
    configured: bool,
) -> Result<bool, PolicyError> {
    match list.iter().find(|name| *name != only) {
        Some(name) => Err(PolicyError::new(
            setting,
            format!("only `{only}` can be listed here, not `{name}`"),
        )),
        None if list.is_empty() => Ok(false),
        None if configured => Ok(true),
        None => Err(PolicyError::new(
            setting,
            format!("`{only}` is listed, but tenant.{only} is not set"),
        )),
    }
}

/// Why a policy cannot be used: which setting, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError {
    setting: String,
    problem: String,
}

impl PolicyError {
    /// Refuses `setting`, written as in the policy file: `issuer[0].tenants`.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// The setting, as it is called in the policy file.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    fn within(mut self, parent: &str) -> Self {
        self.setting = format!("{parent}.{}", self.setting);
        self
    }

    fn because(mut self, setting: &str) -> Self {
        self.problem = format!("{} (listed under {setting})", self.problem);
        self
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Error for PolicyError {}

/// The algorithms of an issuer that names none: what most issuers sign with.
pub(crate) const DEFAULT_ALGORITHMS: [Algorithm; 3] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
