"""Authlib's validator of RFC 9068, as a resource server uses it."""

import requests
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

from task import report, task


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return requests.get(task["jwks_uri"], timeout=60).json()


def validate(audience):
    validator = Validator(issuer=task["issuer"], resource_server=audience)
    token = validator.authenticate_token(task["token"])
    validator.validate_token(token, [task["scope"]], None)
    return dict(token)


accepted = validate(task["audience"])
try:
    validate(task["foreign"]["audience"])
    refused = None
except InvalidTokenError as error:
    # Its cause says which claim.
    refused = error.__cause__.claim
report(accepted=accepted, refused=refused)
