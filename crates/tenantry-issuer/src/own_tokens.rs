//! The access tokens of this server: signed here, and recognised when they come back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use tenantry_core::{Algorithm, TenantId};
use tenantry_jwks::{KeySet, Selection};
use tenantry_jwt::verify_signature;

use crate::authentication::Registration;
use crate::oauth_error::OAuthError;
use crate::records::ClientId;
use crate::settings::Settings;

/// The longest token that is looked at, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// What an access token is to say.
#[derive(Debug)]
pub(crate) struct NewToken<'a> {
    pub(crate) registration: &'a Registration,
    pub(crate) settings: &'a Settings,
    pub(crate) scope: &'a str,
    pub(crate) audience: &'a [String],
    pub(crate) now: Duration,
}

/// An access token to hand out.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

// INVARIANT (secrets stay in)
impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// An access token that was signed here. Whether it still counts, nobody looked.
pub(crate) struct OwnToken {
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) jti: String,
    pub(crate) audience: Vec<String>,
    pub(crate) expires_at: Duration,
    pub(crate) claims: Map<String, Value>,
}

/// Signs access tokens, and recognises them.
#[derive(Debug)]
pub struct OwnTokens {
    stub: Arc<stub::Stub>,
}

impl OwnTokens {
    pub fn stub() -> Self {
        Self { stub: Arc::new(stub::Stub::new()) }
    }

    pub(crate) async fn issue(&self, new: &NewToken<'_>) -> Result<Issued, OAuthError> {
        let lifetime = new.settings.access_token_lifetime();
        let (tenant, client) = (&new.registration.tenant, &new.registration.client);
        let mut claims = tenant.claims.clone();
        claims.extend(client.claims.clone());
        let aud: Value = match new.audience {
            [one] => one.as_str().into(),
            many => many.to_vec().into(),
        };
        let id: [u8; 16] =
            crate::random::random().map_err(|_| OAuthError::unavailable("random"))?;
        for (name, value) in [
            ("iss", new.settings.issuer().of(&tenant.id).as_str().into()),
            ("aud", aud),
            ("sub", client.id.as_str().into()),
            ("client_id", client.id.as_str().into()),
            ("iat", new.now.as_secs().into()),
            ("exp", (new.now + lifetime).as_secs().into()),
            ("jti", BASE64_URL_SAFE_NO_PAD.encode(id).into()),
        ] {
            claims.insert(name.into(), value);
        }
        if !new.scope.is_empty() {
            claims.insert("scope".into(), new.scope.into());
        }
        for name in new.settings.tenant_claims() {
            claims.insert(name.to_string(), tenant.id.as_str().into());
        }
        Ok(Issued { token: self.stub.sign(&json!(claims).to_string()), lifetime })
    }

    /// Returns what `token` says, if this server signed it for `tenant` or, where tenants share an
    /// issuer, for another.
    pub(crate) async fn verify(
        &self,
        settings: &Settings,
        tenant: &TenantId,
        token: &str,
    ) -> Result<Option<OwnToken>, OAuthError> {
        let keys = self.stub.keys();
        Ok(verified(&keys, token).and_then(|claims| OwnToken::read(settings, tenant, claims)))
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
    // INVARIANT (isolation): the tenant is what the claims say, the issuer that of this tenant.
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
        Some(Self {
            client: text("client_id")?.parse().ok()?,
            jti: text("jti")?.into(),
            expires_at: Duration::from_secs(claims.get("exp")?.as_u64()?),
            tenant,
            audience,
            claims,
        })
    }
}

mod stub {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::*;
    pub(crate) struct Stub(EcdsaKeyPair);
    impl fmt::Debug for Stub {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Stub")
        }
    }
    impl Stub {
        pub(crate) fn new() -> Self {
            Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        }
        pub(crate) fn sign(&self, claims: &str) -> String {
            let e = |t: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(t);
            let input = format!(
                "{}.{}",
                e(br#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#),
                e(claims.as_bytes())
            );
            let s = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", e(s.as_ref()))
        }
        pub(crate) fn keys(&self) -> KeySet {
            let p = self.0.public_key().as_ref();
            let e = |t: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(t);
            KeySet::parse(json!({"keys":[{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig","x":e(&p[1..33]),"y":e(&p[33..])}]}).to_string().as_bytes()).unwrap()
        }
    }
}
