//! What a resource server says about itself ([RFC 9728]): its name, its authorization servers, and
//! where that can be read.
//!
//! With `{tenant}` in the audience there is one resource, and one document, per tenant. Documents are
//! made of the policy and a well-formed id alone. Nobody is asked whether there is such a tenant.
//!
//! [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728

use bytes::Bytes;
use http::{HeaderMap, Uri};

use crate::facts::request_host;
use crate::key_url::check_url;
use crate::pattern::{InvalidPattern, Match, ScopePattern, TenantPattern, is_host_tenant};
use crate::policy::Policy;
use crate::policy_error::PolicyError;
use crate::scope::ScopeToken;
use crate::tenant::TenantId;

/// The path of the metadata, up to the path of the resource ([RFC 9728 §3]).
///
/// [RFC 9728 §3]: https://www.rfc-editor.org/rfc/rfc9728#section-3
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const SETTING: &str = "resource_server.metadata";

/// The resource of a policy, or one for each tenant.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    identifier: TenantPattern,
    /// The URL of the metadata, and its path.
    url: TenantPattern,
    path: TenantPattern,
    /// The host, if that is where the tenant is.
    host: Option<TenantPattern>,
    scopes: Box<[ScopeToken]>,
}

impl Resource {
    /// Takes an audience for the identifier of a resource ([RFC 9728 §1.2]).
    ///
    /// [RFC 9728 §1.2]: https://www.rfc-editor.org/rfc/rfc9728#section-1.2
    pub(crate) fn new(
        audience: &TenantPattern,
        scopes: Box<[ScopeToken]>,
    ) -> Result<Self, PolicyError> {
        let refuse = |problem: &str| {
            PolicyError::new(
                SETTING,
                format!(
                    "the first audience, `{}`, would be the resource identifier (RFC 9728), and cannot: {problem}",
                    audience.as_str()
                ),
            )
        };
        let text = audience.as_str();
        if text.contains(['?', '#']) {
            return Err(refuse("it has a query or a fragment"));
        }
        check_url(SETTING, text, true).map_err(|error| refuse(error.problem()))?;
        // It is quoted in challenges as it is.
        if !text.replace("{tenant}", "").bytes().all(is_url_byte) {
            return Err(refuse("it has a character that no URL has"));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // RFC 9728, section 3.1: the slash after the host is removed before the insertion.
        let path = if path == "/" { "" } else { path };
        let parse =
            |text: String| text.parse().map_err(|error: InvalidPattern| refuse(&error.to_string()));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = Some(host).filter(|host| host.contains("{tenant}"));
        Ok(Self {
            identifier: audience.clone(),
            url: parse(format!("{scheme}://{authority}{WELL_KNOWN}{path}"))?,
            path: parse(format!("{WELL_KNOWN}{path}"))?,
            host: host.map(|host| parse(host.into())).transpose()?,
            scopes,
        })
    }

    /// Writes what `pattern` says for `tenant`, or for the one resource that there is.
    fn write(&self, pattern: &TenantPattern, tenant: Option<&TenantId>) -> Option<String> {
        match tenant {
            _ if !pattern.has_tenant() => Some(pattern.as_str().into()),
            // A host has one spelling, and this id is not spelled like that.
            Some(tenant) if self.host.is_some() && !is_host_tenant(tenant.as_str()) => None,
            Some(tenant) => Some(pattern.render(tenant)),
            None => None,
        }
    }

    /// The tenant whose metadata is asked for with this URI: `Some(None)` if there is one document
    /// only, `None` if it is none of ours.
    fn asked(&self, uri: &Uri, headers: &HeaderMap) -> Option<Option<TenantId>> {
        let in_path = self.path.matches(uri.path())?;
        let host;
        let found = match &self.host {
            None => in_path,
            Some(pattern) => {
                host = request_host(uri, headers).ok().flatten()?;
                pattern.matches(&host)?
            }
        };
        match found {
            Match::Exact => Some(None),
            Match::Tenant(tenant) => Some(Some(tenant.parse().ok()?)),
        }
    }
}

/// Checks the scopes that metadata is to list.
pub(crate) fn parse_scopes(
    scopes: &[String],
    pattern: &ScopePattern,
    audience: &TenantPattern,
) -> Result<Box<[ScopeToken]>, PolicyError> {
    let refuse = |problem: String| PolicyError::new("resource_server.scopes_supported", problem);
    if !scopes.is_empty() && pattern.has_tenant() && !audience.has_tenant() {
        return Err(refuse(
            "scopes name their tenant and the audience names none, so they cannot be written: put `{tenant}` into the audience, or list none".into(),
        ));
    }
    let parse = |scope: &String| {
        scope.parse().map_err(|error| refuse(format!("`{}` is {error}", scope.escape_debug())))
    };
    scopes.iter().map(parse).collect()
}

/// `unreserved`, `gen-delims` and `sub-delims` of [RFC 3986 §2](https://www.rfc-editor.org/rfc/rfc3986#section-2).
const fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'[' | b']' | b'@')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// The metadata of a protected resource ([RFC 9728 §2]).
///
/// ```
/// use tenantry_core::Policy;
///
/// let policy = Policy::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .resource_metadata()
///     .build()?;
/// let metadata = policy.resource_metadata(Some(&"tenant1".parse()?)).unwrap();
/// assert_eq!(metadata.resource(), "https://api.erp.example/tenant1");
/// assert_eq!(
///     metadata.to_json(),
///     r#"{"authorization_servers":["https://auth.erp.example"],"bearer_methods_supported":["header"],"resource":"https://api.erp.example/tenant1"}"#,
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 9728 §2]: https://www.rfc-editor.org/rfc/rfc9728#section-2
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
}

