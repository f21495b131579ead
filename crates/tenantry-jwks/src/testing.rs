//! A clock that is set by hand, a network that follows a script, and keys.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tenantry_core::{Algorithm, BoxFuture, Clock, Issuer};
use tokio::sync::{oneshot, watch};

use crate::error::KeyErrorKind;
use crate::fetch_error::{FetchError, FetchErrorKind};
use crate::issuer::IssuerKeys;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::store::KeyStore;
use crate::transport::{FetchRequest, FetchResponse, Transport};

/// Stands still until it is told to move. The time of day can be set apart.
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    monotonic: AtomicU64,
    unix: AtomicU64,
}

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.monotonic.fetch_add(by, Ordering::Relaxed);
        self.unix.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn set_unix(&self, unix: Duration) {
        self.unix.store(u64::try_from(unix.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn unix(&self) -> Duration {
        Duration::from_millis(self.unix.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::Relaxed))
    }
}

/// What the network does about one request.
#[derive(Debug)]
pub(crate) enum Step {
    Answer(FetchResponse),
    Fail(FetchErrorKind),
    Panic,
    /// Waits for the test, and then does what the test says.
    Held(oneshot::Receiver<Step>),
}

impl Step {
    pub(crate) fn held() -> (oneshot::Sender<Self>, Self) {
        let (release, held) = oneshot::channel();
        (release, Self::Held(held))
    }

    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Answer(FetchResponse::new(status, body.into()))
    }

    pub(crate) fn with_etag(self, etag: &str) -> Self {
        self.with(|answer| answer.with_etag(etag))
    }

    pub(crate) fn with_cache_control(self, field: &str) -> Self {
        self.with(|answer| answer.with_cache_control(field))
    }

    fn with(self, change: impl FnOnce(FetchResponse) -> FetchResponse) -> Self {
        match self {
            Self::Answer(answer) => Self::Answer(change(answer)),
            other => panic!("{other:?} is no answer"),
        }
    }
}

impl From<Value> for Step {
    fn from(document: Value) -> Self {
        Self::status(200, &document.to_string())
    }
}

impl From<&str> for Step {
    fn from(body: &str) -> Self {
        Self::status(200, body)
    }
}

impl From<u16> for Step {
    fn from(status: u16) -> Self {
        Self::status(status, "")
    }
}

impl From<FetchErrorKind> for Step {
    fn from(kind: FetchErrorKind) -> Self {
        Self::Fail(kind)
    }
}

/// Does one step per request, the last one again and again, and notes the URLs and entity tags.
#[derive(Default)]
pub(crate) struct Script {
    steps: Mutex<HashMap<String, Vec<Step>>>,
    asked: watch::Sender<Vec<String>>,
    tags: Mutex<Vec<Option<String>>>,
}

impl Script {
    pub(crate) fn says<const N: usize>(&self, url: &str, steps: [Step; N]) {
        self.steps.lock().unwrap().insert(url.to_owned(), steps.into());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// The entity tag that each request was sent with.
    pub(crate) fn tags(&self) -> Vec<Option<String>> {
        self.tags.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.borrow().len()
    }

    /// Waits until this many requests were sent in all.
    pub(crate) async fn has_been_asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        asked.wait_for(|asked| asked.len() >= count).await.unwrap();
    }

    fn next(&self, url: &str) -> Step {
        let mut steps = self.steps.lock().unwrap();
        let Some(steps) = steps.get_mut(url) else {
            return Step::from(404);
        };
        match steps.as_slice() {
            [Step::Answer(answer)] => Step::Answer(answer.clone()),
            [Step::Fail(kind)] => Step::Fail(*kind),
            [] => Step::from(404),
            _ => steps.remove(0),
        }
    }
}

impl Transport for Script {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let mut step = self.next(request.url());
        self.tags.lock().unwrap().push(request.if_none_match().map(str::to_owned));
        self.asked.send_modify(|asked| asked.push(request.url().to_owned()));
        Box::pin(async move {
            loop {
                match step {
                    Step::Answer(answer) => return Ok(answer),
                    Step::Fail(kind) => return Err(kind.into()),
                    Step::Panic => panic!("the script says so"),
                    Step::Held(held) => match held.await {
                        Ok(next) => step = next,
                        // The test let go of it: never an answer.
                        Err(_) => return std::future::pending().await,
                    },
                }
            }
        })
    }
}

pub(crate) const ISSUER: &str = "https://auth.example/tenant1";
pub(crate) const URL: &str = "https://auth.example/jwks.json";

