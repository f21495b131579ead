//! A store of its own for each test, and records to put into it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tenantry_core::{Algorithm, TenantId};
use tenantry_issuer::{
    Client, ClientAuth, ClientId, FamilyId, Grants, NewFamily, RefreshAttempt, RefreshToken,
    SealedKey, Secret, Store, StoredKey, Tenant, TenantStatus,
};

use crate::postgres::Database;

/// When the tests begin.
pub(crate) const NOW: Duration = Duration::from_secs(1_763_000_000);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// How long a token that was used last is accepted again.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) url: String,
    place: Place,
}

enum Place {
    Postgres(Database),
    Sqlite(TempDir),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}", dir.path().join("tenantry.db").display());
        Self { store: Store::open(&url).await.unwrap(), url, place: Place::Sqlite(dir) }
    }

    /// `None` if there is no PostgreSQL here.
    pub(crate) async fn postgres() -> Option<Self> {
        let database = Database::create().await?;
        let url = database.url.clone();
        let store = Store::open(&url).await.unwrap();
        Some(Self { store, url, place: Place::Postgres(database) })
    }

    pub(crate) fn database(&self) -> &Database {
        match &self.place {
            Place::Postgres(database) => database,
            Place::Sqlite(_) => unreachable!("asked for by tests on PostgreSQL only"),
        }
    }

    /// Another store over the same database: another replica, or the command line.
    pub(crate) async fn another_store(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// Returns the URL of a database that has no tables yet.
    pub(crate) async fn start_anew(&self) -> String {
        match &self.place {
            Place::Postgres(_) => {
                let anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
                self.run("", anew).await.unwrap();
                self.url.clone()
            }
            Place::Sqlite(dir) => format!("sqlite://{}", dir.path().join("anew.db").display()),
        }
    }

    /// Runs statements past the store: one text for SQLite, one for PostgreSQL.
    pub(crate) async fn run(&self, sqlite: &str, postgres: &str) -> Result<(), String> {
        match &self.place {
            Place::Postgres(_) => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                let done = sqlx::raw_sql(AssertSqlSafe(postgres)).execute(&mut connection).await;
                connection.close().await.unwrap();
                done.map(drop).map_err(|error| error.to_string())
            }
            Place::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let done = sqlx::raw_sql(AssertSqlSafe(sqlite)).execute(&mut connection).await;
                connection.close().await.unwrap();
                done.map(drop).map_err(|error| error.to_string())
            }
        }
    }

    /// Makes every change of a row of `table` fail, as it would on a full disk.
    pub(crate) async fn fill_disk(&self, table: &str) {
        let sqlite = format!(
            "CREATE TRIGGER full_disk BEFORE UPDATE ON {table} \
             BEGIN SELECT RAISE(ABORT, 'disk full'); END;"
        );
        let postgres = format!(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'disk full'; END $$; \
             CREATE TRIGGER full_disk BEFORE UPDATE ON {table} \
             FOR EACH ROW EXECUTE FUNCTION full_disk();"
        );
        self.run(&sqlite, &postgres).await.unwrap();
    }

    pub(crate) async fn empty_disk(&self, table: &str) {
        let postgres = format!("DROP TRIGGER full_disk ON {table}");
        self.run("DROP TRIGGER full_disk", &postgres).await.unwrap();
    }

    /// Registers a tenant with a client `sync`.
    pub(crate) async fn register(&self, tenant: &str) -> Client {
        self.store.add_tenant(&a_tenant(tenant)).await.unwrap();
        let client = a_client(tenant, "sync");
        self.store.add_client(&client).await.unwrap();
        client
    }

    /// Begins a family of `client` and returns its first token.
    pub(crate) async fn begin(&self, client: &Client) -> RefreshToken {
        let (family, token) = a_family(&self.store, client).await;
        assert!(self.store.open_family(&family).await.unwrap());
        token
    }
}

pub(crate) fn tenant_id(id: &str) -> TenantId {
    id.parse().unwrap()
}

pub(crate) fn client_id(id: &str) -> ClientId {
    id.parse().unwrap()
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn a_tenant(id: &str) -> Tenant {
    Tenant {
        id: tenant_id(id),
        name: Some(format!("{id} & Söhne")),
        status: TenantStatus::Active,
        claims: object(json!({"region": "eu", "plan": {"seats": 3}, "odd": "\0 '\"\\"})),
        created_at: NOW,
    }
}

pub(crate) fn a_client(tenant: &str, id: &str) -> Client {
    Client {
        tenant: tenant_id(tenant),
        id: client_id(id),
        name: None,
        auth: ClientAuth::Basic(Secret::generate().unwrap().hash()),
        grants: Grants { client_credentials: true, refresh_token: true },
        scopes: BTreeSet::from(["finance.write".into(), "journal.create".into()]),
        audiences: vec![format!("https://api.erp.example/{tenant}")],
        claims: object(json!({"team": [1, "a", null]})),
        enabled: true,
        created_at: NOW + Duration::from_millis(7),
    }
}

/// A family of a client that has just proven itself.
pub(crate) async fn a_family(store: &Store, client: &Client) -> (NewFamily, RefreshToken) {
    let found = store.registration(&client.tenant, &client.id).await.unwrap();
    let (.., generation) = found.unwrap();
    let id = FamilyId::generate().unwrap();
    let token = RefreshToken::generate(id).unwrap();
    let family = NewFamily {
        id,
        tenant: client.tenant.clone(),
        client: client.id.clone(),
        scopes: client.scopes.clone(),
        audiences: client.audiences.clone(),
        token: token.hash(),
        created_at: NOW,
        expires_at: NOW + SECOND * 3600,
        generation,
    };
    (family, token)
}

/// The family that a token names.
pub(crate) fn family_of(token: &RefreshToken) -> FamilyId {
    token.expose().parse::<tenantry_issuer::PresentedToken>().unwrap().family
}

pub(crate) fn successor(token: &RefreshToken) -> RefreshToken {
    RefreshToken::generate(family_of(token)).unwrap()
}

/// `client` presents `token`, now, and is to get `next`.
pub(crate) fn attempt<'a>(
    client: &'a Client,
    token: &RefreshToken,
    next: &RefreshToken,
) -> RefreshAttempt<'a> {
    RefreshAttempt {
        tenant: &client.tenant,
        client: &client.id,
        family: family_of(token),
        presented: token.hash(),
        next: next.hash(),
        now: NOW,
        grace: GRACE,
        idle: None,
    }
}

pub(crate) fn a_key(kid: &str) -> StoredKey {
    StoredKey {
        kid: kid.into(),
        algorithm: Algorithm::Es256,
        private_key: SealedKey { bytes: vec![0, 1, 2, 255], encryption: Some("key-1".into()) },
        public_jwk: format!(r#"{{"kid":"{kid}"}}"#),
        published_at: NOW,
        active_at: NOW + SECOND,
        retired_at: None,
        removed_at: None,
    }
}
