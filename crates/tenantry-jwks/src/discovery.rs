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
