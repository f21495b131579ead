//! From an issuer to the URL of its keys ([RFC 8414 §3], [OpenID Connect Discovery §4]).
//!
//! [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
//! [OpenID Connect Discovery §4]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig

use std::time::Duration;

use serde_json::Value;
use tenantry_core::Issuer;
use url::Url;

use crate::error::{LoadError, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::json;
use crate::load::{Got, Trip};
use crate::refresh::Errand;
use crate::settings::KeySettings;
use crate::transport::UrlOrigin;
use crate::validator::Validator;

/// What the metadata of an issuer says about its keys.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    document: Validator,
    pub(crate) jwks_uri: Box<str>,
    /// Who answers for the host of `jwks_uri`.
    pub(crate) origin: UrlOrigin,
    got_at: Duration,
    /// A fetch has failed since: the keys may have moved.
    doubtful: bool,
}

impl Metadata {
    pub(crate) const fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Whether it need not be asked for again.
    fn is_fresh(&self, now: Duration, errand: Errand, settings: &KeySettings) -> bool {
        let lifetime = match errand {
            Errand::Search => settings.lifetime_for_search(self.document.said),
            Errand::First | Errand::Renewal => settings.lifetime(self.document.said),
        };
        !self.doubtful && now < self.got_at.saturating_add(lifetime)
    }

    /// Whether it may be used if none can be had.
    fn is_usable(&self, now: Duration, settings: &KeySettings) -> bool {
        let lifetime = settings.lifetime(self.document.said).saturating_add(settings.max_stale);
        now < self.got_at.saturating_add(lifetime)
    }
}

/// Returns the metadata of the issuer: what is `known` of it as long as that is fresh or the issuer
/// does not answer, by the rules for key sets.
pub(crate) async fn metadata(
    trip: Trip<'_>,
    known: Option<Metadata>,
) -> Result<Metadata, LoadError> {
    let (now, settings) = (trip.means.now(), &trip.means.settings);
    let Some(known) = known.filter(|known| known.is_usable(now, settings)) else {
        return find(trip, None).await;
    };
    if known.is_fresh(now, trip.errand, settings) {
        return Ok(known);
    }
    // Half of the time is for the keys, which may be where they were.
    let half = settings.fetch_time_limit / 2;
    match tokio::time::timeout(half, find(trip, Some(&known))).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) | Err(_) => {
            tracing::debug!("metadata not renewed");
            Ok(known)
        }
    }
}

/// Asks the places where metadata may be, first the one where it was.
///
/// A place that answers with something else than the metadata of this very issuer is passed over:
/// there are servers that answer every path with 200 and a page.
async fn find(trip: Trip<'_>, known: Option<&Metadata>) -> Result<Metadata, LoadError> {
    let places = locations(trip.issuer.as_str()).ok_or(FetchErrorKind::Url).map_err(unfetchable)?;
    let mut places: Vec<_> = places.into();
    places.sort_by_key(|url| known.is_none_or(|known| *known.document.url != **url));
    let mut failure = LoadError::from(LoadErrorKind::Discovery);
    for url in places {
        let document = known.map(|known| &known.document);
        match trip.get(&url, trip.urls.origin, document).await {
            Ok(Got::Same(document)) => {
                if let Some(known) = known {
                    let got_at = trip.means.now();
                    return Ok(Metadata { document, got_at, doubtful: false, ..known.clone() });
                }
            }
            Ok(Got::New(json, document)) => {
                if let Some(url) = jwks_uri(&json, trip.issuer) {
                    return Ok(Metadata {
                        document,
                        origin: origin(&url, trip),
                        jwks_uri: url.into(),
                        got_at: trip.means.now(),
                        doubtful: false,
                    });
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

/// Who answers for the host of a `jwks_uri`: the operator, where it is the host that the operator
/// wrote. An issuer inside the operator's network would otherwise have no keys.
fn origin(jwks_uri: &str, trip: Trip<'_>) -> UrlOrigin {
    let origin = |url| Url::parse(url).ok().map(|url| url.origin());
    let same = origin(jwks_uri) == origin(trip.issuer.as_str());
    if same { trip.urls.origin } else { UrlOrigin::Document }
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
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::means::Means;
    use crate::source::UrlRules;
    use crate::testing::{ISSUER, ManualClock, Script, Step};
    use crate::transport::FetchRequest;

    const INSERTED: &str = "https://auth.example/.well-known/oauth-authorization-server/tenant1";
    const APPENDED: &str = "https://auth.example/tenant1/.well-known/openid-configuration";
    const KEYS: &str = "https://auth.example/keys";

    fn document(issuer: &str, jwks_uri: &str) -> Step {
        json!({ "issuer": issuer, "jwks_uri": jwks_uri, "grant_types_supported": [] }).into()
    }

    async fn discover(script: &Arc<Script>, loopback_http: bool) -> Result<String, LoadErrorKind> {
        let found = found_by(script, loopback_http).await?;
        let request = FetchRequest::new(&found.jwks_uri, found.origin, loopback_http);
        request
            .map(|request| request.url().to_owned())
            .map_err(|error| LoadErrorKind::Fetch(error.kind()))
    }

    async fn found_by(
        script: &Arc<Script>,
        loopback_http: bool,
    ) -> Result<Metadata, LoadErrorKind> {
        let urls = UrlRules { loopback_http, origin: UrlOrigin::Operator };
        let clock = Arc::new(ManualClock::default());
        let means = Means::new(KeySettings::default(), script.clone(), clock, Box::new(|| 0));
        let issuer = &Issuer::new(ISSUER);
        let trip = Trip { issuer, urls, errand: Errand::First, means: &means };
        metadata(trip, None).await.map_err(|error| error.kind)
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
        let script = Arc::new(Script::default());
        script.says(INSERTED, [document(ISSUER, KEYS)]);
        script.says(APPENDED, [document(ISSUER, "https://auth.example/other")]);
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
            document("https://auth.example/tenant2", KEYS),
            document("https://auth.example/tenant1/", KEYS),
            document("https://AUTH.example/tenant1", KEYS),
            json!({ "jwks_uri": KEYS }).into(),
            json!({ "issuer": [ISSUER], "jwks_uri": KEYS }).into(),
            json!({ "issuer": ISSUER }).into(),
            json!({ "issuer": ISSUER, "jwks_uri": 1 }).into(),
            Step::Fail(FetchErrorKind::TooLarge),
        ] {
            let script = Arc::new(Script::default());
            script.says(INSERTED, [first]);
            script.says(APPENDED, [document(ISSUER, KEYS)]);
            assert_eq!(discover(&script, false).await.as_deref(), Ok(KEYS));
            assert_eq!(script.asked(), [INSERTED, APPENDED]);
        }
    }

    #[tokio::test]
    async fn without_metadata_of_this_issuer_there_are_no_keys() {
        let script = Arc::new(Script::default());
        script.says(INSERTED, ["<html>".into()]);
        script.says(APPENDED, [document("https://auth.example/tenant2", KEYS)]);
        assert_eq!(discover(&script, false).await, Err(LoadErrorKind::Discovery));

        let script = Arc::new(Script::default());
        assert_eq!(discover(&script, false).await, Err(LoadErrorKind::Status(404)));
    }

    #[tokio::test]
    async fn a_host_that_is_not_there_is_asked_once() {
        for kind in [FetchErrorKind::Connect, FetchErrorKind::TimedOut] {
            let script = Arc::new(Script::default());
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
            let script = Arc::new(Script::default());
            script.says(INSERTED, [document(ISSUER, url)]);
            assert_eq!(discover(&script, loopback_http).await, found, "{url}");
        }
    }
}
