//! Columns to values and back.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;

use tenantry_core::TenantId;

use super::StoreError;
use crate::records::{
    Client, ClientAuth, ClientId, Family, FamilyId, Grants, KeyOwner, SealedKey, StoredKey, Tenant,
    TenantStatus,
};
use crate::secret::{SecretHash, TokenHash};

/// The columns of [`TenantRow`].
macro_rules! tenant_columns {
    () => {
        "tenant.id AS tenant_id, tenant.name AS tenant_name, tenant.status AS tenant_status, \
         tenant.claims AS tenant_claims, tenant.created_at AS tenant_created_at"
    };
}

/// The columns of [`ClientRow`].
macro_rules! client_columns {
    () => {
        "client.tenant, client.id, client.name, client.auth, client.secret_hash, client.jwks, \
         client.grant_client_credentials, client.grant_refresh_token, client.scopes, \
         client.audiences, client.claims, client.enabled, client.created_at"
    };
}

pub(super) use {client_columns, tenant_columns};

/// Milliseconds, which is what the tables hold.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> Result<Duration, StoreError> {
    u64::try_from(millis).map(Duration::from_millis).map_err(|_| StoreError::corrupt("a time"))
}

pub(super) fn times(millis: Option<i64>) -> Result<Option<Duration>, StoreError> {
    millis.map(time).transpose()
}

/// Writes what cannot fail to be written: strings, and values that are JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::corrupt("JSON"))
}

fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::corrupt(what))
}

pub(super) fn strings(text: &str) -> Result<Vec<String>, StoreError> {
    from_json(text, "a list")
}

pub(super) fn tenant_id(text: &str) -> Result<TenantId, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("a tenant id"))
}

pub(super) fn client_id(text: &str) -> Result<ClientId, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("a client id"))
}

fn bytes<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::corrupt(what))
}

pub(super) fn token_hash(hash: &[u8]) -> Result<TokenHash, StoreError> {
    bytes(hash, "a hash").map(TokenHash::from_bytes)
}

#[derive(FromRow)]
pub(super) struct TenantRow {
    tenant_id: String,
    tenant_name: Option<String>,
    tenant_status: String,
    tenant_claims: String,
    tenant_created_at: i64,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = StoreError;

    fn try_from(row: TenantRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: tenant_id(&row.tenant_id)?,
            name: row.tenant_name,
            status: match &*row.tenant_status {
                "active" => TenantStatus::Active,
                "suspended" => TenantStatus::Suspended,
                _ => return Err(StoreError::corrupt("a status")),
            },
            claims: from_json(&row.tenant_claims, "claims")?,
            created_at: time(row.tenant_created_at)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct ClientRow {
    tenant: String,
    id: String,
    name: Option<String>,
    auth: String,
    secret_hash: Option<Vec<u8>>,
    jwks: Option<String>,
    grant_client_credentials: bool,
    grant_refresh_token: bool,
    scopes: String,
    audiences: String,
    claims: String,
    enabled: bool,
    created_at: i64,
}

/// How one client authenticates, or nobody.
#[derive(FromRow)]
pub(super) struct ClientAuthRow {
    auth: Option<String>,
    secret_hash: Option<Vec<u8>>,
    jwks: Option<String>,
}

impl ClientAuthRow {
    pub(super) fn read(self) -> Result<Option<ClientAuth>, StoreError> {
        let Some(auth) = self.auth else { return Ok(None) };
        client_auth(&auth, self.secret_hash, self.jwks).map(Some)
    }
}

fn client_auth(
    method: &str,
    secret_hash: Option<Vec<u8>>,
    jwks: Option<String>,
) -> Result<ClientAuth, StoreError> {
    let secret = |hash: &[u8]| bytes(hash, "a hash").map(SecretHash::from_bytes);
    match (method, secret_hash, jwks) {
        ("client_secret_basic", Some(hash), None) => secret(&hash).map(ClientAuth::Basic),
        ("client_secret_post", Some(hash), None) => secret(&hash).map(ClientAuth::Post),
        ("private_key_jwt", None, Some(jwks)) => Ok(ClientAuth::PrivateKeyJwt { jwks }),
        _ => Err(StoreError::corrupt("a way to authenticate")),
    }
}

impl TryFrom<ClientRow> for Client {
    type Error = StoreError;

    fn try_from(row: ClientRow) -> Result<Self, StoreError> {
        let auth = client_auth(&row.auth, row.secret_hash, row.jwks)?;
        Ok(Self {
            tenant: tenant_id(&row.tenant)?,
            id: client_id(&row.id)?,
            name: row.name,
            auth,
            grants: Grants {
                client_credentials: row.grant_client_credentials,
                refresh_token: row.grant_refresh_token,
            },
            scopes: strings(&row.scopes)?.into_iter().collect(),
            audiences: strings(&row.audiences)?,
            claims: from_json(&row.claims, "claims")?,
            enabled: row.enabled,
            created_at: time(row.created_at)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct RegistrationRow {
    #[sqlx(flatten)]
    pub(super) tenant: TenantRow,
    #[sqlx(flatten)]
    pub(super) client: ClientRow,
}

#[derive(FromRow)]
pub(super) struct FamilyRow {
    id: Vec<u8>,
    tenant: String,
    client: String,
    scopes: String,
    audiences: String,
    current_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    rotated_at: Option<i64>,
    used_at: i64,
    created_at: i64,
    expires_at: i64,
    revoked: bool,
}

impl TryFrom<FamilyRow> for Family {
    type Error = StoreError;

    fn try_from(row: FamilyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: FamilyId::from_bytes(bytes(&row.id, "a family's id")?),
            tenant: tenant_id(&row.tenant)?,
            client: client_id(&row.client)?,
            scopes: strings(&row.scopes)?.into_iter().collect(),
            audiences: strings(&row.audiences)?,
            current: token_hash(&row.current_hash)?,
            previous: row.previous_hash.as_deref().map(token_hash).transpose()?,
            rotated_at: times(row.rotated_at)?,
            used_at: time(row.used_at)?,
            created_at: time(row.created_at)?,
            expires_at: time(row.expires_at)?,
            revoked: row.revoked,
        })
    }
}

#[derive(FromRow)]
pub(super) struct KeyRow {
    kid: String,
    algorithm: String,
    private_key: Vec<u8>,
    encryption: Option<String>,
    public_jwk: String,
    published_at: i64,
    active_at: i64,
    retired_at: Option<i64>,
    removed_at: Option<i64>,
}

impl TryFrom<KeyRow> for StoredKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            kid: row.kid,
            algorithm: row.algorithm.parse().map_err(|_| StoreError::corrupt("an algorithm"))?,
            private_key: SealedKey { bytes: row.private_key, encryption: row.encryption },
            public_jwk: row.public_jwk,
            published_at: time(row.published_at)?,
            active_at: time(row.active_at)?,
            retired_at: times(row.retired_at)?,
            removed_at: times(row.removed_at)?,
        })
    }
}

/// How the tables name an owner: no tenant has an empty id.
pub(super) fn owner_text(owner: &KeyOwner) -> &str {
    match owner {
        KeyOwner::Shared => "",
        KeyOwner::Tenant(tenant) => tenant.as_str(),
    }
}

pub(super) fn key_owner(text: &str) -> Result<KeyOwner, StoreError> {
    match text {
        "" => Ok(KeyOwner::Shared),
        tenant => tenant_id(tenant).map(KeyOwner::Tenant),
    }
}
