//! From a request to an authenticated client: the part that all OAuth endpoints share.
//!
//! ```text
//! form.rs            the parameters                           400
//! credentials.rs     who it says it is                         400 · 401
//! tenant_sources.rs  for which tenant                          400
//! authentication.rs  whether it is that client of that tenant   401
//! rate_limit.rs      if not, whether it has failed too often    429
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};

use crate::authentication::{Presented, Registration};
use crate::body::read_body;
use crate::credentials::Credentials;
use crate::form::Form;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::oauth_error::OAuthError;
use crate::rate_limit::Attempt;
use crate::settings::Settings;
use crate::tenant_sources::TenantSources;
use crate::trail::Trail;

/// A client that has proven itself, and what it sent.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) registration: Arc<Registration>,
    pub(crate) form: Form,
    /// Those that the request is judged by, from its start to its end.
    pub(crate) settings: Arc<Settings>,
}

impl Caller {
    /// Reads a request to `endpoint`, such as `/oauth/token`.
    pub(crate) async fn read(
        endpoints: &OAuthEndpoints,
        endpoint: &str,
        request: Request<Body>,
        trail: &mut Trail,
    ) -> Result<Self, OAuthError> {
        let settings = endpoints.settings();
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let address = peer.map(|peer| settings.trusted_proxies.sender(peer, &parts.headers));
        trail.came_from(address);
        let body = read_body(body).await?;
        let form = Form::read(&parts.uri, &parts.headers, &body)?;
        let credentials = Credentials::read(&parts.headers, &form)?;
        let sources =
            TenantSources { header: settings.tenant_header(), audience: settings.audience() };
        let path = path_tenant(parts.uri.path(), endpoint);
        let tenant = sources.tenant(path, &parts.headers, &form)?;
        let presented = Presented::new(&tenant, &credentials, settings.issuer());
        let registration = authenticate(endpoints, &presented, address, trail).await?;
        trail.is_about(presented.tenant, presented.client, true);
        Ok(Self { registration, form, settings })
    }
}

async fn authenticate(
    endpoints: &OAuthEndpoints,
    presented: &Presented<'_>,
    address: Option<IpAddr>,
    trail: &mut Trail,
) -> Result<Arc<Registration>, OAuthError> {
    let attempt = Attempt::new(presented.tenant.clone(), presented.client.clone(), address);
    let judging = endpoints.limits().judge(attempt);
    let unproven = match endpoints.registrations().authenticate(presented).await {
        Ok(registration) => {
            judging.end(false);
            return Ok(registration);
        }
        Err(unproven) => unproven,
    };
    let failed = unproven.error.status() == StatusCode::UNAUTHORIZED;
    if unproven.is_registered {
        trail.is_about(presented.tenant, presented.client, !failed);
    }
    match judging.end(failed) {
        Some(wait) => Err(OAuthError::too_many_failures(wait)),
        None => Err(unproven.error),
    }
}

/// What stands in front of `endpoint`, as it was sent: a tenant's id has one spelling, so a `%31` in
/// it is no `1`.
fn path_tenant<'a>(path: &'a str, endpoint: &str) -> Option<&'a str> {
    let before = path.strip_suffix(endpoint)?;
    if before.is_empty() { None } else { Some(before.strip_prefix('/').unwrap_or(before)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_of_a_path_is_what_was_sent() {
        let tenant = |path| path_tenant(path, "/oauth/token");

        assert_eq!(tenant("/oauth/token"), None);
        assert_eq!(tenant("/tenant1/oauth/token"), Some("tenant1"));
        assert_eq!(tenant("/tenant%31/oauth/token"), Some("tenant%31"));
        assert_eq!(tenant("//oauth/token"), Some(""));
        assert_eq!(tenant("/a/b/oauth/token"), Some("a/b"));
    }
}
