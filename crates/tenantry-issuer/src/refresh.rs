//! A refresh token for an access token, and its successor ([RFC 6749 §6], [RFC 9700 §4.14.2]).
//!
//! Everything about the new access token is settled and it is signed before the refresh token is
//! used up. What fails until then can be tried again with the same token. An answer that is lost
//! afterwards can be fetched again within the grace period.
//!
//! The access token has at most what was granted at the start and is still registered. The successor
//! keeps what was granted at the start, whatever was asked for this time.
//!
//! [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
//! [RFC 9700 §4.14.2]: https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2

use crate::access_token::IssuedToken;
use crate::caller::Caller;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::Family;
use crate::refresh_token::{PresentedToken, RefreshToken};
use crate::store::{RefreshAttempt, RefreshUse};
use crate::token_endpoint::Tokens;
use crate::trail::Trail;

pub(crate) async fn refresh(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    trail: &mut Trail,
) -> Result<Tokens, OAuthError> {
    let presented = caller.form.get("refresh_token").ok_or_else(|| {
        OAuthError::invalid_request(Reason::RefreshTokenMissing, "refresh_token is missing")
    })?;
    let presented: PresentedToken =
        presented.parse().map_err(|_| OAuthError::invalid_grant(Reason::RefreshTokenMalformed))?;
    let now = endpoints.clock().unix();
    let (grace, idle) = (caller.settings.refresh_grace(), caller.settings.refresh_idle_lifetime());
    let family = endpoints.store().family(presented.family).await?;
    let family = family.ok_or_else(|| OAuthError::invalid_grant(Reason::RefreshTokenUnknown))?;
    require_own(&family, caller)?;
    // One that was used before is used all the same, so that the store revokes its family.
    let ready = if family.accepts(&presented.hash, now, grace) {
        Some(prepare(endpoints, caller, &family, trail).await?)
    } else {
        None
    };
    let next = RefreshToken::generate(presented.family)
        .map_err(|_| OAuthError::unavailable(Reason::Random))?;
    let attempt = RefreshAttempt {
        tenant: &caller.registration.tenant.id,
        client: &caller.registration.client.id,
        family: presented.family,
        presented: presented.hash,
        next: next.hash(),
        now,
        grace,
        idle: Some(idle),
    };
    match (endpoints.store().use_refresh_token(&attempt).await?, ready) {
        (RefreshUse::Rotated(_), Some((access, scope))) => {
            Ok(Tokens { access, scope, refresh: Some(next) })
        }
        // It was not acceptable a moment ago, so this does not happen; the grace period covers it.
        (RefreshUse::Rotated(_), None) => Err(OAuthError::unavailable(Reason::RefreshRace)),
        (RefreshUse::Reused(_), _) => Err(OAuthError::invalid_grant(Reason::RefreshTokenReused)),
        (RefreshUse::Gone, _) => Err(OAuthError::invalid_grant(Reason::RefreshTokenEnded)),
    }
}

/// A family is of one client of one tenant, and nobody else learns that there is one.
// INVARIANT (isolation)
fn require_own(family: &Family, caller: &Caller) -> Result<(), OAuthError> {
    let registration = &caller.registration;
    if family.tenant != registration.tenant.id || family.client != registration.client.id {
        return Err(OAuthError::invalid_grant(Reason::RefreshTokenForeign));
    }
    Ok(())
}

/// Signs the access token, and says what its scope is.
async fn prepare(
    endpoints: &OAuthEndpoints,
    caller: &Caller,
    family: &Family,
    trail: &mut Trail,
) -> Result<(IssuedToken, Vec<String>), OAuthError> {
    let registered = &caller.registration.client.scopes;
    let still = family.scopes.intersection(registered).cloned().collect();
    let scopes = caller.scopes(&still);
    let granted = scopes.grant(caller.form.get("scope"))?;
    let audience = caller.audiences().renew(&family.audiences, &caller.form)?;
    trail.granted(&granted);
    let scope = scopes.render(granted);
    let access = caller.sign(endpoints, &audience, &scope).await?;
    Ok((access, scope))
}
