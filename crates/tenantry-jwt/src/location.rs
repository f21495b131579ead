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
    Ok(source.with_loopback_http(issuer.allow_http()).with_url_origin(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tenantry_core::IssuerSettings;

    use crate::testing::{Signer, Stage, Tenants, claims, jwks, policy};

    /// The first thing that is asked for to judge a token of `iss`.
    async fn first_request(issuer: IssuerSettings, iss: &str) -> Option<(String, UrlOrigin)> {
        let signer = Signer::ed25519("k1");
        let known: Arc<Tenants> = Tenants::of(&["tenant1"]);
        let stage = Stage::with(policy().issuer(issuer), known, |builder| builder);
        let token = signer.token(&claims(&[("iss", &format!("{iss:?}"))]));
        assert!(stage.verifier.verify(&token).await.is_err(), "nothing is served");
        stage.network.requests().into_iter().next()
    }

    #[tokio::test]
    async fn keys_are_looked_for_where_the_policy_says() {
        use UrlOrigin::{Operator, Pattern};
        let exact = || IssuerSettings::new("https://as.example");
        let pattern = || IssuerSettings::new("https://as.example/{tenant}/v2");
        let of_tenant1 = "https://as.example/tenant1/v2";
        for (issuer, iss, url, origin) in [
            (
                exact().jwks_uri("https://keys.example/a"),
                "https://as.example",
                "https://keys.example/a",
                Operator,
            ),
            (
                exact(),
                "https://as.example",
                "https://as.example/.well-known/oauth-authorization-server",
                Operator,
            ),
            (
                pattern().jwks_uri("https://keys.example/{tenant}/a"),
                of_tenant1,
                "https://keys.example/tenant1/a",
                Pattern,
            ),
            (
                pattern().jwks_uri("https://keys.example/a").shared_keys(true),
                of_tenant1,
                "https://keys.example/a",
                Operator,
            ),
            (
                pattern(),
                of_tenant1,
                "https://as.example/.well-known/oauth-authorization-server/tenant1/v2",
                Pattern,
            ),
        ] {
            assert_eq!(first_request(issuer, iss).await, Some((url.into(), origin)));
        }
    }

    #[tokio::test]
    async fn plain_http_is_fetched_from_this_machine_if_the_policy_says_so() {
        let iss = "http://127.0.0.1:9000";
        let local =
            IssuerSettings::new(iss).jwks_uri("http://127.0.0.1:9000/jwks").allow_http(true);
        assert!(first_request(local, iss).await.is_some());
    }

    #[tokio::test]
    async fn keys_in_the_policy_and_in_files_need_no_network() {
        let signer = Signer::ed25519("k1");
        let path = std::env::temp_dir().join(format!("tenantry-jwt-{}.json", std::process::id()));
        std::fs::write(&path, jwks(&[&signer])).unwrap();
        for location in
            [KeyLocation::Jwks(jwks(&[&signer]).into()), KeyLocation::File(path.clone())]
        {
            let exact = IssuerSettings::new("https://as.example").keys(location.clone());
            let stage = Stage::new(policy().issuer(exact));
            assert!(stage.verifier.verify(&signer.token(&claims(&[]))).await.is_ok());
            assert_eq!(stage.network.calls(), 0);

            let shared =
                IssuerSettings::new("https://as.example/{tenant}").keys(location).shared_keys(true);
            let stage =
                Stage::with(policy().issuer(shared), Tenants::of(&["tenant1"]), |builder| builder);
            let token = signer.token(&claims(&[("iss", r#""https://as.example/tenant1""#)]));
            assert!(stage.verifier.verify(&token).await.is_ok());
            assert_eq!(stage.network.calls(), 0);
        }
        std::fs::remove_file(path).unwrap();
    }
}
