//! The settings of a policy, and the checks that they have to pass.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::epoch::Epoch;
use crate::isolation::isolate;
use crate::issuer_policy::IssuerPolicy;
use crate::issuer_settings::IssuerSettings;
use crate::pattern::{
    HostPattern, InvalidPattern, PathPattern, ScopePattern, TenantPattern, is_host_tenant,
};
use crate::policy::{DEFAULT_REALM, Policy, Rules, refuse_plain_scope_of};
use crate::policy_error::PolicyError;
use crate::resource::{self, Resource};
use crate::revocations::Revocations;
use crate::scope::{ScopeRule, ScopeToken};

/// More than this is no skew but a wrong clock.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

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
    revocations: Option<Revocations>,
    resource_metadata: bool,
    scope: String,
    scopes_supported: Vec<String>,
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
            revocations: None,
            resource_metadata: false,
            scope: "{tenant}.{scope}".into(),
            scopes_supported: Vec::new(),
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

    /// Refuses the tokens that are on this list. Default: there is none. `tenantry::ResourceServer`
    /// gives its policy one.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// The list that was set by [`revocations`](Self::revocations).
    #[must_use]
    pub const fn revocations_set(&self) -> Option<&Revocations> {
        self.revocations.as_ref()
    }

    /// Describes this resource server to its clients, and says in challenges where
    /// ([RFC 9728 §5.1]). Default: it does not.
    ///
    /// The first audience is the resource identifier. It has to be an https URL without query and
    /// fragment; plain http is for loopback. With `{tenant}` in it there is one resource per tenant.
    /// Somebody has to serve the documents: the router of `tenantry::ResourceServer`, or
    /// [`Policy::resource_metadata_at`].
    ///
    /// # Security
    ///
    /// What the documents tell strangers is at [`Policy::resource_metadata`].
    ///
    /// [RFC 9728 §5.1]: https://www.rfc-editor.org/rfc/rfc9728#section-5.1
    pub fn resource_metadata(mut self) -> Self {
        self.resource_metadata = true;
        self
    }

    /// Lists scopes in the metadata, for clients that do not know which to ask for. Write them
    /// without the tenant. Default: none.
    pub fn scopes_supported<T: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = T>,
    ) -> Self {
        self.scopes_supported.extend(scopes.into_iter().map(Into::into));
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
        let resource = self.parse_resource(&audiences, &scopes.pattern)?;
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
            revocations: self.revocations,
            resource,
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

    fn parse_resource(
        &self,
        audiences: &[TenantPattern],
        pattern: &ScopePattern,
    ) -> Result<Option<Resource>, PolicyError> {
        match audiences.first() {
            Some(audience) if self.resource_metadata => {
                let scopes = resource::parse_scopes(&self.scopes_supported, pattern, audience)?;
                Resource::new(audience, scopes).map(Some)
            }
            _ if self.scopes_supported.is_empty() => Ok(None),
            _ => Err(PolicyError::new(
                "resource_server.scopes_supported",
                "they are listed in the metadata, which is not turned on",
            )),
        }
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
                "this header means something else already: take one of your own, such as `x-tenant-id`",
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
