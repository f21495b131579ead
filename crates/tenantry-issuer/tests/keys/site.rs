//! An issuer with a database and a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tenantry_core::TenantId;
use tenantry_issuer::{
    AccessToken, Client, ClientAuth, Grants, IssuedToken, KeyOwner, KeyRing, KeyRingError,
    KeyState, Schedule, Secret, Settings, SettingsBuilder, SigningKeys, Store, Tenant,
    TenantStatus,
};
use tenantry_testkit::ManualClock;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// When the tests begin.
pub(crate) const T: Duration = Duration::from_secs(1_800_000_000);

pub(crate) const ISSUER: &str = "https://auth.erp.example";

/// The usual settings.
pub(crate) fn settings() -> SettingsBuilder {
    Settings::builder().issuer(ISSUER).audience("https://api.erp.example/{tenant}")
}

/// An issuer, and keys, per tenant.
pub(crate) fn per_tenant() -> SettingsBuilder {
    settings().issuer(format!("{ISSUER}/{{tenant}}"))
}

/// One process of an issuer.
pub(crate) struct Site {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) ring: KeyRing,
}

impl Site {
    /// With a database of its own, and the tenants `tenant1` and `tenant2`.
    pub(crate) async fn new(settings: SettingsBuilder) -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        for id in ["tenant1", "tenant2"] {
            store.add_tenant(&tenant(id)).await.unwrap();
        }
        Self::over(store, settings).await.unwrap()
    }

    /// Another process over the same database.
    pub(crate) async fn over(
        store: Store,
        settings: SettingsBuilder,
    ) -> Result<Self, KeyRingError> {
        Self::at(store, settings, ManualClock::new(T)).await
    }

    pub(crate) async fn at(
        store: Store,
        settings: SettingsBuilder,
        clock: ManualClock,
    ) -> Result<Self, KeyRingError> {
        let settings = settings.build().unwrap();
        let ring = KeyRing::open(store.clone(), &settings, Arc::new(clock.clone())).await?;
        Ok(Self { settings, store, clock, ring })
    }

    pub(crate) fn schedule(&self) -> Schedule {
        Schedule::of(&self.settings)
    }

    pub(crate) fn owner(&self, tenant: &str) -> KeyOwner {
        self.ring.owner_of(&id(tenant))
    }

    pub(crate) async fn keys(&self, tenant: &str) -> Arc<SigningKeys> {
        self.ring.keys(&self.owner(tenant)).await.unwrap()
    }

    pub(crate) async fn jwks(&self, tenant: &str) -> Value {
        json(self.keys(tenant).await.jwks().body())
    }

    /// The published keys by `kid`, in their order.
    pub(crate) async fn published(&self, tenant: &str) -> Vec<String> {
        kids(&self.jwks(tenant).await)
    }

    /// The key that signs now.
    pub(crate) async fn active(&self, tenant: &str) -> String {
        let keys = self.keys(tenant).await.list(self.ring.now());
        let mut active = keys.into_iter().filter(|key| key.state == KeyState::Active);
        let kid = active.next().unwrap().kid;
        assert!(active.next().is_none(), "one key signs");
        kid
    }

    pub(crate) async fn issue(&self, tenant: &str) -> Result<IssuedToken, KeyRingError> {
        self.issue_for(&self::tenant(tenant), &client(tenant)).await
    }

    pub(crate) async fn issue_for(
        &self,
        tenant: &Tenant,
        client: &Client,
    ) -> Result<IssuedToken, KeyRingError> {
        let token = AccessToken {
            settings: &self.settings,
            tenant,
            client,
            audience: &[format!("https://api.erp.example/{}", tenant.id)],
            scope: &[format!("{}.journal.read", tenant.id)],
        };
        self.ring.issue(&token).await
    }
}

pub(crate) fn id(tenant: &str) -> TenantId {
    tenant.parse().unwrap()
}

pub(crate) fn tenant(tenant: &str) -> Tenant {
    Tenant {
        id: id(tenant),
        name: None,
        status: TenantStatus::Active,
        claims: Map::new(),
        created_at: T,
    }
}

pub(crate) fn client(tenant: &str) -> Client {
    Client {
        tenant: id(tenant),
        id: "journal-sync".parse().unwrap(),
        name: None,
        auth: ClientAuth::Basic(Secret::generate().unwrap().hash()),
        grants: Grants { client_credentials: true, refresh_token: false },
        scopes: ["journal.read".to_owned()].into(),
        audiences: Vec::new(),
        claims: Map::new(),
        enabled: true,
        created_at: T,
    }
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub(crate) fn kids(jwks: &Value) -> Vec<String> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The header and the claims of a token, unverified.
pub(crate) fn parts(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |at: usize| json(&BASE64_URL_SAFE_NO_PAD.decode(parts[at]).unwrap());
    (part(0), part(1))
}
