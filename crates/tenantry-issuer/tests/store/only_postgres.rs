//! What PostgreSQL can be set to, and what it says.

use tenantry_issuer::{Client, StoreErrorKind};

use crate::fixture::{Fixture, a_client, a_tenant};
use crate::races;

async fn alter_database(fixture: &Fixture, setting: &str) {
    let sql = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
    );
    fixture.run("", &sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stricter_isolation_as_default_makes_no_use_of_a_token_fail() {
    let Some(mut fixture) = Fixture::postgres().await else { return };
    alter_database(&fixture, "default_transaction_isolation = serializable").await;
    fixture.store = fixture.another_store().await;
    let database = fixture.database().clone();
    races::a27_of_twenty_uses_of_one_token_at_once_one_live_token_remains(fixture).await;
    database.remove().await;
}

#[tokio::test]
async fn a_database_that_is_read_only_is_said_and_left_as_it_is() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let writable = fixture.another_store().await;
    writable.add_tenant(&a_tenant("acme")).await.unwrap();
    alter_database(&fixture, "default_transaction_read_only = on").await;

    let url = &fixture.url;
    let error = match tenantry_issuer::Store::open(url).await {
        // The tables are there, so opening writes nothing.
        Ok(store) => store.add_client(&a_client("acme", "sync")).await.unwrap_err(),
        Err(error) => error,
    };
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("read-only transaction"), "{error}: {cause}");
    assert_eq!(writable.clients(&a_tenant("acme").id, None, 1).await.unwrap(), []);
    fixture.database().clone().remove().await;
}

#[tokio::test]
async fn secrets_stay_in_when_postgresql_shows_the_row_that_it_refused() {
    let Some(fixture) = Fixture::postgres().await else { return };
    fixture.store.add_tenant(&a_tenant("acme")).await.unwrap();
    fixture.run("", "ALTER TABLE client ADD CONSTRAINT odd CHECK (name IS NULL)").await.unwrap();
    let client = Client { name: Some("hunter2".into()), ..a_client("acme", "sync") };

    let error = fixture.store.add_client(&client).await.unwrap_err();

    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap();
    let shown = format!("{error} {error:?} {cause} {cause:?}");
    assert!(shown.contains("odd") && !shown.contains("hunter2"), "{shown}");
    fixture.database().clone().remove().await;
}

#[tokio::test]
async fn a_server_that_refuses_was_reached() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let mut url = url::Url::parse(&fixture.url).unwrap();
    url.set_path("no_such_database");
    let error = tenantry_issuer::Store::open(url.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let line = error.to_string();
    assert!(line.starts_with("PostgreSQL at "), "{line}");
    assert!(line.ends_with(" was reached, and refuses the connection"), "{line}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("no_such_database"), "{cause}");
    fixture.database().clone().remove().await;
}
