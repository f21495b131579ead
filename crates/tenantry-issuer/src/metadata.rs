//! What the issuer says about itself ([RFC 8414 §2]).
//!
//! | member                                    | because                                                      |
//! |-------------------------------------------|--------------------------------------------------------------|
//! | `response_types_supported` is `["none"]`  | it is required and must not be empty ([RFC 8414 §3.2]), but there is no endpoint that answers with a response type; `none` is registered and promises neither a code nor a token |
//! | `grant_types_supported`                   | without it, clients have to assume `authorization_code` and `implicit` |
//! | no `scopes_supported`                     | scopes are registered per client, and qualified ones name tenants |
//! | nothing of PAR, PKCE, DPoP and others     | what is absent is not named                                  |
//!
//! The OpenID configuration is the same with the members that are required there, for libraries that
//! look for no other document. There are no ID tokens.
//!
//! [RFC 8414 §2]: https://www.rfc-editor.org/rfc/rfc8414#section-2
//! [RFC 8414 §3.2]: https://www.rfc-editor.org/rfc/rfc8414#section-3.2

use serde_json::{Map, Value, json};

use tenantry_core::{Algorithm, TenantId};

use crate::document::Document;
use crate::endpoints::Endpoints;
use crate::keys::Schedule;
use crate::settings::Settings;

/// How a client may authenticate, at every endpoint.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

/// The metadata of the issuer of `tenant`, or of the one for all tenants ([RFC 8414 §2]).
///
/// `None`: there is no such issuer. Whether there is such a tenant is for the caller to know.
///
/// ```
/// use tenantry_issuer::{Schedule, Settings, oauth_metadata};
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example/{tenant}")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let schedule = Schedule::of(&settings);
///
/// let document = oauth_metadata(&settings, &schedule, Some(&"tenant1".parse()?)).unwrap();
/// let metadata: serde_json::Value = serde_json::from_slice(document.body())?;
/// assert_eq!(metadata["jwks_uri"], "https://auth.erp.example/tenant1/jwks.json");
///
/// assert!(oauth_metadata(&settings, &schedule, None).is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 8414 §2]: https://www.rfc-editor.org/rfc/rfc8414#section-2
#[must_use]
pub fn oauth_metadata(
    settings: &Settings,
    schedule: &Schedule,
    tenant: Option<&TenantId>,
) -> Option<Document> {
    let endpoints = Endpoints::of(settings.issuer(), tenant)?;
    Some(Document::new(&Value::Object(members(&endpoints)), schedule.jwks_max_age()))
}

/// The same as an OpenID configuration, with the members that [OpenID Connect Discovery §3] requires.
///
/// `None`: there is no such issuer, or the settings have no `openid_configuration`.
///
/// [OpenID Connect Discovery §3]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
#[must_use]
pub fn openid_metadata(
    settings: &Settings,
    schedule: &Schedule,
    tenant: Option<&TenantId>,
) -> Option<Document> {
    let endpoints = Endpoints::of(settings.issuer(), tenant)?;
    if !settings.openid_configuration() {
        return None;
    }
    let mut members = members(&endpoints);
    members.insert("authorization_endpoint".into(), endpoints.authorization().into());
    members.insert("subject_types_supported".into(), json!(["public"]));
    // There are libraries that accept access tokens by this list; RS256 has to be in it.
    let mut algorithms = vec![settings.algorithm().as_str()];
    if settings.algorithm() != Algorithm::Rs256 {
        algorithms.push(Algorithm::Rs256.as_str());
    }
    members.insert("id_token_signing_alg_values_supported".into(), json!(algorithms));
    Some(Document::new(&Value::Object(members), schedule.jwks_max_age()))
}

fn members(endpoints: &Endpoints) -> Map<String, Value> {
    let algorithms: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("issuer", endpoints.issuer().into());
    set("jwks_uri", endpoints.jwks().into());
    set("response_types_supported", json!(["none"]));
    set("grant_types_supported", json!(["client_credentials", "refresh_token"]));
    for (name, url) in [
        ("token", endpoints.token()),
        ("introspection", endpoints.introspection()),
        ("revocation", endpoints.revocation()),
    ] {
        set(&format!("{name}_endpoint"), url.into());
        set(&format!("{name}_endpoint_auth_methods_supported"), json!(METHODS));
        set(&format!("{name}_endpoint_auth_signing_alg_values_supported"), json!(algorithms));
    }
    members
}
