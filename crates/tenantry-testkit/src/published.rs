//! What a test issuer publishes: its key sets and the metadata that leads to them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::key_ring::KeyRing;

const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
const OPENID_METADATA: &str = "/.well-known/openid-configuration";

/// Shared by the issuer, which changes it, and its server, which shows it.
#[derive(Debug)]
pub(crate) struct Published {
    /// The issuer's `iss`.
    url: String,
    /// Where the documents are: the `iss` itself, unless another was asked for.
    base: String,
    openid_only: bool,
    state: Mutex<State>,
    /// The mood, for those who wait for it to change.
    mood: watch::Sender<Mood>,
}

#[derive(Debug)]
struct State {
    own: KeyRing,
    tenants: BTreeMap<Box<str>, KeyRing>,
    fetches: BTreeMap<String, usize>,
}

/// How requests are answered, if at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Mood {
    /// With 500.
    Failing,
    /// With 200 and bytes that are no document.
    Garbling,
    /// As they should be.
    #[default]
    Normal,
    /// Not until the mood changes.
    Paused,
    /// With 503.
    Unavailable,
}

/// Which document, and of which tenant.
#[derive(Debug, Eq, PartialEq)]
enum Document<'a> {
    Jwks(Option<&'a str>),
    OauthMetadata(Option<&'a str>),
    OpenidMetadata(Option<&'a str>),
}

impl Published {
    pub(crate) fn new(
        url: String,
        base: String,
        openid_only: bool,
        own: KeyRing,
        tenants: BTreeMap<Box<str>, KeyRing>,
    ) -> Self {
        let state = State { own, tenants, fetches: BTreeMap::new() };
        let mood = watch::Sender::new(Mood::Normal);
        Self { url, base, openid_only, state: Mutex::new(state), mood }
    }

    /// The same documents with a life of their own.
    #[cfg(feature = "attack")]
    pub(crate) fn fork(&self) -> Self {
        let state = self.state();
        let (own, tenants) = (state.own.clone(), state.tenants.clone());
        drop(state);
        Self::new(self.url.clone(), self.base.clone(), self.openid_only, own, tenants)
    }

    /// Where its documents are.
    #[cfg(feature = "attack")]
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The `iss` of a tenant's issuer, or of the issuer itself.
    pub(crate) fn issuer(&self, tenant: Option<&str>) -> String {
        at(&self.url, tenant)
    }

    pub(crate) fn jwks_uri(&self, tenant: Option<&str>) -> String {
        format!("{}/jwks.json", at(&self.base, tenant))
    }

    /// Runs `f` on the keys of `tenant`, or on those that belong to none; `None` if the tenant has
    /// none of its own.
    pub(crate) fn with_ring<T>(
        &self,
        tenant: Option<&str>,
        f: impl FnOnce(&mut KeyRing) -> T,
    ) -> Option<T> {
        self.state().ring(tenant).map(f)
    }

    pub(crate) fn has_tenants(&self) -> bool {
        !self.state().tenants.is_empty()
    }

    pub(crate) fn rotate(&self) {
        let mut state = self.state();
        let State { own, tenants, .. } = &mut *state;
        std::iter::once(own).chain(tenants.values_mut()).for_each(KeyRing::rotate);
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub(crate) fn fetches(&self) -> BTreeMap<String, usize> {
        self.state().fetches.clone()
    }

    /// Answers one request, and counts it whatever the answer. While it is paused, nothing comes.
    pub(crate) async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        *self.state().fetches.entry(path.to_owned()).or_default() += 1;
        let mood = self.after_pause().await;
        let error = |status, error: &str| respond(status, &json!({ "error": error }));
        match mood {
            Mood::Failing => error(StatusCode::INTERNAL_SERVER_ERROR, "failing"),
            Mood::Garbling => respond_with(StatusCode::OK, Bytes::from_static(GARBAGE)),
            Mood::Unavailable => error(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Mood::Normal | Mood::Paused => {
                let document = (method == Method::GET)
                    .then(|| Document::at(path))
                    .flatten()
                    .and_then(|document| self.document(&mut self.state(), &document));
                match document {
                    Some(document) => respond(StatusCode::OK, &document),
                    None => error(StatusCode::NOT_FOUND, "not found"),
                }
            }
        }
    }

    async fn after_pause(&self) -> Mood {
        let mut mood = self.mood.subscribe();
        // The sender is in `self`, so this does not fail.
        mood.wait_for(|mood| *mood != Mood::Paused).await.map_or(Mood::Normal, |mood| *mood)
    }

    fn document(&self, state: &mut State, document: &Document<'_>) -> Option<Value> {
        match *document {
            Document::Jwks(tenant) => state.ring(tenant).map(|ring| ring.jwks()),
            Document::OauthMetadata(_) if self.openid_only => None,
            Document::OauthMetadata(tenant) => {
                state.ring(tenant)?;
                Some(self.metadata(tenant))
            }
            Document::OpenidMetadata(tenant) => {
                let algorithms = state.ring(tenant)?.algorithms();
                let mut metadata = self.metadata(tenant);
                if let Value::Object(members) = &mut metadata {
                    members.insert("subject_types_supported".into(), json!(["public"]));
                    members
                        .insert("id_token_signing_alg_values_supported".into(), json!(algorithms));
                }
                Some(metadata)
            }
        }
    }

    /// The members that RFC 8414 §2 requires. The endpoints are named, as they must be, but there is
    /// nothing at them: tokens come from [`TokenBuilder`](crate::TokenBuilder).
    fn metadata(&self, tenant: Option<&str>) -> Value {
        let base = at(&self.base, tenant);
        json!({
            "issuer": self.issuer(tenant),
            "jwks_uri": self.jwks_uri(tenant),
            "authorization_endpoint": format!("{base}/oauth/authorize"),
            "token_endpoint": format!("{base}/oauth/token"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere has not left half a change: each is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ring(&mut self, tenant: Option<&str>) -> Option<&mut KeyRing> {
        match tenant {
            Some(tenant) => self.tenants.get_mut(tenant),
            None => Some(&mut self.own),
        }
    }
}

impl<'a> Document<'a> {
    /// RFC 8414 §3.1 inserts the well-known part before the issuer's path, OpenID Connect Discovery
    /// §4 appends it.
    fn at(path: &'a str) -> Option<Self> {
        match path {
            "/jwks.json" => return Some(Self::Jwks(None)),
            OAUTH_METADATA => return Some(Self::OauthMetadata(None)),
            OPENID_METADATA => return Some(Self::OpenidMetadata(None)),
            _ => {}
        }
        let inserted = path.strip_prefix(OAUTH_METADATA).and_then(|rest| rest.strip_prefix('/'));
        if let Some(tenant) = inserted {
            return Some(Self::OauthMetadata(Some(tenant)));
        }
        let path = path.strip_prefix('/')?;
        let (tenant, document) = path.split_at(path.find('/')?);
        match document {
            "/jwks.json" => Some(Self::Jwks(Some(tenant))),
            OPENID_METADATA => Some(Self::OpenidMetadata(Some(tenant))),
            _ => None,
        }
    }
}

fn at(base: &str, tenant: Option<&str>) -> String {
    match tenant {
        Some(tenant) => format!("{base}/{tenant}"),
        None => base.to_owned(),
    }
}

/// It begins like a key set.
const GARBAGE: &[u8] = b"{\"keys\": [{\xff\x00";

fn respond(status: StatusCode, document: &Value) -> Response<Full<Bytes>> {
    respond_with(status, Bytes::from(document.to_string()))
}

fn respond_with(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_document_of_the_right_tenant() {
        use Document::{Jwks, OauthMetadata, OpenidMetadata};
        let table = [
            ("/jwks.json", Some(Jwks(None))),
            ("/tenant1/jwks.json", Some(Jwks(Some("tenant1")))),
            ("/.well-known/oauth-authorization-server", Some(OauthMetadata(None))),
            (
                "/.well-known/oauth-authorization-server/tenant1",
                Some(OauthMetadata(Some("tenant1"))),
            ),
            ("/.well-known/openid-configuration", Some(OpenidMetadata(None))),
            ("/tenant1/.well-known/openid-configuration", Some(OpenidMetadata(Some("tenant1")))),
            // The other standard's way of writing it.
            ("/tenant1/.well-known/oauth-authorization-server", None),
            ("/.well-known/openid-configuration/tenant1", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("/tenant1", None),
            ("/tenant1/", None),
            ("/tenant1/tenant2/jwks.json", None),
        ];
        for (path, document) in table {
            assert_eq!(Document::at(path), document, "{path}");
        }
    }
}
