//! A resource server of ours that judges the tokens, and one of others'.

use std::fmt;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, StatusCode};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;
use tenantry_core::{
    Algorithm, BoxFuture, IssuerSettings, KeyLocation, Policy, StaticDirectory, VerifiedToken,
};
use tenantry_issuer::Document;
use tenantry_jwks::{FetchError, FetchRequest, FetchResponse, KeySettings, KeyStore, Transport};
use tenantry_jwt::{JwtVerifier, VerifyErrorKind};
use tenantry_testkit::ManualClock;

/// Verifies `token` with these keys and no others, after RFC 9068.
pub(crate) async fn verify(
    issuer: &str,
    jwks: &Value,
    clock: &ManualClock,
    token: &str,
) -> Result<VerifiedToken, VerifyErrorKind> {
    let keys = KeyLocation::Jwks(jwks.to_string().into());
    let network = Arc::new(Network::default());
    verifier(IssuerSettings::new(issuer).keys(keys), network, clock).verify(token).await
}

/// A resource server of ours with this issuer.
pub(crate) struct ResourceServer(JwtVerifier);

pub(crate) fn verifier(
    issuer: IssuerSettings,
    network: Arc<Network>,
    clock: &ManualClock,
) -> ResourceServer {
    let policy = Policy::builder()
        .issuer(issuer.algorithms(Algorithm::ALL))
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .build()
        .unwrap();
    let clock = Arc::new(clock.clone());
    let store = KeyStore::new(KeySettings::default(), network, clock.clone());
    let tenants = StaticDirectory::new(
        ["tenant1", "tenant2"].map(|id| (id.parse().unwrap(), tenantry_core::Standing::Active)),
    )
    .unwrap();
    ResourceServer(JwtVerifier::builder(policy, store, Arc::new(tenants), clock).build().unwrap())
}

impl ResourceServer {
    pub(crate) async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyErrorKind> {
        self.0.verify(token).await.map_err(|error| error.kind())
    }
}

/// Verifies `token` with somebody else's library, and returns its claims.
pub(crate) fn verify_elsewhere(jwks: &Value, token: &str) -> Value {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let set: JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let jwk = set.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap().claims
}

/// A network where documents are at URLs.
#[derive(Default)]
pub(crate) struct Network(Mutex<Vec<(String, Document)>>);

impl Network {
    pub(crate) fn serve(&self, url: String, document: Document) {
        self.0.lock().unwrap().push((url, document));
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Transport for Network {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let documents = self.0.lock().unwrap();
        let found = documents.iter().find(|(url, _)| url == request.url());
        let answer = match found {
            Some((_, document)) => {
                let answer = document.answer(&Method::GET, &HeaderMap::new());
                assert_eq!(answer.status(), StatusCode::OK);
                Ok(FetchResponse::new(200, answer.into_body().to_vec()))
            }
            None => Ok(FetchResponse::new(404, Vec::new())),
        };
        Box::pin(std::future::ready(answer))
    }
}
