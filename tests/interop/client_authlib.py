"""What Authlib does with the issuer that standard input describes; README.md has the shape."""

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from task import refusal, report, task

parameters, target, audience, scope = (
    task[name] for name in ("parameters", "target", "audience", "scope")
)
url = get_well_known_url(task["issuer"], external=True)
server = AuthorizationServerMetadata(requests.get(url, timeout=60).json())
assert server["issuer"] == task["issuer"]
# RFC 8414 asks for https, and these are on loopback.
server.validate_grant_types_supported()
server.validate_token_endpoint_auth_methods_supported()

session = OAuth2Session(task["client_id"], task["client_secret"])


def ask(audience, scope):
    return session.fetch_token(
        server["token_endpoint"],
        grant_type="client_credentials",
        scope=scope,
        **{target: audience},
        **parameters,
    )


def renew(token):
    return session.refresh_token(server["token_endpoint"], refresh_token=token, **parameters)


def introspect(token):
    return post(session.introspect_token, "introspection_endpoint", token).json()


def revoke(token):
    post(session.revoke_token, "revocation_endpoint", token)


def post(call, endpoint, token):
    body = "&".join(f"{name}={value}" for name, value in parameters.items())
    answer = call(server[endpoint], token=token, body=body)
    answer.raise_for_status()
    return answer


obtained = dict(ask(audience, scope))
renewed = dict(renew(obtained["refresh_token"]))
introspected = introspect(renewed["access_token"])
revoke(renewed["access_token"])
revoked = introspect(renewed["access_token"])
revoke(renewed["refresh_token"])
report(
    obtained=obtained,
    renewed=renewed,
    introspected=introspected,
    revoked=revoked,
    renewal=refusal(OAuthError, lambda: renew(renewed["refresh_token"])),
    foreign_audience=refusal(OAuthError, lambda: ask(task["foreign"]["audience"], scope)),
    foreign_scope=refusal(OAuthError, lambda: ask(audience, task["foreign"]["scope"])),
)
