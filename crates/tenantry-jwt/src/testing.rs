//! What the tests share: keys, tokens, a clock that is set by hand, a network that counts.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tenantry_core::{
    BoxFuture, Clock, Directory, IssuerSettings, Policy, PolicyBuilder, Reason, Rejection,
    Standing, TenantId, TrustIssuers,
};
use tenantry_jwks::{
    FetchError, FetchErrorKind, FetchRequest, FetchResponse, KeySettings, KeyStore, Transport,
    UrlOrigin,
};

use crate::{JwtVerifier, JwtVerifierBuilder};

/// When the tests play, in seconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_790_000_000;

/// A key of an issuer. Every one is another.
pub(crate) struct Signer {
    kid: &'static str,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn ed25519(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    pub(crate) fn es256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid, pair: Pair::Ecdsa(pair) }
    }

    pub(crate) fn jwk(&self) -> String {
        let kid = self.kid;
        match &self.pair {
            Pair::Ed25519(pair) => {
                let x = encode(pair.public_key());
                format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}"#)
            }
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{x}","y":"{y}"}}"#)
            }
        }
    }

    /// A token with a good header and these claims.
    pub(crate) fn token(&self, claims: &str) -> String {
        self.token_with(&self.header(), claims)
    }

    pub(crate) fn header(&self) -> String {
        let alg = match self.pair {
            Pair::Ecdsa(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        };
        format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{}"}}"#, self.kid)
    }

    /// A token with this header, rightly signed whatever it says.
    pub(crate) fn token_with(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(input.as_bytes()),
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap(),
        };
        format!("{input}.{}", encode(signature))
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn jwks(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// The claims of a good token, with `changes`: a member set, or with an empty value left out.
pub(crate) fn claims(changes: &[(&str, &str)]) -> String {
    let mut members = vec![
        ("iss", r#""https://as.example""#),
        ("aud", r#""https://api.example""#),
        ("exp", "1790000300"),
        ("sub", r#""client-1""#),
        ("client_id", r#""client-1""#),
        ("iat", "1789999990"),
        ("jti", r#""j-1""#),
        ("tenant_id", r#""tenant1""#),
    ];
    for change in changes {
        members.retain(|member| member.0 != change.0);
        if !change.1.is_empty() {
            members.push(*change);
        }
    }
    let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<(Duration, Duration)>);

impl ManualClock {
    pub(crate) fn at(unix: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new((Duration::from_secs(unix), Duration::from_secs(1)))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.0 += by;
        times.1 += by;
    }

    /// Sets the wall clock alone.
    pub(crate) fn set_unix(&self, unix: Duration) {
        self.0.lock().unwrap().0 = unix;
    }
}

impl Clock for ManualClock {
    fn unix(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// A network that knows some URLs and counts how often it was asked.
#[derive(Default)]
pub(crate) struct Network {
    documents: Mutex<HashMap<String, String>>,
    requests: Mutex<Vec<(String, UrlOrigin)>>,
    /// Called while an answer is on its way.
    meanwhile: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Network {
    pub(crate) fn meanwhile(&self, happens: impl Fn() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }

    pub(crate) fn serve(&self, url: &str, document: String) {
        self.documents.lock().unwrap().insert(url.into(), document);
    }

    pub(crate) fn cut(&self, url: &str) {
        self.documents.lock().unwrap().remove(url);
    }

    pub(crate) fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// What was asked for, and who wrote the URL.
    pub(crate) fn requests(&self) -> Vec<(String, UrlOrigin)> {
        self.requests.lock().unwrap().clone()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Transport for Network {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let asked = (request.url().to_owned(), request.origin());
        self.requests.lock().unwrap().push(asked);
        let document = self.documents.lock().unwrap().get(request.url()).cloned();
        if let Some(happens) = &*self.meanwhile.lock().unwrap() {
            happens();
        }
        Box::pin(std::future::ready(match document {
            Some(document) => Ok(FetchResponse::new(200, document.into_bytes())),
            None => Err(FetchErrorKind::Connect.into()),
        }))
    }
}

/// A directory that knows a tenant or not, and has the answer at hand or not.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    known: Mutex<HashSet<String>>,
    forgetful: AtomicBool,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Tenants {
    pub(crate) fn of(known: &[&str]) -> Arc<Self> {
        let known = known.iter().map(|tenant| (*tenant).to_owned()).collect();
        Arc::new(Self { known: Mutex::new(known), ..Self::default() })
    }

    pub(crate) fn set(&self, tenant: &str, known: bool) {
        let mut tenants = self.known.lock().unwrap();
        if known {
            tenants.insert(tenant.into());
        } else {
            tenants.remove(tenant);
        }
    }

    /// From now on nothing is at hand.
    pub(crate) fn forget(&self) {
        self.forgetful.store(true, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.forget();
        self.down.store(true, Ordering::Relaxed);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn standing(&self, tenant: &TenantId) -> Standing {
        match self.known.lock().unwrap().contains(tenant.as_str()) {
            // Known is known: whether it may be served is not asked here.
            true if tenant.as_str() == "suspended" => Standing::Suspended,
            true => Standing::Active,
            false => Standing::Unknown,
        }
    }
}

impl Directory for Tenants {
    fn cached(&self, tenant: &TenantId) -> Option<Standing> {
        let at_hand = !self.forgetful.load(Ordering::Relaxed);
        at_hand.then(|| self.standing(tenant))
    }

    fn trusts_issuers(&self) -> bool {
        false
    }

    fn fresh(self: Arc<Self>, tenant: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(if self.down.load(Ordering::Relaxed) {
            Err(Rejection::new(Reason::DirectoryUnavailable)
                .with_retry_after(Duration::from_secs(7)))
        } else {
            Ok(self.standing(&tenant))
        }))
    }
}

/// Where the keys of `https://as.example` are.
pub(crate) const JWKS: &str = "https://as.example/jwks";

/// Under what tokens of [`claims`] are good.
pub(crate) fn policy() -> PolicyBuilder {
    Policy::builder().audience("https://api.example").scope("{scope}")
}

pub(crate) fn issuer() -> IssuerSettings {
    IssuerSettings::new("https://as.example").jwks_uri(JWKS)
}

/// A verifier whose time, network and directory a test holds in its hands.
pub(crate) struct Stage {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) network: Arc<Network>,
    pub(crate) verifier: JwtVerifier,
}

impl Stage {
    pub(crate) fn new(policy: PolicyBuilder) -> Self {
        Self::with(policy, Arc::new(TrustIssuers), |builder| builder)
    }

    pub(crate) fn with(
        policy: PolicyBuilder,
        directory: Arc<dyn Directory>,
        settings: impl FnOnce(JwtVerifierBuilder) -> JwtVerifierBuilder,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let network = Arc::new(Network::default());
        let keys = KeyStore::new(KeySettings::default(), network.clone(), clock.clone());
        let builder = JwtVerifier::builder(policy.build().unwrap(), keys, directory, clock.clone());
        Self { clock, network, verifier: settings(builder).build().unwrap() }
    }

    /// The usual one: `https://as.example` with these keys.
    pub(crate) fn usual(signers: &[&Signer]) -> Self {
        let stage = Self::new(policy().issuer(issuer()));
        stage.network.serve(JWKS, jwks(signers));
        stage
    }
}

/// Lets the tasks that were started in the background run to their end.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
