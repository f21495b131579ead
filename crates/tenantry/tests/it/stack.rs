//! What the tests have in common: a transport that answers by script, and a small API.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::{MethodRouter, get};
use http_body_util::BodyExt;
use tenantry::{
    BoxFuture, ClientId, FetchError, FetchErrorKind, FetchRequest, FetchResponse, PolicyFile,
    RequireScopeLayer, ResourceServer, TenantPrincipal, Transport,
};
use tenantry_testkit::{ManualClock, TestIssuer};
use tower::ServiceExt;

pub(crate) const NOW: Duration = Duration::from_secs(1_800_000_000);

/// Answers each request with the next of its documents; there is no connection when none is left.
#[derive(Clone, Default)]
pub(crate) struct Script {
    answers: Arc<Mutex<VecDeque<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn answer(&self, document: impl ToString) {
        self.answers.lock().unwrap().push_back(document.to_string());
    }

    /// The URLs that were asked for, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Lets the tasks run that the test has started, until `asked` holds `count` URLs.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            if self.asked().len() >= count {
                break;
            }
            tokio::task::yield_now().await;
        }
        // The answer has to be taken in, too.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.asked()
    }
}

impl Transport for Script {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        self.asked.lock().unwrap().push(request.url().into());
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            match answer {
                Some(document) => Ok(FetchResponse::new(200, document.into_bytes())),
                None => Err(FetchErrorKind::Connect.into()),
            }
        })
    }
}

/// An issuer without a server, on a clock of its own.
pub(crate) fn issuer() -> (TestIssuer, ManualClock) {
    let clock = ManualClock::new(NOW);
    let issuer = TestIssuer::builder().clock(Arc::new(clock.clone()));
    (issuer.offline(), clock)
}

/// A policy file in a directory of its own, next to the `keys.json` of an issuer.
pub(crate) struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new(policy: &str, issuer: &TestIssuer) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        files.write("policy.toml", policy);
        files.write("keys.json", &issuer.jwks().to_string());
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn policy(&self) -> PolicyFile {
        PolicyFile::read(self.path("policy.toml")).unwrap()
    }

    /// What stops the start, without the path of the directory.
    pub(crate) async fn error(&self) -> String {
        let error = self.policy().build().await.unwrap_err().to_string();
        let directory = self.directory.path().display().to_string();
        error.replace(&format!("{directory}/"), "")
    }
}

/// An answer, as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Status and code; of an admitted request, the body.
    pub(crate) fn outcome(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or(&self.body);
        format!("{} {code}", self.status.as_u16())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The API behind a resource server: `…/whoami` answers with tenant and client, `…/entries` needs
/// `journal.read`.
pub(crate) struct Api {
    routes: Router,
    /// Key files are read when keys are needed.
    _files: Option<Files>,
}

impl Api {
    pub(crate) fn behind(server: &ResourceServer) -> Self {
        async fn whoami(principal: TenantPrincipal) -> String {
            let client = principal.client_id().map_or("-", ClientId::as_str);
            format!("{} {client}", principal.tenant())
        }
        Self::new(server, get(whoami))
    }

    /// The same, with a handler of the test's own.
    pub(crate) fn new(server: &ResourceServer, handler: MethodRouter) -> Self {
        let entries = handler.clone().layer(RequireScopeLayer::all(["journal.read"]));
        let routes =
            Router::new().route("/{tenant}/whoami", handler).route("/{tenant}/entries", entries);
        Self { routes: routes.layer(server.layer()), _files: None }
    }

    pub(crate) fn with(mut self, files: Files) -> Self {
        self._files = Some(files);
        self
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(Request::get(path), token).await
    }

    pub(crate) async fn send(&self, request: http::request::Builder, token: &str) -> Answer {
        let request =
            request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        self.send_raw(request).await
    }

    pub(crate) async fn send_raw(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.routes.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}
