//! What the server was started with.

use tenantry_issuer::Served;

use crate::fixture::Fixture;
use crate::on_both;

on_both! {
    what_was_noted_last_is_what_is_served,
    a_name_that_is_none_is_an_error,
}

fn served(issuer: &str, file_issuer: Option<&str>) -> Served {
    let file_issuer = file_issuer.map(|name| name.parse().unwrap());
    Served { issuer: issuer.parse().unwrap(), file_issuer }
}

async fn what_was_noted_last_is_what_is_served(fixture: Fixture) {
    assert_eq!(fixture.store.served().await.unwrap(), None);
    for noted in [
        served("http://127.0.0.1:9000", None),
        served("https://auth.erp.example/{tenant}", Some("https://auth.erp.example")),
        served("https://auth.erp.example/{tenant}", None),
    ] {
        fixture.store.set_served(&noted).await.unwrap();
        assert_eq!(fixture.another_store().await.served().await.unwrap(), Some(noted));
    }
}

async fn a_name_that_is_none_is_an_error(fixture: Fixture) {
    fixture.store.set_served(&served("http://127.0.0.1:9000", None)).await.unwrap();
    for odd in [
        "UPDATE served SET file_issuer = 'http://auth.erp.example'",
        "UPDATE served SET file_issuer = NULL, issuer = 'http://auth.erp.example'",
    ] {
        fixture.run(odd, odd).await.unwrap();
        let error = fixture.store.served().await.unwrap_err();
        assert_eq!(error.to_string(), "the database holds an issuer that is none");
    }
}
