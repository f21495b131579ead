"""What requests-oauthlib does with the issuer that standard input describes; README.md has the shape."""

import os

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from task import refusal, report, task

# The issuer is on loopback.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

parameters, target, audience, scope = (
    task[name] for name in ("parameters", "target", "audience", "scope")
)
basic = HTTPBasicAuth(task["client_id"], task["client_secret"])


def session_for(scope):
    client = BackendApplicationClient(task["client_id"], scope=scope.split())
    return OAuth2Session(client=client, scope=scope.split())


session = session_for(scope)
# It has no discovery.
server = session.get(task["metadata"], withhold_token=True).json()


def ask(audience, scope):
    return session_for(scope).fetch_token(
        server["token_endpoint"], auth=basic, **{target: audience}, **parameters
    )


def renew(token):
    return session.refresh_token(
        server["token_endpoint"], refresh_token=token, auth=basic, **parameters
    )


def send(endpoint, token):
    # Revocation is a request that oauthlib prepares and leaves to send; introspection has the same form.
    url, headers, body = session._client.prepare_token_revocation_request(
        server[endpoint], token, token_type_hint=None, **parameters
    )
    answer = session.post(url, data=body, headers=headers, auth=basic, withhold_token=True)
    answer.raise_for_status()
    return answer


def introspect(token):
    return send("introspection_endpoint", token).json()


def plain(token):
    """As it came: the library makes a list of the scope."""
    return {**token, "scope": " ".join(token["scope"])}


obtained = ask(audience, scope)
renewed = renew(obtained["refresh_token"])
introspected = introspect(renewed["access_token"])
send("revocation_endpoint", renewed["access_token"])
revoked = introspect(renewed["access_token"])
send("revocation_endpoint", renewed["refresh_token"])
report(
    obtained=plain(obtained),
    renewed=plain(renewed),
    introspected=introspected,
    revoked=revoked,
    renewal=refusal(OAuth2Error, lambda: renew(renewed["refresh_token"])),
    foreign_audience=refusal(OAuth2Error, lambda: ask(task["foreign"]["audience"], scope)),
    foreign_scope=refusal(OAuth2Error, lambda: ask(audience, task["foreign"]["scope"])),
)
