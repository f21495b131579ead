//! A network that a test holds in its hands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tenantry::{BoxFuture, Transport};
use tenantry_jwks::{FetchError, FetchErrorKind, FetchRequest, FetchResponse};

/// Serves documents by URL, fails when it is told to, and counts.
///
/// Clones are the same network.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<String, String>,
    fetched: Vec<String>,
    weather: Weather,
}

#[derive(Clone, Copy, Debug, Default)]
enum Weather {
    Down,
    Hanging,
    Panicking,
    #[default]
    Up,
}

impl Network {
    /// Publishes `document` at `url`, instead of what was there.
    pub fn publish(&self, url: impl Into<String>, document: &Value) {
        self.state().documents.insert(url.into(), document.to_string());
    }

    /// Publishes metadata of `issuer` ([RFC 8414 §3]) where `jwks_uri` leads from.
    ///
    /// [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
    pub fn publish_metadata(&self, at: &str, issuer: &str, jwks_uri: &str) {
        self.publish(at, &json!({ "issuer": issuer, "jwks_uri": jwks_uri }));
    }

    /// Answers no more.
    pub fn fail(&self) {
        self.state().weather = Weather::Down;
    }

    /// Takes requests, and never answers.
    pub fn hang(&self) {
        self.state().weather = Weather::Hanging;
    }

    /// Panics at every request.
    pub fn panic(&self) {
        self.state().weather = Weather::Panicking;
    }

    /// Answers again.
    pub fn recover(&self) {
        self.state().weather = Weather::Up;
    }

    /// Every URL that was asked for, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        self.state().fetched.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Transport for Network {
    fn get(&self, request: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        let mut state = self.state();
        state.fetched.push(request.url().into());
        let document = state.documents.get(request.url()).cloned();
        let weather = state.weather;
        drop(state);
        Box::pin(async move {
            match (weather, document) {
                (Weather::Down, _) => Err(FetchErrorKind::Connect.into()),
                (Weather::Hanging, _) => std::future::pending().await,
                (Weather::Panicking, _) => panic!("the network was told to panic"),
                (Weather::Up, None) => Ok(FetchResponse::new(404, Vec::new())),
                (Weather::Up, Some(document)) => Ok(FetchResponse::new(200, document.into_bytes())),
            }
        })
    }
}
