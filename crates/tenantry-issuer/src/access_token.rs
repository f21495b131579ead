//! What an access token says ([RFC 9068 §2.2]).
//!
//! | claim                      | value                                                              |
//! |----------------------------|--------------------------------------------------------------------|
//! | `iss`                      | the issuer, or the tenant's own                                    |
//! | `sub`, `client_id`         | the client: there is no other subject here, and none can be called so |
//! | `aud`                      | who the token is for: a string, or an array of several             |
//! | the configured tenant claims | the tenant                                                       |
//! | `scope`                    | the scopes, with their tenant where they are qualified; absent if there are none |
//! | `iat`, `exp`               | now, and the lifetime later, in whole seconds                      |
//! | `jti`                      | the millisecond of the issue, and 128 random bits                  |
//! | whatever was registered    | for the client or, if the client has none of that name, its tenant |
//!
//! With the longest names and 4 KiB of claims a token has about 8 KiB; the usual one has 600 bytes.
//!
//! [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use tenantry_core::{Match, TenantId};

use crate::keys::{KeyRingError, KeyRingErrorKind, LONGEST_TOKEN_LIFETIME};
use crate::records::{Client, Tenant};
use crate::reserved::is_reserved_claim;
use crate::settings::Settings;
use crate::token_id;

/// How long claims usually are at most, in bytes.
const USUAL: usize = 512;

/// An access token that is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct AccessToken<'a> {
    /// What the issuer is called, and what its tenants are called in tokens.
    pub settings: &'a Settings,
    /// The tenant that it is for.
    pub tenant: &'a Tenant,
    /// The client that it is issued to, of this tenant.
    pub client: &'a Client,
    /// Who is to accept it: at least one, all of this tenant.
    pub audience: &'a [String],
    /// What it permits, each scope as it is written in tokens.
    pub scope: &'a [String],
}

/// An access token that was signed. `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Its `jti`.
    pub jti: String,
    /// When it was issued, since the Unix epoch.
    pub issued_at: Duration,
    /// When it expires.
    pub expires_at: Duration,
}

impl AccessToken<'_> {
    /// The claims as JSON, and what is to be known about the token that is signed over them.
    pub(crate) fn claims(&self, now: Duration) -> Result<(Vec<u8>, IssuedToken), KeyRingError> {
        self.is_of_one_tenant()?;
        let jti = token_id::generate(now)
            .map_err(|error| KeyRingError::new(KeyRingErrorKind::Crypto, error.to_string()))?;
        let lifetime = self.settings.access_token_lifetime().min(LONGEST_TOKEN_LIFETIME);
        let issued_at = Duration::from_secs(now.as_secs());
        let issued = IssuedToken {
            token: String::new(),
            jti,
            issued_at,
            expires_at: issued_at.saturating_add(Duration::from_secs(lifetime.as_secs())),
        };
        let mut claims = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut claims, &Claims { token: self, issued: &issued })
            .map_err(|_| KeyRingError::new(KeyRingErrorKind::Crypto, "the claims are no JSON"))?;
        Ok((claims, issued))
    }

    /// INVARIANT (isolation): whatever led here, nothing is signed that names two tenants.
    fn is_of_one_tenant(&self) -> Result<(), KeyRingError> {
        let foreign = |what: &str| Err(KeyRingError::new(KeyRingErrorKind::Foreign, what));
        let tenant = &self.tenant.id;
        if self.client.tenant != *tenant {
            return foreign("the client is another tenant's");
        }
        let own = |audience: &String| match self.settings.match_audience(audience) {
            Some(Match::Exact) => true,
            Some(Match::Tenant(named)) => named == tenant.as_str(),
            None => false,
        };
        if self.audience.is_empty() || !self.audience.iter().all(own) {
            return foreign("an audience is not the tenant's, or there is none");
        }
        let pattern = self.settings.scope();
        let own = |scope: &String| match pattern.matches(scope) {
            Some(found) => !pattern.has_tenant() || found.tenant == Some(tenant.as_str()),
            None => false,
        };
        if !self.scope.iter().all(own) {
            return foreign("a scope is not the tenant's");
        }
        Ok(())
    }
}

impl IssuedToken {
    pub(crate) fn signed(self, token: String) -> Self {
        Self { token, ..self }
    }
}

// INVARIANT (secrets stay in): the token is not shown.
impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("jti", &self.jti)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

struct Claims<'a> {
    token: &'a AccessToken<'a>,
    issued: &'a IssuedToken,
}

impl Claims<'_> {
    fn issuer(&self, tenant: &TenantId) -> Cow<'_, str> {
        let name = self.token.settings.issuer();
        if name.has_tenant() {
            name.of(tenant).as_str().to_owned().into()
        } else {
            name.as_str().into()
        }
    }
}

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let AccessToken { settings, tenant, client, audience, scope } = *self.token;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", &self.issuer(&tenant.id))?;
        map.serialize_entry("sub", client.id.as_str())?;
        match audience {
            [one] => map.serialize_entry("aud", one)?,
            several => map.serialize_entry("aud", several)?,
        }
        map.serialize_entry("client_id", client.id.as_str())?;
        for name in settings.tenant_claims() {
            map.serialize_entry(&**name, tenant.id.as_str())?;
        }
        if !scope.is_empty() {
            map.serialize_entry("scope", &scope.join(" "))?;
        }
        map.serialize_entry("iat", &self.issued.issued_at.as_secs())?;
        map.serialize_entry("exp", &self.issued.expires_at.as_secs())?;
        map.serialize_entry("jti", &self.issued.jti)?;
        let of_tenant = tenant.claims.iter().filter(|(name, _)| !client.claims.contains_key(*name));
        for (name, value) in of_tenant.chain(&client.claims) {
            // They were refused when they were registered. The settings may have changed since.
            if !is_reserved_claim(name, settings.tenant_claims()) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}
