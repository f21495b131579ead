"""joserfc as the validator of a resource server (RFC 9068 section 4)."""

import requests
from joserfc import jwt
from joserfc.errors import InvalidClaimError
from joserfc.jwk import KeySet

from task import report, task

keys = KeySet.import_key_set(requests.get(task["jwks_uri"], timeout=60).json())


def validate(audience):
    token = jwt.decode(task["token"], keys, algorithms=[task["algorithm"]])
    # It leaves the type to its caller.
    assert token.header["typ"] == "at+jwt"
    claims = {name: {"essential": True} for name in ("exp", "sub", "client_id", "iat", "jti")}
    claims["iss"] = {"essential": True, "value": task["issuer"]}
    claims["aud"] = {"essential": True, "value": audience}
    jwt.JWTClaimsRegistry(**claims).validate(token.claims)
    return token.claims


accepted = validate(task["audience"])
try:
    validate(task["foreign"]["audience"])
    refused = None
except InvalidClaimError as error:
    refused = error.claim
report(accepted=accepted, refused=refused)