/// A store with one pinned issuer, and what it depends on.
pub(crate) struct Bench {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) script: Arc<Script>,
    pub(crate) store: KeyStore,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(KeySettings::default(), KeySource::uri(URL))
    }

    /// Chance gives the middle: a refresh at 80 % of the lifetime, half of the longest back-off.
    pub(crate) fn with(settings: KeySettings, source: KeySource) -> Self {
        let (clock, script) = (Arc::new(ManualClock::default()), Arc::new(Script::default()));
        // Not at zero: a moment of zero must not mean "never".
        clock.advance(Duration::from_secs(1000));
        let middle = || u64::MAX / 2 + 1;
        let mut store = KeyStore::with_randomness(settings, script.clone(), clock.clone(), middle);
        store.pin(Issuer::new(ISSUER), source);
        Self { clock, script, store }
    }

    pub(crate) fn keys(&self) -> Arc<IssuerKeys> {
        self.store.get(ISSUER).unwrap()
    }

    /// An issuer that a token brought, with keys at a URL of its own.
    pub(crate) fn found(&self, name: &str) -> Arc<IssuerKeys> {
        let issuer = Issuer::new(format!("https://{name}.example"));
        self.store.get_or_insert(&issuer, || KeySource::uri(Self::url_of(name)))
    }

    pub(crate) fn url_of(name: &str) -> String {
        format!("https://{name}.example/jwks")
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// The `kid` of the key that is found, or why there is none.
pub(crate) type Verdict = Result<Option<String>, KeyErrorKind>;

pub(crate) async fn ask(keys: &Arc<IssuerKeys>, kid: &str) -> Verdict {
    let found = keys.key(Some(kid), Algorithm::EdDsa).await;
    found.map(|found| found.key.kid().map(str::to_owned)).map_err(|error| error.kind())
}

pub(crate) fn found(kid: &str) -> Verdict {
    Ok(Some(kid.to_owned()))
}

pub(crate) fn keys_of<const N: usize>(kids: [&str; N]) -> Value {
    set(kids.map(ed25519))
}

/// A bench whose issuer has loaded key `a`.
pub(crate) async fn loaded() -> (Bench, Arc<IssuerKeys>) {
    loaded_with(KeySettings::default()).await
}

pub(crate) async fn loaded_with(settings: KeySettings) -> (Bench, Arc<IssuerKeys>) {
    let bench = Bench::with(settings, KeySource::uri(URL));
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(bench.script.count(), 1);
    (bench, keys)
}

/// Lets the tasks run that a background refresh consists of.
pub(crate) async fn settle(keys: &Arc<IssuerKeys>) {
    while keys.is_fetching() {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWK Set of these keys.
pub(crate) fn set<const N: usize>(keys: [Value; N]) -> Value {
    json!({ "keys": keys.to_vec() })
}

/// A public Ed25519 key that follows from its name.
pub(crate) fn ed25519(kid: &str) -> Value {
    let mut jwk = okp(&ed25519_pair(kid));
    jwk["kid"] = kid.into();
    jwk
}

pub(crate) fn ed25519_pair(name: &str) -> Ed25519KeyPair {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

pub(crate) fn okp(pair: &Ed25519KeyPair) -> Value {
    let x = base64(pair.public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
}

/// The public half of a pair on one of the three curves.
pub(crate) fn ec(crv: &str, pair: &EcdsaKeyPair) -> Value {
    let (x, y) = pair.public_key().as_ref()[1..].split_at(match crv {
        "P-256" => 32,
        "P-384" => 48,
        _ => 66,
    });
    json!({ "kty": "EC", "crv": crv, "x": base64(x), "y": base64(y) })
}

/// A 2048-bit RSA public key, without anything that says what it is for. From RFC 7515 §A.2.1.
pub(crate) fn rsa() -> Value {
    json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
              0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
              ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
              IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB"
    })
}

/// A PEM block with this label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> =
        body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The `SubjectPublicKeyInfo` of a public key.
pub(crate) fn spki<'a, K: AsDer<aws_lc_rs::encoding::PublicKeyX509Der<'a>>>(key: &K) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

/// A name service that says one thing after the other, the last one again and again.
#[cfg(feature = "reqwest")]
pub(crate) struct Names {
    answers: Mutex<Vec<Vec<std::net::IpAddr>>>,
    asked: AtomicU64,
}

#[cfg(feature = "reqwest")]
impl Names {
    pub(crate) fn of<const N: usize>(answers: [Vec<std::net::IpAddr>; N]) -> Self {
        Self { answers: Mutex::new(answers.into()), asked: AtomicU64::new(0) }
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "reqwest")]
impl crate::resolve::Resolver for Names {
    fn resolve(&self, _: &str) -> BoxFuture<std::io::Result<Vec<std::net::IpAddr>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}
