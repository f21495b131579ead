//! From an issuer to the URL of its keys ([RFC 8414 §3], [OpenID Connect Discovery §4]).
//!
//! [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
//! [OpenID Connect Discovery §4]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig

use serde_json::Value;
use tenantry_core::Issuer;
use url::Url;

use crate::error::{LoadError, LoadErrorKind};
use crate::json;
use crate::load::get;
use crate::source::UrlRules;
use crate::transport::{FetchErrorKind, FetchRequest, Transport, UrlOrigin};

/// Finds the metadata of `issuer` and returns the request for its `jwks_uri`.
///
/// A place that answers with something else than the metadata of this very issuer is passed over:
/// there are servers that answer every path with 200 and a page.
pub(crate) async fn jwks_request(
    issuer: &Issuer,
    urls: UrlRules,
    transport: &dyn Transport,
) -> Result<FetchRequest, LoadError> {
    let mut failure = LoadError::from(LoadErrorKind::Discovery);
    for url in locations(issuer.as_str()).ok_or(FetchErrorKind::Url).map_err(unfetchable)? {
        let request = FetchRequest::new(&url, urls.origin, urls.loopback_http)?;
        match get(transport, request).await {
            Ok(document) => {
                if let Some(url) = jwks_uri(&document, issuer) {
                    return Ok(FetchRequest::new(&url, UrlOrigin::Document, urls.loopback_http)?);
                }
                failure = LoadErrorKind::Discovery.into();
            }
            // Nobody is there: the other place is at the same host.
            Err(error) if is_unreachable(error.kind) => return Err(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unfetchable(kind: FetchErrorKind) -> LoadError {
    LoadErrorKind::Fetch(kind).into()
}

const fn is_unreachable(kind: LoadErrorKind) -> bool {
    matches!(kind, LoadErrorKind::Fetch(FetchErrorKind::Connect | FetchErrorKind::TimedOut))
}

/// `https://host/.well-known/oauth-authorization-server/path`, then
/// `https://host/path/.well-known/openid-configuration`.
fn locations(issuer: &str) -> Option<[String; 2]> {
    let mut url = Url::parse(issuer).ok()?;
    // An issuer has neither (RFC 8414 §2), and with them the second place is none.
    if url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let appended = format!("{base}/.well-known/openid-configuration");
    let path = url.path().strip_suffix('/').unwrap_or(url.path());
    let inserted = format!("/.well-known/oauth-authorization-server{path}");
    url.set_path(&inserted);
    Some([url.into(), appended])
}

/// The `jwks_uri` of `document`, if that is the metadata of `issuer`.
fn jwks_uri(document: &[u8], issuer: &Issuer) -> Option<String> {
    let mut metadata = json::object(document)?;
    // INVARIANT (isolation): byte for byte (RFC 8414 §3.3). Metadata of another issuer would bring
    // the keys of another issuer.
    if metadata.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return None;
    }
    match metadata.remove("jwks_uri") {
        Some(Value::String(url)) => Some(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ISSUER, Script, Step};

    const INSERTED: &str = "https://auth.example/.well-known/oauth-authorization-server/tenant1";
    const APPENDED: &str = "https://auth.example/tenant1/.well-known/openid-configuration";
    const KEYS: &str = "https://auth.example/keys";

    fn metadata(issuer: &str, jwks_uri: &str) -> Step {
        json!({ "issuer": issuer, "jwks_uri": jwks_uri, "grant_types_supported": [] }).into()
    }

    async fn discover(script: &Script, loopback_http: bool) -> Result<String, LoadErrorKind> {
        let urls = UrlRules { loopback_http, origin: UrlOrigin::Operator };
        let request = jwks_request(&Issuer::new(ISSUER), urls, script).await;
        request
            .inspect(|request| assert_eq!(request.origin(), UrlOrigin::Document))
            .map(|request| request.url().to_owned())
            .map_err(|error| error.kind)
    }

    #[test]
    fn the_well_known_part_is_inserted_and_then_appended() {
        for (issuer, inserted, appended) in [
            (
                "https://auth.example",
                "https://auth.example/.well-known/oauth-authorization-server",
                "https://auth.example/.well-known/openid-configuration",
            ),
            (
                "https://auth.example/",
                "https://auth.example/.well-known/oauth-authorization-server",
                "https://auth.example/.well-known/openid-configuration",
            ),
            (ISSUER, INSERTED, APPENDED),
            (
                "https://auth.example:8443/a/b/",
                "https://auth.example:8443/.well-known/oauth-authorization-server/a/b",
                "https://auth.example:8443/a/b/.well-known/openid-configuration",
            ),
        ] {
            let found = locations(issuer).unwrap();
            assert_eq!(found, [inserted, appended], "{issuer}");
        }
        for issuer in ["https://auth.example/?a=b", "https://auth.example/#a", "auth", ""] {
            assert_eq!(locations(issuer), None, "{issuer}");
        }
    }

    #[tokio::test]
    async fn rfc_8414_metadata_is_looked_for_first() {
        let script = Script::default();
        script.says(INSERTED, [metadata(ISSUER, KEYS)]);
        script.says(APPENDED, [metadata(ISSUER, "https://auth.example/other")]);
        assert_eq!(discover(&script, false).await.as_deref(), Ok(KEYS));
        assert_eq!(script.asked(), [INSERTED]);
    }

    #[tokio::test]
    async fn what_is_not_the_metadata_of_this_issuer_is_passed_over() {
        let twice = format!(r#"{{"issuer": "x", "issuer": "{ISSUER}", "jwks_uri": "{KEYS}"}}"#);
        for first in [
            Step::from(404),
            Step::from(500),
            Step::from(302),
            Step::from("<!doctype html><title>Welcome</title>"),
            Step::from("[]"),
            Step::from(twice.as_str()),
            metadata("https://auth.example/tenant2", KEYS),
            metadata("https://auth.example/tenant1/", KEYS),
            metadata("https://AUTH.example/tenant1", KEYS),
            json!({ "jwks_uri": KEYS }).into(),
            json!({ "issuer": [ISSUER], "jwks_uri": KEYS }).into(),
            json!({ "issuer": ISSUER }).into(),
            json!({ "issuer": ISSUER, "jwks_uri": 1 }).into(),
            Step::Fail(FetchErrorKind::TooLarge),
        ] {
            let script = Script::default();
            script.says(INSERTED, [first]);
            script.says(APPENDED, [metadata(ISSUER, KEYS)]);
            assert_eq!(discover(&script, false).await.as_deref(), Ok(KEYS));
            assert_eq!(script.asked(), [INSERTED, APPENDED]);
        }
    }

    #[tokio::test]
    async fn without_metadata_of_this_issuer_there_are_no_keys() {
        let script = Script::default();
        script.says(INSERTED, ["<html>".into()]);
        script.says(APPENDED, [metadata("https://auth.example/tenant2", KEYS)]);
        assert_eq!(discover(&script, false).await, Err(LoadErrorKind::Discovery));

        let script = Script::default();
        assert_eq!(discover(&script, false).await, Err(LoadErrorKind::Status(404)));
    }

    #[tokio::test]
    async fn a_host_that_is_not_there_is_asked_once() {
        for kind in [FetchErrorKind::Connect, FetchErrorKind::TimedOut] {
            let script = Script::default();
            script.says(INSERTED, [kind.into()]);
            assert_eq!(discover(&script, false).await, Err(LoadErrorKind::Fetch(kind)));
            assert_eq!(script.asked(), [INSERTED]);
        }
    }

    #[tokio::test]
    async fn the_jwks_uri_must_be_https_too() {
        let insecure = Err(LoadErrorKind::Fetch(FetchErrorKind::Insecure));
        for (url, loopback_http, found) in [
            ("http://auth.example/keys", false, insecure.clone()),
            ("http://auth.example/keys", true, insecure.clone()),
            ("http://127.0.0.1:9/keys", false, insecure.clone()),
            ("http://127.0.0.1:9/keys", true, Ok("http://127.0.0.1:9/keys".to_owned())),
            ("file://auth.example/keys", true, insecure),
            ("/keys", true, Err(LoadErrorKind::Fetch(FetchErrorKind::Url))),
        ] {
            let script = Script::default();
            script.says(INSERTED, [metadata(ISSUER, url)]);
            assert_eq!(discover(&script, loopback_http).await, found, "{url}");
        }
    }
}