impl ResourceMetadata {
    /// The resource identifier.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The issuers that may speak for the resource's tenant.
    #[must_use]
    pub fn authorization_servers(&self) -> &[String] {
        &self.authorization_servers
    }

    /// The scopes that the policy was given for this, as tokens of the tenant write them.
    #[must_use]
    pub fn scopes_supported(&self) -> &[String] {
        &self.scopes_supported
    }

    /// Writes the document. Lists without an element are left out ([RFC 9728 §3.2]).
    ///
    /// [RFC 9728 §3.2]: https://www.rfc-editor.org/rfc/rfc9728#section-3.2
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut document = serde_json::json!({
            "resource": self.resource,
            "bearer_methods_supported": ["header"],
        });
        let lists = [
            ("authorization_servers", &self.authorization_servers),
            ("scopes_supported", &self.scopes_supported),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            if let Some(members) = document.as_object_mut() {
                members.insert(name.into(), list.as_slice().into());
            }
        }
        document.to_string().into()
    }
}

impl Policy {
    /// The metadata of the resource of `tenant`, or of the one resource if no audience holds
    /// `{tenant}`.
    ///
    /// `None` if [it is not turned on](crate::PolicyBuilder::resource_metadata), if there is one
    /// resource per tenant and `tenant` is `None`, and if no issuer speaks for the tenant.
    ///
    /// # Security
    ///
    /// The document is public, and made of the policy and the id: the directory is not asked. An
    /// issuer without a list of tenants speaks for every id that is well-formed. With lists, whoever
    /// asks learns which tenants are on them, and for which issuer.
    #[must_use]
    pub fn resource_metadata(&self, tenant: Option<&TenantId>) -> Option<ResourceMetadata> {
        let resource = self.0.resource.as_ref()?;
        let identifier = resource.write(&resource.identifier, tenant)?;
        let tenant = tenant.filter(|_| resource.identifier.has_tenant());
        let speaking = self.issuers().iter().filter(|issuer| match tenant {
            Some(tenant) => issuer.speaks_for(tenant.as_str()),
            // One document for all names no issuer of one tenant.
            None => !issuer.pattern().has_tenant(),
        });
        let speaking: Vec<_> = speaking
            .map(|issuer| match tenant {
                Some(tenant) => issuer.pattern().render(tenant),
                None => issuer.pattern().as_str().into(),
            })
            .collect();
        if tenant.is_some() && speaking.is_empty() {
            return None;
        }
        let written = |scope: &ScopeToken| match tenant {
            Some(tenant) => self.scope_pattern().render(tenant, scope.as_str()),
            None => scope.as_str().into(),
        };
        // RFC 8414, section 2: an issuer identifier is a URL. An issuer with its keys in a file need
        // not be one.
        let is_url =
            |issuer: &String| issuer.starts_with("https://") || issuer.starts_with("http://");
        Some(ResourceMetadata {
            resource: identifier,
            authorization_servers: speaking.into_iter().filter(is_url).collect(),
            scopes_supported: resource.scopes.iter().map(written).collect(),
        })
    }

    /// The metadata that is asked for with this request target: for whoever serves it below
    /// `/.well-known/oauth-protected-resource`.
    ///
    /// The tenant is read from where the audience has it, path or host. `None` means 404.
    #[must_use]
    pub fn resource_metadata_at(&self, uri: &Uri, headers: &HeaderMap) -> Option<ResourceMetadata> {
        let tenant = self.0.resource.as_ref()?.asked(uri, headers)?;
        self.resource_metadata(tenant.as_ref())
    }

    /// Where the metadata of `tenant` is ([RFC 9728 §3.1]), or the only one.
    ///
    /// `None` as for [`resource_metadata`](Self::resource_metadata), but for one: whether anybody
    /// speaks for the tenant does not matter here.
    ///
    /// [RFC 9728 §3.1]: https://www.rfc-editor.org/rfc/rfc9728#section-3.1
    #[must_use]
    pub fn resource_metadata_url(&self, tenant: Option<&TenantId>) -> Option<String> {
        let resource = self.0.resource.as_ref()?;
        resource.write(&resource.url, tenant)
    }

    /// Whether challenges say where the metadata is.
    pub(crate) fn has_resource(&self) -> bool {
        self.0.resource.is_some()
    }
}
