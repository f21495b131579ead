//! The access tokens of this server: signed here, and recognised when they come back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::{Map, Value};

use tenantry_core::{Algorithm, Match, TenantId, TenantPattern};
use tenantry_jwks::{KeySet, Selection};
use tenantry_jwt::verify_signature;

use crate::authentication::Registration;
use crate::keys::{KeyRing, KeyRingError};
use crate::records::{ClientId, KeyOwner};
use crate::settings::Settings;
use crate::token_id;

/// The longest token that is looked at, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// How many owners' keys are kept ready.
const CAPACITY: u64 = 10_000;

/// An access token that was signed here. Whether it still counts, nobody looked.
pub(crate) struct OwnToken {
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) jti: String,
    pub(crate) audience: Vec<String>,
    pub(crate) issued_at: Duration,
    pub(crate) expires_at: Duration,
    pub(crate) claims: Map<String, Value>,
}

/// Recognises access tokens by the keys that are published.
pub(crate) struct OwnTokens {
    keys: KeyRing,
    /// The published keys, ready to check signatures, of all tenants or of each; with the document
    /// that they were read from.
    prepared: Cache<Option<TenantId>, (Bytes, Arc<KeySet>)>,
}

impl OwnTokens {
    pub(crate) fn new(keys: KeyRing) -> Self {
        Self { keys, prepared: Cache::new(CAPACITY) }
    }

    /// Returns what `token` says, if this server signed it for `tenant` or, where tenants share an
    /// issuer, for another. A key that was withdrawn does not count any more.
    pub(crate) async fn verify(
        &self,
        settings: &Settings,
        tenant: &TenantId,
        token: &str,
    ) -> Result<Option<OwnToken>, KeyRingError> {
        let owner = self.keys.owner_of(tenant);
        let keys = self.keys.keys(&owner).await?;
        let whose = match owner {
            KeyOwner::Shared => None,
            KeyOwner::Tenant(tenant) => Some(tenant),
        };
        let keys = self.prepare(whose, keys.jwks().body());
        Ok(verified(&keys, token).and_then(|claims| OwnToken::read(settings, tenant, claims)))
    }

    fn prepare(&self, whose: Option<TenantId>, jwks: &Bytes) -> Arc<KeySet> {
        if let Some((_, keys)) = self.prepared.get(&whose).filter(|(read, _)| read == jwks) {
            return keys;
        }
        // Keys of our own making can be read; if not, nothing is recognised by them.
        let keys = Arc::new(KeySet::parse(jwks).unwrap_or_default());
        self.prepared.insert(whose, (jwks.clone(), Arc::clone(&keys)));
        keys
    }
}

impl fmt::Debug for OwnTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnTokens").finish_non_exhaustive()
    }
}

fn verified(keys: &KeySet, token: &str) -> Option<Map<String, Value>> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
        kid: String,
        typ: String,
    }
    if token.len() > MAX_BYTES {
        return None;
    }
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Header = serde_json::from_slice(&header).ok()?;
    // So that nothing else that these keys may sign one day is taken for an access token.
    if header.typ != "at+jwt" {
        return None;
    }
    let algorithm: Algorithm = header.alg.parse().ok()?;
    let Selection::One(key) = keys.select(Some(&header.kid), algorithm) else {
        return None;
    };
    let payload = verify_signature(token, MAX_BYTES, key).ok()?;
    serde_json::from_slice(&payload).ok()
}

impl OwnToken {
    /// Reads the claims of a token that was signed here, for whichever tenant.
    // INVARIANT (isolation): the tenant is what the claims say, issuer and audience are of this tenant.
    // A claim may have been a client's own when the token was signed, under other settings.
    fn read(settings: &Settings, caller: &TenantId, claims: Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let mut named = settings.tenant_claims().iter().map(|name| text(name));
        let first = named.next()??;
        if named.any(|other| other != Some(first)) {
            return None;
        }
        let tenant: TenantId = first.parse().ok()?;
        if text("iss")? != settings.issuer().of(&tenant).as_str() {
            return None;
        }
        if settings.issuer().has_tenant() && tenant != *caller {
            return None;
        }
        let audience = match claims.get("aud")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().filter_map(Value::as_str).map(Into::into).collect(),
            _ => return None,
        };
        if !audience.iter().all(|audience| is_of(settings, &tenant, audience)) {
            return None;
        }
        let jti = text("jti")?;
        Some(Self {
            client: text("client_id")?.parse().ok()?,
            jti: jti.into(),
            issued_at: token_id::issued_at(jti, claims.get("iat")?.as_u64()?),
            expires_at: Duration::from_secs(claims.get("exp")?.as_u64()?),
            tenant,
            audience,
            claims,
        })
    }
}

