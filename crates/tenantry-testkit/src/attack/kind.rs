//! The kinds of attacks, in the order that they are run and reported.

use std::fmt;

/// What an attack plays with.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AttackKind {
    /// Nothing: requests that have to succeed, so that a refusal proves something.
    Control,
    /// No credentials, several, or in the wrong place.
    Credentials,
    /// Another tenant's object under one's own address.
    Object,
    /// A right token of one tenant at another's address, and tenants whose ids look alike.
    CrossTenant,
    /// `none`, a public key as a secret, a signature that belongs to something else.
    Algorithm,
    /// Keys of strangers, of other issuers, of other tenants, and keys in the token itself.
    Key,
    /// Claims that are absent, wrong, or disagree, under a right signature.
    Claims,
    /// Spellings of a path that two readers read in two ways.
    Path,
    /// Headers that name another tenant or another address.
    Header,
    /// Hosts of other tenants.
    Host,
    /// Other tenants in the query, the body, or another segment of the path.
    Parameter,
    /// Scopes that are absent, another tenant's, or look alike.
    Scope,
    /// Other methods of the same path, and paths without a route.
    Method,
    /// What was right a moment ago, changed.
    Cache,
    /// Tokens past their time, or before it.
    Expiry,
    /// Tokens of a key that was withdrawn.
    Rotation,
}

impl AttackKind {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Control,
        Self::Credentials,
        Self::Object,
        Self::CrossTenant,
        Self::Algorithm,
        Self::Key,
        Self::Claims,
        Self::Path,
        Self::Header,
        Self::Host,
        Self::Parameter,
        Self::Scope,
        Self::Method,
        Self::Cache,
        Self::Expiry,
        Self::Rotation,
    ];

    /// What usually is the cause of a finding.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Control => {
                "a probe that does not succeed, or shows nothing of its tenant, cannot prove anything: correct it, or say `unseen()`"
            }
            Self::Credentials => {
                "is `server.layer()` around this route? routes that are added after `.layer(…)` are not inside it"
            }
            Self::CrossTenant => {
                "the tenant must come from the `TenantPrincipal`, and be compared as a whole, byte for byte, in the store too"
            }
            Self::Algorithm | Self::Key | Self::Claims => {
                "something decodes tokens by itself: leave it to the layer, and read the `TenantPrincipal`"
            }
            Self::Path => {
                "something reads the tenant from the path by itself, or repairs the path before or after the layer judges it"
            }
            Self::Header => {
                "something believes a header: the tenant comes from the `TenantPrincipal` only"
            }
            Self::Host => {
                "something believes the host, or a header about it: the tenant comes from the `TenantPrincipal` only"
            }
            Self::Parameter => {
                "the handler takes the tenant from the query, the body, or a segment of the path that the policy does not judge"
            }
            Self::Object => {
                "the object is looked up by its id alone: ask for tenant and id, in one query"
            }
            Self::Scope => {
                "no scope rule covers the route, or not wholly: `RequireScopeLayer` or `Scoped` compares whole words; say `no_scope()` where none is meant"
            }
            Self::Method => {
                "this method has a handler of its own, or a fallback, that the layers are not around"
            }
            Self::Cache => {
                "a cache is keyed by less than the whole token, or by the path without the tenant, or sits outside the layer"
            }
            Self::Expiry => "a cache keeps callers past the `exp` of their token",
            Self::Rotation => {
                "a cache keeps callers past the withdrawal of the key, or a copy of the keys is used"
            }
        }
    }
}

impl fmt::Display for AttackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Credentials => "credentials",
            Self::CrossTenant => "cross-tenant",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Claims => "claims",
            Self::Path => "path",
            Self::Header => "header",
            Self::Host => "host",
            Self::Parameter => "parameter",
            Self::Object => "object",
            Self::Scope => "scope",
            Self::Method => "method",
            Self::Cache => "cache",
            Self::Expiry => "expiry",
            Self::Rotation => "rotation",
        })
    }
}
