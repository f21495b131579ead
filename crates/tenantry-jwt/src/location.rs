//! From the policy of an issuer to the source of its keys.

use tenantry_core::{Issuer, IssuerPolicy, KeyLocation, TenantId};
use tenantry_jwks::{KeySetError, KeySource, KeyStore, UrlOrigin};

const HOLE: &str = "{tenant}";

/// Pins the keys of an issuer that the policy names in full. Of an issuer pattern, only checks that
/// its keys can be read.
pub(crate) fn pin(keys: &mut KeyStore, issuer: &IssuerPolicy) -> Result<(), KeySetError> {
    let source = source(issuer, None)?;
    let iss = issuer.pattern().as_str();
    if !issuer.pattern().has_tenant() && keys.get(iss).is_none() {
        keys.pin(Issuer::new(iss), source);
    }
    Ok(())
}

/// Where the keys of `issuer` come from; of a pattern, those of `tenant`.
pub(crate) fn source(
    issuer: &IssuerPolicy,
    tenant: Option<&TenantId>,
) -> Result<KeySource, KeySetError> {
    let mut origin = UrlOrigin::Operator;
    let source = match (issuer.key_location(), tenant) {
        (KeyLocation::Discovery, tenant) => {
            if tenant.is_some() {
                origin = UrlOrigin::Pattern;
            }
            KeySource::discovery()
        }
        (KeyLocation::Uri(uri), Some(tenant)) if uri.contains(HOLE) => {
            origin = UrlOrigin::Pattern;
            // The alphabet of ids has no byte that means something in a URL.
            KeySource::uri(uri.replace(HOLE, tenant.as_str()))
        }
        (KeyLocation::Uri(uri), _) => KeySource::uri(uri.clone()),
        (KeyLocation::File(path), _) => KeySource::file(path.clone()),
        (KeyLocation::Jwks(json), _) => KeySource::jwks(json)?,
        (KeyLocation::Pem(pem), _) => KeySource::pem(pem)?,
    };
    Ok(source
        .with_loopback_http(issuer.allow_http())
        .with_url_origin(origin))
}
