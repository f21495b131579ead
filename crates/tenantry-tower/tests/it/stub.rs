//! A verifier that takes tokens at their word, a service that counts, and a look at the answer.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tenantry_core::{
    AccessToken, Anonymous, BoxFuture, ClientId, Issuer, Policy, Reason, Rejection, Scope, Subject,
    TenantAwareRequest, TenantClaim, TokenFacts, TrustIssuers, VerifiedToken, Verifier,
};
use tenantry_tower::{RefusalBody, TenantExtractorLayer};
use tokio::sync::Semaphore;
use tower::Service;

/// What a handler answers with.
pub(crate) type Text = Full<bytes::Bytes>;

const ISSUER: &str = "https://auth.erp.example";

/// Tokens are `TENANT` and `TENANT.SCOPE`; `forged` is refused and `down` cannot be judged.
#[derive(Debug)]
pub(crate) struct Stub {
    policy: Policy,
    /// The token that is in memory.
    remembered: Mutex<Option<String>>,
    /// One fresh token at a time is judged.
    gate: Arc<Semaphore>,
}

impl Stub {
    /// Remembers nothing, and is never waited for.
    pub(crate) fn new() -> Arc<Self> {
        let policy = Policy::builder()
            .issuer(ISSUER)
            .audience("https://api.erp.example/{tenant}")
            .tenant_path("/{tenant}/{*rest}")
            .realm("journal")
            .build()
            .unwrap();
        Arc::new(Self { policy, remembered: Mutex::default(), gate: Arc::new(Semaphore::new(1)) })
    }

    /// Remembers one token.
    pub(crate) fn remember(&self, token: &str) {
        *self.remembered.lock().unwrap() = Some(token.into());
    }

    /// Lets fresh tokens wait, until the end of the guard.
    pub(crate) fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.gate).try_acquire_owned().unwrap()
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn layer(self: &Arc<Self>) -> TenantExtractorLayer {
        TenantExtractorLayer::new(self.policy.clone(), self.clone(), Arc::new(TrustIssuers))
    }

    fn verified(&self, token: &str) -> VerifiedToken {
        let (tenant, scope) = token.split_once('.').unwrap_or((token, ""));
        let scope = format!("{tenant}.{scope}");
        let facts = TokenFacts {
            issuer: Issuer::new(ISSUER),
            subject: Some(Subject::new("journal-sync")),
            client_id: Some(ClientId::new("journal-sync")),
            audience: vec![format!("https://api.erp.example/{tenant}").into()],
            tenant_claims: vec![TenantClaim { name: "tenant_id".into(), value: tenant.into() }],
            scope: Scope::parse(&scope).unwrap(),
            expires_at: Duration::from_secs(4_102_444_800),
            issued_at: None,
            jwt_id: None,
            claims: Box::default(),
        };
        VerifiedToken::assert_verified(&self.policy, facts)
    }
}

impl Verifier for Stub {
    fn cached(&self, token: &str) -> Option<VerifiedToken> {
        let remembered = self.remembered.lock().unwrap();
        (remembered.as_deref() == Some(token)).then(|| self.verified(token))
    }

    fn fresh(self: Arc<Self>, token: AccessToken) -> BoxFuture<Result<VerifiedToken, Rejection>> {
        Box::pin(async move {
            let _held = self.gate.acquire().await.unwrap();
            match token.as_str() {
                "forged" => Err(Rejection::new(Reason::SignatureInvalid)),
                "down" => Err(Rejection::new(Reason::KeysUnavailable)),
                token => Ok(self.verified(token)),
            }
        })
    }
}

/// Counts how often a handler ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn hit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A service that answers with what the extractor left.
    pub(crate) fn service<B>(
        &self,
    ) -> impl Service<
        Request<B>,
        Response = Response<Text>,
        Error = Infallible,
        Future = std::future::Ready<Result<Response<Text>, Infallible>>,
    > + Clone
    + use<B> {
        let calls = self.clone();
        tower::service_fn(move |request: Request<B>| {
            calls.hit();
            std::future::ready(Ok(Response::new(Full::from(left(&request)))))
        })
    }
}

/// Who an extractor says is calling.
pub(crate) fn left<B>(request: &Request<B>) -> String {
    let proven = request.extensions().get::<TenantAwareRequest>();
    match (proven, request.extensions().get::<Anonymous>()) {
        (Some(proven), None) => proven.tenant().to_string(),
        (None, Some(_)) => "anonymous".into(),
        (None, None) => "nobody looked".into(),
        (Some(_), Some(_)) => "two answers".into(),
    }
}

/// `GET path` with a token, or without.
pub(crate) fn request(path: &str, token: Option<&str>) -> Request<()> {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(()).unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    /// The reason code of a refusal.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.text).expect("a problem");
        problem["code"].as_str().expect("a code").into()
    }
}

pub(crate) async fn read<B>(response: Response<RefusalBody<B>>) -> Answer
where
    B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug>,
{
    let (parts, body) = response.into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let challenges: Vec<_> = parts.headers.get_all("www-authenticate").iter().collect();
    assert!(challenges.len() <= 1, "{challenges:?}");
    Answer {
        status: parts.status,
        challenge: challenges.first().map(|value| value.to_str().unwrap().into()),
        text: String::from_utf8(text.to_vec()).unwrap(),
    }
}
