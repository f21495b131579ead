//! Which tenants a request names: read from path, header and host, not yet believed.

use std::borrow::Cow;

use http::header::{CONNECTION, HOST};
use http::{HeaderMap, Uri};

use crate::epoch::Epoch;
use crate::path::is_ambiguous;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rejection::Rejection;
use crate::tenant::{ProvenTenant, TenantId, is_tenant_id};

/// The tenants that a request names, each at most once and each a tenant id.
///
/// Unsigned, so they can confirm a token's tenant or refuse it, never supply it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestFacts<'a> {
    /// The policy that they were read under: absent means something else under another.
    pub(crate) policy: Epoch,
    pub(crate) path: Option<Cow<'a, str>>,
    pub(crate) header: Option<Cow<'a, str>>,
    pub(crate) host: Option<Cow<'a, str>>,
}

impl<'a> RequestFacts<'a> {
    /// Reads the sources that `policy` configures. `uri` is the request target as the server got
    /// it: not what a router has left of it.
    ///
    /// # Errors
    ///
    /// A 400 for what can be read in two ways: an ambiguous path, a tenant header that is repeated,
    /// no id, or named in `Connection`, more than one host. A source that is absent is for the
    /// decision to judge.
    pub fn read(policy: &Policy, uri: &'a Uri, headers: &'a HeaderMap) -> Result<Self, Rejection> {
        Self::sources(policy, uri, headers).map_err(|reason| Rejection::new(reason).under(policy))
    }

    /// Names `tenant` at every place that `policy` reads, as its own requests do: to judge again what
    /// was admitted for that tenant, when the request itself is gone.
    #[must_use]
    pub fn naming(policy: &Policy, tenant: &'a ProvenTenant) -> Self {
        let named = |configured: bool| configured.then(|| Cow::Borrowed(tenant.as_str()));
        Self {
            policy: policy.epoch(),
            path: named(policy.path().is_some()),
            header: named(policy.header().is_some()),
            host: named(policy.host().is_some()),
        }
    }

    /// Copies the names, for a decision that has to wait.
    #[must_use]
    pub fn into_owned(self) -> RequestFacts<'static> {
        let own = |named: Option<Cow<'_, str>>| named.map(|named| Cow::Owned(named.into_owned()));
        RequestFacts {
            policy: self.policy,
            path: own(self.path),
            header: own(self.header),
            host: own(self.host),
        }
    }

    /// The tenant that the request asks for, if all that name one agree.
    pub(crate) fn asked(&self) -> Option<TenantId> {
        let mut named = [&self.path, &self.header, &self.host].into_iter().flatten();
        let first = named.next()?;
        named.all(|other| other == first).then(|| first.parse().ok())?
    }

    fn sources(policy: &Policy, uri: &'a Uri, headers: &'a HeaderMap) -> Result<Self, Reason> {
        Ok(Self {
            policy: policy.epoch(),
            path: path_tenant(policy, uri.path())?.map(Cow::Borrowed),
            header: header_tenant(policy, headers)?.map(Cow::Borrowed),
            host: host_tenant(policy, uri, headers)?.map(Cow::Owned),
        })
    }
}

fn path_tenant<'a>(policy: &Policy, path: &'a str) -> Result<Option<&'a str>, Reason> {
    // Judged for every policy: what follows the tenant is routed on, too.
    if is_ambiguous(path) {
        return Err(Reason::PathAmbiguous);
    }
    let Some(pattern) = policy.path() else {
        return Ok(None);
    };
    // An escape is never decoded into an id, nor taken for "another path".
    if pattern.tenant_segment(path).is_some_and(|segment| segment.contains('%')) {
        return Err(Reason::PathAmbiguous);
    }
    Ok(pattern.tenant(path))
}

fn header_tenant<'a>(policy: &Policy, headers: &'a HeaderMap) -> Result<Option<&'a str>, Reason> {
    let Some(name) = policy.header() else {
        return Ok(None);
    };
    let named = |value: &http::HeaderValue| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    };
    if headers.get_all(CONNECTION).iter().any(named) {
        return Err(Reason::HeaderInConnection);
    }
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Reason::TenantRepeatedHeader);
    }
    match value.to_str() {
        Ok(id) if is_tenant_id(id) => Ok(Some(id)),
        _ => Err(Reason::TenantMalformedHeader),
    }
}

fn host_tenant(policy: &Policy, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, Reason> {
    let Some(pattern) = policy.host() else {
        return Ok(None);
    };
    let host = request_host(uri, headers)?;
    Ok(host.and_then(|host| pattern.tenant(&host).map(Into::into)))
}

/// The host that a request is for; `None` if that is an IPv6 address, which names no tenant.
pub(crate) fn request_host(uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, Reason> {
    let mut fields = headers.get_all(HOST).iter();
    let field =
        fields.next().map(|value| value.to_str().map_err(|_| Reason::HostAmbiguous)).transpose()?;
    let target = uri.authority().map(http::uri::Authority::as_str);
    let agree = match (field, target) {
        (Some(field), Some(target)) => field.eq_ignore_ascii_case(target),
        _ => true,
    };
    let Some(authority) = target.or(field).filter(|_| agree && fields.next().is_none()) else {
        return Err(Reason::HostAmbiguous);
    };
    if authority.starts_with('[') {
        return Ok(None);
    }
    host_of(authority).map(Some).ok_or(Reason::HostAmbiguous)
}

/// The host of an authority: lower case, without port and trailing dot.
fn host_of(authority: &str) -> Option<String> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    Some(host.to_ascii_lowercase())
}
