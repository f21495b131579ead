//! Where the endpoints of an issuer are.

use tenantry_core::TenantId;

use crate::issuer_name::IssuerName;

/// The URLs of one issuer: of the one for all tenants, or of a tenant's own.
///
/// ```
/// use tenantry_issuer::{Endpoints, IssuerName};
///
/// let issuer: IssuerName = "https://erp.example/auth/{tenant}".parse()?;
/// let of_tenant1 = Endpoints::of(&issuer, Some(&"tenant1".parse()?)).unwrap();
///
/// assert_eq!(of_tenant1.issuer(), "https://erp.example/auth/tenant1");
/// assert_eq!(of_tenant1.token(), "https://erp.example/auth/tenant1/oauth/token");
/// assert_eq!(
///     of_tenant1.metadata(),
///     "https://erp.example/.well-known/oauth-authorization-server/auth/tenant1",
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    issuer: String,
    /// How much of the issuer is the scheme and the authority.
    origin: usize,
}

impl Endpoints {
    /// The path of the token endpoint, below the issuer.
    pub const TOKEN: &str = "/oauth/token";
    /// The path of introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).
    pub const INTROSPECTION: &str = "/oauth/introspect";
    /// The path of revocation ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).
    pub const REVOCATION: &str = "/oauth/revoke";
    /// The path of the endpoint that an OpenID configuration has to name. It refuses everything.
    pub const AUTHORIZATION: &str = "/oauth/authorize";
    /// The path of the key set.
    pub const JWKS: &str = "/jwks.json";
    /// The path of the metadata, before the path of the issuer ([RFC 8414 §3]).
    ///
    /// [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
    pub const METADATA: &str = "/.well-known/oauth-authorization-server";
    /// The path of the OpenID configuration, after the path of the issuer.
    pub const OPENID_METADATA: &str = "/.well-known/openid-configuration";

    /// The endpoints of the issuer of `tenant`, or of the one for all tenants.
    ///
    /// `None`: there is no such issuer, because each tenant has its own, or none has.
    #[must_use]
    pub fn of(name: &IssuerName, tenant: Option<&TenantId>) -> Option<Self> {
        let issuer = match (tenant, name.has_tenant()) {
            (None, false) => name.as_str().to_owned(),
            (Some(tenant), true) => name.of(tenant).as_str().to_owned(),
            _ => return None,
        };
        Some(Self { issuer, origin: name.origin().len() })
    }

    /// The issuer: the `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where tokens are issued.
    #[must_use]
    pub fn token(&self) -> String {
        self.below(Self::TOKEN)
    }

    /// Where tokens are introspected.
    #[must_use]
    pub fn introspection(&self) -> String {
        self.below(Self::INTROSPECTION)
    }

    /// Where tokens are revoked.
    #[must_use]
    pub fn revocation(&self) -> String {
        self.below(Self::REVOCATION)
    }

    /// Where nothing is authorized.
    #[must_use]
    pub fn authorization(&self) -> String {
        self.below(Self::AUTHORIZATION)
    }

    /// Where the key set is.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.below(Self::JWKS)
    }

    /// Where the metadata is: the well-known part stands between host and path ([RFC 8414 §3.1]).
    ///
    /// [RFC 8414 §3.1]: https://www.rfc-editor.org/rfc/rfc8414#section-3.1
    #[must_use]
    pub fn metadata(&self) -> String {
        let (origin, path) =
            self.issuer.split_at_checked(self.origin).unwrap_or((&self.issuer, ""));
        format!("{origin}{}{path}", Self::METADATA)
    }

    /// Where the OpenID configuration is: the well-known part stands at the end
    /// ([OpenID Connect Discovery §4]).
    ///
    /// [OpenID Connect Discovery §4]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
    #[must_use]
    pub fn openid_metadata(&self) -> String {
        self.below(Self::OPENID_METADATA)
    }

    fn below(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}
