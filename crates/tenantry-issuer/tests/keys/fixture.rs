//! A database that several processes can open.

use futures_util::future::join_all;
use tempfile::TempDir;
use tenantry_issuer::{SettingsBuilder, Store};

use crate::postgres::Database;
use crate::site::{Site, tenant};

pub(crate) struct Fixture {
    url: String,
    place: Place,
}

enum Place {
    Postgres(Database),
    Sqlite { _directory: TempDir },
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}", directory.path().join("issuer.db").display());
        Self { url, place: Place::Sqlite { _directory: directory } }
    }

    /// `None` if there is no PostgreSQL here.
    pub(crate) async fn postgres() -> Option<Self> {
        let database = Database::create().await?;
        Some(Self { url: database.url.clone(), place: Place::Postgres(database) })
    }

    pub(crate) fn database(&self) -> &Database {
        match &self.place {
            Place::Postgres(database) => database,
            Place::Sqlite { .. } => unreachable!("asked for by tests on PostgreSQL only"),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Replicas that share nothing but the database, started at once, with the tenant `tenant1`.
    pub(crate) async fn replicas(&self, count: usize, settings: SettingsBuilder) -> Vec<Site> {
        let store = Store::open(&self.url).await.unwrap();
        store.add_tenant(&tenant("tenant1")).await.unwrap();
        let open = (0..count).map(|_| async {
            let store = Store::open(&self.url).await.unwrap();
            Site::over(store, settings.clone()).await.unwrap()
        });
        join_all(open).await
    }
}
