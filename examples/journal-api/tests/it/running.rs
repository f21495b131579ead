//! The demonstration, running, and a client for it.

use std::net::{Ipv4Addr, SocketAddr};

use journal_api::authorization_server::AuthorizationServer;
use journal_api::demo::{self, Demo};
use journal_api::store::Journal;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tenantry_testkit::TestIssuer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A port of this machine that the system chooses.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) server: AuthorizationServer,
    /// The issuer from before, which signs whatever a test needs.
    pub(crate) issuer: TestIssuer,
    pub(crate) journal: Journal,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) serving: JoinHandle<()>,
    client: Client,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::of(Demo::start(ANY_PORT, ANY_PORT, None).await.unwrap())
    }

    pub(crate) fn of(demo: Demo) -> Self {
        let url = demo.url();
        let Demo { service, issuer: server, legacy: issuer, journal } = demo;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(service.run(async { stopped.await.unwrap_or_default() }));
        Self { url, server, issuer, journal, stop, serving, client: client() }
    }

    /// A token for everything in the journal of `tenant`.
    pub(crate) fn token(&self, tenant: &str) -> String {
        demo::token(&self.issuer, tenant).sign()
    }

    /// Lets the service ask the issuer for its keys, by a token of that one.
    pub(crate) async fn ask_for_keys(&self) {
        let audience = demo::audience("tenant1");
        let token = self.server.token(&self.client, "tenant1", demo::JOURNAL_SYNC, &audience);
        let (status, _) = answer(self.get("/tenant1/whoami", &token.await.unwrap())).await;
        assert_eq!(status, StatusCode::OK);
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) fn post(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) fn delete(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) fn get_without_token(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// Books the rent for `tenant` and returns the answer's body.
    pub(crate) async fn book(&self, tenant: &str) -> Value {
        let path = format!("/{tenant}/journal-entries");
        let (status, body) = answer(self.post(&path, &self.token(tenant)).json(&rent())).await;
        assert_eq!(status, StatusCode::CREATED);
        body
    }

    /// How many entries `tenant` has.
    pub(crate) async fn count(&self, tenant: &str) -> usize {
        let path = format!("/{tenant}/journal-entries?limit=100");
        let (status, body) = answer(self.get(&path, &self.token(tenant))).await;
        assert_eq!(status, StatusCode::OK);
        body["entries"].as_array().unwrap().len()
    }
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Sends a request; the body of its answer is JSON.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

pub(crate) fn rent() -> Value {
    json!({"date": "2026-11-21", "memo": "Office rent", "lines": [
        {"account": "6310", "debit": "1200.00", "currency": "EUR"},
        {"account": "1200", "credit": "1200.00", "currency": "EUR"}]})
}
