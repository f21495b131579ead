//! `POST /oauth/token`: an access token, and a refresh token for clients registered for both
//! ([RFC 6749 §3.2]).
//!
//! [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use serde::Serialize;

use crate::access_token::{AccessToken, IssuedToken};
use crate::audiences::Audiences;
use crate::authentication::Registration;
use crate::caller::Caller;
use crate::endpoints::Endpoints;
use crate::grant::Grant;
use crate::no_store::no_store;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::{FamilyId, NewFamily};
use crate::refresh::refresh;
use crate::refresh_token::RefreshToken;
use crate::scopes::Scopes;
use crate::trail::Trail;

/// How long the body of an answer usually is at most, in bytes.
const USUAL: usize = 1024;

/// What the client gets.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access: IssuedToken,
    /// As the access token has it; empty if there is none.
    pub(crate) scope: Vec<String>,
    pub(crate) refresh: Option<RefreshToken>,
}

pub(crate) async fn issue(
    endpoints: &OAuthEndpoints,
    request: Request<Body>,
    trail: &mut Trail,
) -> Result<Response, OAuthError> {
    let caller = Caller::read(endpoints, Endpoints::TOKEN, request, trail).await?;
    let grant = Grant::read(&caller.form, caller.registration.client.grants)?;
    trail.uses(grant.as_str());
    let tokens = match grant {
        Grant::ClientCredentials => client_credentials(endpoints, &caller, trail).await?,
        // In a box of its own, as below: what waits for the database takes kilobytes, and a request
        // that does not wait would carry the room for it about.
        Grant::RefreshToken => Box::pin(refresh(endpoints, &caller, trail)).await?,
    };
    answer(&tokens)
}

async fn client_credentials(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    trail: &mut Trail,
) -> Result<Tokens, OAuthError> {
    let registration = &*caller.registration;
    let scopes = caller.scopes(&registration.client.scopes);
    let granted = scopes.grant(caller.form.get("scope"))?;
    let audience = caller.audiences().grant(&caller.form)?;
    trail.granted(&granted);
    let scope = scopes.render(granted.iter().copied());
    let access = caller.sign(endpoints, &audience, &scope).await?;
    let refresh = if registration.client.grants.refresh_token {
        Some(Box::pin(open_family(endpoints, caller, &granted, audience)).await?)
    } else {
        None
    };
    Ok(Tokens { access, scope, refresh })
}

/// The first refresh token of a grant, for a client that was proven by a registration which may be a
/// while old.
async fn open_family(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    scopes: &[&str],
    audiences: Vec<String>,
) -> Result<RefreshToken, OAuthError> {
    let registration = &*caller.registration;
    let now = endpoints.clock().unix();
    let lifetime = caller.settings.refresh_token_lifetime();
    let id = FamilyId::generate().map_err(|_| OAuthError::unavailable(Reason::Random))?;
    let token = RefreshToken::generate(id).map_err(|_| OAuthError::unavailable(Reason::Random))?;
    let family = NewFamily {
        id,
        tenant: registration.tenant.id.clone(),
        client: registration.client.id.clone(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        audiences,
        token: token.hash(),
        created_at: now,
        expires_at: now.saturating_add(lifetime),
        generation: registration.generation,
    };
    if endpoints.store().open_family(&family).await? {
        return Ok(token);
    }
    // Something has changed since then. An old secret must begin nothing that outlives it.
    if let Some(now) = endpoints.registrations().still(registration).await? {
        now.require_standing()?;
        let family = NewFamily { generation: now.generation, ..family };
        if endpoints.store().open_family(&family).await? {
            return Ok(token);
        }
    }
    Err(OAuthError::unauthorized_client(
        Reason::ClientGone,
        "the client was removed, or its secret exchanged, a moment ago",
    ))
}

impl Caller {
    /// Signs an access token for this client.
    pub(crate) async fn sign(
        &self,
        endpoints: &OAuthEndpoints,
        audience: &[String],
        scope: &[String],
    ) -> Result<IssuedToken, OAuthError> {
        let Registration { tenant, client, .. } = &*self.registration;
        let settings = &self.settings;
        let token = AccessToken { settings, tenant, client, audience, scope };
        Ok(endpoints.keys().issue(&token).await?)
    }

    /// The scopes of this client's tenant, of which it may have `registered`.
    pub(crate) fn scopes<'a>(
        &'a self,
        registered: &'a std::collections::BTreeSet<String>,
    ) -> Scopes<'a> {
        let tenant = &self.registration.tenant.id;
        Scopes { pattern: self.settings.scope(), tenant, registered }
    }

    /// The audiences of this client.
    pub(crate) fn audiences(&self) -> Audiences<'_> {
        Audiences {
            patterns: self.settings.audience(),
            tenant: &self.registration.tenant.id,
            registered: &self.registration.client.audiences,
        }
    }
}

/// The answer of [RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    /// An empty scope is none: the grammar has at least one token.
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

fn answer(tokens: &Tokens) -> Result<Response, OAuthError> {
    let lifetime = tokens.access.expires_at.saturating_sub(tokens.access.issued_at);
    json_answer(&Answer {
        access_token: &tokens.access.token,
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        scope: tokens.scope.join(" "),
        refresh_token: tokens.refresh.as_ref().map(RefreshToken::expose),
    })
}

/// 200 with `body`, which no cache keeps.
pub(crate) fn json_answer(body: &impl Serialize) -> Result<Response, OAuthError> {
    let mut json = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut json, body).map_err(|_| OAuthError::unavailable(Reason::Json))?;
    let mut response = Response::new(Body::from(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    no_store(headers);
    Ok(response)
}