impl OwnToken {
    /// Whether it was issued to this client, and not to another that had its id, or its tenant's, before.
    ///
    /// Times are compared, by the clocks of who issued and of who registered. If the latter is ahead,
    /// the client's first tokens are taken for another's; if it is behind, the other's last ones for its.
    pub(crate) fn is_of(&self, Registration { tenant, client, .. }: &Registration) -> bool {
        self.tenant == tenant.id
            && self.client == client.id
            && self.issued_at >= tenant.created_at
            && self.issued_at >= client.created_at
    }
}

/// Whether an audience is of this tenant, or of all: if patterns name the tenant, one that matches none
/// of them is nobody's.
fn is_of(settings: &Settings, tenant: &TenantId, audience: &str) -> bool {
    match settings.match_audience(audience) {
        Some(Match::Tenant(named)) => *tenant == *named,
        Some(Match::Exact) => true,
        None => !settings.audience().iter().any(TenantPattern::has_tenant),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use tenantry_testkit::SigningKey;

    use super::*;

    fn settings(issuer: &str) -> Settings {
        let settings = Settings::builder().issuer(issuer).tenant_claims(["tenant_id", "tid"]);
        settings.audience("https://api.erp.example/{tenant}").build().unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://auth.erp.example", "aud": "https://api.erp.example/tenant1",
            "tenant_id": "tenant1", "tid": "tenant1", "client_id": "a", "jti": "1", "iat": 0, "exp": 1,
        })
    }

    fn read(issuer: &str, claims: Value) -> Option<OwnToken> {
        let Value::Object(claims) = claims else { return None };
        OwnToken::read(&settings(issuer), &"tenant1".parse().unwrap(), claims)
    }

    #[test]
    fn a_token_is_recognised_by_kind_key_and_signature() {
        let key = SigningKey::generate(Algorithm::Es256, "k1");
        let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
        let keys = KeySet::parse(jwks.as_bytes()).unwrap();
        let signed = |header: Value| {
            let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
            let input = format!("{}.{}", encode(header.to_string()), encode("{\"a\":1}".into()));
            format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes())))
        };
        let header =
            |typ: &str, alg: &str, kid: &str| json!({ "typ": typ, "alg": alg, "kid": kid });

        let good = signed(header("at+jwt", "ES256", "k1"));
        assert_eq!(verified(&keys, &good).unwrap()["a"], 1);
        for header in [
            header("JWT", "ES256", "k1"),
            header("at+jwt", "ES384", "k1"),
            header("at+jwt", "none", "k1"),
            header("at+jwt", "ES256", "k2"),
            json!({ "typ": "at+jwt", "alg": "ES256" }),
        ] {
            assert!(verified(&keys, &signed(header.clone())).is_none(), "{header}");
        }
        assert!(verified(&KeySet::default(), &good).is_none());
        assert!(verified(&keys, &good[..good.len() - 2]).is_none());
        assert!(verified(&keys, &format!("{}.{good}", "a".repeat(MAX_BYTES))).is_none());
    }

    #[test]
    fn the_tenant_is_what_every_claim_for_it_says_and_whose_issuer_it_is() {
        let shared = "https://auth.erp.example";
        assert_eq!(read(shared, claims()).unwrap().tenant, "tenant1");
        for (name, value) in [
            ("tid", json!("tenant2")),
            ("tid", json!(1)),
            ("tenant_id", json!("not a tenant")),
            ("iss", json!("https://auth.erp.example/tenant1")),
            ("iss", json!("https://other.example")),
            ("aud", json!(1)),
            ("aud", json!("https://api.erp.example/tenant2")),
            ("aud", json!(["https://api.erp.example/tenant1", "https://api.erp.example/tenant2"])),
            ("aud", json!("https://gone.erp.example/tenant1")),
            ("iat", json!("1")),
            ("exp", json!("1")),
            ("client_id", json!("not a client")),
            ("jti", Value::Null),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert!(read(shared, claims).is_none(), "{name}");
        }
    }

    #[test]
    fn an_audience_that_names_no_tenant_is_of_all() {
        let settings = Settings::builder().issuer("https://auth.erp.example");
        let settings = settings.audience("https://api.erp.example").build().unwrap();
        let tenant = "tenant1".parse().unwrap();
        // The second was in the settings before.
        for audience in ["https://api.erp.example", "https://gone.erp.example"] {
            assert!(is_of(&settings, &tenant, audience), "{audience}");
        }
    }

    #[test]
    fn with_an_issuer_per_tenant_another_tenants_token_is_nobodys() {
        let each = "https://auth.erp.example/{tenant}";
        let of = |tenant: &str| {
            let mut claims = claims();
            claims["iss"] = format!("https://auth.erp.example/{tenant}").into();
            claims["tenant_id"] = tenant.into();
            claims["tid"] = tenant.into();
            claims["aud"] = format!("https://api.erp.example/{tenant}").into();
            claims
        };

        assert!(read(each, of("tenant1")).is_some());
        assert!(read(each, of("tenant2")).is_none());
        assert!(read("https://auth.erp.example", of("tenant2")).is_none());
    }
}
