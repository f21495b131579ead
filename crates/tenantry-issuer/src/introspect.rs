//! `POST /oauth/introspect`: what a token says, for whoever may know ([RFC 7662]).
//!
//! | the token                                                        | the answer          |
//! |------------------------------------------------------------------|---------------------|
//! | an access token of the caller's tenant, issued to the caller       | what it says        |
//! | the same of another client, for an audience that the caller may have | what it says        |
//! | a live refresh token of the caller                                 | what it stands for  |
//! | expired, revoked, of a client that is disabled or gone              | `{"active":false}`  |
//! | of a client that was removed, and whose id another one has now      | `{"active":false}`  |
//! | of another tenant, for somebody else, made up                       | `{"active":false}`  |
//!
//! The last ones are the same to the byte, so nobody learns which it was ([RFC 7662 §2.2]).
//!
//! [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
//! [RFC 7662 §2.2]: https://www.rfc-editor.org/rfc/rfc7662#section-2.2

use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::endpoints::Endpoints;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::oauth_error::OAuthError;
use crate::own_tokens::OwnToken;
use crate::reason::Reason;
use crate::records::ClientId;
use crate::refresh_token::PresentedToken;
use crate::token_endpoint::json_answer;
use crate::trail::Trail;

pub(crate) async fn introspect(
    endpoints: &OAuthEndpoints,
    request: Request<Body>,
    trail: &mut Trail,
) -> Result<Response, OAuthError> {
    let caller = Caller::read(endpoints, Endpoints::INTROSPECTION, request, trail).await?;
    let token = caller
        .form
        .get("token")
        .ok_or_else(|| OAuthError::invalid_request(Reason::TokenMissing, "token is missing"))?;
    // The two kinds cannot be taken for each other, so `token_type_hint` has nothing to say.
    let known = match token.parse::<PresentedToken>() {
        Ok(presented) => refresh_token(endpoints, &caller, &presented).await?,
        Err(_) => access_token(endpoints, &caller, token).await?,
    };
    json_answer(&known.map_or_else(|| json!({ "active": false }), Value::Object))
}

async fn access_token(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    token: &str,
) -> Result<Option<Map<String, Value>>, OAuthError> {
    let now = endpoints.clock().unix();
    let tenant = &caller.registration.tenant.id;
    let Some(token) = endpoints.tokens().verify(&caller.settings, tenant, token).await? else {
        return Ok(None);
    };
    if token.tenant != *tenant || token.expires_at <= now || !is_callers_business(caller, &token) {
        return Ok(None);
    }
    if endpoints.store().is_access_token_revoked(tenant, &token.jti).await? {
        return Ok(None);
    }
    let client = endpoints.registrations().find(tenant, &token.client).await?;
    if !client.is_some_and(|client| token.is_of(&client) && client.require_standing().is_ok()) {
        return Ok(None);
    }
    let mut known = token.claims;
    known.insert("active".into(), true.into());
    known.insert("token_type".into(), "Bearer".into());
    Ok(Some(known))
}

/// A client knows its own tokens; a resource server, which is a client too, those that are for it.
fn is_callers_business(caller: &Caller, token: &OwnToken) -> bool {
    let own: &ClientId = &caller.registration.client.id;
    let audiences = caller.audiences().own();
    token.client == *own || token.audience.iter().any(|audience| audiences.contains(audience))
}

async fn refresh_token(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    presented: &PresentedToken,
) -> Result<Option<Map<String, Value>>, OAuthError> {
    let now = endpoints.clock().unix();
    let settings = &caller.settings;
    let registration = &caller.registration;
    let Some(family) = endpoints.store().family(presented.family).await? else {
        return Ok(None);
    };
    let own = family.tenant == registration.tenant.id && family.client == registration.client.id;
    let live = family.accepts(&presented.hash, now, settings.refresh_grace())
        && !family.has_ended(now, Some(settings.refresh_idle_lifetime()));
    if !own || !live {
        return Ok(None);
    }
    let mut known = Map::new();
    known.insert("active".into(), true.into());
    known.insert("client_id".into(), family.client.as_str().into());
    known.insert("aud".into(), family.audiences.clone().into());
    known.insert("iat".into(), family.created_at.as_secs().into());
    known.insert("exp".into(), family.expires_at.as_secs().into());
    let scope = caller.scopes(&family.scopes).render(family.scopes.iter().map(String::as_str));
    if !scope.is_empty() {
        known.insert("scope".into(), scope.join(" ").into());
    }
    for claim in settings.tenant_claims() {
        known.insert(claim.to_string(), family.tenant.as_str().into());
    }
    Ok(Some(known))
}
