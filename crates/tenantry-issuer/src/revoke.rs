//! `POST /oauth/revoke`: a token that its client does not need any more ([RFC 7009]).
//!
//! | the token                                          | then                                          |
//! |----------------------------------------------------|-----------------------------------------------|
//! | a refresh token of the caller, also one used before | 200; its family ends                          |
//! | an access token of the caller                       | 200; introspection says so until it expires    |
//! | unknown, expired, revoked, made up                  | 200 ([RFC 7009 §2.2])                         |
//! | of another client, or of another tenant             | 400 `invalid_grant`; nothing changes          |
//!
//! A resource server that verifies access tokens itself does not ask here. Those that were issued
//! for a refresh token stay good, there, until they expire: that is why they are short-lived.
//!
//! With an issuer per tenant, an access token of another issuer is unknown, not foreign: this issuer
//! has no key to tell.
//!
//! [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
//! [RFC 7009 §2.2]: https://www.rfc-editor.org/rfc/rfc7009#section-2.2

use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::json;

use crate::caller::Caller;
use crate::endpoints::Endpoints;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::refresh_token::PresentedToken;
use crate::token_endpoint::json_answer;
use crate::trail::Trail;

pub(crate) async fn revoke(
    endpoints: &OAuthEndpoints,
    request: Request<Body>,
    trail: &mut Trail,
) -> Result<Response, OAuthError> {
    let caller = Caller::read(endpoints, Endpoints::REVOCATION, request, trail).await?;
    let token = caller
        .form
        .get("token")
        .ok_or_else(|| OAuthError::invalid_request(Reason::TokenMissing, "token is missing"))?;
    // The two kinds cannot be taken for each other, so `token_type_hint` has nothing to say.
    match token.parse::<PresentedToken>() {
        Ok(presented) => refresh_token(endpoints, &caller, &presented).await?,
        Err(_) => access_token(endpoints, &caller, token).await?,
    }
    // Some clients want JSON where the body says nothing.
    json_answer(&json!({}))
}

async fn refresh_token(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    presented: &PresentedToken,
) -> Result<(), OAuthError> {
    let registration = &caller.registration;
    let Some(family) = endpoints.store().family(presented.family).await? else {
        return Ok(());
    };
    if family.tenant != registration.tenant.id || family.client != registration.client.id {
        return Err(OAuthError::foreign_token());
    }
    endpoints.store().revoke_family(family.id, endpoints.clock().unix()).await?;
    Ok(())
}

async fn access_token(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    token: &str,
) -> Result<(), OAuthError> {
    let registration = &caller.registration;
    let tenant = &registration.tenant.id;
    let Some(token) = endpoints.tokens().verify(&caller.settings, tenant, token).await? else {
        return Ok(());
    };
    if token.tenant != *tenant || token.client != registration.client.id {
        return Err(OAuthError::foreign_token());
    }
    // One of a client that had this id before is inactive already.
    if token.is_of(registration) && token.expires_at > endpoints.clock().unix() {
        endpoints.store().revoke_access_token(tenant, &token.jti, token.expires_at).await?;
    }
    Ok(())
}
