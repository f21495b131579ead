//! The crate `oauth2` as a client. It has no discovery.

use oauth2::basic::{
    BasicErrorResponse, BasicRequestTokenError, BasicRevocationErrorResponse, BasicTokenResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ExtraTokenFields,
    HttpRequest, HttpResponse, IntrospectionUrl, RefreshToken, RequestTokenError, RevocationUrl,
    Scope, StandardRevocableToken, StandardTokenIntrospectionResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::{Exchange, Tokens};
use crate::issuer::{AUDIENCE, CLIENT, FOREIGN_AUDIENCE, FOREIGN_SCOPE, Issuer, SCOPE};
use crate::program::Outcome;

/// What introspection says beyond RFC 7662.
#[derive(Debug, Deserialize, Serialize)]
struct TenantField {
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

impl ExtraTokenFields for TenantField {}

type TenantClient = Client<
    BasicErrorResponse,
    BasicTokenResponse,
    StandardTokenIntrospectionResponse<TenantField, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointSet,
    EndpointSet,
>;

type Refused = BasicRequestTokenError<reqwest::Error>;

struct Session<'a> {
    issuer: &'a Issuer,
    client: TenantClient,
    http: reqwest::Client,
}

/// An access token of the client.
pub(crate) async fn access_token(issuer: &Issuer) -> Outcome<String> {
    let obtained = Session::new(issuer)?.ask(AUDIENCE, SCOPE).await?;
    Ok(obtained.access_token().secret().clone())
}

/// Everything that the crate can do here.
pub(crate) async fn exchange(issuer: &Issuer) -> Outcome<Exchange> {
    let session = Session::new(issuer)?;
    let obtained = session.ask(AUDIENCE, SCOPE).await?;
    let renewed = session.renew(refresh_token(&obtained)?).await?;
    let access = renewed.access_token();
    let introspected = session.introspect(access).await?;
    session.revoke(access.clone().into()).await?;
    let revoked = session.introspect(access).await?;
    let refresh = refresh_token(&renewed)?;
    session.revoke(refresh.clone().into()).await?;
    Ok(Exchange {
        introspected,
        revoked,
        renewal: refusal(session.renew(refresh).await)?,
        foreign_audience: refusal(session.ask(FOREIGN_AUDIENCE, SCOPE).await)?,
        foreign_scope: refusal(session.ask(AUDIENCE, FOREIGN_SCOPE).await)?,
        obtained: tokens(&obtained)?,
        renewed: tokens(&renewed)?,
    })
}

impl<'a> Session<'a> {
    fn new(issuer: &'a Issuer) -> Outcome<Self> {
        let endpoints = &issuer.endpoints;
        // It sends no revocation without TLS, not on loopback either.
        let revocation = endpoints.revocation().replacen("http:", "https:", 1);
        let client = Client::new(ClientId::new(CLIENT.into()))
            .set_client_secret(ClientSecret::new(issuer.secret.clone()))
            .set_token_uri(TokenUrl::new(endpoints.token())?)
            .set_introspection_url(IntrospectionUrl::new(endpoints.introspection())?)
            .set_revocation_url(RevocationUrl::new(revocation)?);
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { issuer, client, http })
    }

    async fn ask(&self, audience: &str, scope: &str) -> Result<BasicTokenResponse, Refused> {
        let mut request = self.client.exchange_client_credentials();
        for (name, value) in self.issuer.parameters() {
            request = request.add_extra_param(*name, *value);
        }
        request
            .add_extra_param(self.issuer.target(), audience)
            .add_scopes(scope.split(' ').map(|scope| Scope::new(scope.into())))
            .request_async(&|request| self.send(request))
            .await
    }

    async fn renew(&self, token: &RefreshToken) -> Result<BasicTokenResponse, Refused> {
        let mut request = self.client.exchange_refresh_token(token);
        for (name, value) in self.issuer.parameters() {
            request = request.add_extra_param(*name, *value);
        }
        request.request_async(&|request| self.send(request)).await
    }

    async fn introspect(&self, token: &AccessToken) -> Outcome<Value> {
        let mut request = self.client.introspect(token);
        for (name, value) in self.issuer.parameters() {
            request = request.add_extra_param(*name, *value);
        }
        let known = request.request_async(&|request| self.send(request)).await?;
        let mut known = serde_json::to_value(known)?;
        // It makes a list of the audience.
        if let Some(audience) = known.get_mut("aud") {
            assert_eq!(audience.as_array().map(Vec::len), Some(1), "{audience}");
            *audience = audience[0].take();
        }
        Ok(known)
    }

    async fn revoke(&self, token: StandardRevocableToken) -> Outcome<()> {
        let mut request = self.client.revoke_token(token)?;
        for (name, value) in self.issuer.parameters() {
            request = request.add_extra_param(*name, *value);
        }
        Ok(request.request_async(&|request| self.send(request)).await?)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().replacen("https:", "http:", 1);
        let request = self.http.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = request.send().await?;
        let mut response = HttpResponse::default();
        *response.status_mut() = answer.status();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        *response.body_mut() = answer.bytes().await?.into();
        Ok(response)
    }
}

fn refresh_token(tokens: &BasicTokenResponse) -> Outcome<&RefreshToken> {
    Ok(tokens.refresh_token().ok_or("no refresh token")?)
}

fn tokens(tokens: &BasicTokenResponse) -> Outcome<Tokens> {
    Ok(serde_json::from_value(serde_json::to_value(tokens)?)?)
}

/// The error code of a request that has to be refused, as the crate read it.
fn refusal(result: Result<BasicTokenResponse, Refused>) -> Outcome<String> {
    match result {
        Err(RequestTokenError::ServerResponse(error)) => Ok(error.error().as_ref().into()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("not refused".into()),
    }
}
