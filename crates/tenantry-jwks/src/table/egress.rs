//! Where a stranger's URL may lead. Names are looked at by the transport, and tested there.

use serde_json::json;
use tenantry_core::Issuer;

use crate::error::{KeyErrorKind, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, ask, found, keys_of};
use crate::transport::UrlOrigin;

/// An issuer whose metadata says that its keys are at `jwks_uri`.
fn discovered(issuer: &str, jwks_uri: &str, source: KeySource) -> Bench {
    let mut bench = Bench::with(KeySettings::default(), KeySource::uri("unused"));
    let place = format!("{issuer}/.well-known/oauth-authorization-server");
    bench.script.says(&place, [json!({ "issuer": issuer, "jwks_uri": jwks_uri }).into()]);
    bench.script.says(jwks_uri, [keys_of(["a"]).into()]);
    bench.store.pin(Issuer::new(issuer), source);
    bench
}

const INSIDE: LoadErrorKind = LoadErrorKind::Fetch(FetchErrorKind::PrivateAddress);

#[tokio::test]
async fn metadata_cannot_send_us_to_an_inside_address() {
    for jwks_uri in [
        "https://127.0.0.1/keys",
        "https://10.0.0.1/keys",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/keys",
        "https://[fd00::1]/keys",
        "https://[::ffff:192.168.0.1]/keys",
        "https://localhost/keys",
    ] {
        let issuer = "https://auth.example";
        let bench = discovered(issuer, jwks_uri, KeySource::discovery());
        let keys = bench.store.get(issuer).unwrap();
        assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable), "{jwks_uri}");
        assert_eq!(keys.status().failure(), Some(INSIDE));
        assert!(!bench.script.asked().contains(&jwks_uri.to_owned()), "{jwks_uri}");
    }
}

#[tokio::test]
async fn an_issuer_that_the_operator_placed_inside_may_name_its_own_host() {
    let issuer = "https://10.0.0.1:8443";
    for (jwks_uri, permitted) in [
        ("https://10.0.0.1:8443/keys", true),
        ("https://10.0.0.1/keys", false),
        ("https://10.0.0.2:8443/keys", false),
    ] {
        let bench = discovered(issuer, jwks_uri, KeySource::discovery());
        let keys = bench.store.get(issuer).unwrap();
        assert_eq!(ask(&keys, "a").await == found("a"), permitted, "{jwks_uri}");
    }
}

#[tokio::test]
async fn a_pattern_cannot_send_us_to_an_inside_address() {
    let bench = Bench::new();
    let url = "https://10.0.0.1/tenant1/keys";
    bench.script.says(url, [keys_of(["a"]).into()]);
    let issuer = Issuer::new("https://10.0.0.1/tenant1");
    for source in [KeySource::uri(url), KeySource::discovery()] {
        bench.store.forget(&issuer);
        let source = source.with_url_origin(UrlOrigin::Pattern);
        let keys = bench.store.get_or_insert(&issuer, || source);
        assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
        assert_eq!(keys.status().failure(), Some(INSIDE));
    }
    assert_eq!(bench.script.count(), 0);
}

#[tokio::test]
async fn a_test_issuer_on_this_machine_is_discovered_where_plain_http_is_permitted() {
    let (issuer, jwks_uri) = ("http://127.0.0.1:9000", "http://127.0.0.1:9001/keys");
    let source = KeySource::discovery().with_loopback_http(true);
    let bench = discovered(issuer, jwks_uri, source);
    assert_eq!(ask(&bench.store.get(issuer).unwrap(), "a").await, found("a"));
}
